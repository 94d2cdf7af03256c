"""Every signal, in every phase, in both dialects, as PID 1 and not: who gets it, and what becomes of us."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.size import CASES, FULL
from tests.system import documents, proc
from tests.system.matrices.scene import APP_CODE, CHILD, Scene, getters, in_phase
from tests.system.matrices.signals import (
    ALL,
    BEFORE,
    DIALECTS,
    IN_BOTH,
    JOBS,
    NAMES,
    PHASES,
    PRE_START,
    RUNNING,
    SERVICES,
    STOP,
    Effect,
    Kind,
    effect,
    kind,
    lives_on,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.pilot_fixtures import StartPilot

PLACES = (False, True)  # PID 1 or not
# In CI these stand for the others that end us.
CHOSEN = {signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV}


def deadly(phase: str, *, init: bool) -> list[tuple[str, int]]:
    """Signals that end ContainerPilot: each of these cases has a ContainerPilot of its own."""
    found = [(each, number) for each in DIALECTS for number in ALL if not lives_on(each, phase, number, init=init)]
    return [(dialect, number) for dialect, number in found if FULL or number in CHOSEN]


ENDS = [
    (phase, init, dialect, number)
    for phase in PHASES
    for init in PLACES
    for dialect, number in deadly(phase, init=init)
]


def test_the_table_is_that_of_the_manual() -> None:
    rows = documents.tables(documents.ROOT / "docs" / "lifecycle.md", "Signals")[0]
    table = {
        (dialect, name): documents_say(cell)
        for names, *cells in rows
        for name in names.replace(" and the like", "").replace(" (", ", ").split(", ")
        if name.startswith("SIG")
        for dialect, cell in zip(DIALECTS, cells, strict=True)
    }

    assert table == {key: kind(key[0], signal.Signals[key[1].strip("…) ")]) for key in table}
    ours = {name for dialect in DIALECTS for names in NAMES[dialect].values() for name in names}
    assert ours | set(IN_BOTH[Kind.NOTHING]) - {"SIGCHLD"} <= {name for _, name in table}


def documents_say(cell: str) -> Kind:
    words = {
        "[stop]": Kind.STOP,
        "[reload]": Kind.RELOAD,
        "[event]": Kind.EVENT,
        "[maintenance]": Kind.MAINTENANCE,
        "passed on": Kind.PASSED_ON,
    }
    return next((means for word, means in words.items() if cell.startswith(word)), None) or Kind(cell)


@pytest.mark.parametrize("init", PLACES, ids=["ordinary", "PID 1"])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_signals_that_containerpilot_survives(
    pilot: StartPilot, record_property: Callable[[str, object], None], dialect: str, phase: str, init: bool
) -> None:
    numbers = [number for number in ALL if lives_on(dialect, phase, number, init=init)]
    record_property(CASES, len(numbers))
    with in_phase(pilot, dialect, phase, init=init) as scene:
        if phase == BEFORE:
            send_before_the_handlers(scene, numbers, init=init)
        else:
            for number in numbers:
                send(scene, number, effect(dialect, phase, number, init=init))
        goes_on_as_usual(scene)

    given = [each for number in numbers for each in passed_on(effect(dialect, phase, number, init=init), number, phase)]
    for each in ("app", CHILD):
        assert got(scene, each) == ([*given, signal.SIGTERM] if each in getters(dialect) else []), each
    for each in ("preStart", "preStop"):  # SIGTERM is ours, when its work is done
        assert got(scene, each) == [signal.SIGTERM for _ in range(scene.pilot.count(each))]


def passed_on(expected: Effect, number: int, phase: str) -> list[int]:
    if expected.halts:
        return [signal.SIGCONT] if phase in (RUNNING, STOP) else []
    return [number] if expected.app else []


def send(scene: Scene, number: int, expected: Effect) -> None:
    """Send one signal, and wait for what it does. What it does not do shows at the end."""
    pilot = scene.pilot
    if expected.reopened:
        scene.rename_log(number)
    before = scene.log().count(expected.log)
    pilot.send(number)
    if expected.halts:
        pilot.wait_for(lambda: proc.state(pilot.pid) == "T", what="the halt")
        os.kill(pilot.pid, signal.SIGCONT)
        pilot.wait_for(lambda: proc.state(pilot.pid) != "T", what="its end")
        if scene.phase in (RUNNING, STOP):  # the second SIGCONT that is passed on: it comes before SIGSTOP
            for each in getters(scene.dialect):
                pilot.wait_for_mark(f"{each} {int(signal.SIGCONT)}", 2)
    if expected.app:
        for each in getters(scene.dialect):
            pilot.wait_for_mark(f"{each} {number}")
    if expected.log:
        wait_for_log(scene, expected.log, before)
    if expected.reopened:
        pilot.wait_for(scene.has_new_log, what="a new log file")


def wait_for_log(scene: Scene, text: str, before: int = 0) -> None:
    """Waits for the next occurrence of the line."""
    scene.pilot.wait_for(lambda: scene.log().count(text) > before, what=f"{text!r} in the log")


def send_before_the_handlers(scene: Scene, numbers: list[int], *, init: bool) -> None:
    pilot = scene.pilot
    for number in numbers:
        pilot.send(number)
        if number == signal.SIGSTOP:
            pilot.wait_for(lambda: proc.state(pilot.pid) == "T", what="the halt")
            pilot.send(signal.SIGCONT)
    waiting = [number for number in numbers if effect(scene.dialect, BEFORE, number, init=init).log]
    assert scene.pending() >= set(waiting), "the handlers stand already"

    scene.begin()

    for number in waiting:
        wait_for_log(scene, effect(scene.dialect, BEFORE, number, init=init).log)


def goes_on_as_usual(scene: Scene) -> None:
    """The rest of the life of a ContainerPilot that has not been disturbed: the application starts, runs, is ended."""
    pilot = scene.pilot
    assert proc.state(pilot.pid) not in ("T", "Z", "")
    if scene.phase == PRE_START:
        scene.release_hook()
    if scene.phase == STOP:
        scene.release_hook()
    else:
        pilot.wait_for_mark("app")
        pilot.wait_for_mark(CHILD)
        pilot.signal("TERM")
    assert pilot.wait_exit() == APP_CODE
    assert "internal error" not in scene.log()
    assert pilot.errors() == ""
    pilot.assert_nothing_is_left()


def got(scene: Scene, who: str) -> list[int]:
    """The signals that a child got, in their order."""
    words = [word.rpartition(" ") for word in scene.pilot.words()]
    return [int(number) for name, _, number in words if name == who]


@pytest.mark.parametrize(
    ("phase", "init", "dialect", "number"),
    ENDS,
    ids=[f"{phase}-{'PID 1' if init else 'ordinary'}-{dialect}-{number}" for phase, init, dialect, number in ENDS],
)
def test_signals_that_end_containerpilot(pilot: StartPilot, phase: str, init: bool, dialect: str, number: int) -> None:
    expected = effect(dialect, phase, number, init=init)
    with in_phase(pilot, dialect, phase, init=init) as scene:
        scene.pilot.send(number)
        scene.begin()
        code = scene.pilot.wait_exit()

    if expected.kills:
        assert init or code == -number  # of a container it is its `unshare` that tells
        survives = phase != BEFORE and not init  # nobody is there to end it; a container ends with its PID 1
        scene.pilot.wait_for(lambda: bool(scene.pilot.leftovers()) == survives, what="what becomes of the children")
        assert [word for word in scene.pilot.words() if " " in word] == []
        return
    assert code == (128 + number if phase in (BEFORE, PRE_START) else APP_CODE)
    term = int(signal.SIGTERM)
    app = ["app"] if phase in (RUNNING, STOP) else []
    hooks = {PRE_START: ["preStart"], STOP: ["preStop"]}.get(phase, [])
    children = app * (len(getters(dialect)) - 1) and [f"{CHILD} {term}"]
    assert sorted(word for word in scene.pilot.words() if " " in word) == sorted(
        [*(f"{each} {term}" for each in [*app, *hooks]), *children]
    )
    assert [word for word in scene.pilot.words() if word == "app"] == app
    scene.pilot.assert_nothing_is_left()


def test_every_signal_has_its_row() -> None:
    kinds = {dialect: {number: kind(dialect, number) for number in ALL} for dialect in DIALECTS}

    assert {*range(1, 32), *range(signal.SIGRTMIN, signal.SIGRTMAX + 1)} <= {*ALL}
    assert {*kinds[SERVICES].values()} == {*Kind} - {Kind.EVENT, Kind.REOPEN_LOG}
    assert {*kinds[JOBS].values()} == {*Kind} - {Kind.RELOAD, Kind.MAINTENANCE}
