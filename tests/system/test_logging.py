"""The log: its formats, and what happens where nobody reads it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.system import proc
from tests.system.pilot import settle
from tests.system.scripts import forever, mark, sh, until_term

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.system.pilot_fixtures import StartPilot

SAY = {"coprocesses": [{"name": "co", "command": ["printf", "%s", 'a "b" <c> é\n']}]}


def logging(**settings: str) -> dict[str, Any]:
    return {"logging": settings, **SAY}


def test_default_format_is_the_time_and_the_message(pilot: StartPilot) -> None:
    started = pilot(SAY, forever())

    started.wait_for_line(r'^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d a "b" <c> é$')


def test_text_format_has_level_and_fields(pilot: StartPilot) -> None:
    started = pilot(logging(format="text"), forever(), env={"TZ": "UTC"})

    started.wait_for_line(
        r'^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=info msg="a \\"b\\" <c> é" coprocess=co process=coprocess ?$'
    )


def test_json_format_is_an_object_per_line(pilot: StartPilot) -> None:
    started = pilot(logging(format="JSON"), forever())

    line = started.wait_for_line(r"^\{.*\}$").group()

    record = json.loads(line)
    assert list(record) == sorted(record)
    assert {key: record[key] for key in record if key != "time"} == {
        "coprocess": "co",
        "level": "info",
        "msg": 'a "b" <c> é',
        "process": "coprocess",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", record["time"])
    assert r"\u003cc\u003e é" in line


def test_local_time_is_used(pilot: StartPilot) -> None:
    started = pilot(logging(format="text"), forever(), env={"TZ": "XYZ-05:30"})

    started.wait_for_line(r'^time="[^"]*\+05:30"')


def test_log_can_go_to_standard_error(pilot: StartPilot) -> None:
    started = pilot(logging(output="stderr"), forever())

    started.wait_for_line('a "b"', stream="stderr")
    assert started.output() == ""


def test_level_hides_lower_levels(pilot: StartPilot) -> None:
    config = {"logging": {"level": "ERROR"}, "coprocesses": [{"name": "co", "command": sh("echo words; exit 3")}]}
    started = pilot(config, forever())

    started.wait_for_line(r"coprocess\[co\] exited \(3\)")

    assert "words" not in started.output()


def test_debug_level_shows_the_loaded_configuration(pilot: StartPilot) -> None:
    started = pilot({"logging": {"level": "DEBUG"}}, forever())

    started.wait_for_line("Loaded config: ")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"level": "loud"}, "Unknown log level 'loud'"),
        ({"format": "xml"}, "Unknown log format 'xml'"),
        ({"output": "printer"}, "Unknown output type 'printer'"),
    ],
)
def test_setting_that_does_not_exist_is_refused(pilot: StartPilot, settings: dict[str, str], complaint: str) -> None:
    started = pilot({"logging": settings}, mark("app"))

    assert started.wait_exit() == 1
    assert complaint in started.output()


@pytest.mark.parametrize("length", [10, 65_535, 65_536, 300_000])
def test_lines_of_any_length_arrive_whole(pilot: StartPilot, length: int) -> None:
    task = sh(f"head -c {length} /dev/zero | tr '\\0' x; echo; echo end")
    started = pilot({"logging": {"format": "json"}, "coprocesses": [{"command": task}]}, forever())

    started.wait_for_line('"msg":"end"')

    messages = [json.loads(line)["msg"] for line in started.output().splitlines()]
    assert messages[-1] == "end"
    assert "".join(messages[:-1]) == "x" * length


def test_output_that_is_not_text_does_no_harm(pilot: StartPilot) -> None:
    odd = sh(r"printf 'a\377\001b\r\n\0c\n'")
    started = pilot({"logging": {"format": "json"}, "coprocesses": [{"command": odd}]}, forever())

    started.wait_for(lambda: started.output().count("\n") == 2)

    first, second = (json.loads(line)["msg"] for line in started.output().splitlines())
    assert first.startswith("a")
    assert first.endswith("\x01b")
    assert second == "\x00c"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_do_no_harm(pilot: StartPilot, closed: str) -> None:
    config = {**SAY, "tasks": [{"command": sh("mark task; echo words; echo words >&2"), "frequency": "50ms"}]}
    app = sh("trap 'mark app-term; exit 3' TERM\nsleep 1000 &\nmark app\necho words\nwait")
    started = pilot(config, app, prefix=["/bin/sh", "-c", f'exec "$@" {closed}', "sh"])
    started.wait_for_mark("app")
    started.wait_for_mark("task", 3)

    started.signal("HUP")
    started.wait_for_mark("task", started.count("task") + 3)

    assert started.stop() == 3


@pytest.mark.parametrize("settings", [{}, {"format": "json", "level": "DEBUG"}])
def test_full_disk_under_the_log_does_no_harm(pilot: StartPilot, settings: dict[str, str]) -> None:
    config = {"logging": settings, "tasks": [{"command": sh("mark task; echo words"), "frequency": "50ms"}]}
    with open("/dev/full", "wb") as full:
        started = pilot(config, until_term(code=3), stdout=full, stderr=full)
    started.wait_for_mark("app")
    started.wait_for_mark("task", 5)

    assert started.stop() == 3
    started.assert_nothing_is_left()


@pytest.fixture
def stalled_pipe() -> Iterator[int]:
    """The end to write to of a pipe that is full and that nobody reads."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


