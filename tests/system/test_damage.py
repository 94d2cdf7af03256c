"""An archive that did not arrive as it was built: one clear line and exit status 1, and never a hang."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.system.jobs.configs import advertised, app, config, job
from tests.system.pilot import interpreter, namespaces
from tests.system.scripts import forever, until_term
from tests.system.test_archive import magic, rewritten, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot

CONFIG = json.dumps({"preStart": "/bin/true"})
APP = ["/bin/sh", "-c", "exit 7"]
OVERWRITTEN = (
    "was overwritten while the program ran, so the program cannot read it any more: start it again; "
    "next time, remove the old file first, or rename the new one to it"
)
FLIPS = 12  # of each part


def place(archive: Path, name: str) -> tuple[int, int]:
    """Where the content of a file of the archive begins and ends."""
    with zipfile.ZipFile(archive) as opened:
        entry = opened.getinfo(name)
    begin = entry.header_offset + 30 + len(entry.filename)  # without extra fields, as shiv writes it
    return begin, begin + entry.compress_size


def with_a_hole(archive: Path, copy: Path, name: str) -> Path:
    """A copy of the archive, in which 4 KiB in the middle of one file are zeros."""
    shutil.copy(archive, copy)
    begin, end = place(archive, name)
    with copy.open("r+b") as file:
        file.seek((begin + end) // 2)
        file.write(bytes(min(4096, (end - begin) // 4)))
    return copy


def with_a_flipped_bit(archive: Path, copy: Path, at: int, bit: int) -> Path:
    content = bytearray(archive.read_bytes())
    content[at] ^= 1 << bit
    copy.write_bytes(content)
    return copy


def assert_reported_as_damaged(done: subprocess.CompletedProcess[str], archive: Path) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"containerpilot: cannot start: {archive} is damaged; copy it again\n"


@pytest.mark.parametrize("kept", [0.001, 0.2, 0.5, 0.99, 0.9999999], ids="{:.7%}".format)
def test_truncated_archive_says_so_in_one_line(built_archive: Path, tmp_path: Path, kept: float) -> None:
    """Without its end the file is not an archive, and Python reads it as a script: its second line says what to do."""
    content = built_archive.read_bytes()
    copy = tmp_path / "copy.pyz"
    copy.write_bytes(content[: int(len(content) * kept)])

    done = run(copy, "-version")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].endswith(": the-file-is-damaged--copy-containerpilot.pyz-again")
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("part", "arguments"),
    [
        ("start", ["-version"]),
        ("cp", ["-config", "{jobs: []", "-template"]),
        ("cp.config.jobs", ["-config", "{jobs: [{name: 'a', exec: 'true'}]}"]),
    ],
)
def test_hole_is_reported_in_one_line(built_archive: Path, tmp_path: Path, part: str, arguments: list[str]) -> None:
    copy = with_a_hole(built_archive, tmp_path / "copy.pyz", f"_bootstrap/code/{part}-{magic()}.bin")

    assert_reported_as_damaged(run(copy, *arguments), copy)


def test_damaged_sources_are_reported_in_one_line(built_archive: Path, tmp_path: Path) -> None:
    without_bytecode = {f"_bootstrap/code/start-{magic()}.bin": None}
    rewritten(built_archive, tmp_path / "sources.pyz", without_bytecode)
    damaged = with_a_hole(tmp_path / "sources.pyz", tmp_path / "copy.pyz", "_bootstrap/sources.tar")
    assert_reported_as_damaged(run(damaged, "-version"), damaged)

    begin, end = place(tmp_path / "sources.pyz", "_bootstrap/sources.tar")
    places = random.Random("sources")
    for _ in range(FLIPS):
        at, bit = places.randrange(begin, end), places.randrange(8)
        damaged = with_a_flipped_bit(tmp_path / "sources.pyz", tmp_path / "copy.pyz", at, bit)

        assert_reported_as_damaged(run(damaged, "-version"), damaged)


@pytest.mark.parametrize("part", ["start", "application"])
def test_each_flipped_bit_in_the_files_of_a_start_is_reported_in_one_line(
    built_archive: Path, tmp_path: Path, part: str
) -> None:
    begin, end = place(built_archive, f"_bootstrap/code/{part}-{magic()}.bin")
    places = random.Random(part)
    for _ in range(FLIPS):
        at, bit = places.randrange(begin, end), places.randrange(8)
        copy = with_a_flipped_bit(built_archive, tmp_path / "copy.pyz", at, bit)

        assert_reported_as_damaged(run(copy, "-config", CONFIG, *APP), copy)


def test_flipped_bit_anywhere_ends_with_1_or_harms_nothing(built_archive: Path, tmp_path: Path) -> None:
    """Also in the few lines that Python itself reads, and at PID 1."""
    size = built_archive.stat().st_size
    with zipfile.ZipFile(built_archive) as opened:
        tail = opened.start_dir
    main = place(built_archive, "__main__.py")
    places = random.Random(7)
    for begin, end in [(0, size), (tail, size), main] * FLIPS:
        at, bit = places.randrange(begin, end), places.randrange(8)
        copy = with_a_flipped_bit(built_archive, tmp_path / "copy.pyz", at, bit)

        done = run(copy, "-config", CONFIG, *APP, python=[*namespaces(), interpreter()])

        assert done.returncode in (1, 7), (at, bit, done.stderr)


# --- while the program runs


@pytest.mark.parametrize("ends_by_itself", [True, False])
def test_catalogue_whose_modules_are_damaged_counts_as_unreachable_and_the_application_runs(
    pilot: StartPilot, copy: Path, built_archive: Path, tmp_path: Path, ends_by_itself: bool
) -> None:
    """A start does not read these modules, since the application does not need them."""
    with_a_hole(built_archive, copy, f"_bootstrap/code/cp.catalog-{magic()}.bin")
    command = ["sh", "-c", f"read line < {tmp_path}/go; exit 3"] if ends_by_itself else until_term(code=3)
    main = advertised("app", command, main=True, initial_status="passing")
    after = job("after", "true", when={"source": "watch.other", "once": "changed"})
    os.mkfifo(tmp_path / "go")
    plan = config(main, after, watches=[{"name": "other", "interval": 1}], directory=str(tmp_path / "catalogue"))

    started = pilot(plan)
    started.wait_for_line(f".*cannot use the catalogue: {re.escape(str(copy))} is damaged; copy it again")

    assert "unreachable since" in started.ask("GET", "/v3/jobs").json["catalogue"]["about"]
    if ends_by_itself:
        (tmp_path / "go").write_text("now\n")
        assert started.wait_exit() == 3
    else:
        started.wait_for_mark("app")
        assert started.stop() == 3
    assert "internal error" not in started.output()


def test_a_reload_that_adds_a_catalogue_is_refused_if_its_modules_cannot_be_read(
    pilot: StartPilot, copy: Path, built_archive: Path, tmp_path: Path
) -> None:
    started = pilot(config(app()))
    started.wait_for_mark("app")
    assert started.ask("GET", "/v3/jobs").status == 200
    copy.write_bytes(zeros(built_archive))

    started.configure(json.dumps(config(app(), watches=[{"name": "other", "interval": 1}], directory=str(tmp_path))))
    answer = started.ask("POST", "/v3/reload")

    assert (answer.status, answer.json["error"]) == (422, f"cannot reload: {copy} {OVERWRITTEN}")
    assert [each["state"] for each in started.ask("GET", "/v3/jobs").json["jobs"]] == ["running"]
    assert started.stop() == 0


def zeros(archive: Path) -> bytes:
    return bytes(archive.stat().st_size)


def a_shorter_file(archive: Path) -> bytes:
    return b"#!/bin/sh\n"


def another_version(archive: Path) -> bytes:
    """All that is in it lies elsewhere."""
    return b"#!/usr/bin/env python3\n# another\n" + archive.read_bytes()


@pytest.fixture
def copy(built_archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands of the pilots in this test."""
    copy = tmp_path / "copy.pyz"
    shutil.copy(built_archive, copy)
    monkeypatch.setenv("CONTAINERPILOT_PYZ", str(copy))
    return copy


