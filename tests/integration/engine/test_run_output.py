"""Output that an exited child left in its pipes: all of it is logged before its end, and nothing else waits for it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import pytest

from cp.engine.context import Context, Environment
from cp.engine.events import Bus
from cp.engine.loop import Loop
from cp.engine.output import CAPACITY, READ_LINES, Outputs
from cp.engine.process import Processes
from cp.engine.run import Run
from tests.unused_parts import UNUSED

LINE_TAKES = 0.000004  # seconds of logging


class Child:
    """A process whose output the test writes: it has the writing end of the one pipe that its run made."""

    pid = 1000
    reaped = False

    def __init__(self, fd: int, on_exit: Any) -> None:
        self.fd = os.dup(fd)
        fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, CAPACITY)
        self.on_exit = on_exit

    def exit(self, loop: Loop, code: int) -> None:
        os.close(self.fd)
        loop.call_soon(self.on_exit, code)


class Scene:
    """A loop whose time passes only while lines are logged."""

    def __init__(self) -> None:
        self.time = 0.0
        self.lines = 0
        self.ends: list[tuple[int | None, int]] = []  # exit code, and the lines that were logged before
        self.faults: list[BaseException] = []
        self.loop = Loop(clock=lambda: self.time, on_error=self.faults.append)
        self.children: list[Child] = []
        self.context = Context(
            loop=self.loop,
            processes=cast("Processes", self),
            outputs=Outputs(self.loop),
            environment=Environment({}),
            bus=Bus(self.loop.call_steps),
            log=cast("Any", self),
            random=lambda: 0.5,
            **UNUSED,
        )

    def start(self, command: Sequence[str], environ: Mapping[str, str], on_exit: Any, **more: Any) -> Child:
        child = Child(more["stdout"], on_exit)
        self.children.append(child)
        return child

    def signal(self, *_: object, **__: object) -> bool:
        return True

    def is_forbidden(self, _: object) -> bool:
        return False

    def child_output(self, _: str, __: object = ()) -> None:
        self.lines += 1
        self.time += LINE_TAKES

    def run(self) -> tuple[Run, Child]:
        run = Run(self.context, ("child",), "child", lambda code: self.ends.append((code, self.lines)), output="log")
        run.start()
        return run, self.children[-1]

    def turn(self) -> None:
        self.loop.call_soon(bool)  # whatever comes, the loop does not wait
        self.loop.run_once()


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    assert not scene.faults


def fill(child: Child) -> int:
    """Write as many empty lines as the pipe takes; how many."""
    return os.write(child.fd, b"\n" * CAPACITY)


def test_a_pipe_full_of_short_lines_delays_no_timer_and_no_other_exit(scene: Scene) -> None:
    flooding, quiet = scene.run(), scene.run()
    written = fill(flooding[1])
    late: list[float] = []

    def tick(due: float) -> None:
        late.append(scene.time - due)
        scene.loop.call_at(due + 0.005, tick, due + 0.005)

    scene.loop.call_at(0.005, tick, 0.005)
    flooding[1].exit(scene.loop, 3)
    quiet[1].exit(scene.loop, 4)
    while not scene.ends:
        scene.turn()
    assert scene.ends[0][0] == 4
    assert scene.lines < written / 10
    while len(scene.ends) < 2:
        scene.turn()
    assert scene.ends[1] == (3, written)
    assert len(late) > 10
    assert max(late) < 0.01


def test_a_kill_while_it_is_read_loses_no_line(scene: Scene) -> None:
    run, child = scene.run()
    written = fill(child)
    child.exit(scene.loop, 0)
    scene.turn()
    assert 0 < scene.lines < written
    run.kill()
    run.terminate(group=True)
    assert scene.ends == []
    while not scene.ends:
        scene.turn()
    assert scene.ends == [(0, written)]


def test_a_child_that_left_little_ends_at_once(scene: Scene) -> None:
    run, child = scene.run()
    os.write(child.fd, b"one\ntwo\n")
    run.terminate(group=True)
    child.exit(scene.loop, -15)
    scene.turn()
    assert scene.ends == [(-15, 2)]


# --- while nobody reads what we write


def test_an_exit_is_noticed_though_nobody_reads_the_log(scene: Scene) -> None:
    _, child = scene.run()
    scene.context.outputs.pause(True)
    os.write(child.fd, b"one\ntwo\n")
    child.exit(scene.loop, 4)
    scene.turn()
    assert scene.ends == [(4, 2)]


def test_a_process_that_prints_much_is_terminated_without_delay(scene: Scene) -> None:
    (terminated, talks), (_, waits) = scene.run(), scene.run()
    scene.context.outputs.pause(True)
    written = fill(talks)
    fill(waits)
    terminated.terminate(group=True)
    for _ in range(2 * written // READ_LINES):
        scene.turn()
    assert scene.lines == written

    talks.exit(scene.loop, -15)
    scene.turn()
    assert scene.ends == [(-15, written)]


def test_output_of_background_children_is_throttled_again(scene: Scene) -> None:
    terminated, child = scene.run()
    scene.context.outputs.pause(True)
    terminated.terminate(group=True)
    left = os.dup(child.fd)
    terminated.give_up()
    os.write(left, b"one\n")
    scene.turn()
    assert scene.lines == 0
    scene.context.outputs.pause(False)
    scene.turn()
    assert scene.lines == 1
    os.close(left)


def test_from_the_beginning_of_a_stop_everybody_is_read(scene: Scene) -> None:
    (_, one), (_, other) = scene.run(), scene.run()
    scene.context.outputs.pause(True)
    os.write(one.fd, b"one\n")
    scene.context.outputs.hurry()
    scene.context.outputs.pause(True)
    os.write(other.fd, b"two\n")
    scene.turn()
    scene.turn()
    assert scene.lines == 2
