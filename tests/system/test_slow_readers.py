"""A reader of our output that is slower than what is written: jobs that print wait for it, and nothing else does."""

from __future__ import annotations

import fcntl
import os
import re
import threading
from typing import TYPE_CHECKING

import pytest

from tests.system.jobs.configs import app, config, job, once
from tests.system.scripts import sh
from tests.system.test_logging import is_held_back

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot


@pytest.fixture
def slow_pipe() -> Iterator[int]:
    """The end to write to of a pipe that is read, but more slowly than anything writes."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    done = threading.Event()

    def read() -> None:
        while not done.wait(0.1):
            os.read(reader, 64)

    thread = threading.Thread(target=read)
    os.write(writer, b"x" * 4096)
    thread.start()
    yield writer
    done.set()
    thread.join()
    os.close(reader)
    os.close(writer)


FLOODS = job("floods", ["yes", "x" * 60])
WAITS = "until [ -e go ]; do sleep 0.05; done"
SPEAKS = "yes words | head -c 200000"
TALKS = job("talks", sh(f"trap '{SPEAKS}; mark term; exit 3' TERM; mark talks; while :; do {SPEAKS}; done"))


def held_back_flood(started: Pilot) -> int:
    flood = started.child(f"yes {'x' * 60}")
    started.wait_for(lambda: is_held_back(flood), what="the flood to be held back")
    return flood


def test_a_slow_reader_hides_no_exit(pilot: StartPilot, slow_pipe: int) -> None:
    before = job("before", sh(f"{WAITS}; echo ready"))
    crashes = job("crashes", sh(f"{WAITS}; mark crash; echo crashed; exit 4"), restarts=1)
    last = job("last", sh("mark last; echo last"), when=once("exitSuccess", "before"))
    started = pilot(config(FLOODS, before, crashes, last, app("other")), stdout=slow_pipe)
    started.wait_for_mark("other")
    flood = held_back_flood(started)

    (started.folder / "go").touch()

    started.wait_for_mark("last")
    started.wait_for_mark("crash", 2)
    started.wait_for_state("before", "complete")
    assert is_held_back(flood)


def test_a_slow_reader_does_not_delay_a_stop(pilot: StartPilot, slow_pipe: int) -> None:
    """Neither output of one that prints much on SIGTERM, nor output of the hooks that come after it."""
    after = job("after", sh(f"{SPEAKS}; mark after"), when=once("stopped", "talks"))
    started = pilot(config(FLOODS, {**TALKS, "main": True}, after, stopTimeout=600), stdout=slow_pipe)
    started.wait_for_mark("talks")
    held_back_flood(started)

    assert started.stop() == 3
    assert started.words() == ["talks", "term", "after"]


def test_a_slow_reader_does_not_delay_the_stop_of_one_job(pilot: StartPilot, slow_pipe: int) -> None:
    started = pilot(config(FLOODS, TALKS, app("other"), stopTimeout=600), stdout=slow_pipe)
    started.wait_for_mark("talks")
    flood = held_back_flood(started)

    assert started.run("-stop", "talks").code == 0
    assert started.count("term") == 1
    assert is_held_back(flood)


def test_last_words_reach_a_reader_that_is_slower_than_they_come(pilot: StartPilot) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    received: list[bytes] = []
    pause = threading.Event()

    def read() -> None:
        while data := os.read(reader, 4096):
            received.append(data)
            pause.wait(0.005)

    thread = threading.Thread(target=read)
    thread.start()
    started = pilot(config(job("a", sh("seq 40000; echo last words; exit 3"), main=True)), stdout=writer)
    os.close(writer)

    assert started.wait_exit() == 3
    thread.join()
    os.close(reader)
    lines = b"".join(received).splitlines()
    numbers = [int(line.split()[-1]) for line in lines[:-1] if line.split()[-1].isdigit()]
    assert numbers == list(range(1, 40_001))
    assert b"last words" in lines[-2]
    assert b"exited with error" in lines[-1]
    assert started.errors() == ""


def test_lines_that_a_stalled_reader_does_not_take_at_the_end_are_counted(pilot: StartPilot) -> None:
    reader, writer = os.pipe()
    started = pilot(config(job("a", sh("seq 40000; exit 3"), main=True)), stdout=writer)
    os.close(writer)

    assert started.wait_exit() == 3
    with open(reader, "rb") as rest:
        taken = rest.read().count(b"\n")
    lost = re.fullmatch(r".*?(\d+) log lines were lost: standard output was not read in time\n", started.errors())
    assert lost is not None, started.errors()
    assert 40_000 < taken + int(lost[1]) < 40_010  # and what it says itself
