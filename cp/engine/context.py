"""The services that the parts of the engine share, all of which tests can replace, and the environment of children."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cp.engine.cause_of_death import Deaths
    from cp.engine.events import Bus
    from cp.engine.job_output import JobLines, JobOutput
    from cp.engine.loop import Loop
    from cp.engine.output import Outputs
    from cp.engine.ports import CountConnections, JobLog, Observer, OpenMonitor, OpenProbe, Terminable
    from cp.engine.process import Processes


class ChangeRefused(Exception):
    """A configuration that does not load; the text says why."""


class Environment:
    """The environment of children: the one that ContainerPilot inherited, and the engine's additions; not `os.environ`.

    `on_set(name, value)` is called for each variable before a child receives it.
    """

    __slots__ = ("_on_set", "_variables", "withheld")

    def __init__(self, initial: Mapping[str, str], on_set: Callable[[str, str], object] | None = None) -> None:
        self._variables: dict[str, str] = {}
        self._on_set = on_set
        self.withheld: tuple[str, ...] = ()  # inherited variables that children do not get, unless they are set again
        for name, value in initial.items():
            if name:  # an entry such as "=C:=C:\\" has no name, and no child could be started with it
                self.set(name, value)

    def set(self, name: str, value: str) -> None:
        self._variables[name] = value
        if name in self.withheld:
            self.withheld = tuple(other for other in self.withheld if other != name)
        if self._on_set is not None:
            self._on_set(name, value)

    def unset(self, name: str) -> None:
        self._variables.pop(name, None)

    def unset_unless_changed(self, name: str, value: str) -> None:
        """Unset it if it still has this value."""
        if self._variables.get(name) == value:
            self.unset(name)

    def unchanged(self, names: Iterable[str], inherited: Mapping[str, str]) -> tuple[str, ...]:
        """Those of the names that are set, and still have the inherited value."""
        values = self._variables
        return tuple(name for name in names if name in values and values[name] == inherited.get(name))

    def get(self) -> dict[str, str]:
        """A copy, for the templates of a configuration."""
        return dict(self._variables)

    def compose(self, extra: Iterable[tuple[str, str]] = (), passed_on: str = "") -> dict[str, str]:
        """The environment of a child that starts now. `passed_on` is a withheld variable that this child gets."""
        own = dict(extra)
        if self._on_set is not None:
            for name, value in own.items():
                self._on_set(name, value)
        if not self.withheld:
            return {**self._variables, **own}
        inherited = {
            name: value for name, value in self._variables.items() if name not in self.withheld or name == passed_on
        }
        return {**inherited, **own}


class Context:
    """The services that jobs, checks and runs use."""

    __slots__ = (
        "_watches_deaths",
        "bus",
        "count_connections",
        "deaths",
        "environment",
        "job_output",
        "keeps_lines",
        "kill",
        "log",
        "loop",
        "masked",
        "observer",
        "open_monitor",
        "open_probe",
        "outputs",
        "processes",
        "random",
        "readiness_changed",
        "run_ended",
        "run_overdue",
        "run_stuck",
        "runs",
        "stop_reason",
        "terminate",
    )

    def __init__(
        self,
        *,
        loop: Loop,
        processes: Processes,
        outputs: Outputs,
        environment: Environment,
        bus: Bus,
        log: JobLog,
        random: Callable[[], float],
        open_probe: OpenProbe,
        open_monitor: OpenMonitor,
        count_connections: CountConnections | None = None,
        masked: Callable[[str], str] = str,
        watches_deaths: bool = False,
    ) -> None:
        self.loop = loop
        self.processes = processes
        self.outputs = outputs
        self.environment = environment
        self.bus = bus
        self.log = log
        self.random = random  # a number in [0, 1), for jitter
        self.masked = masked  # masks secrets in texts that users see
        self.open_probe = open_probe  # for checks without a process
        self.open_monitor = open_monitor  # for jobs with `ready` or `watchdog`
        self.count_connections = count_connections  # for drains; None: as `drain.py` does it
        self._watches_deaths = watches_deaths  # otherwise causes of deaths are known only if `deaths` is set
        self.keeps_lines = False  # runs of the main job keep the last lines of their output
        # A job, by its name, may have become ready or unready, or has moved. Empty: jobs were replaced.
        self.readiness_changed: Callable[[str], object] = bool
        self.runs: set[Terminable] = set()  # started and not ended
        self.observer: Observer | None = None
        self.job_output: JobOutput | None = None  # the last lines of jobs; None: they have printed nothing
        self.deaths: Deaths | None = None  # from soon after the start
        self.stop_reason: Callable[[], str] = str  # why runs are ended now; empty: for no reason of the engine
        # The engine replaces that and these five by its own, for the budget of its stops.
        self.terminate: Callable[[Terminable, bool], None] = lambda run, group: run.terminate(group=group)
        self.kill: Callable[[Terminable], None] = lambda run: run.kill()
        self.run_ended: Callable[[Terminable], None] = self.runs.discard
        self.run_stuck: Callable[[Terminable], None] = lambda run: run.give_up()  # a run does not end
        self.run_overdue: Callable[[], None] = lambda: None  # a run's own time limit has killed it

    def watch_deaths(self, *, is_late: bool = False) -> Deaths | None:
        """Look at the kernel's counters for the first time, or with `is_late` after a death; the result knows the
        causes of deaths. None if that is not possible."""
        if self.deaths is None and self._watches_deaths:
            try:
                from cp.engine.cause_of_death import Deaths
                from cp.platform.cgroup import ControlGroup

                self.deaths = Deaths(ControlGroup(), self.loop.now, is_late=is_late)
            except (OSError, ImportError, MemoryError):  # no descriptor is left, or the archive is gone
                return None
        return self.deaths

    def keeper(self, job: str) -> Callable[[bytes, int], object]:
        """What keeps the last lines of a job: bytes that were read, and the number of lines in them."""
        lines: JobLines | None = None

        def keep(data: bytes, count: int) -> None:
            nonlocal lines
            if lines is None:
                try:
                    lines = self.open_output().of(job)
                except (OSError, ImportError, MemoryError):  # no descriptor is left, or the archive is gone
                    return
            lines.keep(data, count)

        return keep

    def open_output(self) -> JobOutput:
        """The last lines of jobs, to add to them or to follow them."""
        if self.job_output is None:
            from cp.engine.job_output import JobOutput

            self.job_output = JobOutput(self.outputs)
        return self.job_output

    def control_answered(self, path: str, status: int) -> None:
        """The control plane has answered a request."""
        if self.observer is not None:
            self.observer.control_answered(path, status)

    def catalog_called(self, verb: str, seconds: float, failed: bool) -> None:
        """A call to the catalogue is over. Also for other threads."""
        if self.observer is not None:
            self.loop.post_lazily(self.observer.catalog_called, verb, seconds, failed)
