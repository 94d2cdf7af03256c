"""Modules that are permanently missing, which the start refuses, and modules that cannot be imported now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

import cp.catalog.http.urllib3_subset  # noqa: F401  - it has the message, and nothing can be imported below
from cp.catalog.discovery import HTTP_MODULES, RETRY, PostponedWatcher, missing_for
from cp.plan import ConsulSettings, DirectorySettings, EtcdSettings
from tests.unit.catalog.fakes import Clock, FakeLoop, instance

if TYPE_CHECKING:
    from collections.abc import Callable

CONSUL = ConsulSettings(address="127.0.0.1:8500")
ETCD = EtcdSettings(endpoints=("http://127.0.0.1:2379",))


@pytest.fixture(params=HTTP_MODULES)
def lacking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Python that lacks this module."""
    name = str(request.param)
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [])
    return name


@pytest.mark.parametrize("settings", [CONSUL, ETCD], ids=["consul", "etcd"])
def test_a_missing_module_is_named(settings: ConsulSettings | EtcdSettings, lacking: str) -> None:
    found = missing_for(settings)
    assert found is not None
    assert f"this Python's standard library lacks the module '{lacking}'" in found


def test_a_folder_needs_none_of_these_modules(lacking: str) -> None:
    assert missing_for(DirectorySettings(path="/catalogue")) is None


@pytest.mark.parametrize("settings", [CONSUL, ETCD], ids=["consul", "etcd"])
def test_a_whole_python_lacks_nothing(settings: ConsulSettings | EtcdSettings) -> None:
    assert missing_for(settings) is None


class Made:
    """What the modules would make, once they can be imported."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls: list[str] = []
        self.memory = [instance("web-1")]

    def make(self) -> Made:
        if self.failures:
            self.failures -= 1
            raise MemoryError
        return self

    def __getattr__(self, call: str) -> Callable[[], None]:
        return lambda: self.calls.append(call)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def loop(clock: Clock) -> FakeLoop:
    return FakeLoop(clock)


def postponed(loop: FakeLoop, made: Made) -> PostponedWatcher:
    return PostponedWatcher(loop, made.make, None)  # type: ignore[arg-type]


def test_a_watch_whose_modules_cannot_be_imported_begins_later(loop: FakeLoop, clock: Clock) -> None:
    made = Made(failures=2)
    watcher = postponed(loop, made)

    watcher.start()
    watcher.pause()
    assert watcher.memory == []
    for _ in range(2):
        assert made.calls == []
        clock.time += RETRY
        loop.turn()

    assert made.calls == ["start", "pause"]
    watcher.resume()
    assert watcher.memory == made.memory
    watcher.stop()
    assert made.calls == ["start", "pause", "resume", "stop"]


def test_a_watch_that_was_stopped_meanwhile_does_not_begin(loop: FakeLoop, clock: Clock) -> None:
    made = Made(failures=1)
    watcher = postponed(loop, made)
    watcher.start()

    watcher.stop()
    clock.time += RETRY
    loop.turn()

    assert made.calls == []
