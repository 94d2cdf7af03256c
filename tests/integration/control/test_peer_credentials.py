"""Whom the control socket serves, by the user that the kernel names."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable

import pytest

from cp.control import peer_credentials
from cp.control.peer_credentials import MOST_LOGGED, QUIET, PeerCredentials
from cp.http.server import Limits
from tests.integration.control.serving import World, request

STRANGER = 12345
OVERFLOW = 65534  # as whom the kernel presents users of other user namespaces

ADVICE = "`control.users` in the configuration can allow others"


@pytest.fixture
def come_as(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """From now on all clients are of this user; the tests themselves are only one."""

    def come(user: int) -> None:
        monkeypatch.setattr(peer_credentials, "peer", lambda client: (77, user))

    return come


def as_user(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    """The server's own."""
    monkeypatch.setattr(os, "geteuid", lambda: user)


def test_the_kernel_names_the_peer() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_credentials.peer(ours) == (os.getpid(), os.geteuid())


def test_root_and_the_own_user_are_served(
    world: World, come_as: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, 1000)
    for user in (0, 1000):
        come_as(user)
        assert world.ask("GET", "/v3/ping").status == 200


@pytest.mark.parametrize("user", [STRANGER, OVERFLOW])
def test_others_are_turned_away_for_any_request(world: World, come_as: Callable[[int], None], user: int) -> None:
    as_own = os.geteuid()
    come_as(user)
    for method, target in (("GET", "/v3/ping"), ("POST", "/v3/reload"), ("POST", "/v3/environ"), ("GET", "/nowhere")):
        answer = world.ask(method, target, {"A": "b"} if target == "/v3/environ" else b"")
        assert answer.status == 403
        assert answer.headers["connection"] == "close"
        assert answer.error == (
            f"Forbidden: cannot serve user {user}: only root{f' and user {as_own}' if as_own else ''} "
            f"may use this control socket; {ADVICE}"
        )
    assert world.admin.requests == []
    assert world.admin.environment == {"KEPT": "as it was"}
    assert world.counted == []


def test_a_stranger_gets_an_answer_before_it_sends_a_request(world: World, come_as: Callable[[int], None]) -> None:
    world.ask("GET", "/v3/ping")  # HTTP is there
    come_as(STRANGER)
    client = world.client()
    assert client.answer().status == 403
    world.advance(2)
    assert world.control.connections == 0


def test_a_stranger_who_came_before_http_was_loaded_gets_an_answer_as_soon_as_it_is(
    world: World, come_as: Callable[[int], None]
) -> None:
    come_as(STRANGER)
    silent, asking = world.client(), world.client()
    asking.send(request("GET", "/v3/ping"))
    assert (asking.answer().status, silent.answer().status) == (403, 403)


def test_the_own_user_is_named_where_it_is_not_root(
    world: World, come_as: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, 1000)
    come_as(STRANGER)
    assert "only root and user 1000 may use this control socket" in world.ask("GET", "/v3/ping").error


def test_users_of_the_configuration_are_served(world: World, come_as: Callable[[int], None]) -> None:
    world.control.serve_users((STRANGER,))
    come_as(STRANGER)
    assert world.ask("GET", "/v3/ping").status == 200
    come_as(STRANGER + 1)
    assert world.ask("GET", "/v3/ping").status == 403

    world.control.serve_users(())
    come_as(STRANGER)
    assert world.ask("GET", "/v3/ping").status == 403


@pytest.mark.parametrize("user", [STRANGER, OVERFLOW])
def test_everyone_may_be_served(world: World, come_as: Callable[[int], None], user: int) -> None:
    world.control.serve_users(None)
    come_as(user)
    assert world.ask("GET", "/v3/ping").status == 200


@pytest.mark.parametrize(("users", "mode"), [((), 0o600), ((1000,), 0o666), (None, 0o666)])
def test_the_mode_of_the_socket_keeps_out_whom_it_can(world: World, users: tuple[int, ...] | None, mode: int) -> None:
    world.control.serve_users(users)
    assert stat.S_IMODE(os.stat(world.path).st_mode) == mode


def test_strangers_do_not_wait_and_take_no_connection(
    serve: Callable[..., World], come_as: Callable[[int], None]
) -> None:
    world = serve(Limits(connections=2))
    busy = [world.client(), world.client()]
    world.admin.waits = True
    for client in busy:
        client.send(request("POST", "/v3/reload"))
    world.pump(lambda: len(world.admin.requests) == 2)
    come_as(STRANGER)
    assert world.ask("GET", "/v3/ping").status == 403
    for client in busy:
        world.admin.finish()
        assert client.answer().status == 200


# --- the log


class LoggedPeers:
    """Peers with a clock of the test's own, and the log lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.time = 0.0
        self._peers = PeerCredentials(self.lines.append, lambda: self.time)
        self._client = socket.socket(socket.AF_UNIX)

    def turn_away(self, user: int, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr(peer_credentials, "peer", lambda client: (77, user))
        return self._peers.refusal(self._client, ())

    def close(self) -> None:
        self._client.close()


def test_a_stranger_is_one_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    logged = LoggedPeers()
    for _ in range(100):
        assert logged.turn_away(STRANGER, monkeypatch)
    assert logged.lines == [
        f"control: refused a client: user {STRANGER} (process 77) may not use the control socket; {ADVICE}"
    ]
    logged.time = QUIET - 1
    logged.turn_away(STRANGER, monkeypatch)
    assert len(logged.lines) == 1
    logged.time = QUIET + 1
    logged.turn_away(STRANGER, monkeypatch)
    assert len(logged.lines) == 2
    logged.close()


def test_a_crowd_of_users_does_not_flood_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    logged = LoggedPeers()
    for user in range(1000, 3000):
        assert logged.turn_away(user, monkeypatch)
    assert len(logged.lines) == MOST_LOGGED
    logged.close()


def test_whom_the_system_does_not_name_is_turned_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_knows(client: object) -> tuple[int, int]:
        raise OSError(92, "Protocol not available")

    monkeypatch.setattr(peer_credentials, "peer", nobody_knows)
    answer = world.ask("GET", "/v3/ping")
    assert answer.status == 403
    assert "the system does not report its user: protocol not available" in answer.error
