"""The engine without enough memory or descriptors to do something, or to report it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest

from cp.engine.context import Context, Environment
from cp.engine.loop import Loop
from cp.engine.output import Outputs
from cp.engine.process import StartError
from cp.engine.run import Run
from cp.engine.watch_variables import ENVIRONMENT_LIMIT, _to_text
from tests.integration.full_epoll import WHY, descriptors, fill
from tests.unused_parts import UNUSED

if TYPE_CHECKING:
    from typing import Any


class Instance(NamedTuple):
    id: str
    address: str = "10.0.0.1"
    port: int = 80
    tags: tuple[str, ...] = ()


def test_an_error_that_cannot_be_logged_does_not_end_the_loop() -> None:
    reported: list[BaseException] = []
    done: list[int] = []

    def report(error: BaseException) -> None:
        reported.append(error)
        raise MemoryError

    def fail() -> None:
        raise OSError

    loop = Loop(on_error=report)
    loop.call_soon(fail)
    loop.call_soon(done.append, 1)

    loop.run_once()

    assert len(reported) == 1
    assert done == [1]


def test_a_list_for_the_environment_fits_to_the_last_character_or_is_left_out() -> None:
    empty = len(_to_text([Instance("")]) or "")
    fits = [Instance("x" * (ENVIRONMENT_LIMIT - empty))]
    two = [
        Instance(""),
        Instance("x" * (ENVIRONMENT_LIMIT - 2 * empty + 1)),
    ]  # the brackets are there once, and a comma

    assert len(_to_text(fits) or "") == ENVIRONMENT_LIMIT
    assert len(_to_text(two) or "") == ENVIRONMENT_LIMIT
    assert _to_text([Instance(fits[0].id + "x")]) is None
    assert _to_text([two[0], Instance(two[1].id + "x")]) is None
    assert _to_text([]) == "[]"


def test_a_list_that_is_far_too_long_costs_no_more_than_one_that_fits() -> None:
    read: list[str] = []

    class Counted(Instance):
        @property
        def tags(self) -> tuple[str, ...]:
            read.append(self.id)
            return ()

    assert _to_text([Counted("x" * 1000) for _ in range(10_000)]) is None
    assert len(read) <= ENVIRONMENT_LIMIT // 1000 + 1


# --- no more descriptors that epoll watches


def test_a_pipe_that_cannot_be_watched_leaves_no_descriptor_behind() -> None:
    outputs = Outputs(Loop())
    before = descriptors()
    fill(outputs, "_epoll")

    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            outputs.open(lambda line: None)

    assert descriptors() <= before


def test_a_run_whose_second_pipe_cannot_be_watched_is_not_started_and_leaves_nothing_behind() -> None:
    loop = Loop()
    outputs = Outputs(loop)
    nothing = cast("Any", None)
    context = Context(
        loop=loop,
        processes=nothing,
        outputs=outputs,
        environment=Environment({}),
        bus=nothing,
        log=nothing,
        random=nothing,
        **UNUSED,
    )
    before = descriptors()
    fill(outputs, "_epoll").room = 1

    with pytest.raises(StartError, match=f"cannot make a pipe for its output: {WHY}"):
        Run(context, ("/bin/true",), "app", lambda code: None, output="lines").start()

    assert descriptors() <= before


def test_output_is_read_again_after_a_pause_even_if_nothing_new_can_be_watched() -> None:
    loop = Loop()
    outputs = Outputs(loop)
    lines: list[str] = []
    _, write_end = outputs.open(lines.append)
    fill(loop, "_epoll")

    outputs.pause(True)
    os.write(write_end, b"line\n")
    loop.call_soon(bool)
    loop.run_once()
    assert lines == []
    outputs.pause(False)
    loop.run_once()

    assert lines == ["line"]
    os.close(write_end)


def test_a_descriptor_that_cannot_be_watched_is_forgotten() -> None:
    loop = Loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        full = fill(loop, "_epoll")
        for add, remove in ((loop.add_reader, loop.remove_reader), (loop.add_writer, loop.remove_writer)):
            with pytest.raises(OSError, match="No space left"):
                add(ours.fileno(), lambda: None)
            remove(ours.fileno())  # nothing is there to be removed
        full.room = 1
        read: list[bytes] = []
        loop.add_reader(ours.fileno(), lambda: read.append(ours.recv(10)))
        theirs.send(b"x")
        loop.run_once()
        assert read == [b"x"]


def test_a_reader_that_pauses_says_nothing_until_it_is_added_again() -> None:
    loop = Loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        read: list[bytes] = []
        loop.add_reader(ours.fileno(), lambda: read.append(ours.recv(10)))
        fill(loop, "_epoll")
        loop.pause_reader(ours.fileno())
        loop.pause_reader(ours.fileno())
        theirs.send(b"x")
        loop.call_soon(bool)
        loop.run_once()
        assert read == []
        loop.add_reader(ours.fileno(), lambda: read.append(ours.recv(10)))
        loop.run_once()
        assert read == [b"x"]
        loop.pause_reader(ours.fileno())
        loop.remove_reader(ours.fileno())
