"""The log as operators meet it: formats for tools, files that fail, readers that stall, children that flood."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import termios
import threading
from typing import TYPE_CHECKING

import pytest

from tests.limits import DEADLINE
from tests.system import proc
from tests.system.jobs.configs import app, config, job
from tests.system.pilot import settle, wait_for
from tests.system.scripts import forever, mark, sh, until_term

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.system.pilot_fixtures import StartPilot

TICKS = job("ticks", mark("tick"), when={"interval": "50ms"}, restarts="unlimited")
WORDS = job("words", sh("mark printed; echo words"), when={"interval": "50ms"}, restarts="unlimited")


# --- formats


def test_json_lines_have_time_level_msg_job_and_pid(pilot: StartPilot) -> None:
    odd = sh(
        r"""printf 'nul \000 byte \377 crlf\r\n'; head -c 70000 /dev/zero | tr '\0' x; echo; printf '\n\033[31m<"&>'"""
    )
    checked = job("checked", forever("checked"), health={"exec": "echo fine", "interval": 1, "ttl": 5})
    started = pilot(config(app(), job("odd", odd), checked, logging={"format": "json", "level": "debug"}))
    started.wait_for_line("fine")
    started.wait_for_state("odd", "complete")

    records = [json.loads(line) for line in started.output().splitlines()]

    assert all(record.keys() >= {"time", "level", "msg"} for record in records)
    printed = [record for record in records if record.get("job") == "odd" and record["level"] == "info"]
    assert all(isinstance(record["pid"], int) for record in printed)
    messages = [record["msg"] for record in printed]
    assert messages[0] == "nul \x00 byte \ufffd crlf"
    assert "".join(messages[1:-2]) == "x" * 70_000
    assert messages[-2:] == ["", '\x1b[31m<"&>']
    checks = [record for record in records if record["msg"] == "fine"]
    assert all(record["check"] == "check.checked" and record["pid"] > 1 for record in checks)


def test_both_streams_are_logged_at_info(pilot: StartPilot) -> None:
    started = pilot(config(app(), job("says", sh("echo out; echo err >&2")), logging={"format": "text"}))

    started.wait_for_line(r'^time="[^"]+" level=info msg=out job=says pid=\d+$')
    started.wait_for_line(r'^time="[^"]+" level=info msg=err job=says pid=\d+$')


@pytest.mark.parametrize("format", ["default", "text", "json"])
def test_no_character_of_a_long_line_is_torn(pilot: StartPilot, format: str) -> None:
    count = 50_000
    says = job(
        "says",
        sh(f"printf x; yes é | head -n {count} | tr -d '\\n'; echo; printf x; yes 😀 | head -n {count} | tr -d '\\n'"),
    )
    started = pilot(config(says, logging={"format": format}))

    assert started.wait_exit() == 0
    text = started.stdout_file.read_bytes().decode()  # strictly
    assert (text.count("é"), text.count("😀"), text.count("\ufffd")) == (count, count, 0)
    assert r"\x" not in text


def test_level_warn_hides_the_output_of_children(pilot: StartPilot) -> None:
    slow = job("slow", sh("echo hid$((1))den; mark printed; exec sleep 1000"), timeout="3s")
    started = pilot(config(app(), slow, logging={"level": "warn"}))

    started.wait_for_line("slow timeout after 3s")

    assert started.count("printed") == 1
    assert "hid1den" not in started.output()


def test_a_thousand_children_that_say_one_line_each(pilot: StartPilot) -> None:
    many = sh("for i in $(seq 900); do /bin/echo line $i & done; wait")
    jobs = [job(f"j{n}", ["echo", f"line {n}"]) for n in range(901, 1001)]
    started = pilot(config(app(), job("many", many), *jobs))

    started.wait_for(lambda: started.output().count(" line ") >= 1000)

    lines = [line.partition(" line ")[2] for line in started.output().splitlines() if " line " in line]
    assert sorted(map(int, lines)) == list(range(1, 1001))


# --- files


def test_log_file_in_a_missing_folder_is_refused(pilot: StartPilot, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "log"
    started = pilot(config(app(), logging={"output": str(path)}))

    assert started.wait_exit() == 1
    complaint = f"Error initializing log file '{path}': open {path}: no such file or directory"
    assert complaint in started.output()
    assert started.errors() == ""


def test_rotation(pilot: StartPilot) -> None:
    started = pilot(config(app(), WORDS, logging={"output": "log"}))
    log, rotated = started.folder / "log", started.folder / "log.1"
    started.wait_for(lambda: log.exists() and "words" in log.read_text())

    log.rename(rotated)
    count = rotated.read_text().count("words")
    started.wait_for(lambda: rotated.read_text().count("words") > count, what="more in the renamed file")
    assert not log.exists()
    started.signal("USR1")

    started.wait_for(lambda: log.exists() and "words" in log.read_text(), what="output in the new file")
    count = rotated.read_text().count("words")
    started.wait_for_mark("printed", started.count("printed") + 3)
    assert rotated.read_text().count("words") == count
    assert [name for name in started.descriptors().values() if name.startswith(str(log))] == [str(log)]


def test_rotation_that_fails_is_reported_and_can_be_tried_again(pilot: StartPilot) -> None:
    folder, moved = pilot.folder() / "logs", pilot.folder() / "moved"
    folder.mkdir()
    started = pilot(config(app(), WORDS, logging={"output": "logs/log"}))
    started.wait_for_mark("printed")
    folder.rename(moved)

    started.signal("USR1")

    complaint = "Error initializing log file 'logs/log': open logs/log: no such file or directory"
    started.wait_for_line(re.escape(complaint), stream="stderr")
    count = (moved / "log").read_text().count("words")
    started.wait_for(lambda: (moved / "log").read_text().count("words") > count, what="more in the old file")
    assert complaint in (moved / "log").read_text()

    folder.mkdir()
    started.signal("USR1")
    started.wait_for(lambda: (folder / "log").exists() and "words" in (folder / "log").read_text())


def test_full_disk_under_a_log_file_is_logged_once_and_delays_nothing(pilot: StartPilot) -> None:
    started = pilot(config(app("app"), WORDS, TICKS, logging={"output": "/dev/full"}))

    started.wait_for_line("^cannot write to the log file '/dev/full': no space left on device$", stream="stderr")
    started.wait_for_mark("printed", 5)

    assert started.stop() == 0
    assert started.errors().count("\n") == 1
    assert started.output() == ""


def test_log_file_that_has_room_again_gets_the_number_of_lost_lines(pilot: StartPilot) -> None:
    # A limit of 4 KiB a file stands for the size of a disk.
    limited = ["/bin/bash", "-c", 'ulimit -f 4; exec "$@"', "bash"]
    started = pilot(config(app(), WORDS, logging={"output": "log"}), prefix=limited)
    log = started.folder / "log"
    started.wait_for_line("^cannot write to the log file 'log': file too large$", stream="stderr")
    started.wait_for_mark("printed", started.count("printed") + 3)

    os.truncate(log, 0)

    started.wait_for(lambda: re.search(r" \d+ log lines? (was|were) lost: file too large\n.* words\n", log.read_text()))


def test_fifo_as_a_log_file_waits_for_no_reader(pilot: StartPilot, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    started = pilot(config(app(), WORDS, logging={"output": str(fifo)}))
    started.wait_for_mark("printed", 5)

    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    text = b""

    def read() -> bool:
        nonlocal text
        try:
            text += os.read(reader, 65536)
        except BlockingIOError:
            pass
        return b" words\n" in text

    started.wait_for(read)
    os.close(reader)
    assert re.search(rb" \d+ log lines were lost: broken pipe\n", text)
    started.wait_for_mark("printed", started.count("printed") + 3)
    assert started.stop() == 0


# --- readers


def test_a_terminal_gets_plain_lines_and_may_stop_reading(pilot: StartPilot) -> None:
    ours, theirs = pty.openpty()
    started = pilot(config(app(), WORDS, TICKS, logging={"format": "text"}), stdout=theirs)
    first = os.read(ours, 65536)
    assert re.match(rb'time="[^"]+" level=info msg=', first)
    assert b"\x1b" not in first

    termios.tcflow(theirs, termios.TCOOFF)  # as Ctrl-S does

    started.wait_for_mark("tick", started.count("tick") + 10)
    assert started.stop() == 0
    os.close(ours)
    os.close(theirs)


class Reader:
    """A pipe that is read only while it may be: counts lines, and keeps those that begin otherwise."""

    def __init__(self) -> None:
        self._end, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 65536)
        self.data = bytearray()
        self.reads = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self.reads.wait():
            data = os.read(self._end, 65536)
            if not data:
                return
            self.data += data

    def close(self) -> None:
        os.close(self.writer)
        self.reads.set()
        self._thread.join(DEADLINE)
        os.close(self._end)


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    if not reader.reads.is_set():
        reader.close()


@pytest.mark.parametrize("seconds", [2, 12])
def test_reader_that_stalls_and_comes_back_gets_all_lines_or_the_number_of_lost_ones(
    pilot: StartPilot, reader: Reader, seconds: int
) -> None:
    flood = job("flood", sh("mark flood; i=0; while [ $i -lt 200000 ]; do echo $i; i=$((i+1)); done"))
    started = pilot(config(app(), flood, TICKS), stdout=reader.writer)
    started.wait_for_mark("flood")

    settle(seconds)  # nobody reads
    ticks = started.count("tick")
    assert ticks >= seconds
    reader.reads.set()

    started.wait_for_state("flood", "complete")
    assert started.stop() == 0
    reader.close()
    lines = bytes(reader.data).decode().splitlines()
    numbers = [int(line.split()[-1]) for line in lines if " flood " in line]
    lost = [
        int(re.findall(r"(\d+) log lines? (?:was|were) lost: standard output was not read for", line)[0])
        for line in lines
        if " lost: " in line
    ]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + sum(lost) >= 200_000
    assert bool(lost) == (seconds > 10)


def test_no_character_is_torn_while_the_reader_is_slow(pilot: StartPilot, reader: Reader) -> None:
    text = f"x{'€' * 100_000}\n" * 8
    (pilot.folder() / "text").write_text(text)
    started = pilot(config(job("says", "cat text")), stdout=reader.writer)
    cat = started.child("cat text")
    wait_for(lambda: is_held_back(cat), what="the child to be held back")

    reader.reads.set()
    assert started.wait_exit() == 0
    reader.close()
    assert bytes(reader.data).decode().count("€") == text.count("€")


# --- floods


@pytest.mark.parametrize("settings", [{}, {"format": "json"}, {"output": "log"}])
def test_flood_loses_nothing_and_fills_no_memory(pilot: StartPilot, settings: dict[str, Any]) -> None:
    count = 100_000  # of about 100 bytes
    flood = job("flood", ["seq", "-f", f"%06.0f {'x' * 92}", str(count)], when={"once": "exitSuccess", "source": "go"})
    started = pilot(config(app(), flood, job("go", sh("until [ -e go ]; do sleep 0.02; done")), logging=settings))
    started.wait_for_state("go", "running")
    before = proc.resident_kilobytes(started.pid)

    (started.folder / "go").touch()
    started.wait_for_state("flood", "complete")

    assert proc.resident_kilobytes(started.pid) - before < 8_000
    text = (started.folder / settings["output"]).read_text() if "output" in settings else started.output()
    assert re.findall(r"\b(\d{6}) x{92}\b", text) == [f"{number:06}" for number in range(1, count + 1)]


def test_floods_of_many_children_starve_neither_checks_nor_the_stop(pilot: StartPilot) -> None:
    floods = [job(f"flood{n}", "yes") for n in range(6)]
    checked = job("checked", forever("checked"), health={"exec": mark("check"), "interval": 1, "ttl": 5})
    started = pilot(config(job("app", until_term()), checked, TICKS, *floods, logging={"output": "/dev/null"}))
    started.wait_for_mark("check", 2)
    started.wait_for_mark("tick", 20)

    assert started.stop() == 0
    started.assert_nothing_is_left()
    assert started.count("app-term") == 1


def test_stop_works_during_a_flood_that_nobody_reads(pilot: StartPilot, reader: Reader) -> None:
    started = pilot(config(job("app", until_term()), job("flood", "yes"), TICKS), stdout=reader.writer)
    started.wait_for_mark("tick", 5)
    flood = started.child("yes")
    wait_for(lambda: is_held_back(flood), what="the flood to be held back")

    assert started.stop() == 0
    assert started.count("app-term") == 1


def is_held_back(pid: int) -> bool:
    before = proc.written(pid)
    settle(0.2)
    return before == proc.written(pid)
