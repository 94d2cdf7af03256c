"""The engine: runs a plan, from its first event to the exit code."""

from __future__ import annotations

from cp.engine.changes import Changes
from cp.engine.events import Code, Event
from cp.engine.job import Job
from cp.engine.phase import KILLING, RUNNING, STARTING, Phase
from cp.engine.registrations import Registrations
from cp.engine.registry import JobRegistry
from cp.engine.shutdown import ExitCode, Shutdown, deregister_limit
from cp.engine.states import State
from cp.engine.termination import Termination
from cp.engine.watches import Watches
from cp.plan import GLOBAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cp import plan
    from cp.engine.catalog_facts import RegistrationStatus
    from cp.engine.catalog_status import CatalogStatus
    from cp.engine.context import Context
    from cp.engine.maintenance import Maintenance
    from cp.engine.ports import OpenDiscovery, Terminable
    from cp.engine.program_readiness import ProgramReadiness
    from cp.engine.reload import Change
    from cp.engine.trigger import Skip
    from cp.engine.watch_variables import Found
    from cp.plan import Status


class Engine:
    """Owns the jobs of a plan and takes them through start, maintenance, changes and stop.

    `load()` returns the next plan for a reload. If there is none, it logs the reason and raises ChangeRefused.
    `open_discovery` makes the discovery of a plan. The engine never blocks: `loop.run()` returns when `exit_code` is
    final.
    """

    def __init__(
        self,
        context: Context,
        first: plan.Plan,
        *,
        open_discovery: OpenDiscovery,
        load: Callable[[], plan.Plan],
        started: Callable[[], None],
    ) -> None:
        self.plan = first
        self.started_at = context.loop.now()
        self.phase = Phase()
        self.started_at = 0.0
        self._context = context
        self._on_started = started
        self._readiness: ProgramReadiness | None = None
        self._exit_code = ExitCode(context.log)
        self._registrations = Registrations(context, first, open_discovery, self._deregistered)
        self.watches = Watches(context, self._registrations)
        self._registry = JobRegistry(self.watches.seen)
        self._termination = Termination(context, first.stop_timeout, self.progress, self._stuck)
        self.changes = Changes(self, self._registry, self._registrations, self._termination, load, context)
        self._maintenance: Maintenance | None = None  # before the first time
        self._shutdown = Shutdown(
            context,
            self.phase,
            self._registry,
            self._registrations,
            self.watches,
            self._termination,
            self.changes,
            self._exit_code,
        )
        context.terminate = self._termination.terminate
        context.kill = self._termination.kill
        context.run_ended = self._termination.ended
        context.run_stuck = self._termination.stuck
        context.run_overdue = self._overdue
        context.stop_reason = self._stop_reason
        context.bus.subscribe(self._deliver)

    @property
    def jobs(self) -> dict[str, Job]:
        return self._registry.jobs

    @property
    def exit_code(self) -> int:
        """The exit code of ContainerPilot; final when the loop has stopped."""
        return self._exit_code.value

    @property
    def stopping(self) -> bool:
        return self.phase.is_stopping

    @property
    def ends_jobs(self) -> bool:
        return self.phase.ends_jobs

    @property
    def stop_unasked(self) -> bool:
        """Whether the stop began because the main job, or all jobs, had ended."""
        return self.phase.is_stopping and not self._shutdown.is_requested

    @property
    def maintenance(self) -> bool:
        return self._maintenance is not None and self._maintenance.active

    @property
    def kill_after(self) -> float:
        """Seconds that the process of a failed run has after its stop signal."""
        return self.plan.stop_timeout

    @property
    def masked(self) -> Callable[[str], str]:
        """Masks secrets in texts that users see."""
        return self._context.masked

    @property
    def catalog_status(self) -> CatalogStatus:
        """The facts about the catalogue of the plan. Their times are those of `loop.elapsed`."""
        return self._registrations.catalog_status

    def standing(self, job: Job) -> RegistrationStatus | None:
        """The state of a job's registration; None if the job has no service."""
        return self._registrations.standing(job, is_suspended=self.stopping or self.maintenance)

    @property
    def readiness(self) -> ProgramReadiness:
        """The readiness of ContainerPilot as a whole, which nothing follows before the first use."""
        if self._readiness is None:
            from cp.engine.program_readiness import ProgramReadiness

            self._readiness = ProgramReadiness(self._context, self)
        return self._readiness

    # --- starting

    def start(self) -> None:
        self.started_at = self._context.loop.now()
        self._install(self.plan.jobs, None)
        self._context.bus.publish(Event(Code.STARTUP, GLOBAL))
        self._context.loop.call_soon(self._after_start)

    def _after_start(self) -> None:
        """Start what the caller has postponed and the catalogue's thread: the first processes run."""
        if self.phase.name == STARTING:
            self.phase.move(RUNNING)
        self._on_started()
        self._registrations.discovery.start()

    def _install(self, fresh: list[plan.Job] | tuple[plan.Job, ...], change: Change | None) -> None:
        self._context.keeps_lines = self.plan.logging.ends_in_termination_log
        for name, value in self.plan.environ:
            self._context.environment.set(name, value)
        jobs = [Job(self._context, self, job) for job in fresh]
        for job in jobs:
            self._registry.add(job)
            if change is not None and job.name in change.triggers:
                job.trigger.succeed(change.triggers[job.name])
        self.watches.apply(self.plan.watches)
        for job in jobs:
            if change is not None and job.name == change.held:
                job.hold()
            else:
                job.arm()
        if change is None:
            return
        for key in self._registry.happened():
            self.watches.happened(*key)
        for job in jobs:
            if job.name == change.started:
                job.start_now(self.found(job.plan.when.source))
            elif job.name != change.held:
                self._registry.catch_up(job, change.missed_by(job))

    def adopt(self, loaded: plan.Plan, fresh: list[plan.Job], change: Change) -> None:
        """Complete a change: the jobs that it replaces have ended, and `fresh` takes their place."""
        old, self.plan = self.plan, loaded
        for name, value in old.environ:
            self._context.environment.unset_unless_changed(name, value)  # `_install` sets those of the new plan
        if loaded.catalog != old.catalog:
            self.watches.stop()
            self._registrations.move(loaded)
            self._registrations.discovery.start()
        self._registrations.wait_no_longer()
        self._install(fresh, change)
        self._context.readiness_changed("")
        if self._context.job_output is not None:
            self._context.job_output.keep_only(job.name for job in loaded.jobs)
        self.review_waiting()
        self._context.loop.call_soon(self.progress)

    # --- events

    def _deliver(self, event: Event) -> Iterator[None]:
        change = self.changes.current
        if event.code == Code.CHANGED and change is not None:
            change.miss(event)
        yield from self._registry.deliver(event)
        if not self.stopping:
            self.watches.happened(event.code, event.source)

    # --- the supervisor of the jobs

    def register(self, service: plan.Service, status: Status, output: str) -> None:
        if not (self.maintenance or self.stopping):
            self._registrations.register(service, status, output)

    def deregister(self, service: plan.Service) -> None:
        if not self.phase.has_deregistered:
            self._registrations.deregister(service)

    def when_deregistered(self, service: plan.Service, call: Callable[[], object]) -> None:
        self._registrations.when_deregistered(service, call)
        self._context.loop.call_later(deregister_limit(self.plan), call)

    def drained(self) -> None:
        self._context.loop.call_soon(self.progress)

    def found(self, source: str) -> Found | None:
        return self.watches.found(source)

    def dependents(self, job: Job) -> list[Job]:
        return self._registry.dependents(job)

    def comes_too_late(self, job: Job) -> bool:
        killing = self.phase.name == KILLING
        if killing or job.trigger.pending:
            return killing
        return self._registry.comes_too_late(job) or (self.stopping and self._registry.waits_in_vain(job))

    def failed(self, job: Job, code: int) -> None:
        """A job on which everything depends has failed."""
        self._exit_code.job_failed(job, code, self.jobs.values())
        self.stop()

    def completed(self, job: Job) -> None:
        self._registry.unfinished.pop(job, None)
        if job.plan.main and not self.changes.replaces(job):
            self._exit_code.main_completed(job, stopping=self.stopping)
            self.stop()
        # Later than its `stopped` event, so that jobs which wait for that have started.
        self._context.loop.call_soon(self._after_completion, job)

    def waits_again(self, hook: Job) -> None:
        """A hook has run and waits for the end of others of that name. Those that end already need not wait for it."""
        if hook.state == State.WAITING:
            for source in self._registry.with_source(hook.plan.when.source):
                source.dependent_done(hook)

    def review_waiting(self, ended: Job | None = None) -> None:
        """Look for jobs whose event cannot come any more, after this one has ended or after jobs were replaced."""
        if self.stopping or self.changes.current is not None:
            return
        if ended is None or self._registry.waiters(ended):
            try:
                from cp.engine.skipping import SkippedJobs  # most plans have no job that waits for another one
            except (ImportError, OSError, MemoryError) as error:
                self._context.log.error(f"cannot look for jobs that wait in vain: {error or 'out of memory'}")
                return
            SkippedJobs(self._registry, self._context.log, self._main_was_skipped).review(ended)

    def _main_was_skipped(self, skip: Skip) -> None:
        self._exit_code.main_skipped(skip.exit_code)
        self.stop()

    def _stuck(self, run: Terminable) -> None:
        """A run does not end. A stop of everything goes on without it, and a change leaves its job as it is."""
        if self.stopping:
            run.give_up()
        else:
            self.changes.stuck(run)

    def _overdue(self) -> None:
        """A run's own time limit has killed it."""
        change = self.changes.current
        for job in self.jobs.values():
            if self.stopping or (change is not None and job.name in change.retiring):
                job.end_overdue()

    def _stop_reason(self) -> str:
        """Why runs are ended now, as `cause_of_death.STOPS` has it."""
        if self.stopping:
            return "kill" if self.phase.name == KILLING else "stop"
        change = self.changes.current
        return "" if change is None else "reload" if change.is_reload else "request"

    def _after_completion(self, job: Job) -> None:
        if self.stopping and self.phase.name != KILLING and job.runs.count and job.plan.when.code == Code.STOPPING:
            # The jobs that waited for the hook get the full budget: others may have spent it meanwhile.
            self._termination.renew(self.plan.stop_timeout)
        # Not all jobs: thousands may end together.
        for source in self._registry.with_source(job.plan.when.source):
            source.dependent_done(job)
        job.has_ended = True
        for hook in self._registry.waiting_hooks(job, stopping=self.stopping):
            hook.stop()  # its event cannot come any more
        self.review_waiting(job)
        self.changes.retired(job)
        self.progress()

    # --- maintenance and stop

    def set_maintenance(self, active: bool) -> bool:
        """Enter or leave maintenance; False if that changes nothing, or a stop has begun."""
        if self._maintenance is None:
            from cp.engine.maintenance import Maintenance

            self._maintenance = Maintenance(
                self._context, self.phase, self._registry, self._registrations, self.watches
            )
        return self._maintenance.set(active)

    def request_stop(self, number: int) -> None:
        """A signal asks for a stop. A second one ends running hooks, a third one kills everything."""
        self._shutdown.request(number, self.plan)

    def stop(self) -> None:
        """Deregister, let hooks run, terminate what runs, and end the loop after the last process."""
        self._shutdown.begin(self.plan)

    def _deregistered(self) -> None:
        """No deregistration is waited for any more."""
        self._shutdown.end_jobs()

    def progress(self) -> None:
        """Take the next step of a reload or a stop, if what it waits for is done."""
        self.changes.advance()
        if self.jobs and not self._registry.unfinished and not self.stopping and self.changes.current is None:
            self.stop()
        self._shutdown.advance()
