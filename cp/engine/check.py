"""Health checks of a job: run on their own rhythm, one at a time."""

from __future__ import annotations

from cp.engine.events import Code, Event
from cp.engine.exits import describe_exit
from cp.engine.process import StartError
from cp.engine.rhythm import Ticker
from cp.engine.run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.host import Host


class Check:
    """Runs the command of a health check every interval; `on_result(passed, last_line)` hears of each.

    A check without a command passes at every tick. A tick that comes while a check runs is remembered once.
    """

    __slots__ = ("_host", "_last_line", "_missed", "_on_result", "_plan", "_run", "_ticker", "_wanted", "began")

    def __init__(
        self, host: Host, health: plan.Health, wanted: Callable[[], bool], on_result: Callable[[bool, str], None]
    ) -> None:
        self._host = host
        self._plan = health
        self._wanted = wanted  # asked at each tick: is there anything to check now?
        self._on_result = on_result
        self._ticker = Ticker(host.loop, health.interval, self._tick)
        self._run: Run | None = None
        self._missed = False
        self._last_line = ""
        self.began = 0.0  # when the last check did

    def start(self) -> None:
        """The first check comes one interval from now."""
        self._ticker.start(self._plan.interval)

    def stop(self) -> None:
        """No more checks; one that runs is terminated, and its result does not count."""
        self._ticker.stop()
        self._missed = False
        if self._run is not None:
            self._host.terminate(self._run, True)
            self._run = None

    def _tick(self) -> None:
        if not self._wanted():
            self._missed = False
        elif self._plan.command is None:
            self._on_result(True, "ok")
        elif self._run is not None:
            self._missed = True
        else:
            self._start(self._plan.command)

    def _start(self, command: tuple[str, ...]) -> None:
        self._last_line = ""
        self.began = self._host.loop.now()
        run = Run(
            self._host,
            command,
            self._plan.label,
            lambda code: self._ended(run, code),
            output=self._plan.output,
            log_fields=self._plan.log_fields,
            on_line=self._remember_line,
            timeout=self._plan.timeout,
            timeout_text=self._plan.timeout_text,
            sweep=True,
            log_pid=self._plan.log_pid,
        )
        try:
            run.start()
        except StartError as error:
            self._host.log.error(f"Unable to start {self._plan.label}: {error}", self._plan.log_fields)
            why = self._host.masked(str(error))
            self._publish(error.code, why)
            self._on_result(False, why)
            return
        self._run = run

    def _publish(self, code: int, error: str) -> None:
        source = self._plan.source
        if source:
            self._host.bus.publish(Event(Code.EXIT_FAILED if code else Code.EXIT_SUCCESS, source))
            if code:
                self._host.bus.publish(Event(Code.ERROR, error))

    def _remember_line(self, line: str) -> None:
        self._last_line = line

    def _ended(self, run: Run, code: int) -> None:
        if run is not self._run:
            return  # stopped meanwhile
        self._run = None
        self._publish(code, f"{self._plan.label}: {describe_exit(code)}")
        # The catalogue shows it, and so do we.
        said = self._host.masked(self._last_line)
        self._on_result(code == 0, said or ("timeout" if run.timed_out else ""))
        if self._missed:
            self._missed = False
            self._tick()
