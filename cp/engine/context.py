"""What the engine's parts share: the seams that tests replace, and the environment of children."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Protocol

    from cp import plan
    from cp.engine.catalogue_status import CatalogueStatus
    from cp.engine.events import Bus
    from cp.engine.job import Job
    from cp.engine.loop import Loop
    from cp.engine.output import Outputs
    from cp.engine.process import Processes
    from cp.engine.watch_variables import Found

    class Log(Protocol):
        def debug(self, message: str, fields: tuple[tuple[str, str], ...] = ()) -> None: ...
        def info(self, message: str, fields: tuple[tuple[str, str], ...] = ()) -> None: ...
        def warning(self, message: str, fields: tuple[tuple[str, str], ...] = ()) -> None: ...
        def error(self, message: str, fields: tuple[tuple[str, str], ...] = ()) -> None: ...
        def child_output(self, line: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
            """A line that a child printed; at level info."""

    class Ending(Protocol):
        """What can be told to end: a run, or what is left when there is none any more."""

        @property
        def label(self) -> str: ...
        @property
        def target(self) -> tuple[str, list[int]]:
            """Who gets the next signal: in words, and the pids, as far as they are known."""

        @property
        def is_forbidden(self) -> bool: ...
        def terminate(self, *, group: bool) -> None: ...
        def kill(self) -> None: ...
        def give_up(self) -> None: ...
        def obstacle(self) -> str: ...

    class Supervisor(Protocol):
        """What a job asks of the engine that owns it."""

        @property
        def stopping(self) -> bool: ...
        @property
        def stop_unasked(self) -> bool: ...
        @property
        def maintenance(self) -> bool: ...
        def register(self, service: plan.Service, status: str, output: str) -> None: ...
        def deregister(self, service: plan.Service) -> None: ...
        def found(self, source: str) -> Found | None: ...
        def dependents(self, job: Job) -> list[Job]: ...
        def comes_too_late(self, job: Job) -> bool: ...
        def failed(self, job: Job, code: int) -> None: ...
        def completed(self, job: Job) -> None: ...
        def waits_again(self, hook: Job) -> None: ...

    class Observer(Protocol):
        """Who counts what happens; there is none unless telemetry is wanted."""

        def job_started(self, job: str) -> None: ...
        def job_restarted(self, job: str) -> None: ...
        def job_ended(self, job: str, code: int, seconds: float) -> None: ...
        def check_ended(self, job: str, seconds: float) -> None: ...
        def control_answered(self, path: str, status: int) -> None: ...
        def catalog_called(self, verb: str, seconds: float, failed: bool) -> None: ...

        def record(self, values: list[tuple[str, str]]) -> str:
            """Take values for metrics, or none of them: then why not."""

    class Instance(Protocol):
        @property
        def id(self) -> str: ...
        @property
        def address(self) -> str: ...
        @property
        def port(self) -> int: ...
        @property
        def tags(self) -> tuple[str, ...]: ...

    Report = Callable[[list[Instance]], None]

    class Watcher(Protocol):
        """Follows one watch; reports the healthy instances, whenever they change, on the loop's thread."""

        @property
        def memory(self) -> list[Instance]: ...
        def start(self) -> None: ...
        def pause(self) -> None: ...
        def resume(self) -> None: ...
        def stop(self) -> None: ...

    class Discovery(Protocol):
        """The catalogue as the engine sees it: goals go out, reports of watches come in; nothing here ever blocks."""

        def start(self) -> None: ...
        def want(self, service: plan.Service, status: str, output: str = "", *, age: float = 0.0) -> None: ...
        def forget(self, service: plan.Service, done: Callable[[], None]) -> None: ...
        def watch(self, watch: plan.Watch, report: Report, memory: list[Instance] | None) -> Watcher: ...
        def stop(self) -> None: ...

    # Makes the catalogue's side for a plan. What the catalogue answers goes into the facts.
    OpenDiscovery = Callable[[plan.Plan, CatalogueStatus], Discovery]


class Environment:
    """The environment of children: what we were started with, and what the engine adds. Never `os.environ` itself.

    `on_set(name, value)` hears of each variable before a child gets it.
    """

    __slots__ = ("_on_set", "_variables")

    def __init__(self, initial: Mapping[str, str], on_set: Callable[[str, str], object] | None = None) -> None:
        self._variables: dict[str, str] = {}
        self._on_set = on_set
        for name, value in initial.items():
            if name:  # an entry such as "=C:=C:\\" has no name, and no child could be started with it
                self.set(name, value)

    def set(self, name: str, value: str) -> None:
        self._variables[name] = value
        if self._on_set is not None:
            self._on_set(name, value)

    def unset(self, name: str) -> None:
        self._variables.pop(name, None)

    def withdraw(self, name: str, value: str) -> None:
        """Unset it, unless somebody has given it another value."""
        if self._variables.get(name) == value:
            self.unset(name)

    def get(self) -> dict[str, str]:
        """A copy, for the templates of a configuration."""
        return dict(self._variables)

    def compose(self, extra: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
        """The environment of a child that starts now."""
        own = dict(extra)
        if self._on_set is not None:
            for name, value in own.items():
                self._on_set(name, value)
        return {**self._variables, **own}


class Context:
    """The services that jobs, checks and runs use."""

    __slots__ = (
        "bus",
        "environment",
        "kill",
        "log",
        "loop",
        "masked",
        "observer",
        "outputs",
        "processes",
        "random",
        "run_ended",
        "run_overdue",
        "run_stuck",
        "runs",
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
        log: Log,
        random: Callable[[], float],
        masked: Callable[[str], str] = str,
    ) -> None:
        self.loop = loop
        self.processes = processes
        self.outputs = outputs
        self.environment = environment
        self.bus = bus
        self.log = log
        self.random = random  # a number in [0, 1), for jitter
        self.masked = masked  # takes secrets out of texts that others get to see
        self.runs: set[Ending] = set()  # that have started and not ended
        self.observer: Observer | None = None
        # The engine puts its own in the place of these five, for the budget of its stops.
        self.terminate: Callable[[Ending, bool], None] = lambda run, group: run.terminate(group=group)
        self.kill: Callable[[Ending], None] = lambda run: run.kill()
        self.run_ended: Callable[[Ending], None] = self.runs.discard
        self.run_stuck: Callable[[Ending], None] = lambda run: run.give_up()  # one cannot be ended
        self.run_overdue: Callable[[], None] = lambda: None  # one was killed by its own time limit

    def control_answered(self, path: str, status: int) -> None:
        """The control plane has answered a request."""
        if self.observer is not None:
            self.observer.control_answered(path, status)

    def catalog_called(self, verb: str, seconds: float, failed: bool) -> None:
        """A call to the catalogue is over. Also for other threads."""
        if self.observer is not None:
            self.loop.post(self.observer.catalog_called, verb, seconds, failed)
