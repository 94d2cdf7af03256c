"""The control plane of the plan that runs, from one reload to the next: where it is, and what happens to its file."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from cp.cli.client import request
from cp.control.plane import ControlError, ControlPlane
from cp.engine.loop import Loop
from cp.plan import ControlSettings as Settings
from tests.integration.control.serving import FakeLog, FakeOperator
from tests.integration.full_epoll import WHY, descriptors, fill
from tests.limits import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator


class World:
    """A plane, its loop, and clients that ask it for a sign of life."""

    def __init__(self) -> None:
        self.faults: list[BaseException] = []
        self.log = FakeLog()
        self.loop = Loop(on_error=self.faults.append)
        self.plane = ControlPlane(self.loop, cast("Any", self.log), cast("Any", FakeOperator()), {})

    def is_served(self, path: str) -> bool:
        """Whether who asks there is answered by us."""
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(path)
            except OSError:
                return False
            client.setblocking(False)
            client.send(request("GET", "/v3/ping"))
            answered = self.answered(client)
        for _ in range(5):  # until the server has noticed that the client is gone
            self.turn()
        return answered

    def turn(self) -> None:
        waker = self.loop.call_later(0.01, lambda: None)
        self.loop.run_once()
        waker.cancel()

    def answered(self, client: socket.socket) -> bool:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            self.turn()
            try:
                return client.recv(65536).startswith(b"HTTP/1.1 200 ")
            except BlockingIOError:
                continue
        return False


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    world = World()
    yield world
    world.plane.close()
    assert not world.faults


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The usual places."""
    places = ["first", "second"]
    monkeypatch.setattr("cp.control.socket_paths.usual_places", lambda environ: places)
    return places


def settings(path: str = "s", users: tuple[int, ...] = ()) -> Settings:
    return Settings(socket=path, announced=True, users=users)


def refuse() -> None:
    raise ZeroDivisionError


def gone() -> None:
    os.unlink("s")


def replaced_by_one_that_nobody_serves() -> None:
    os.unlink("s")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("s")


def test_a_reload_leaves_the_file_as_it_is(world: World) -> None:
    world.plane.use(settings())
    before = os.stat("s")
    world.plane.use(settings())
    assert os.path.samestat(before, os.stat("s"))
    assert world.log.lines == ["info control: serving at s"] * 2


@pytest.mark.parametrize("happen", [gone, replaced_by_one_that_nobody_serves])
def test_a_reload_makes_the_file_again_that_somebody_has_removed(world: World, happen: Any) -> None:
    world.plane.use(settings())
    assert world.is_served("s")
    happen()
    assert not world.is_served("s")
    world.plane.use(settings(users=(1000,)))
    assert world.is_served("s")
    assert stat.S_IMODE(os.stat("s").st_mode) == 0o666
    world.plane.close()
    assert not os.path.lexists("s")


def test_clients_of_the_file_that_was_removed_are_still_answered(world: World) -> None:
    world.plane.use(settings())
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("s")
        assert world.is_served("s")
        gone()
        client.setblocking(False)
        client.send(request("GET", "/v3/ping"))
        world.plane.use(settings())
        assert world.answered(client)


def test_a_reload_takes_no_file_from_another_instance(world: World) -> None:
    world.plane.use(settings())
    gone()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("s")
        other.listen()
        before = os.stat("s")
        with pytest.raises(ControlError, match="cannot serve the control socket s: another instance listens there"):
            world.plane.use(settings())
        assert os.path.samestat(before, os.stat("s"))
    world.plane.use(settings())
    assert world.is_served("s")


def test_a_reload_that_is_refused_makes_no_file(world: World) -> None:
    world.plane.use(settings())
    gone()
    with pytest.raises(ZeroDivisionError):
        world.plane.use(settings(), refuse)
    assert not os.path.lexists("s")
    world.plane.use(settings())
    assert world.is_served("s")


def test_a_link_to_its_own_socket_is_not_another_instance(world: World) -> None:
    world.plane.use(settings())
    os.rename("s", "moved")
    os.symlink("moved", "s")
    world.plane.use(settings())
    assert world.is_served("s")
    os.unlink("moved")


def test_in_the_usual_places_a_file_that_was_removed_is_made_again(world: World, usual: list[str]) -> None:
    world.plane.use(settings(""))
    os.unlink(usual[0])
    os.symlink(usual[1], usual[0])  # a path that is not available
    world.plane.use(settings(""))
    assert world.is_served(usual[1])
    before = os.stat(usual[1])
    world.plane.use(settings(""))
    assert os.path.samestat(before, os.stat(usual[1]))


def test_a_reload_tries_the_usual_places_again(world: World, usual: list[str]) -> None:
    for place in usual:
        Path(place).mkdir()
    world.plane.use(settings(""))
    assert world.log.lines[-1].endswith("going on without it")
    Path(usual[0]).rmdir()
    world.plane.use(settings(""))
    assert world.is_served(usual[0])


def test_the_permitted_users_stay_when_a_reload_is_refused(world: World) -> None:
    world.plane.use(settings())
    with pytest.raises(ZeroDivisionError):
        world.plane.use(settings(users=(1000,)), refuse)
    assert stat.S_IMODE(os.stat("s").st_mode) == 0o600
    world.plane.use(settings(users=(1000,)))
    assert stat.S_IMODE(os.stat("s").st_mode) == 0o666


@pytest.mark.parametrize("place", ["s", ""])
def test_a_socket_that_cannot_be_watched_is_not_made_and_the_one_before_goes_on(
    world: World, usual: list[str], place: str
) -> None:
    world.plane.use(settings("before"))
    before = descriptors()
    full = fill(world.loop, "_epoll")
    for full.room in (0, 1):  # neither the clients' poller, nor the listener
        if place:
            with pytest.raises(ControlError, match=f"cannot serve the control socket s: {WHY}"):
                world.plane.use(settings(place))
            assert descriptors() <= before
            assert world.is_served("before")
        else:
            world.plane.use(settings(place))
            assert f"warning cannot serve the control socket first: {WHY}: going on without it" in world.log.lines
        assert not os.path.lexists(place or usual[0])
    full.room = 2
    world.plane.use(settings(place))
    assert world.is_served(place or usual[0])
