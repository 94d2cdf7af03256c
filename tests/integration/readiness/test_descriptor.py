"""A newline on a descriptor of a real process."""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING

import pytest

from cp.engine.process import Processes
from cp.readiness.descriptor import ReadyPipe

if TYPE_CHECKING:
    from tests.integration.readiness.conftest import RealLoop


class Scene:
    def __init__(self, loop: RealLoop, number: int) -> None:
        self.loop = loop
        self.reported: list[str] = []
        self.pipe = ReadyPipe(
            loop, number, lambda: self.reported.append("ready"), lambda: self.reported.append("closed")
        )

    def run(self, code: str) -> list[int]:
        """Start a process that runs this, and close our copy of its end."""
        exits: list[int] = []
        processes = Processes(self.loop.call_soon)
        command = [sys.executable, "-S", "-c", f"import os\n{code}"]
        processes.start(command, dict(os.environ), exits.append, descriptors=self.pipe.descriptors)
        self.pipe.started()
        self.loop.run_until(lambda: processes.reap() or exits)
        return exits


NUMBERS = [3, 4, 5, 10, 100, 255]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_newline_is_readiness(loop: RealLoop, number: int) -> None:
    scene = Scene(loop, number)
    assert scene.run(f"os.write({number}, b'up\\n')") == [0]
    loop.run_until(lambda: scene.reported)
    assert scene.reported == ["ready"]
    scene.pipe.close()


def test_whatever_numbers_are_free_the_process_has_its_own(loop: RealLoop) -> None:
    """The number of our end must not be the one of the process, or a standard stream's."""
    seen = set()
    for number in range(3, 60):
        pipe = ReadyPipe(loop, number, print, print)
        [(ours, theirs)] = pipe.descriptors
        seen.add(ours == theirs)
        assert ours > 2
        assert not os.get_inheritable(ours)
        pipe.close()
    assert seen == {False}


def test_a_process_that_writes_and_exits_at_once_was_ready(loop: RealLoop) -> None:
    scene = Scene(loop, 3)
    scene.run("os.write(3, b'\\n')")
    scene.pipe.close()
    assert scene.reported == ["ready"]


def test_a_newline_counts_once_and_the_rest_is_dropped(loop: RealLoop) -> None:
    scene = Scene(loop, 3)
    scene.run("os.write(3, b'starting'); os.write(3, b'\\n\\n'); [os.write(3, b'x\\n' * 5000) for _ in range(100)]")
    loop.run_until(lambda: scene.reported)
    scene.pipe.close()
    assert scene.reported == ["ready"]


def test_closed_without_a_newline_is_no_readiness(loop: RealLoop) -> None:
    scene = Scene(loop, 3)
    scene.run("os.write(3, b'almost')")
    loop.run_until(lambda: scene.reported)
    scene.pipe.close()
    assert scene.reported == ["closed"]


def test_a_process_that_closes_it_after_the_newline_is_ready_still(loop: RealLoop) -> None:
    scene = Scene(loop, 3)
    scene.run("os.write(3, b'\\n'); os.close(3)")
    loop.run_until(lambda: scene.reported)
    for _ in range(3):
        loop.call_soon(bool)
        loop.run_once()
    assert scene.reported == ["ready"]
    scene.pipe.close()


def test_a_number_beyond_the_limit_is_an_error_that_names_it(loop: RealLoop) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match=f"below {limit} only"):
        ReadyPipe(loop, limit, print, print)
    assert os.listdir("/proc/self/fd") == before


def test_the_last_number_works(loop: RealLoop) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 1 + max(map(int, os.listdir("/proc/self/fd"))) + 64  # other tests may have left some open
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        scene = Scene(loop, limit - 1)
        assert scene.run(f"os.write({limit - 1}, b'\\n')") == [0]
        scene.pipe.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert scene.reported == ["ready"]


def test_all_descriptors_are_closed_at_the_end(loop: RealLoop) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        scene = Scene(loop, 3)
        scene.pipe.close()
        scene.pipe.close()
    assert len(os.listdir("/proc/self/fd")) == before