@pytest.mark.parametrize("put", [zeros, a_shorter_file, another_version])
def test_a_reload_says_that_the_archive_was_overwritten_and_all_goes_on(
    pilot: StartPilot, copy: Path, built_archive: Path, put: Callable[[Path], bytes]
) -> None:
    started = pilot({"coprocesses": [{"name": "agent", "command": forever("agent")}]}, until_term(code=3))
    started.wait_for_mark("app")
    started.wait_for_mark("agent")
    copy.write_bytes(put(built_archive))  # into the same file, as `cp` does it

    started.reload('{"preStop": {{ printf "%q" "mark" }}}')
    line = started.wait_for_line("Error initializing config: .*")[0]

    assert line == f"Error initializing config: cannot reload: {copy} {OVERWRITTEN}"
    assert started.stop() == 3
    assert "internal error" not in started.output()
    assert "Traceback" not in started.output() + started.errors()
    assert sorted(started.words()) == ["agent", "app", "app-term"]


def test_a_client_learns_that_the_archive_was_overwritten(pilot: StartPilot, copy: Path, built_archive: Path) -> None:
    started = pilot(config(app(), job("other", forever("other"), restarts="unlimited")))
    started.wait_for_mark("other")
    assert started.ask("GET", "/v3/ping").status == 200
    copy.write_bytes(zeros(built_archive))

    started.configure('{control: {socket: "control.socket"}, jobs: [{name: "{{ .HOME }}", exec: "true"}]}')
    answer = started.ask("POST", "/v3/reload")

    assert (answer.status, answer.json["error"]) == (422, f"cannot reload: {copy} {OVERWRITTEN}")
    os.kill(started.children()[1], signal.SIGKILL)
    started.wait_for_mark("other", 2)
    assert started.stop() == 0


def test_a_first_client_gets_no_answer_and_the_log_shows_why(
    pilot: StartPilot, copy: Path, built_archive: Path
) -> None:
    started = pilot(config(app()))
    started.wait_for_mark("app")
    copy.write_bytes(zeros(built_archive))

    refused = run(built_archive, "-config", str(started.folder / "config.json"), "-ping", cwd=started.folder)

    assert refused.returncode == 1
    started.wait_for_line(f"control: cannot serve clients: .*{re.escape(f'{copy} {OVERWRITTEN}')}")
    copy.write_bytes(built_archive.read_bytes())
    assert started.ask("GET", "/v3/ping").status == 200
    assert started.stop() == 0
