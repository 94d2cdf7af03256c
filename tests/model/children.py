"""Processes that behave as a scenario says, and their pipes. Nothing is started: they live on the virtual clock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cp.engine.process import Process, StartError
from tests.model.scenario import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.model.world import World

ABRT, TERM, KILL, CONT, WINCH = 6, 15, 9, 18, 28
REASONS = {"ENOENT": ("executable file not found in $PATH", 127), "EAGAIN": ("resource temporarily unavailable", 126)}
IN_GROUP = ("obedient", "stubborn")  # of what a process leaves; daemons have a session of their own
LEFT_RUNS_FOR = 1.5  # seconds that an obedient child in the background has its output open, if it is let


class FakeProcess(Process):
    """A process and, perhaps, a child of it in its group that outlives it."""

    def __init__(self, world: World, pid: int, name: str, child: Child, on_exit: Callable[[int], None], sweep: bool):
        super().__init__(pid, on_exit, sweep)
        self.world = world
        self.name = name  # of the job; "check-NAME" for a check
        self.child = child
        self.readers: list[FakeReader] = []
        self.began = world.loop.time
        self.seen = self.killed = False
        self.doomed_at: float | None = None  # when it was killed because the time of a stop was over
        self.ended_at = 0.0
        self.left = child.leaves  # what is alive of its group besides it

    @property
    def alive(self) -> bool:
        return not self.reaped

    @property
    def holds_output(self) -> bool:
        return any(reader.fd >= 0 for reader in self.readers)

    @property
    def has_orphan(self) -> bool:
        """Whether the process that it left is now a child of ContainerPilot."""
        return bool(self.left) and (self.reaped or self.left not in IN_GROUP)

    def take(self, number: int, group: bool) -> bool:
        if self.reaped and not (group and self.left in IN_GROUP):
            return False
        if number in (CONT, WINCH):
            return True
        if group and self.left in IN_GROUP:
            self.left_takes(number)
        if self.reaped or self.child.hangs:
            return True
        if number == KILL or (number != TERM and self.child.on_term == 0.0):
            self.die(-number)
        elif number == TERM and self.child.on_term == 0.0:
            self.die(-TERM)
        elif number == TERM and self.child.on_term is not None:
            self.world.at(self.child.on_term, self.exits, 0)
        return True

    def exits(self, code: int) -> None:
        if not self.reaped and not self.child.hangs:
            self.die(code)

    def die(self, code: int) -> None:
        self.reaped = True
        self.ended_at = self.world.loop.time
        self.world.process_ended(self, code)
        if self.left == "obedient":
            if self.sweep:
                self.left_ends()
            else:
                self.world.at(LEFT_RUNS_FOR, self.left_ends)
        if not self.left and self.pid % 2:  # the end of the output is seen before the exit, or after it
            self.close_output()
            self.world.loop.call_soon(self.is_seen, code)
        else:
            self.world.loop.call_soon(self.is_seen, code)
            if not self.left:
                self.close_output()

    def is_seen(self, code: int) -> None:
        """The engine receives its end."""
        self.seen = True
        self.on_exit(code)

    def left_takes(self, number: int) -> None:
        if number == KILL or (number == TERM and self.left in ("obedient", "daemon")):
            self.left_ends()

    def left_ends(self) -> None:
        self.left = ""
        if self.reaped:
            self.close_output()

    def close_output(self) -> None:
        for reader in self.readers:
            self.world.loop.call_soon(reader.close)


class FakeOrphan:
    """A process in the background that another one left."""

    def __init__(self, process: FakeProcess) -> None:
        self.process = process
        self.pid = 100_000 + process.pid

    def signal(self, number: int) -> None:
        if number:
            self.process.world.note(f"    signal {number} to what {self.process.name} left")
            self.process.left_takes(number)


class FakeReader:
    """The reading end of a pipe."""

    def __init__(
        self, outputs: FakeOutputs, fd: int, on_line: Callable[[str], object], on_end: Callable[[], object] | None
    ) -> None:
        self.fd = fd
        self.process: FakeProcess | None = None
        self._outputs = outputs
        self._on_line = on_line
        self._on_end = on_end

    @property
    def is_held(self) -> bool:
        return self.fd >= 0

    def prints(self, line: str) -> None:
        if self.fd >= 0:
            self._on_line(line)

    def drain(self) -> Iterator[None]:
        process = self.process
        if process is None or not process.reaped:
            return
        for _ in range(process.pid % 3):  # as much was left in the pipe
            yield
        if not process.left:
            self.close()

    def close(self) -> None:
        if self.fd < 0:
            return
        self.fd = -1
        self._outputs.readers.discard(self)
        if self._on_end is not None:
            self._on_end()


class FakeOutputs:
    """Pipes. The writing ends are real descriptors, so that one which is not closed is found."""

    def __init__(self) -> None:
        self.readers: set[FakeReader] = set()
        self.by_end: dict[int, FakeReader] = {}

    def open(self, on_line: Callable[[str], object], on_end: Callable[[], object] | None) -> tuple[FakeReader, int]:
        write_end = os.dup(2)
        reader = FakeReader(self, write_end, on_line, on_end)
        self.by_end[write_end] = reader
        self.readers.add(reader)
        return reader, write_end

    def linger(self, reader: FakeReader) -> None:
        """It goes on being read until it is closed, and so it does here."""

    def read_urgently(self, reader: FakeReader) -> None:
        """There is no pressure here."""

    def hurry(self) -> None:
        """Nor here."""


class FakeProcesses:
    """The one owner of children, as the engine knows it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.all: list[FakeProcess] = []
        self.on_orphan: Callable[[], object] | None = None
        self._counts: dict[str, int] = {}

    def start(
        self, command: Sequence[str], environ: Mapping[str, str], on_exit: Any, *, sweep: bool = False, **others: Any
    ) -> FakeProcess:
        world, word = self._world, command[0]
        number = self._counts[word] = self._counts.get(word, 0) + 1
        child = world.scenario.children.get(word, (Child(), Child()))[number > 1]
        name = world.names.get(word, word)
        manners = world.scenario.more.manners.get(name)
        if manners is not None and manners[number > 1].stays:
            child = child._replace(lasts=None)
        if name.startswith("check-") and world.reports.is_turned(name.removeprefix("check-")):
            child = child._replace(code=0 if child.code else 1)
        world.process_starts(name, child)
        if child.start:
            text, code = REASONS.get(child.start, REASONS["EAGAIN"])
            raise StartError(f"fork/exec {word}: {text}", code)
        world.given.process_started(name, environ)
        process = FakeProcess(world, 1000 + len(self.all), name, child, on_exit, sweep)
        self.all.append(process)
        world.model.process_began(process)
        world.reports.process_began(process, is_first=number == 1)
        for end in {others.get("stdout", 1), others.get("stderr", 2)} - {1, 2}:
            reader = world.outputs.by_end[end]
            reader.process = process
            process.readers.append(reader)
            if child.closes:
                world.loop.call_soon(reader.close)
            for line in range(child.lines):
                world.loop.call_soon(reader.prints, f"line {line}")
        if child.lasts is not None:
            world.at(child.lasts, process.exits, child.code)
        return process

    def signal(self, process: FakeProcess, number: int, *, group: bool) -> bool:
        by_hand = number == KILL and not group
        swept = process.seen and not (process.left and process.holds_output)  # it is what it left that is meant
        if number in (TERM, KILL, ABRT) and not by_hand and not swept:
            self._world.process_signalled(process, number, group)
        return process.take(number, group)

    def group_alive(self, process: FakeProcess) -> bool:
        return not process.reaped or process.left in IN_GROUP

    def is_forbidden(self, process: FakeProcess) -> bool:
        return False

    def has_children(self) -> bool:
        return any(process.has_orphan for process in self.all)

    def living_orphans(self) -> Iterator[FakeOrphan]:
        return (FakeOrphan(process) for process in self.all if process.has_orphan)

    def holders(self, pipes: list[int], hidden: list[int]) -> Iterator[FakeOrphan]:
        for process in self.all:
            if process.has_orphan and process.holds_output and any(each.fd in pipes for each in process.readers):
                yield FakeOrphan(process)

    def group_reaches(self, process: FakeProcess, orphan: FakeOrphan) -> bool:
        return process is orphan.process and process.left in IN_GROUP

    def kill_left_groups(self) -> None:
        for process in self.all:
            if process.reaped and process.left:
                process.take(KILL, group=True)
