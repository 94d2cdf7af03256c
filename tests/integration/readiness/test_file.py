"""A file that is newer than the start of a run, with the real clocks of this machine's file system."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from cp.readiness import file
from cp.readiness.file import REALTIME_COARSE, ReadyFile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.readiness.conftest import RealLoop


class Scene:
    def __init__(self, loop: RealLoop, path: Path) -> None:
        self.loop = loop
        self.found: list[str] = []
        self.looks = 0
        self.file = ReadyFile(loop, str(path), lambda: self.found.append("ready"))

    def until_found(self) -> None:
        self.loop.run_until(lambda: self.found)

    def look(self, times: int = 2) -> None:
        """Wait for this number of further looks."""
        for _ in range(times):
            self.loop.run_until(lambda: not self.file._is_looking)
            if self.file._timer is not None:
                self.file._timer.cancel()
            self.file._look()
        self.loop.run_until(lambda: not self.file._is_looking)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ready"


@pytest.fixture
def scene(loop: RealLoop, path: Path) -> Scene:
    return Scene(loop, path)


def test_the_clock_of_files_is_the_coarse_one(path: Path) -> None:
    for _ in range(200):
        before = time.clock_gettime_ns(REALTIME_COARSE)
        path.write_text("")
        assert before <= path.stat().st_mtime_ns
        path.unlink()


def test_a_file_that_is_written_after_the_start_counts_at_once(scene: Scene, path: Path) -> None:
    """The file exists at the first look, within the same tick of the clock as the start."""
    for _ in range(50):
        scene.found.clear()
        scene.file.start()
        path.write_text("")
        scene.look()
        assert scene.found == ["ready"]
        path.unlink()


def test_a_file_that_comes_later_counts(scene: Scene, path: Path) -> None:
    scene.file.start()
    scene.look()
    assert not scene.found
    path.write_text("")
    scene.until_found()
    assert scene.found == ["ready"]


def test_a_file_of_an_earlier_run_does_not_count_until_it_changes(scene: Scene, path: Path) -> None:
    path.write_text("")
    left = path.stat().st_mtime_ns
    while time.clock_gettime_ns(REALTIME_COARSE) <= left:
        pass
    scene.file.start()
    scene.look(3)
    assert not scene.found
    path.touch()
    scene.until_found()


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_the_time_of_a_file_that_was_left_may_be_anything(scene: Scene, path: Path, seconds: int) -> None:
    path.write_text("")
    os.utime(path, (time.time() + seconds,) * 2)
    scene.file.start()
    scene.look(3)
    assert not scene.found
    path.unlink()
    scene.look()
    path.write_text("")
    os.utime(path, (time.time() - 7200,) * 2)  # of a file server whose clock is behind
    scene.until_found()


@pytest.mark.parametrize("kind", ["directory", "link", "fifo", "socket"])
def test_any_kind_of_file_counts(scene: Scene, path: Path, kind: str) -> None:
    scene.file.start()
    scene.look()
    match kind:
        case "directory":
            path.mkdir()
        case "link":
            (path.parent / "target").write_text("")
            path.symlink_to("target")
        case "fifo":
            os.mkfifo(path)
        case "socket":
            os.mknod(path, 0o140600)
    scene.until_found()


@pytest.mark.parametrize("problem", ["loop", "nul"])
def test_what_cannot_be_looked_at_has_a_reason(loop: RealLoop, path: Path, problem: str) -> None:
    if problem == "loop":
        path.symlink_to(path)
    scene = Scene(loop, path if problem == "loop" else path / "\0")
    scene.file.start()
    scene.loop.run_until(lambda: scene.file.error)
    words = "too many levels of symbolic links" if problem == "loop" else "embedded null"
    assert words in scene.file.error
    assert not scene.found
    if problem == "loop":
        path.unlink()
        path.write_text("")
        scene.until_found()
        assert scene.file.error == ""
    scene.file.stop()


def test_after_the_end_of_a_run_it_looks_no_more(scene: Scene, path: Path) -> None:
    scene.file.start()
    scene.look()
    scene.file.stop()
    path.write_text("")
    scene.loop.run_until(lambda: not scene.file._is_looking)
    assert (scene.found, scene.file._timer) == ([], None)


def test_a_look_that_hangs_keeps_one_thread_and_delays_nothing(
    loop: RealLoop, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file server does not answer: restarts of the job begin no more looks."""
    hangs, stats = threading.Event(), []

    def stat(name: bytes) -> os.stat_result:
        stats.append(name)
        hangs.wait()
        return os.lstat(name)

    monkeypatch.setattr(os, "stat", stat)
    scene = Scene(loop, path)
    for _ in range(5):
        scene.file.start()
        loop.call_soon(bool)
        loop.run_once()
        scene.file.stop()
    scene.file.start()
    path.write_text("")
    loop.run_until(lambda: stats)
    ticks: list[float] = []
    loop.call_later(0.0, lambda: ticks.append(loop.now()))
    loop.run_until(lambda: ticks)
    assert len(stats) == 1
    hangs.set()
    scene.until_found()
    assert scene.found == ["ready"]


def test_without_a_thread_it_tries_again(scene: Scene, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def refuse(*arguments: object) -> int:
        refused.append(arguments)
        monkeypatch.undo()
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(file, "start_new_thread", refuse)
    scene.file.start()
    assert refused
    path.write_text("")
    scene.until_found()
