"""Standard input of the application and jobs: `docker run -i image command <file`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.jobs.configs import config, job, once
from tests.system.scripts import forever, sh

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot

# One line without buffering, so that the next process finds what follows.
LINE = 'read -r line; mark "got:$line"'


@pytest.mark.smoke
def test_app_reads_the_standard_input_of_containerpilot(pilot: StartPilot) -> None:
    done = pilot.run("-config", "{}", "cat", stdin="one line\nand one without an end")

    assert (done.code, done.stdout) == (0, "one line\nand one without an end")


def test_main_job_reads_the_standard_input_of_containerpilot(pilot: StartPilot) -> None:
    jobs = '{jobs: [{name: "app", main: true, exec: "cat", logging: {raw: true}}]}'
    done = pilot.run("-config", jobs, stdin="one line\n")

    assert done.code == 0
    assert "\none line\n" in f"\n{done.stdout}"


def test_nothing_else_reads_any_of_it(pilot: StartPilot) -> None:
    read = sh("cat >/dev/null; mark done")
    whole: dict[str, Any] = {"preStart": read, "coprocesses": [{"command": read}], "postStop": read}
    reader, writer = os.pipe()
    started = pilot(whole, sh(f"until [ $(grep -c done $MARKS) = 2 ]; do sleep 0.02; done\n{LINE}"), stdin=reader)
    os.write(writer, b"hello\n")

    started.wait_for_mark("got:hello")

    assert started.wait_exit() == 0
    os.close(writer)
    os.close(reader)


def test_restarted_main_job_goes_on_where_the_one_before_has_stopped(pilot: StartPilot) -> None:
    reader, writer = os.pipe()
    started = pilot(config(job("app", sh(LINE), main=True, restarts=1)), stdin=reader)
    os.close(reader)
    os.write(writer, b"first\n")
    started.wait_for_mark("got:first")
    os.write(writer, b"second\n")
    started.wait_for_mark("got:second")
    os.close(writer)

    assert started.wait_exit() == 0


def test_standard_input_of_the_main_job_can_be_nothing(pilot: StartPilot) -> None:
    jobs = '{jobs: [{name: "app", main: true, exec: "cat", stdin: "null"}]}'
    done = pilot.run("-config", jobs, stdin="one line\n")

    assert (done.code, "one line" in done.stdout) == (0, False)


def test_job_before_the_main_one_can_have_it(pilot: StartPilot) -> None:
    prepare = job("prepare", sh(LINE), stdin="inherit")
    app = job("app", sh("cat; mark app"), when=once("exitSuccess", "prepare"), main=True, stdin="null")
    reader, writer = os.pipe()
    started = pilot(config(prepare, app), stdin=reader)
    os.write(writer, b"hello\n")

    assert started.wait_exit() == 0
    assert started.words() == ["got:hello", "app"]
    os.close(writer)
    os.close(reader)


def test_configuration_on_standard_input_leaves_its_end_to_the_app(pilot: StartPilot) -> None:
    done = pilot.run("-config", "-", "cat", stdin='{"preStart": "echo hello"}')

    assert (done.code, done.stdout) == (0, "hello\n")


def test_app_without_a_standard_input_finds_nothing(pilot: StartPilot) -> None:
    started = pilot({}, sh("cat && mark end"), prefix=["/bin/sh", "-c", 'exec "$@" <&-', "sh"])

    assert started.wait_exit() == 0
    assert started.words() == ["end"]


# --- a file


def test_job_reads_a_file_from_its_beginning_at_each_start(pilot: StartPilot, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_text("first\n")
    jobs = config(job("app", sh(LINE), when={"source": "SIGHUP"}, stdin=str(path)), job("other", forever("other")))
    started = pilot(jobs)
    started.wait_for_mark("other")
    started.signal("HUP")
    started.wait_for_mark("got:first")
    started.wait_for_state("app", "waiting")

    path.write_text("second\n")
    started.signal("HUP")

    started.wait_for_mark("got:second")
    assert [name for name in started.descriptors().values() if name == str(path)] == []


@pytest.mark.parametrize("what", ["missing", "folder"])
def test_file_that_cannot_be_read_is_a_failed_start(pilot: StartPilot, tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    started = pilot(config(job("app", "cat", main=True, stdin=str(path))))

    assert started.wait_exit() == 126
    why = "is a directory" if what == "folder" else "no such file or directory"
    assert f"unable to start app: cannot open its standard input {path}: {why}" in started.output()


def test_fifo_has_no_end_and_its_writers_are_not_awaited(pilot: StartPilot, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    script = 'while read -r line; do mark "got:$line"; done; mark end'
    started = pilot(config(job("app", sh(f"mark app\n{script}"), main=True, stdin=str(path))))
    started.wait_for_mark("app")
    started.wait_for_state("app", "running")

    for line in ("one", "two"):
        path.write_text(f"{line}\n")
        started.wait_for_mark(f"got:{line}")

    assert started.stop() == 143
    assert "end" not in started.words()
