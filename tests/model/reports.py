"""Servers that checks ask, and what processes report: everything on the virtual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from cp.readiness.monitor import Monitor
from tests.model.more import READY_LINE, Manner

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.ports import MonitorListener
    from tests.model.children import FakeProcess
    from tests.model.world import World


class FakeProbe:
    """A check without a process. `ends(passed)` gives it its result."""

    def __init__(self, reports: Reports, name: str, number: int, on_end: Callable[[bool, str], object]) -> None:
        self.is_open = True
        self._reports = reports
        self._name = name
        self._number = number
        self._on_end = on_end

    def ends(self, passed: bool) -> None:
        if self.is_open:
            self.is_open = False
            world = self._reports.world
            world.note(f"  check {self._number} of {self._name} {'passes' if passed else 'fails'}")
            world.model.checks.ended(world.model.lives[self._name], self._number, passed)
            self._on_end(passed, "")

    def cancel(self) -> None:
        self.is_open = False
        self._reports.world.note(f"    check {self._number} of {self._name} is cancelled")
        self._reports.world.model.checks.cancelled(self._reports.world.model.lives[self._name], self._number)


class FakeSources:
    """The socket on which a job's processes notify its monitor."""

    address = "/run/notify"

    def __init__(self) -> None:
        self.is_open = False
        self.on_assignment: Callable[[str, str], object] | None = None

    def notify(self, on_assignment: Callable[[str, str], object], on_refused: Callable[[str], object]) -> FakeSources:
        self.on_assignment, self.is_open = on_assignment, True
        return self

    def read_pending(self) -> None:
        """Everything is read when it is sent."""

    def close(self) -> None:
        self.is_open = False

    def status(self, text: str) -> str:
        return text


class Reports:
    """The probes and the monitors of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.probes: list[FakeProbe] = []
        self.sources: dict[str, list[FakeSources]] = {}  # by the name of the job; the last one is the present one
        self._counts: dict[int, int] = {}  # how many requests a port has received
        self._turned: set[str] = set()  # jobs whose checks have other results than planned

    def turn(self, name: str) -> None:
        self._turned ^= {name}

    def is_turned(self, name: str) -> bool:
        return name in self._turned

    # --- checks without a process

    def open_probe(self, probe: Any, address: str, timeout: float | None, on_end: Any) -> FakeProbe:
        world, port = self.world, probe.port
        name, number = next(
            (job.name, number)
            for job in world.model.lives.values()
            for number, check in enumerate(job.job.health)
            if check.probe == probe
        )
        count = self._counts[port] = self._counts.get(port, 0) + 1
        manner = world.scenario.more.probes[port]
        world.counts["probes"] += 1
        world.note(f"    check {number} of {name} begins")
        world.model.checks.started(world.model.lives[name], number)
        opened = FakeProbe(self, name, number, on_end)
        self.probes = [each for each in self.probes if each.is_open]
        self.probes.append(opened)
        if manner.lasts is not None and (timeout is None or manner.lasts < timeout):
            world.at(manner.lasts, lambda: opened.ends(manner.passes(count) != self.is_turned(name)))
        elif timeout is not None:
            world.at(timeout, opened.ends, False)
        return opened

    # --- readiness

    def open_monitor(self, job: plan.Job, listener: MonitorListener) -> Monitor:
        sources = FakeSources()
        self.sources.setdefault(job.name, []).append(sources)
        loop, log = cast("Any", self.world.loop), self.world.context.log
        return Monitor(loop, log, job, listener, cast("Any", sources))

    def process_began(self, process: FakeProcess, *, is_first: bool) -> None:
        manners = self.world.scenario.more.manners.get(process.name)
        if manners is None:
            return
        manner = manners[not is_first]
        if manner.ready_after is not None:
            self.world.at(manner.ready_after, self._becomes_ready, process)
        if manner.pings is not None:
            self.world.at(manner.pings, self._pings, process, manner)

    def _becomes_ready(self, process: FakeProcess) -> None:
        if process.alive and not process.child.hangs:
            self.prints(process)
            self.notify(process.name, "READY=1")

    def _pings(self, process: FakeProcess, manner: Manner) -> None:
        if process.alive and not process.child.hangs and manner.pings is not None:
            self.notify(process.name, "WATCHDOG=1")
            self.world.at(manner.pings, self._pings, process, manner)

    def prints(self, process: FakeProcess) -> None:
        """A process, or what it left, prints that it is ready."""
        for reader in process.readers[:1]:
            if reader.is_held:
                self.world.note(f"  {process.name} prints: {READY_LINE}")
                life = self.world.model.lives.get(process.name)
                if life is not None:
                    self.world.model.runs.printed(life, process, READY_LINE)
                reader.prints(READY_LINE)

    def notify(self, name: str, message: str) -> None:
        """Some process of the job sends this."""
        sources = self.sources.get(name, [])
        life = self.world.model.lives.get(name)
        if not sources or not sources[-1].is_open or life is None:
            return
        self.world.note(f"  {name} sends {message}")
        self.world.model.runs.notified(life, message)
        key, _, value = message.partition("=")
        if sources[-1].on_assignment is not None:
            sources[-1].on_assignment(key, value)

    def left(self) -> list[str]:
        """What is open at the end."""
        probes = ["a probe" for probe in self.probes if probe.is_open]
        return probes + [f"the socket of {name}" for name, all_ in self.sources.items() if any(s.is_open for s in all_)]
