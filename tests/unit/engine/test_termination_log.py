"""The reason of a failure in the file that Kubernetes reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from cp.engine.termination_log import LARGEST, message
from cp.plan import LoggingSettings
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import job, once

if TYPE_CHECKING:
    from pathlib import Path

REASON = "app exited with error: exit status 3\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "termination-log"
    file.touch()
    return file


def world(path: Path, *more: Any, **settings: Any) -> JobsWorld:
    return JobsWorld(job("app", main=True), *more, termination_log=str(path), **settings).start()


def fail(path: Path, code: int = 3) -> JobsWorld:
    failing = world(path)
    failing.exit("app", code)
    assert failing.over
    return failing


def complaints(of: JobsWorld) -> list[str]:
    return [line for line in of.log.lines if "cannot write" in line]


def test_failure_of_the_main_job_is_written_at_the_end(path: Path) -> None:
    failing = world(path, job("after", once("stopped", "app")))
    failing.exit("app", 3)
    assert path.read_text() == ""
    failing.exit("after", 0)
    assert (failing.over, path.read_text(), complaints(failing)) == (True, REASON, [])


def test_success_is_not_written(path: Path) -> None:
    fail(path, 0)
    assert path.read_text() == ""


def test_main_job_that_was_never_started(path: Path) -> None:
    stage = JobsWorld(
        job("app", once("exitSuccess", "prepare"), main=True), job("prepare"), termination_log=str(path)
    ).start()
    stage.exit("prepare", 3)
    stage.advance(1)
    assert (stage.over, path.read_text()) == (True, "app was never started\n")


def test_a_plan_without_the_file_writes_nothing(path: Path) -> None:
    stage = JobsWorld(job("app", main=True)).start()
    stage.exit("app", 3)
    assert path.read_text() == ""


def test_message_of_the_application_stays(path: Path) -> None:
    path.write_text("the application knows more")
    assert complaints(fail(path)) == [f"debug: cannot write to {path}: it is not empty"]
    assert path.read_text() == "the application knows more"


def test_symbolic_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    path.rename(target)
    path.symlink_to(target)
    assert complaints(fail(path)) == [f"debug: cannot write to {path}: too many levels of symbolic links"]
    assert target.read_text() == ""


def test_fifo_is_not_waited_for(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    assert len(complaints(fail(path))) == 1
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert complaints(fail(path)) == [f"debug: cannot write to {path}: it is not a regular file"]
    finally:
        os.close(reader)


def test_folder_is_left_alone(path: Path) -> None:
    path.unlink()
    path.mkdir()
    assert complaints(fail(path)) == [f"debug: cannot write to {path}: is a directory"]


def test_file_is_not_created(path: Path) -> None:
    path.unlink()
    assert (complaints(fail(path)), path.exists()) == ([], False)


@pytest.mark.parametrize("wanted", [True, False])
def test_last_lines_of_the_output_follow_if_they_are_wanted(path: Path, wanted: bool) -> None:
    stage = world(path, logging=LoggingSettings(ends_in_termination_log=wanted))
    run = stage.engine.jobs["app"].runs.current
    assert run is not None
    run._line("no database")
    run._line("giving up")
    stage.exit("app", 3)
    assert path.read_text() == REASON + ("no database\ngiving up\n" if wanted else "")


def test_secrets_are_masked(path: Path) -> None:
    stage = world(path, logging=LoggingSettings(ends_in_termination_log=True))
    stage.context.masked = lambda text: text.replace("swordfish", "********")
    run = stage.engine.jobs["app"].runs.current
    assert run is not None
    run._line("connecting with swordfish")
    stage.exit("app", 3)
    assert path.read_text() == f"{REASON}connecting with ********\n"


def test_only_the_main_job_keeps_lines(path: Path) -> None:
    stage = world(path, job("other"), logging=LoggingSettings(ends_in_termination_log=True))
    run = stage.engine.jobs["other"].runs.current
    assert run is not None
    run._line("x")
    assert run.kept is None


def test_as_many_lines_as_kubernetes_reads() -> None:
    lines = [f"line {number} é" for number in range(1000)]
    text = message("it failed", lines)
    assert LARGEST - 20 < len(text) <= LARGEST
    first, second, *_, last = text.decode().splitlines()
    assert (first, last) == ("it failed", "line 999 é")
    assert second in lines


def test_what_could_control_a_terminal_is_escaped() -> None:
    assert message("it\x1b[31m failed\udcff", ["\x07bell"]) == b"it\\x1b[31m failed\\udcff\n\\x07bell\n"


def test_long_reason_is_cut() -> None:
    assert len(message("x" * 5000, ["line"])) == LARGEST
