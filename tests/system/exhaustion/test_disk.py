"""A disk that is full or read-only by now: under the log file, the catalogue's folder, the control socket."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.system.exhaustion.limits import (
    IS_ROOT,
    ends_well,
    fill,
    inside,
    small_disk,
    supervised,
    wait_for_two_ticks,
)
from tests.system.jobs.configs import config, job
from tests.system.scripts import sh

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

LINES = 20_000
COUNTED = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; done"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The mount point of a small file system that only the program sees; an empty folder for all others."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def remount(started: Pilot, disk: Path, how: str) -> None:
    user = () if IS_ROOT else ("--user", "--preserve-credentials")
    enter = ["nsenter", "--target", str(started.pid), "--mount", *user]
    subprocess.run([*enter, "mount", "-o", f"remount,bind,{how}", str(disk)], check=True, capture_output=True)


def entries(folder: Path) -> list[Path]:
    return list(folder.glob("app-*.json")) if folder.exists() else []


def test_log_file_on_a_full_disk_is_reported_once_and_nothing_waits(pilot: StartPilot, disk: Path) -> None:
    talks = job("talks", sh(f"{COUNTED}; mark printed"), when={"source": "SIGHUP"})
    log = {"output": str(disk / "log"), "format": "json"}
    started = pilot(supervised(talks, logging=log), prefix=small_disk(disk, "8m"))
    started.wait_for_mark("app")
    filler = fill(inside(started, disk))

    started.signal("HUP")

    started.wait_for_mark("printed")
    started.wait_for_line(f"^cannot write to the log file '{disk}/log': no space left on device$", stream="stderr")
    wait_for_two_ticks(started)
    filler.unlink()
    started.signal("HUP")
    started.wait_for_mark("printed", 2)
    written = inside(started, disk) / "log"

    def lost() -> int:
        return sum(int(count) for count in re.findall(r"(\d+) log lines? (?:was|were) lost", written.read_text()))

    def printed() -> int:
        return len(re.findall(r"\"msg\":\"line \d+\"", written.read_text()))

    started.wait_for(lost, what="the note of what was lost")
    started.wait_for(lambda: printed() + lost() >= 2 * LINES, what="each line in the log, or counted as lost")
    assert started.errors().count("no space left on device") == 1
    ends_well(started)


def test_log_file_whose_disk_is_full_at_the_start(pilot: StartPilot, disk: Path) -> None:
    fills = f'dd if=/dev/zero of="{disk}/filler" bs=4k 2>/dev/null; exec "$@"'
    prefix = [*small_disk(disk, "64k"), "sh", "-c", fills, "sh"]
    started = pilot(supervised(logging={"output": str(disk / "log")}), prefix=prefix)

    started.wait_for_line("no space left on device", stream="stderr")

    started.wait_for_mark("app")
    wait_for_two_ticks(started)
    ends_well(started)


def test_catalogue_on_a_full_disk_is_written_when_there_is_room(pilot: StartPilot, disk: Path) -> None:
    shelf = disk / "catalogue"
    started = pilot({**supervised(), "directory": str(shelf)}, prefix=small_disk(disk, "64k"))
    started.wait_for_mark("app")
    filler = fill(inside(started, disk))

    started.wait_for_line("Service registration failed: .*[Nn]o space left on device")
    started.wait_for_mark("check", 3)
    assert started.output().count("Service registration failed") == 1, "logged once, not at each attempt"
    assert not [path for path in entries(inside(started, shelf)) if not path.read_text().endswith("}\n")]
    filler.unlink()

    started.wait_for(lambda: entries(inside(started, shelf)), what="the registration")
    ends_well(started)


def test_disk_that_fills_up_under_a_registration_leaves_it_whole(pilot: StartPilot, disk: Path) -> None:
    shelf = disk / "catalogue"
    watch = job(
        "watched", sh('mark "has:$CONTAINERPILOT_WATCH_ADDED"'), when={"source": "watch.app", "each": "changed"}
    )
    watched = {**supervised(watch, watches=[{"name": "app", "interval": 1}]), "directory": str(shelf)}
    started = pilot(watched, prefix=small_disk(disk, "64k"))
    started.wait_for(lambda: entries(inside(started, shelf)), what="the registration")
    started.wait_for(lambda: [word for word in started.words() if word.startswith("has:[{")], what="the watch")
    filler = fill(inside(started, disk))

    started.wait_for_line("[Nn]o space left on device")
    (entry,) = entries(inside(started, shelf))
    assert entry.read_text().rstrip().endswith("}"), "half an entry"
    before = entry.read_text()
    filler.unlink()

    started.wait_for(lambda: entry.read_text() != before, what="the next heartbeat")
    ends_well(started)


def test_catalogue_that_becomes_read_only_and_writable_again(pilot: StartPilot, disk: Path) -> None:
    shelf = disk / "catalogue"
    started = pilot({**supervised(), "directory": str(shelf)}, prefix=small_disk(disk, "64k"))
    started.wait_for(lambda: entries(inside(started, shelf)), what="the registration")
    (entry,) = entries(inside(started, shelf))

    remount(started, disk, "ro")
    started.wait_for_line("[Rr]ead-only file system")
    before = entry.read_text()
    wait_for_two_ticks(started)
    remount(started, disk, "rw")

    started.wait_for(lambda: entry.read_text() != before, what="the next heartbeat")
    ends_well(started)


def test_a_stop_on_a_disk_that_is_read_only_by_then(pilot: StartPilot, disk: Path) -> None:
    shelf = disk / "catalogue"
    serving = {"control": {"socket": str(disk / "control.socket")}, "directory": str(shelf)}
    started = pilot({**supervised(), **serving}, prefix=small_disk(disk, "64k"))
    started.wait_for(lambda: entries(inside(started, shelf)), what="the registration")

    remount(started, disk, "ro")

    ends_well(started)
    assert re.search(r"[Rr]ead-only file system", started.output())


def test_log_file_that_cannot_be_reopened_on_a_read_only_disk(pilot: StartPilot, disk: Path) -> None:
    # The old file is open elsewhere: what is open for writing would keep the disk from becoming read-only.
    link = disk / "log"
    elsewhere = disk.parent / "elsewhere"
    links = f'ln -s "{elsewhere}" "{link}"; exec "$@"'
    prefix = [*small_disk(disk, "64k"), "sh", "-c", links, "sh"]
    started = pilot(supervised(logging={"output": str(link)}), prefix=prefix)
    started.wait_for_mark("tick")
    (inside(started, disk) / "log").unlink()
    remount(started, disk, "ro")

    started.signal("USR1")

    started.wait_for_line("Error initializing log file .*read-only file system", stream="stderr")
    assert "read-only file system" in elsewhere.read_text()
    remount(started, disk, "rw")
    started.signal("USR1")
    started.wait_for(lambda: (inside(started, disk) / "log").exists(), what="the new log file")
    ends_well(started)


def test_control_socket_on_a_read_only_disk_is_refused(pilot: StartPilot, disk: Path) -> None:
    readonly = f'mount -o remount,bind,ro "{disk}"; exec "$@"'
    prefix = [*small_disk(disk, "64k"), "sh", "-c", readonly, "sh"]
    settings = {**config(job("app", "true")), "control": {"socket": str(disk / "control.socket")}}
    started = pilot(settings, prefix=prefix)

    assert started.wait_exit() == 1
    assert re.search("control.socket: .*read-only", started.output())
