"""The engine on a virtual clock plays a scenario. The model gets all that happens, and is compared at each rest."""

from __future__ import annotations

import contextlib
import heapq
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from cp.engine.admin import Admin, NotPossible
from cp.engine.context import ChangeRefused, Context, Environment
from cp.engine.engine import Engine
from cp.engine.events import Bus, Event
from cp.engine.history import History
from cp.engine.loop import Loop
from cp.engine.output import Outputs
from cp.engine.process import Processes
from cp.engine.signals import act_on
from cp.plan import RELOAD
from tests.model.catalog import FakeDiscovery
from tests.model.children import FakeOutputs, FakeProcess, FakeProcesses
from tests.model.clock import AT_ONCE, ModelLoop
from tests.model.model import Model
from tests.model.reports import Reports
from tests.model.rules import Broken, Unmodelled, expect
from tests.model.scenario import Child, Scenario, Step, compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cp import plan

MOST_INSTANTS = 1500  # of one scenario: jobs that start each other without a rest are cut off there
SIGNALS = {"SIGHUP": 1, "SIGINT": 2, "SIGUSR1": 10, "SIGUSR2": 12, "SIGTERM": 15, "SIGWINCH": 28}
AT_THE_END = {"Shutdown", "Termination", "FakeDiscovery"}  # whose timers may be left then


class ObservedBus(Bus):
    """The model receives each event when it is published, before all subscribers."""

    def __init__(self, world: World) -> None:
        super().__init__(world.loop.call_steps, world.delivered)
        self._world = world

    def publish(self, event: Event) -> None:
        self._world.published(event)
        super().publish(event)


class ObservedEngine(Engine):
    world: World

    def progress(self) -> None:
        self.world.model.changes.progresses(self.changes.current)
        super().progress()

    def adopt(self, loaded: plan.Plan, fresh: list[plan.Job], change: Any) -> None:
        if change.stuck:
            raise Unmodelled("a job does not end, and the change goes on without it")
        self.world.model.changes.adopted(loaded, fresh, change)
        self.world.given.adopted(self.plan, loaded)
        super().adopt(loaded, fresh, change)


class QuietLog:
    def __init__(self, world: World) -> None:
        self._world = world
        self.timed_out: tuple[str, float] = "", 0.0  # whose time limit was over last, and when

    def debug(self, message: str, fields: Any = ()) -> None:
        if message.startswith("job ") and " -> " in message:
            _, _, move = message[4:].partition(": ")
            before, _, after = move.partition(" -> ")
            self._world.moves[before, after] = self._world.moves.get((before, after), 0) + 1

    def warning(self, message: str, fields: Any = ()) -> None:
        label, limit, _ = message.partition(" timeout after ")
        if limit:
            self.timed_out = label, self._world.loop.time

    def info(self, message: str, fields: Any = ()) -> None:
        pass

    error = child_output = info


class Given:
    """The instances that the runs of each job got from the watch, added up; by name."""

    def __init__(self) -> None:
        self._sums: dict[str, set[str]] = {}

    def process_started(self, name: str, environ: Mapping[str, str]) -> None:
        if "CONTAINERPILOT_WATCH" not in environ:
            return
        listed, added, removed = (
            {instance["id"] for instance in json.loads(environ[f"CONTAINERPILOT_WATCH_{word}"])}
            for word in ("INSTANCES", "ADDED", "REMOVED")
        )
        self._sums[name] = self._sums.get(name, set()) - removed | added
        expect(
            self._sums[name] == listed, "instances", f"{name} has {sorted(self._sums[name])}, and not {sorted(listed)}"
        )

    def adopted(self, old: plan.Plan, new: plan.Plan) -> None:
        """A job that is gone, or waits for something else now, starts with an empty list."""
        triggers = {job.name: (job.when.code, job.when.source) for job in old.jobs}
        stay = {job.name for job in new.jobs if triggers.get(job.name) == (job.when.code, job.when.source)}
        self._sums = {name: ids for name, ids in self._sums.items() if name in stay}


