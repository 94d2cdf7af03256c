"""A world for the engine in which time stands still until a test moves it, and processes do what a test says."""

from __future__ import annotations

import heapq
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from cp import plan
from cp.engine.context import ChangeRefused, Context, Environment
from cp.engine.engine import Engine
from cp.engine.events import Bus, Event
from cp.engine.history import History
from cp.engine.loop import Loop, Timer
from cp.engine.output import Outputs
from cp.engine.process import Process, Processes, StartError
from cp.engine.shutdown import SAME_REQUEST
from cp.plan import REGISTRATION
from cp.readiness.monitor import Monitor

if TYPE_CHECKING:
    from cp.engine.ports import CatalogFacts, MonitorListener, Report


class VirtualLoop:
    """The loop's face on a clock that only `advance` moves."""

    def __init__(self) -> None:
        self.time = 0.0
        self.suspended = 0.0  # seconds for which the machine slept
        self.stopped = False
        self.calls: int | None = None
        self._timers: list[Timer] = []
        self._sequence = 0
        self._ready: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()

    def now(self) -> float:
        return self.time

    def elapsed(self) -> float:
        return self.time + self.suspended

    def call_at(self, deadline: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        self._sequence += 1
        timer = Timer(deadline, self._sequence, callback, arguments)
        heapq.heappush(self._timers, timer)
        return timer

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        return self.call_at(self.time + delay, callback, *arguments)

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._ready.append((callback, arguments))

    post = post_lazily = call_soon

    def call_steps(self, steps: Iterator[object]) -> None:
        self._ready.append((self._step, (steps,)))

    def _step(self, steps: Iterator[object]) -> None:
        try:
            next(steps)
        except StopIteration:
            return
        self._ready.appendleft((self._step, (steps,)))

    def stop(self) -> None:
        self.stopped = True

    def hurry(self) -> None:
        pass  # no client is here that could be held back

    def settle(self) -> None:
        """Run all that is ready, as the loop would before it waits; or only the next `calls` of it, once."""
        calls, self.calls = self.calls, None
        for number in range(100_000):
            if not self._ready or self.stopped or number == calls:
                return
            callback, arguments = self._ready.popleft()
            callback(*arguments)
        raise AssertionError("the loop never comes to rest")

    def advance(self, seconds: float) -> None:
        """Let time pass; timers fire in order, each at its own moment."""
        end = self.time + seconds
        self.settle()
        while not self.stopped and self._timers and self._timers[0].deadline <= end + 1e-9:
            timer = heapq.heappop(self._timers)
            if timer.callback is None:
                continue
            self.time = max(self.time, timer.deadline)
            timer.callback(*timer.arguments)
            self.settle()
        self.time = max(self.time, end)


class FakeProcess(Process):
    """A process that ends when a test says so, or at once on SIGTERM (`polite`), or always on SIGKILL."""

    def __init__(
        self, world: World, pid: int, command: Sequence[str], environ: Mapping[str, str], on_exit: Any
    ) -> None:
        super().__init__(pid, on_exit, False)
        self.command = tuple(command)
        self.environ = dict(environ)
        self.signals: list[tuple[str, bool]] = []
        self.polite = True
        self._world = world

    def exit(self, code: int) -> None:
        assert not self.reaped, f"{self.command} has exited before"
        self.reaped = True
        self._world.loop.call_soon(self.on_exit, code)
        self._world.loop.settle()


class FakeProcesses:
    """Starts fake processes; a command in `missing` cannot be started, one in `termination` ends by itself."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.all: list[FakeProcess] = []
        self.missing: set[str] = set()
        self.stubborn: set[str] = set()
        self.unkillable: set[str] = set()
        self.forbidden: set[str] = set()  # those whom we may not signal
        self.on_orphan: Callable[[], object] | None = None
        self.termination: dict[str, tuple[float, int]] = {}

    def start(self, command: Sequence[str], environ: Mapping[str, str], on_exit: Any, **_: Any) -> FakeProcess:
        name = command[0]
        if name in self.missing:
            raise StartError(f'exec: "{name}": executable file not found in $PATH', 127)
        process = FakeProcess(self._world, 1000 + len(self.all), command, environ, on_exit)
        process.polite = name not in self.stubborn
        self.all.append(process)
        self._world.note(f"start {name}")
        if name in self.termination:
            seconds, code = self.termination[name]
            self._world.loop.call_later(seconds, self._end, process, code)
        return process

    def _end(self, process: FakeProcess, code: int) -> None:
        if not process.reaped:
            process.exit(code)

    def signal(self, process: FakeProcess, number: int, *, group: bool) -> bool:
        if process.reaped:
            return False
        if process.command[0] in self.forbidden:
            raise PermissionError(1, "Operation not permitted")
        if number == signal.SIGCONT:
            return True  # wakes what is stopped, and nothing is stopped here
        name = signal.Signals(number).name
        process.signals.append((name, group))
        self._world.note(f"{name} {process.command[0]}")
        if process.command[0] in self.unkillable:
            return True
        if number == signal.SIGKILL or (number == signal.SIGTERM and process.polite):
            process.reaped = True
            self._world.loop.call_soon(process.on_exit, -number)
        return True

    def is_forbidden(self, process: FakeProcess) -> bool:
        return not process.reaped and process.command[0] in self.forbidden

    def has_children(self) -> bool:
        return False

    def kill_left_groups(self) -> None:
        pass

    def running(self, name: str) -> list[FakeProcess]:
        return [process for process in self.all if process.command[0] == name and not process.reaped]


class FakeOutputs:
    """Children of this world print nothing."""

    def open(self, on_line: Any, on_end: Any) -> tuple[Any, int]:
        raise AssertionError("plans of unit tests let their jobs inherit the output")

    def linger(self, reader: Any) -> None:
        pass

    def hurry(self) -> None:
        pass


class FakeProbe:
    """A check without a process: it ends as `results` says for its port, or not at all."""

    def __init__(self, world: World, port: int, on_end: Callable[[bool, str], object]) -> None:
        world.note(f"probe {port}")
        self.cancelled = False
        self._world = world
        self._on_end = on_end
        if port in world.probes:
            seconds, passed, text = world.probes[port]
            world.loop.call_later(seconds, self._end, passed, text)

    def _end(self, passed: bool, text: str) -> None:
        if not self.cancelled:
            self._on_end(passed, text)

    def cancel(self) -> None:
        self.cancelled = True
        self._world.note("probe cancelled")


class FakeLog:
    """Keeps what was logged, with its level."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _add(self, level: str, message: str) -> None:
        self.lines.append(f"{level}: {message}")

    def debug(self, message: str, fields: Any = ()) -> None:
        self._add("debug", message)

    def info(self, message: str, fields: Any = ()) -> None:
        self._add("info", message)

    child_output = info

    def warning(self, message: str, fields: Any = ()) -> None:
        self._add("warning", message)

    def error(self, message: str, fields: Any = ()) -> None:
        self._add("error", message)


class FakeWatcher:
    def __init__(self, world: World, name: str, report: Report, memory: list[Any] | None) -> None:
        self._world = world
        self.name = name
        self.report = report
        self.memory = memory or []
        self.knows = memory is not None  # what was reported last

    def start(self) -> None:
        self._world.note(f"watch {self.name}")

    def pause(self) -> None:
        self._world.note(f"pause watch {self.name}")

    def resume(self) -> None:
        self._world.note(f"resume watch {self.name}")

    def stop(self) -> None:
        self._world.note(f"stop watch {self.name}")


class FakeDiscovery:
    """Notes what the engine wants of the catalogue; deregistrations are confirmed after `delay` seconds, if at all.

    Registrations and heartbeats are confirmed at once, unless it is `down`.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.facts: CatalogFacts | None = None
        self.down = False
        self.delay: float | None = 0.0
        self.watchers: dict[str, FakeWatcher] = {}
        self.by_tag: dict[tuple[str, str], FakeWatcher] = {}
        self.wanted: dict[str, plan.Service] = {}  # by id, as it was wanted last
        self.ages: dict[str, float] = {}  # the ages that the last catalogue got, by id

    def start(self) -> None:
        self._world.note("catalogue opened")

    def register(self, service: plan.Service, status: str, output: str = "", *, age: float = 0.0) -> None:
        self._world.note(f"{status} {service.name}")
        self.wanted[service.id] = service
        self.ages[service.id] = age
        if self.facts is None:
            return
        if self.down:
            self._world.loop.post(self.facts.failed, REGISTRATION, "connection refused", False)
        else:
            at = self._world.loop.elapsed()
            self._world.loop.post(self.facts.confirmed, service, status or service.initial_status, at, service.id)

    def deregister(self, service: plan.Service, done: Callable[[], None]) -> None:
        self._world.note(f"deregister {service.name}")
        if self.delay is not None:
            self._world.loop.call_later(self.delay, self._deregistered, service, done)

    def _deregistered(self, service: plan.Service, done: Callable[[], None]) -> None:
        if self.facts is not None and not self.down:
            self.facts.absent(service)
        done()

    def watch(self, watch: plan.Watch, report: Report, memory: list[Any] | None) -> FakeWatcher:
        watcher = self.watchers[watch.name] = FakeWatcher(self._world, watch.name, report, memory)
        self.by_tag[watch.name, watch.tag] = watcher
        return watcher

    def stop(self) -> None:
        self._world.note("catalogue closed")


class FakeSources:
    """The ways on which the processes of one job report that they are ready.

    `send` gives an assignment to the socket, and `queue` leaves it there until somebody reads what is pending.
    """

    def __init__(self, world: World, job: str) -> None:
        self._world = world
        self._job = job
        self._on_assignment: Any = None
        self._pending: list[tuple[str, str]] = []
        self._on_newline: Any = None
        self._on_closed: Any = None
        self._on_found: Any = None
        self.address = f"/run/{job}"
        self.descriptors: tuple[tuple[int, int], ...] = ()
        self.error = ""

    def send(self, *assignments: str) -> None:
        for each in assignments:
            name, _, value = each.partition("=")
            self._on_assignment(name, value)
        self._world.loop.settle()

    def queue(self, assignment: str) -> None:
        name, _, value = assignment.partition("=")
        self._pending.append((name, value))

    def newline(self) -> None:
        self._on_newline()
        self._world.loop.settle()

    def hang_up(self) -> None:
        self._on_closed()

    def write_file(self) -> None:
        self._on_found()
        self._world.loop.settle()

    # --- as the monitor sees it

    def notify(self, on_assignment: Any, on_refused: Any) -> FakeSources:
        if self._world.refuses is not None:
            raise self._world.refuses
        self._world.note(f"open socket of {self._job}")
        self._on_assignment = on_assignment
        return self

    def read_pending(self) -> None:
        pending, self._pending = self._pending, []
        for name, value in pending:
            self._on_assignment(name, value)

    def pipe(self, number: int, on_newline: Any, on_closed: Any) -> FakeSources:
        if self._world.refuses is not None:
            raise self._world.refuses
        self._on_newline, self._on_closed = on_newline, on_closed
        self.descriptors = ((90, number),)
        return self

    def started(self) -> None:
        self._world.note(f"close our end of {self._job}")

    def file(self, path: str, on_found: Any) -> FakeSources:
        self._on_found = on_found
        return self

    def start(self) -> None:
        self._world.note(f"look for the file of {self._job}")

    def stop(self) -> None:
        self._world.note(f"look no more for the file of {self._job}")

    def status(self, text: str) -> str:
        return text

    def close(self) -> None:
        self._world.note(f"close {self._job}")


class World:
    """An engine with everything around it; `happened` is the story of a test, in order."""

    def __init__(self, *jobs: plan.Job, watches: tuple[plan.Watch, ...] = (), **settings: Any) -> None:
        self.loop = VirtualLoop()
        self.log = FakeLog()
        self.processes = FakeProcesses(self)
        self.discovery = FakeDiscovery(self)
        self.happened: list[str] = []
        self.events: list[str] = []
        self.outcomes: list[str] = []  # of reloads
        self.bus = Bus(self.loop.call_steps, self._trace)
        self.history = History(lambda: 0.0)
        self.bus.subscribe(self.history.record)
        self.next_plan: plan.Plan | None = None
        self.probes: dict[int, tuple[float, bool, str]] = {}  # by port: after how long they end, and how
        self.monitors: dict[str, Monitor] = {}  # by the name of the job
        self.sources: dict[str, FakeSources] = {}  # by the name of the job
        self.connections: dict[int, int | str] = {}  # by port; a text: why they cannot be counted
        self.threads_left = True  # to count them on
        self.refuses: OSError | None = None  # why no source can be opened
        self.plan = plan.Plan(dialect="services", jobs=jobs, watches=watches, **settings)
        self.context = Context(
            loop=cast("Loop", self.loop),
            processes=cast("Processes", self.processes),
            outputs=cast("Outputs", FakeOutputs()),
            environment=Environment({"PATH": "/bin"}),
            bus=self.bus,
            log=self.log,
            random=lambda: 0.5,
            open_probe=self._open_probe,
            open_monitor=self._open_monitor,
            count_connections=self._count_connections,
        )
        self.engine = Engine(
            self.context,
            self.plan,
            open_discovery=self._open_discovery,
            load=self._load,
            started=lambda: None,
        )

    def _open_discovery(self, wanted: plan.Plan, facts: CatalogFacts) -> FakeDiscovery:
        self.discovery.facts = facts
        return self.discovery

    def _open_probe(self, probe: Any, address: str, timeout: float | None, on_end: Any) -> FakeProbe:
        return FakeProbe(self, probe.port, on_end)

    def _open_monitor(self, job: plan.Job, listener: MonitorListener) -> Monitor:
        sources = self.sources[job.name] = FakeSources(self, job.name)
        self.monitors[job.name] = monitor = Monitor(cast("Loop", self.loop), self.log, job, listener, sources)
        return monitor

    def _count_connections(self, loop: object, port: int, then: Callable[[int | None, str], object]) -> None:
        if not self.threads_left:
            raise RuntimeError("can't start new thread")
        found = self.connections.get(port, 0)
        self.note(f"look at port {port}")
        self.loop.call_soon(then, *((None, found) if isinstance(found, str) else (found, "")))

    def _trace(self, event: Event) -> None:
        self.events.append(f"{event.code} {event.source}")

    def _load(self) -> plan.Plan:
        if self.next_plan is None:
            raise ChangeRefused("the configuration does not load")
        return self.next_plan

    def note(self, what: str) -> None:
        self.happened.append(what)

    def start(self) -> World:
        self.engine.start()
        self.loop.settle()
        return self

    def advance(self, seconds: float) -> None:
        self.loop.advance(seconds)

    def exit(self, name: str, code: int = 0) -> None:
        """The one running process of this name exits."""
        (process,) = self.processes.running(name)
        process.exit(code)

    def terminate(self) -> None:
        """SIGTERM comes to ContainerPilot, and if it had come before, then long enough ago for another request."""
        if self.engine.stopping:
            self.loop.advance(SAME_REQUEST)
        self.engine.request_stop(signal.SIGTERM)
        self.loop.settle()

    def reload(self, *jobs: plan.Job, **changes: Any) -> None:
        self.next_plan = self.plan.replace(jobs=jobs, **changes)
        self.engine.changes.reload(self.outcomes.append)
        self.loop.settle()

    def story(self, *prefixes: str) -> list[str]:
        """The events that begin with one of the prefixes."""
        return [entry for entry in self.happened if entry.startswith(prefixes)]

    @property
    def over(self) -> bool:
        return self.loop.stopped
