"""Termination of runs: who gets which signal, when the rest is killed, and when it is given up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from cp.engine.termination import KILL_LIMIT, Termination
from tests.unit.engine.world import FakeLog, VirtualLoop

if TYPE_CHECKING:
    from cp.engine.run import Run


class FakeRun:
    """Ends when a test says so, or with `at_once` when it gets a signal: only its output was waited for."""

    def __init__(self, scene: Scene, name: str, *, at_once: bool = False) -> None:
        self.label = name
        self.target = name, [7]
        self.is_forbidden = False  # we may not signal it
        self.happened: list[tuple[float, str]] = []
        self._scene, self._at_once = scene, at_once

    def terminate(self, *, group: bool) -> None:
        self._note("SIGTERM to the group" if group else "SIGTERM")

    def kill(self) -> None:
        self._note("SIGKILL")

    def give_up(self) -> None:
        self._note("given up")

    def obstacle(self) -> str:
        return "it cannot be signalled" if self.is_forbidden else ""

    def _note(self, what: str) -> None:
        self.happened.append((self._scene.loop.time, what))
        if self._at_once:
            self._scene.termination.ended(cast("Run", self))


class Scene:
    def __init__(self, seconds: float) -> None:
        self.loop, self.log, self.runs = VirtualLoop(), FakeLog(), set[Any]()
        self.ends = 0
        processes = SimpleNamespace(has_children=lambda: False)
        context = cast("Any", SimpleNamespace(loop=self.loop, log=self.log, runs=self.runs, processes=processes))
        self.stuck: list[Any] = []
        self.termination = Termination(context, seconds, self._on_end, self.stuck.append)

    def _on_end(self) -> None:
        self.ends += 1

    def run(self, name: str = "app", *, at_once: bool = False) -> Any:
        run = FakeRun(self, name, at_once=at_once)
        self.runs.add(run)
        return run


def test_a_process_that_does_not_end_is_killed_when_the_budget_is_spent_and_then_given_up() -> None:
    scene = Scene(5)
    run = scene.run()
    scene.termination.terminate(run, True)
    scene.loop.advance(60)
    assert run.happened == [(0.0, "SIGTERM to the group"), (5.0, "SIGKILL"), (5 + KILL_LIMIT, "given up")]
    assert scene.log.lines == [
        "info: Killing Process 7: app did not end within stopTimeout",
        "warning: going on without app: process 7 survives SIGKILL",
    ]


@pytest.mark.parametrize(
    ("pids", "killing", "surviving"),
    [
        ([], "Killing what app left running: it", "it"),
        ([8, 9], "Killing Process 8, 9: what app left running", "process 8, 9"),
        (
            list(range(1, 14)),
            "Killing Process 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 more: what app left running",
            "process 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 more",
        ),
    ],
)
def test_a_killed_process_is_named_and_not_its_dead_leader(pids: list[int], killing: str, surviving: str) -> None:
    scene = Scene(5)
    run = scene.run()
    run.target = "what app left running", pids
    scene.termination.terminate(run, True)
    scene.loop.advance(60)
    assert scene.log.lines == [
        f"info: {killing} did not end within stopTimeout",
        f"warning: going on without what app left running: {surviving} survives SIGKILL",
    ]


def test_a_process_that_dies_of_sigkill_is_not_given_up() -> None:
    scene = Scene(5)
    run = scene.run()
    scene.termination.kill(run)
    scene.termination.ended(run)
    scene.loop.advance(60)
    assert run.happened == [(0.0, "SIGKILL")]
    assert scene.ends == 1
    assert scene.log.lines == []


def test_no_seconds_are_sigterm_and_sigkill_at_once() -> None:
    scene = Scene(0)
    run = scene.run()
    scene.termination.terminate(run, False)
    assert [what for _, what in run.happened] == ["SIGTERM", "SIGKILL"]


@pytest.mark.parametrize("renewed", [False, True])
def test_negative_seconds_are_sigkill_alone(renewed: bool) -> None:
    scene = Scene(60 if renewed else -1)
    if renewed:
        scene.termination.renew(-1)
    run = scene.run()
    scene.termination.terminate(run, False)
    assert [what for _, what in run.happened] == ["SIGKILL"]


def test_an_ended_process_gets_no_signal_and_uses_no_budget() -> None:
    scene = Scene(5)
    gone, run = scene.run("gone"), scene.run()
    scene.termination.ended(gone)
    scene.termination.terminate(gone, False)
    scene.termination.kill(gone)
    scene.loop.advance(4)
    scene.termination.terminate(run, False)
    scene.loop.advance(60)
    assert gone.happened == []
    assert run.happened[1] == (9.0, "SIGKILL")


@pytest.mark.parametrize("at_once", [False, True])
def test_end_of_a_run_stops_the_budget_for_later_terminations(at_once: bool) -> None:
    scene = Scene(5)
    first, second = scene.run("first", at_once=at_once), scene.run("second")
    scene.termination.terminate(first, False)
    if not at_once:
        scene.termination.ended(first)
    scene.loop.advance(4)
    scene.termination.terminate(second, False)
    scene.loop.advance(60)
    assert [what for _, what in first.happened] == ["SIGTERM"]
    assert second.happened[:2] == [(4.0, "SIGTERM"), (9.0, "SIGKILL")]


def test_time_that_the_stop_already_spent_is_charged() -> None:
    scene = Scene(5)
    run = scene.run()
    scene.termination.charge(2)
    scene.termination.terminate(run, False)
    scene.loop.advance(60)
    assert run.happened[1] == (3.0, "SIGKILL")


def test_renewed_budget_applies_to_earlier_terminations() -> None:
    scene = Scene(5)
    run = scene.run()
    scene.termination.terminate(run, False)
    scene.loop.advance(4)
    scene.termination.renew(5)
    scene.loop.advance(60)
    assert run.happened[1] == (9.0, "SIGKILL")


def test_killing_everything_leaves_no_time_to_later_terminations() -> None:
    scene = Scene(5)
    terminated, other = scene.run("terminated"), scene.run("other")
    scene.termination.terminate(terminated, False)
    scene.termination.kill_everything()
    later = scene.run("later")
    scene.termination.terminate(later, False)
    assert [each.happened[-1] for each in (terminated, other, later)] == [(0.0, "SIGKILL")] * 3


def test_an_unsignallable_process_is_stuck_when_the_budget_is_spent_and_not_given_up() -> None:
    scene = Scene(5)
    run = scene.run()
    run.is_forbidden = True
    scene.termination.terminate(run, True)
    scene.loop.advance(20)
    assert run.happened == [(0, "SIGTERM to the group"), (5, "SIGKILL")]
    assert scene.stuck == [run]
    assert scene.log.lines == ["warning: cannot end app: it cannot be signalled"]
    assert run in scene.runs, "it may end by itself"


def test_a_stuck_process_spends_no_later_budget_until_it_is_terminated_again() -> None:
    scene = Scene(5)
    stuck, other = scene.run(), scene.run("other")
    stuck.is_forbidden = True
    scene.termination.terminate(stuck, True)
    scene.loop.advance(5)
    scene.termination.renew(5)
    scene.loop.advance(5)
    scene.termination.terminate(other, True)
    scene.loop.advance(4.9)
    assert [what for _, what in other.happened] == ["SIGTERM to the group"]
    scene.termination.ended(other)

    scene.termination.renew(5)
    scene.termination.retry()
    scene.loop.advance(6)
    assert len(stuck.happened) == 4
    assert scene.stuck == [stuck, stuck]
    scene.termination.ended(stuck)
    scene.termination.retry()
    assert len(stuck.happened) == 4
