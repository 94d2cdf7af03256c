"""Background processes of runs: searched in small steps, terminated once, and searched until they have ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cp.engine.background import TURN, Background, OutputHolders, Search
from cp.engine.leftovers import Leftovers
from tests.unit.engine.world import VirtualLoop

TERM, KILL, CONT = signal.SIGTERM, signal.SIGKILL, signal.SIGCONT


class Orphan:
    def __init__(self, pid: int, *, deaf: bool = False, forbidden: bool = False) -> None:
        self.pid = pid
        self.deaf = deaf
        self.forbidden = forbidden
        self.got: list[int] = []
        self.lives = True

    def signal(self, number: int) -> None:
        if self.forbidden:
            raise PermissionError(1, "Operation not permitted")
        if not self.lives:
            raise ProcessLookupError(3, "No such process")
        if number:
            self.got.append(number)
        if number == KILL or (number == TERM and not self.deaf):
            self.lives = False


class Scene:
    """Orphans, and the host that a search knows."""

    def __init__(self, *orphans: Orphan) -> None:
        self.orphans = list(orphans)
        self.loop = VirtualLoop()
        self.looks = 0
        self.group_lives = False
        self.group: set[int] = set()  # pids that a signal to the group reaches
        self.hidden: list[int] = []
        self.ended: list[object] = []
        processes = SimpleNamespace(
            living_orphans=self.living,
            holders=self.holders,
            has_children=lambda: bool(self.alive),
            group_reaches=lambda process, orphan: orphan.pid in self.group,
            group_alive=lambda process: self.group_lives,
            on_orphan=None,
        )
        self.context: Any = SimpleNamespace(
            loop=self.loop, processes=processes, runs=set(), run_ended=self.ended.append
        )

    @property
    def alive(self) -> list[Orphan]:
        return [orphan for orphan in self.orphans if orphan.lives]

    def living(self) -> Iterator[Orphan]:
        self.looks += 1
        return iter(self.alive)

    def holders(self, pipes: list[int], hidden: list[int]) -> Iterator[Orphan]:
        hidden += self.hidden
        return self.living()


# --- a search


def test_a_search_lets_others_have_their_turn() -> None:
    loop = VirtualLoop()
    seen: list[int] = []
    done: list[bool] = []
    turns = 0

    def steps() -> Iterator[Any]:
        for number in range(100):
            loop.time += TURN / 10  # each takes its time
            yield Orphan(number) if number % 2 else None

    Search(cast("Any", loop), steps(), lambda orphan: seen.append(orphan.pid), lambda: done.append(True))
    while not done:
        callback, arguments = loop._ready.popleft()
        callback(*arguments)
        turns += 1

    assert seen == list(range(1, 100, 2))
    assert turns >= 10, "it was done in a few long turns"


def test_a_cancelled_search_finds_nothing_more_and_closes_its_files() -> None:
    loop = VirtualLoop()
    seen: list[int] = []
    closed: list[bool] = []

    def steps() -> Iterator[Any]:
        try:
            while True:
                loop.time += TURN
                yield Orphan(1)
        finally:
            closed.append(True)

    search = Search(cast("Any", loop), steps(), lambda orphan: seen.append(orphan.pid), lambda: None)
    callback, arguments = loop._ready.popleft()
    callback(*arguments)
    search.cancel()
    loop.settle()

    assert (seen, closed) == ([1], [True])


# --- terminated


def test_each_gets_sigterm_once_and_sigkill_at_each_look() -> None:
    deaf, polite = Orphan(1, deaf=True), Orphan(2)
    scene = Scene(deaf, polite)
    background = Background(scene.context, lambda: background.look_later() if background.found else None)
    background.send(TERM)
    scene.loop.advance(5)
    assert scene.looks > 5
    assert (deaf.got, polite.got) == ([TERM, CONT], [TERM])

    background.send(KILL)
    scene.loop.advance(5)
    assert deaf.got == [TERM, CONT, KILL]
    assert background.found == []


def test_one_that_was_only_looked_at_gets_its_sigterm_later() -> None:
    orphan = Orphan(1)
    scene = Scene(orphan)
    background = Background(scene.context, lambda: None)
    background.send(0)
    scene.loop.settle()
    assert (background.found, orphan.got) == ([1], [])
    background.send(TERM)
    scene.loop.settle()
    assert orphan.got == [TERM]


def test_unsignallable_processes_are_found_at_each_search() -> None:
    scene = Scene(Orphan(7, forbidden=True))
    background = Background(scene.context, lambda: background.look_later())
    background.send(TERM)
    for _ in range(3):
        scene.loop.advance(0.3)
        assert background.refused == [7]
        assert background.obstacle() == "process 7 cannot be signalled: operation not permitted"


def test_looks_become_rarer() -> None:
    scene = Scene(Orphan(1, deaf=True))
    background = Background(scene.context, lambda: background.look_later())
    background.send(TERM)
    scene.loop.advance(100)
    assert 95 < scene.looks < 110
    background.close()
    scene.loop.advance(100)
    assert scene.looks < 110


# --- who has a run's output open


class Reader:
    fd = 5

    def __init__(self) -> None:
        self.is_held = True


def holders(scene: Scene) -> tuple[OutputHolders, Reader]:
    reader = Reader()
    process: Any = SimpleNamespace(pid=100)
    return OutputHolders(scene.context, process, cast("Any", [reader]), lambda: None), reader


@pytest.mark.parametrize(
    ("found", "hidden", "text"),
    [
        ([7], [], "process 7"),
        ([7], [8], "process 7"),
        ([], [8, 9], "what it left, perhaps process 8, whose descriptors we may not see without CAP_SYS_PTRACE,"),
        ([], [], "what it left, which is not a child of ContainerPilot,"),
    ],
)
def test_the_holder_of_the_output_is_named_if_it_is_visible(found: list[int], hidden: list[int], text: str) -> None:
    scene = Scene(*map(Orphan, found))
    scene.hidden = hidden
    left, _ = holders(scene)
    assert left.holder() == "what it left"
    assert left.obstacle() == ""
    left.send(0)
    scene.loop.settle()
    assert left.holder() == text
    assert left.obstacle() == ("" if found else f"{text} has its output open")


def test_it_is_worth_waiting_for_those_that_are_found_or_in_the_group_and_a_moment_for_the_others() -> None:
    scene = Scene()
    left, reader = holders(scene)
    left.send(TERM)
    scene.loop.settle()
    assert left.is_worth_waiting_for, "an orphan may be on its way to us"
    scene.loop.advance(1)
    assert not left.is_worth_waiting_for
    scene.group_lives = True
    assert left.is_worth_waiting_for
    assert left.is_there
    reader.is_held = False
    assert not left.is_there


def test_processes_of_the_group_are_found_and_terminated_with_it() -> None:
    inside, outside = Orphan(7, deaf=True), Orphan(8, deaf=True)
    scene = Scene(inside, outside)
    scene.group = {7}
    left, _ = holders(scene)
    left.send(TERM)
    scene.loop.settle()
    assert left.found == [7, 8]
    assert inside.got == []
    assert outside.got == [TERM, CONT]


# --- what is left at the end


def test_leftovers_end_when_the_last_of_them_is_reaped() -> None:
    orphan = Orphan(1, deaf=True)
    scene = Scene(orphan)
    left = Leftovers(scene.context)
    scene.context.runs.add(left)
    left.terminate(group=True)
    scene.loop.advance(0.2)
    assert (left.target, scene.ended) == (("what was left in the background", [1]), [])
    orphan.lives = False
    scene.context.processes.on_orphan()
    assert scene.ended == [left]
    assert scene.context.processes.on_orphan is None


def test_leftovers_that_come_later_are_terminated_as_well() -> None:
    first, second = Orphan(1, deaf=True), Orphan(2)
    scene = Scene(first)
    left = Leftovers(scene.context)
    scene.context.runs.add(left)
    left.terminate(group=True)
    scene.loop.advance(0.2)
    scene.orphans.append(second)
    scene.loop.advance(1)
    assert second.got == [TERM]
    left.kill()
    scene.loop.advance(1)
    assert first.got == [TERM, CONT, KILL]
    assert scene.ended == [left]


def test_leftovers_go_on_while_runs_may_leave_more() -> None:
    scene = Scene()
    left = Leftovers(scene.context)
    scene.context.runs.update({left, "another"})
    left.kill()
    scene.loop.advance(1)
    assert scene.ended == []
    scene.context.runs.discard("another")
    left.run_ended()
    scene.loop.settle()
    assert scene.ended == [left]
