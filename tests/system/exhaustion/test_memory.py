"""No more memory (address space): at the start, and while it runs."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from tests.size import CASES, FULL
from tests.system import proc
from tests.system.exhaustion.catalog import Catalog
from tests.system.exhaustion.limits import (
    ends_well,
    is_registered,
    lowered,
    memory,
    supervised,
    wait_for_two_ticks,
)
from tests.system.jobs.configs import config, job
from tests.system.pilot import settle
from tests.system.scripts import mark, python, sh

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

    Record = Callable[[str, object], None]

MB = 1_000_000
AT_ONCE = 4
# In MB. With less, an interpreter does not get as far as our first statement, and CPython 3.11 may spin endlessly: its
# handler of a MemoryError asks for memory.
SIZES = range(16, 64) if FULL else range(16, 40, 4)
ENOUGH = 200 * MB
# 30 MB, and as much again as text: more than what the C library holds in reserve for a thread.
INSTANCES, WEIGHT = 5_000, 6_000
PRESSED = 2.0 if FULL else 1.0  # seconds without memory

# In lines or in pieces without an end, from the moment that the file is there to the moment that it is not.
FLOOD = (
    "end = {end!r}\n"
    "while not os.path.exists('go'):\n    time.sleep(0.02)\n"
    "while os.path.exists('go'):\n    os.write(1, b'x' * 60000 + end)\n"
    "mark('flooded')\n"
)


@pytest.mark.parametrize("dialect", ["services", "jobs"])
def test_with_little_it_runs_or_fails_and_never_hangs(pilot: StartPilot, record_property: Record, dialect: str) -> None:
    record_property(CASES, len(SIZES))
    exits = sh("exit 7")
    given, command = ({}, exits) if dialect == "services" else (config(job("app", exits, main=True)), [])
    sizes = list(SIZES)
    for begin in range(0, len(sizes), AT_ONCE):
        running = {size: pilot(given, command, prefix=memory(size * MB)) for size in sizes[begin : begin + AT_ONCE]}
        for size, started in running.items():
            code = started.wait_exit()
            output = started.output() + started.errors()
            assert code == 7 or output, f"{size} MB: {code} without a word"
            assert code != 0
            assert "internal error" not in output, f"{size} MB: {output}"
            started.assert_nothing_is_left()
    assert pilot(given, command, prefix=memory(ENOUGH)).wait_exit() == 7


def size(pilot: Pilot) -> int:
    """The size of the address space, in bytes."""
    return int(proc.status(pilot.pid)["VmSize"].split()[0]) * 1024


@pytest.mark.parametrize("left", [0, 300_000, 2 * MB] if FULL else [0])
@pytest.mark.parametrize("end", [b"", b"\n"], ids=["without lines", "lines"])
def test_a_flood_of_output_without_memory(pilot: StartPilot, end: bytes, left: int) -> None:
    started = pilot(supervised(job("flood", python(FLOOD.format(end=end)))))
    started.wait_for(lambda: is_registered(started), what="the registration")
    assert started.ask("GET", "/v3/jobs").status == 200

    with lowered(started, resource.RLIMIT_AS, size(started) + left):
        (started.folder / "go").touch()
        settle(PRESSED)
        (started.folder / "go").unlink()
        assert started.is_running()

    started.wait_for_mark("flooded")
    wait_for_two_ticks(started)
    started.wait_for_mark("check", started.count("check") + 1)
    assert started.jobs()["flood"]["state"] == "complete"
    ends_well(started)


@pytest.mark.parametrize("left", [0, 4 * MB] if FULL else [2 * MB])
def test_a_large_answer_of_a_catalogue_without_memory(pilot: StartPilot, left: int) -> None:
    with Catalog() as catalog:
        catalog.has(1)
        changed = job("changed", mark("changed"), when={"source": "watch.web", "each": "changed"})
        watch = {"name": "web", "interval": 1}
        started = pilot({**supervised(changed, watches=[watch]), "directory": None, "consul": catalog.address})
        started.wait_for_mark("changed")
        started.wait_for(lambda: catalog.heartbeats, what="a heartbeat")
        assert started.ask("GET", "/v3/jobs").status == 200

        with lowered(started, resource.RLIMIT_AS, size(started) + left):
            catalog.has(INSTANCES, weight=WEIGHT)
            started.wait_for_line("Failed to query web: ")
            assert started.is_running()

        started.wait_for_mark("changed", 2)
        wait_for_two_ticks(started)
        catalog.heartbeats.clear()
        started.wait_for(lambda: catalog.heartbeats, what="a heartbeat")
        ends_well(started)


def test_a_stop_without_memory(pilot: StartPilot) -> None:
    started = pilot(supervised(job("flood", python(FLOOD.format(end=b"\n")))))
    started.wait_for(lambda: is_registered(started), what="the registration")
    assert started.ask("GET", "/v3/jobs").status == 200

    with lowered(started, resource.RLIMIT_AS, size(started)):
        (started.folder / "go").touch()
        settle(PRESSED)
        ends_well(started)
    assert not is_registered(started)


def test_clients_without_memory(pilot: StartPilot) -> None:
    started = pilot(supervised())
    started.wait_for(lambda: is_registered(started), what="the registration")
    assert started.ask("GET", "/v3/jobs").status == 200

    with lowered(started, resource.RLIMIT_AS, size(started)):
        for number in range(20):
            with started.client() as client:
                try:
                    client.ask("POST", "/v3/environ", {f"VARIABLE_{number}": "x" * 900_000})
                except OSError:
                    continue  # closed without an answer
        assert started.is_running()

    assert started.ask("GET", "/v3/jobs").status == 200
    # What was taken is in the environment of children now, which may be too large for the kernel: those say so.
    started.ask("POST", "/v3/environ", {f"VARIABLE_{number}": None for number in range(20)})
    wait_for_two_ticks(started)
    ends_well(started)
