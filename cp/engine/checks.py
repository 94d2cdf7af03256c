"""The health check of a job: its command runs at an interval, one run at a time."""

from __future__ import annotations

from cp.engine.events import CHECK, Code, Event
from cp.engine.exit_status import describe_exit
from cp.engine.health import Result
from cp.engine.process import StartError
from cp.engine.run import Run
from cp.engine.timers import Ticker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.context import Context
    from cp.engine.health import Consequence, Health
    from cp.plan import EventCode, Level


class Check:
    """Runs the command of a health check every interval, and keeps the job's health.

    `on_result(consequence, output)` is called for each result that counts: `is_desired()` is true, and the process is
    still the one that ran when the check began. A check without a command passes at every tick. A tick that comes while
    a check runs is remembered once.
    """

    __slots__ = (
        "_context",
        "_health",
        "_is_wanted",
        "_missed",
        "_on_result",
        "_plan",
        "_process",
        "_run",
        "_ticker",
        "began",
    )  # fmt: skip

    def __init__(
        self,
        context: Context,
        check: plan.Health,
        health: Health,
        is_wanted: Callable[[], bool],
        on_result: Callable[[Consequence, str], None],
    ) -> None:
        self._context = context
        self._plan = check
        self._health = health
        self._is_wanted = is_wanted  # asked at each tick and for each result
        self._on_result = on_result
        self._ticker = Ticker(context.loop, check.interval, self._tick)
        self._run: Run | None = None
        self._missed = False
        self.began = 0.0  # the time of the last check
        self._process = 0  # the number of the job's process that it checks

    def start(self) -> None:
        """Start the first check one interval from now."""
        self._ticker.start(self._plan.interval)

    def stop(self) -> None:
        """Start no more checks. A running one is terminated, and its result does not count."""
        self._ticker.stop()
        self._missed = False
        if self._run is not None:
            self._context.terminate(self._run, True)
            self._run = None

    def _tick(self) -> None:
        if not self._is_wanted():
            self._missed = False
        elif self._plan.command is None:
            self._report(Result("ok"))
        elif self._run is not None:
            self._missed = True
        else:
            self._start(self._plan.command)

    def _start(self, command: tuple[str, ...]) -> None:
        # Learn the secret that a token file has now: the check may print it after the file is replaced.
        self._context.masked("")
        self.began = self._context.loop.now()
        check = self._plan
        self._process = self._health.processes
        run = Run(
            self._context,
            command,
            check.label,
            lambda code: self._ended(run, code),
            output=check.output,
            log_fields=check.log_fields,
            timeout=check.timeout,
            timeout_text=check.timeout_text,
            timeout_level="debug" if self._health.is_quiet(self.began + (check.timeout or 0.0)) else "warning",
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
        if self._missed:
            self._missed = False
            self._tick()

    def _report(self, result: Result) -> None:
        if not self._is_wanted():
            return
        context, now = self._context, self._context.loop.now()
        follows = self._health.checked(result, now)
        for level, text in follows.lines:
            getattr(context.log, level)(text, result.fields)
        if follows.event and context.observer is not None:
            context.observer.check_ended(self._health.job, now - self.began)
        self._on_result(follows, result.output)
