"""The health checks of a job: each runs at an interval, and never overlaps itself."""

from __future__ import annotations

from cp.engine.events import CHECK, Code, Event
from cp.engine.exit_status import describe_exit
from cp.engine.health import Result
from cp.engine.process import StartError
from cp.engine.run import Run
from cp.engine.timers import Ticker
from cp.platform.text import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.context import Context
    from cp.engine.health import CheckState, Consequence, Health
    from cp.engine.ports import Probe
    from cp.plan import EventCode, HttpProbe, Level, SocketProbe


class Checks:
    """All checks of a job."""

    __slots__ = ("_checks",)

    def __init__(
        self,
        context: Context,
        health: Health,
        address: str,
        is_wanted: Callable[[], bool],
        on_result: Callable[[Consequence, str], None],
    ) -> None:
        self._checks = [Check(context, health, state, address, is_wanted, on_result) for state in health.checks]

    def start(self) -> None:
        for check in self._checks:
            check.start()

    def stop(self) -> None:
        """Start no more checks. Those that run are ended, and their results do not count."""
        for check in self._checks:
            check.stop()

    def run_started(self) -> None:
        """A run of the job starts."""
        for check in self._checks:
            check.run_started()


class Check:
    """Runs the command or the probe of a health check every interval, and keeps the job's health.

    `on_result(consequence, output)` is called for each result that counts: `is_desired()` is true, and the process is
    still the one that ran when the check began. A heartbeat passes at every tick. A tick that comes while a check runs
    is remembered once.
    """

    __slots__ = (
        "_address",
        "_context",
        "_health",
        "_is_wanted",
        "_missed",
        "_on_result",
        "_plan",
        "_probe",
        "_process",
        "_run",
        "_state",
        "_ticker",
        "began",
    )

    def __init__(
        self,
        context: Context,
        health: Health,
        state: CheckState,
        address: str,
        is_wanted: Callable[[], bool],
        on_result: Callable[[Consequence, str], None],
    ) -> None:
        """`state` is the one of this check in `health`; `address` is the one of the job's registration, or empty."""
        self._context = context
        self._plan = check = state.plan
        self._health = health
        self._state = state
        self._address = address
        self._is_wanted = is_wanted  # asked at each tick and for each result
        self._on_result = on_result
        self._ticker = Ticker(context.loop, check.start_interval or check.interval, self._tick)
        self._run: Run | None = None
        self._probe: Probe | None = None
        self._missed = False
        self.began = 0.0  # the time of the last check
        self._process = 0  # the number of the job's process that it checks

    def start(self) -> None:
        """Start the first check one interval from now."""
        self._ticker.start(self._plan.start_interval or self._plan.interval)

    def stop(self) -> None:
        """Start no more checks. A running one is terminated, and its result does not count."""
        self._ticker.stop()
        self._missed = False
        if self._run is not None:
            self._context.terminate(self._run, True)
            self._run = None
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None

    def run_started(self) -> None:
        """A run of the job starts: check at the interval for starts."""
        if self._plan.start_interval:
            self._ticker.change(self._plan.start_interval)

    def _tick(self) -> None:
        check = self._plan
        if check.start_interval and not self._state.is_starting(self._context.loop.now()):
            self._ticker.change(check.interval)
        if not self._is_wanted():
            self._missed = False
        elif self._run is not None or self._probe is not None:
            self._missed = True
        elif check.command is not None:
            self._start(check.command)
        elif check.probe is not None:
            self._start_probe(check.probe)
        else:
            self._report(Result("ok"))

    def _begin(self) -> float:
        self.began = self._context.loop.now()
        self._process = self._health.processes
        return self.began

    # --- by a command

    def _start(self, command: tuple[str, ...]) -> None:
        # Learn the secret that a token file has now: the check may print it after the file is replaced.
        self._context.masked("")
        check, began = self._plan, self._begin()
        run = Run(
            self._context,
            command,
            check.label,
            lambda code: self._ended(run, code),
            output=check.output,
            log_fields=check.log_fields,
            timeout=check.timeout,
            timeout_text=check.timeout_text,
            timeout_level="debug" if self._state.is_quiet(began + (check.timeout or 0.0)) else "warning",
            sweep=True,
            log_pid=check.log_pid,
        )
        try:
            run.start()
        except StartError as error:
            why = self._context.masked(str(error))
            self._publish(error.code, why)
            self._report(Result(why, why, f"{check.unstartable} {check.label}: {why}", "error", check.log_fields))
            return
        self._run = run

    def _publish(self, code: int, error: str) -> None:
        source = self._plan.source
        if source:
            event_code: EventCode = Code.EXIT_FAILED if code else Code.EXIT_SUCCESS
            job = self._health.job
            self._context.bus.publish(Event(event_code, source, kind=CHECK, job=job))
            if code:
                self._context.bus.publish(Event(Code.ERROR, error, kind=CHECK, job=job))

    def _ended(self, run: Run, code: int | None) -> None:
        if run is not self._run or code is None:
            return  # stopped meanwhile
        self._run = None
        reason = describe_exit(code)
        self._publish(code, f"{self._plan.label}: {reason}")
        failure = f"{self._plan.label} exited with error: {reason}" if code else ""
        level: Level = "error" if self._plan.logs_failures else "debug"
        # The catalogue and ContainerPilot show the output.
        output = self._context.masked(run.last_line) or ("timeout" if run.timed_out else "")
        if self._process == self._health.processes:
            self._report(Result(output, reason, failure, level, run.log_fields))
        self._make_up()

    # --- without a process

    def _start_probe(self, probe: HttpProbe | SocketProbe) -> None:
        self._begin()
        try:
            self._probe = self._context.open_probe(probe, self._address, self._plan.timeout, self._probed)
        except (OSError, ImportError, MemoryError) as error:  # no descriptor is left to read its modules with
            self._probed(False, f"cannot check: {reason_of(error)}")

    def _probed(self, passed: bool, text: str) -> None:
        self._probe = None
        if self._process == self._health.processes:
            check, text = self._plan, self._context.masked(text)
            # The log has the changes of health; single failures are for the level debug.
            failure = "" if passed else f"{check.label} failed: {text}"
            self._report(Result(text, text, failure, "debug", check.log_fields, f"passed: {text}"))
        self._make_up()

    # --- the result

    def _make_up(self) -> None:
        """Start the check whose tick came while this one ran."""
        if self._missed:
            self._missed = False
            self._tick()

    def _report(self, result: Result) -> None:
        if not self._is_wanted():
            return
        context, now = self._context, self._context.loop.now()
        follows = self._health.take(self._state, result, now)
        for level, text in follows.lines:
            getattr(context.log, level)(text, result.fields)
        if context.observer is not None and not self._plan.is_heartbeat:
            context.observer.check_ended(self._health.job, now - self.began)
        self._on_result(follows, result.output)