def test_reader_that_stalls_delays_nothing(pilot: StartPilot, stalled_pipe: int) -> None:
    config = {
        "logging": {"level": "DEBUG"},
        "tasks": [{"command": sh("mark task; echo words"), "frequency": "50ms"}],
        "postStop": mark("postStop"),
    }
    started = pilot(config, until_term(code=3), stdout=stalled_pipe)
    started.wait_for_mark("app")
    started.wait_for_mark("task", 5)

    assert started.stop() == 3
    assert started.words()[-2:] == ["app-term", "postStop"]


def test_flood_that_nobody_reads_fills_no_memory_and_delays_nothing(pilot: StartPilot, stalled_pipe: int) -> None:
    config = {
        "tasks": [
            {"command": "yes", "frequency": "50ms", "timeout": "1h"},
            {"command": mark("task"), "frequency": "50ms"},
        ]
    }
    started = pilot(config, until_term(code=3), stdout=stalled_pipe)
    started.wait_for_mark("app")
    before = proc.resident_kilobytes(started.pid)
    flood = started.child("yes")
    started.wait_for(lambda: is_held_back(flood), what="the flood to be held back")

    started.wait_for_mark("task", started.count("task") + 5)

    assert proc.resident_kilobytes(started.pid) - before < 20_000
    assert started.stop() == 3
    started.assert_nothing_is_left()


def is_held_back(pid: int) -> bool:
    """Whether a process that writes without limit is blocked."""
    before = proc.written(pid)
    settle(0.2)
    return before == proc.written(pid)


def test_reader_that_leaves_does_no_harm(pilot: StartPilot) -> None:
    reader, writer = os.pipe()
    config = {"tasks": [{"command": sh("mark task; echo words"), "frequency": "50ms"}]}
    started = pilot(config, until_term(code=3), stdout=writer, stderr=writer)
    os.close(writer)
    started.wait_for_mark("task")
    os.close(reader)

    started.wait_for_mark("task", started.count("task") + 3)

    assert started.stop() == 3


def test_our_streams_stay_blocking_for_the_app(pilot: StartPilot) -> None:
    # The app shares them: were one of them non-blocking, its own writes would fail when the reader is slow.
    reader, writer = os.pipe()
    flags = sh("mark $(grep ^flags /proc/self/fdinfo/1 | cut -f2)\nexec sleep 1000")
    started = pilot(SAY, flags, stdout=writer)
    started.wait_for(started.words)

    assert int(started.words()[0], 8) & os.O_NONBLOCK == 0
    assert not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK
    os.close(writer)
    os.close(reader)


def test_all_lines_of_a_fast_child_arrive_in_order(pilot: StartPilot) -> None:
    count = 20_000
    numbers = sh(f"seq 1 {count}")
    started = pilot({"coprocesses": [{"command": numbers}]}, forever(), stderr=subprocess.STDOUT)

    started.wait_for_line(rf" {count}$")

    assert [line.split()[-1] for line in started.output().splitlines()] == [str(n) for n in range(1, count + 1)]


def test_last_words_of_coprocesses_are_logged(pilot: StartPilot, tmp_path: Path) -> None:
    last = sh("trap 'echo last words; exit 0' TERM\nsleep 1000 &\nmark co\nwait")
    started = pilot({"coprocesses": [{"command": last}]}, until_term())
    started.wait_for_mark("co")
    started.wait_for_mark("app")

    started.stop()

    assert "last words" in started.output()
