"""The administration of a running engine: queries and requests, whatever way they arrive. Nothing here blocks."""

from __future__ import annotations

from cp.engine.events import Code, Event
from cp.engine.history import History
from cp.engine.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cp.engine.context import Context
    from cp.engine.engine import Engine
    from cp.engine.job_output import JobOutput
    from cp.engine.ports import Done
    from cp.engine.program_readiness import Outcome


class NotPossible(Exception):
    """A request of a client is refused; the text says why."""


class Admin:
    """The engine's interface for its users.

    A request calls `done("")` when it is complete. It calls `done(why)` if it is refused, or if a process that it
    starts cannot start.
    """

    def __init__(
        self, context: Context, engine: Engine, history: History, suggest: Callable[[str, Iterable[str]], str]
    ) -> None:
        """`suggest(name, names)` is a hint at the name that the user probably meant, or empty."""
        self.history = history
        self._suggest = suggest
        self._context = context
        self._engine = engine

    # --- views

    def overview(self) -> dict[str, object]:
        """All jobs and watches, in the order of the plan.

        `jobs` and `watches` are iterators: each one is described when its turn comes. A job that is gone by then is
        left out.
        """
        from cp.engine.job_report import describe_catalog, describe_watch

        engine, now = self._engine, self._context.loop.now
        reach = engine.catalog_status.reach
        names = [job.name for job in engine.plan.jobs]
        return {
            "maintenance": self._engine.maintenance,
            "stopping": self._engine.stopping,
            "reloading": self._engine.changes.current is not None,
            "catalogue": describe_catalog(engine, reach),
            "watches": (describe_watch(engine, watch, reach, now()) for watch in engine.plan.watches),
            "jobs": (found for found in map(self.job, names) if found is not None),
        }

    def status(self) -> dict[str, object]:
        """What a person asks first. `notReady`, `watches` and `jobs` are iterators."""
        from cp.engine.status_report import status

        return status(self._engine, self._context.loop.now())

    def job(self, name: str) -> dict[str, object] | None:
        from cp.engine.job_report import describe

        job = self._engine.jobs.get(name)
        return None if job is None else describe(self._engine, job, self._context.loop.now())

    def nearest(self, name: str) -> str:
        """A hint at the job that the user probably meant."""
        return self._suggest(name, self._engine.jobs)

    # --- to wait

    def wait_until_ready(self, names: tuple[str, ...], on_end: Callable[[Outcome], object]) -> Callable[[], None]:
        """Wait until these jobs are ready, or without names, ContainerPilot as a whole. The result ends the wait early.

        `on_end` is called once, and never from inside of this call. Raises NotPossible for a name that no job has.
        """
        for name in names:
            if name not in self._engine.jobs:
                raise NotPossible(f"there is no job '{name}'{self.nearest(name)}")
        return self._engine.readiness.wait(names, on_end)

    def readiness(self, names: tuple[str, ...], outcome: Outcome) -> dict[str, object]:
        """The end of such a wait: which jobs are not ready, and why. `jobs` is an iterator."""
        from cp.engine.job_report import why_not_ready

        engine = self._engine
        if outcome == "timeout":  # it may have become ready in this moment
            outcome = engine.readiness.outcome(names) or outcome
        unready = engine.readiness.unready(names) if outcome != "ready" else []
        jobs = ((name, engine.jobs.get(name)) for name in unready)
        return {
            "ready": outcome == "ready",
            "outcome": outcome,
            "maintenance": engine.maintenance,
            "stopping": engine.stopping,
            "jobs": (
                {"name": name, "state": job.state, "about": why_not_ready(engine, job)}
                if job is not None
                else {"name": name, "state": None, "about": "is not in the configuration any more"}
                for name, job in jobs
            ),
        }

    def names(self) -> list[str]:
        """The names of all jobs, in the order of the plan."""
        return [job.name for job in self._engine.plan.jobs]

    @property
    def output(self) -> JobOutput | None:
        """The last lines of jobs; None: they have printed nothing."""
        return self._context.job_output

    def open_output(self) -> JobOutput:
        """The same, for a client that waits for the first one."""
        return self._context.open_output()

    def output_notes(self, names: list[str]) -> list[dict[str, object]]:
        """Where the output of these jobs goes, for each whose lines are not kept. No names: of all that print."""
        from cp.engine.job_report import where_output_goes

        found = [job for job in self._engine.plan.jobs if job.name in names or (not names and job.command is not None)]
        return [{"job": job.name, "about": text} for job in found if (text := where_output_goes(job))]

    # --- to act on a job

    def _log_request(self, request: str) -> None:
        """Log a request, so that the log explains what follows from it."""
        self._context.log.info(f"control: {request}")

    def start_job(self, name: str, done: Done) -> None:
        """Start a job now, whatever it waits for. A running one goes on."""
        self._log_request(f"start {name}")
        self._engine.changes.start(name, done)

    def stop_job(self, name: str, done: Done) -> None:
        """End a job with its hooks. Only a request, or a reload that changes the job, starts it again."""
        self._log_request(f"stop {name}")
        self._engine.changes.stop(name, done)

    def restart_job(self, name: str, done: Done) -> None:
        """End a job with its hooks, and start it again."""
        self._log_request(f"restart {name}")
        self._engine.changes.restart(name, done)

    def signal_job(self, name: str, number: int) -> None:
        """Send a signal to the process of a job, not to its group. NotPossible if that is not possible."""
        self._log_request(f"signal {number} to {name}")
        job = self._engine.jobs.get(name)
        if job is None:
            raise NotPossible(f"there is no job '{name}'")
        if not job.runs.pid:
            if job.state == State.RUNNING:
                raise NotPossible(f"{name} has no process: it has exited, and what it left has its output open")
            raise NotPossible(f"{name} has no process: it is {job.state}")
        if not job.runs.signal(number, group=False):
            raise NotPossible(f"{name} cannot be sent a signal: {job.runs.refusal or 'it has just ended'}")

    # --- to act on all

    @property
    def stopping(self) -> bool:
        """Whether a stop has begun, which refuses most requests."""
        return self._engine.stopping

    def reload(self, done: Done) -> None:
        """Load the configuration again, and act on the difference."""
        self._engine.changes.reload(done)

    def set_maintenance(self, wanted: bool) -> bool:
        """Enter or leave maintenance; False if that changes nothing, or a stop has begun."""
        return self._engine.set_maintenance(wanted)

    def change_environment(self, changes: dict[str, str | None]) -> None:
        """Change the environment of later processes and reloads; None removes a variable.

        Raises NotPossible, and changes nothing, if no process could start with that environment.
        """
        from cp.engine.exec_limits import DoesNotFit, check_change

        environment = self._context.environment
        before = environment.get()
        after = {name: value for name, value in {**before, **changes}.items() if value is not None}
        try:
            check_change(self._engine.plan, before, after)
        except DoesNotFit as error:
            raise NotPossible(f"no process could be started any more: {error}") from None
        for name, value in changes.items():
            if value is None:
                environment.unset(name)
            else:
                environment.set(name, value)

    def record_metrics(self, values: list[tuple[str, str]]) -> None:
        """Record values of metrics, and publish an event for each. Without telemetry nothing is recorded.

        Raises NotPossible, and records nothing, if a metric cannot take its value.
        """
        observer = self._context.observer
        if observer is not None:
            try:
                observer.record(values)
            except ValueError as error:
                raise NotPossible(str(error)) from None
        for name, value in values:
            self._context.bus.publish(Event(Code.METRIC, f"{name}|{value}"))