class World:
    """Plays one scenario. Raises Broken, with the story, when something is not as the model says."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.loop = ModelLoop()
        self.story: list[tuple[float, str]] = []
        self.moves: dict[tuple[str, str], int] = {}
        self.counts = Counter[str]()
        self.names: dict[str, str] = {}
        self.given = Given()
        self.log = QuietLog(self)
        self.was_late = False  # we were suspended once: what is due at a time may have come late
        self.received: list[list[tuple[str, str]]] = [[], [], []]  # by three subscribers
        self.sent: list[tuple[str, str]] = []
        self.instants = 0
        self._agenda: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._sequence = 0
        self.next_plan: plan.Plan | None = None
        first = self._plan(0)
        self.processes = FakeProcesses(self)
        self.outputs = FakeOutputs()
        self.reports = Reports(self)
        self.catalogs: list[FakeDiscovery] = []
        self.bus = ObservedBus(self)
        self.model = Model(self, first)
        self.bus.subscribe(lambda event: self._receive(0, event.code, event.source))
        self.context = Context(
            loop=cast("Loop", self.loop),
            processes=cast("Processes", self.processes),
            outputs=cast("Outputs", self.outputs),
            environment=Environment({"PATH": "/bin"}),
            bus=self.bus,
            log=self.log,
            random=lambda: 0.5,
            open_probe=self.reports.open_probe,
            open_monitor=self.reports.open_monitor,
        )
        self.engine = ObservedEngine(
            self.context,
            first,
            open_discovery=self._open_catalog,
            load=self._load,
            started=lambda: None,
        )
        self.engine.world = self
        history = History(lambda: 0.0)
        self.admin = Admin(self.context, self.engine, history, lambda name, names: "")
        history.follow(lambda entry: self._receive(1, entry.code, entry.source))
        self.bus.subscribe(history.record)
        self.bus.subscribe(lambda event: self._receive(2, event.code, event.source))

    # --- what the engine does, passed on to the model

    def note(self, what: str) -> None:
        self.story.append((self.loop.time, what))

    def _plan(self, number: int) -> plan.Plan:
        """The plan of a configuration; from now on its commands are known."""
        found = compiled(self.scenario.texts[number])
        for job in found.jobs:
            if job.command is not None:
                self.names[job.command[0]] = job.name
            for check in job.health:
                if check.command is not None:
                    self.names[check.command[0]] = f"check-{job.name}"
        return found

    def _receive(self, who: int, code: str, source: str) -> None:
        self.received[who].append((code, source))

    def published(self, event: Event) -> None:
        self.counts["events"] += 1
        self.counts["stops"] += event.code == "shutdown"
        self.counts["ready runs"] += event.code == "ready"
        self.sent.append((event.code, event.source))
        self.note(f"    event {event.code} of {event.source}")
        self.model.published(event.code, event.source)

    def delivered(self, event: Event) -> None:
        self.model.delivered(event.code, event.source)

    def process_starts(self, name: str, child: Child) -> None:
        self.counts["processes"] += 1
        self.note(f"    {name} is started: {child}")
        self.model.spawned(name, child)

    def process_signalled(self, process: FakeProcess, number: int, group: bool) -> None:
        name = {15: "SIGTERM", 9: "SIGKILL", 6: "SIGABRT"}[number]
        self.note(f"    {name} to {process.name}{' and its group' if group else ''}")
        self.model.process_signalled(process, number)

    def process_ended(self, process: FakeProcess, code: int) -> None:
        self.note(f"  {process.name} ends with {code}")
        self.model.process_ended(process, code)

    def _open_catalog(self, of: plan.Plan, facts: Any) -> Any:
        self.catalogs.append(FakeDiscovery(self))
        return self.catalogs[-1]

    def _load(self) -> plan.Plan:
        if self.next_plan is None:
            raise ChangeRefused("the configuration does not load")
        self.model.changes.loaded(self.next_plan)
        return self.next_plan

    # --- time

    def at(self, delay: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Lets the world outside do this after the given seconds."""
        self._sequence += 1
        heapq.heappush(self._agenda, (self.loop.time + delay, self._sequence, callback, arguments))

    def rest(self) -> None:
        """Everything that belongs to this moment happens."""
        loop, batches = self.loop, self.scenario.in_batches
        self.model.moment_begins()
        loop.settle()
        for _ in range(1000):
            fired = self.scenario.timers_first and loop.fire(in_batches=batches)
            if not fired and self._agenda and self._agenda[0][0] <= loop.time + AT_ONCE and not loop.stopped:
                _, _, callback, arguments = heapq.heappop(self._agenda)
                callback(*arguments)
                fired = True
            if not fired and not loop.fire(in_batches=batches):
                break
            loop.settle()
        else:
            raise Broken("comes to rest", "1,000 timers at one moment")
        self.instants += 1
        self.model.rested()

    def advance(self, seconds: float) -> None:
        """Let time pass; all that is due happens, each at its own moment."""
        end = self.loop.time + seconds
        self.rest()
        while not self.loop.stopped and self.instants < MOST_INSTANTS:
            moments = [moment for moment in (self.loop.next_deadline(), self._agenda and self._agenda[0][0]) if moment]
            if not moments or min(moments) > end:
                break
            self.loop.time = max(self.loop.time, min(moments))
            self.rest()
        if not self.loop.stopped and self.loop.time < end and self.instants < MOST_INSTANTS:  # else it is cut off
            self.loop.time = end
            self.rest()

    def jump(self, seconds: float) -> None:
        """We were suspended meanwhile: everything comes late, the ends of processes first, then all timers at once."""
        self.loop.settle()
        self.model.budget.release_checks()
        self.was_late = True
        self.loop.time += seconds
        self.model.slept(seconds)
        self.model.moment_begins()
        while self._agenda and self._agenda[0][0] <= self.loop.time:
            _, _, callback, arguments = heapq.heappop(self._agenda)
            callback(*arguments)
        self.loop.fire(in_batches=True)
        self.rest()

    # --- a scenario

    def play(self) -> None:
        self.engine.start()
        for step in self.scenario.steps:
            if step.after:
                self.advance(step.after)
            if self.loop.stopped or self.instants >= MOST_INSTANTS:
                break
            if step.what != "nothing":
                self.note(f"{step.what} {step.name} {step.number}")
            self._take(step)
            if self.scenario.churns and not self.loop.stopped:
                self._take(Step(0.0, "report", "", (self.instants + step.number) % 4))
        self.rest()
        self.instants = min(self.instants, MOST_INSTANTS - 500)  # there is time left for the end
        self._end()

    def _end(self) -> None:
        """Stop, and let the hooks end one after the other; ask again if they do not. All the rest ends by itself."""
        self.advance(0.5)
        for deadline in range(40):
            if self.loop.stopped:
                break
            if deadline in (0, 20, 30):
                self.note("SIGTERM")
                self._take(Step(0.0, "SIGTERM"))
            for process in tuple(self.processes.all):
                if process.name in self.model.hooks and process.alive:
                    process.exits(0)
                elif process.name in self.model.hooks and process.left:
                    process.left_ends()
            self.instants = 0
            self.advance(0.7)
        self.model.ended()
        self._check_what_is_left()

    def _check_what_is_left(self) -> None:
        """Nothing is, and nothing comes after the end."""
        loop, received = self.loop, self.received[0]
        while loop.has_calls:  # those that were due when it was stopped
            loop.stopped = False
            loop.settle()
        alike = self.received[1] == self.received[2] == received == self.sent[: len(received)]
        expect(
            alike and (self.model.left or len(received) == len(self.sent)), "one order", f"{self.received}, {self.sent}"
        )
        expect(self.model.left or not self.reports.left(), "nothing left", f"{self.reports.left()}")
        alive = [each.name for each in self.processes.all if each.left or not (each.reaped or each.child.hangs)]
        expect(not alive, "nothing left", f"{alive} live")
        hanging = {reader for each in self.processes.all if not each.reaped for reader in each.readers}
        expect(self.outputs.readers <= hanging, "nothing left", "a pipe is open")
        timers = [timer.callback for timer in loop.timers if timer.callback is not None]
        owners = {type(getattr(callback, "__self__", None)).__name__ for callback in timers}
        allowed = AT_THE_END | ({"Run"} if hanging else set())  # a time limit holds for who has the output as well
        # Of a hook that was given up, the search for what is left, and the limit of what not even SIGKILL has ended.
        allowed |= {"Ticker", "Background"} if self.model.left else set()
        allowed |= {"Run"} if self.model.left and not all(each.reaped for each in self.processes.all) else set()
        expect(owners <= allowed, "nothing left", f"timers of {owners - allowed}")
        wanted = [catalog.wanted for catalog in self.catalogs if catalog.wanted]
        expect(not wanted and self.catalogs[-1].closed, "nothing left", f"registered: {wanted}")

    def watch_says(self, code: str, source: str) -> bool:
        """Whether the last report of a watch that is followed was this."""
        for watcher in self.catalogs[-1].watchers:
            if watcher.watch.source == source and watcher.has_reported and not watcher.watch.remembers:
                return code == "changed" or (code == "healthy") == bool(watcher.memory)
        return False

    def _take(self, step: Step) -> None:
        what, name, model = step.what, step.name, self.model
        if what == "exit":
            for process in self.processes.all:
                if process.alive and process.name == name:
                    process.exits(step.number)
        elif what in ("start", "stop", "restart"):
            self.counts["requests"] += 1
            request = model.changes.requested(what, name)
            getattr(self.admin, f"{what}_job")(name, request.answered)
        elif what.startswith("reload"):
            self.counts["reloads"] += 1
            if what == "reload":
                self.next_plan = self._plan(step.number)
            elif what == "reload bad":
                self.next_plan = None
            else:
                self.next_plan = self.engine.plan
            self.engine.changes.reload(model.changes.requested("reload", "").answered)
        elif what.startswith("maintenance"):
            model.maintained(what == "maintenance on")
            self.admin.set_maintenance(what == "maintenance on")
        elif what in SIGNALS:
            number = SIGNALS[what]
            if dict(self.engine.plan.signals).get(what) == RELOAD:  # who requests it by a signal gets no answer
                self._take(step._replace(what="reload", number=step.number % len(self.scenario.texts)))
                return
            model.signalled(what, number)
            act_on(number, what, self.engine, self.context, lambda: None)
        elif what == "signal":
            with contextlib.suppress(NotPossible):
                self.admin.signal_job(name, step.number)
        elif what == "turn":
            self.reports.turn(name)
        elif what == "prints":
            for process in self.processes.all:
                if process.name == name:
                    self.reports.prints(process)
        elif what.endswith("=1"):
            self.reports.notify(name, what)
        elif what == "report":
            for watcher in tuple(self.catalogs[-1].watchers):
                watcher.send_report(step.number)
        elif what.startswith("catalogue"):
            self.catalogs[-1].delay = None if what == "catalogue slow" else 0.01
        elif what == "jump":
            self.jump(float(step.number))

    def table(self) -> str:
        """The scenario and what happened in it, as a table."""
        rows = [f"t={round((moment - 100) * 1000):>6}ms  {what}" for moment, what in self.story]
        return "\n".join([str(self.scenario), *rows])
