"""Who may give orders: real users, a real kernel, the built program on both sides of the socket."""

from __future__ import annotations

import os
import pwd
import socket
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.control import Client
from tests.system.jobs.configs import app, config
from tests.system.pilot import wait_for
from tests.system.security.users import OWNER, STRANGER, ask_as, become, only_root

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

pytestmark = only_root

REFUSED = "-ping: failed: Forbidden: cannot serve user {user}: only root{own} may use this control socket"
IN_A_USER_NAMESPACE = ("env", "unshare", "--user", "--map-root-user")  # one process, which becomes the program


def start(pilot: StartPilot, place: Path, users: Any = None, **options: Any) -> Pilot:
    started = pilot(with_users(place, users), **options)
    started.wait_for_mark("app")
    wait_for(place.exists, what="the socket")
    return started


def with_users(place: Path, users: Any) -> dict[str, Any]:
    return config(app(), control={"socket": str(place), **({} if users is None else {"users": users})})


def test_by_default_root_alone_gives_orders_to_root(pilot: StartPilot, place: Path) -> None:
    start(pilot, place)

    assert ask_as(0, place, "-ping").stdout == "ok\n"
    stranger = ask_as(STRANGER, place, "-ping")
    assert stranger.code == 1
    assert "permission denied" in stranger.stderr


def test_the_kernel_s_word_counts_where_the_mode_of_the_file_does_not(pilot: StartPilot, place: Path) -> None:
    """Somebody has made the socket accessible: ContainerPilot still checks each client."""
    started = start(pilot, place)
    place.chmod(0o777)

    for _ in range(2):
        stranger = ask_as(STRANGER, place, "-ping")
        assert stranger.code == 1
        assert REFUSED.format(user=STRANGER, own="") in stranger.stderr
        assert "`control.users` in the configuration can allow others" in stranger.stderr
    assert started.output().count(f"user {STRANGER} (process ") == 1, "it is one line a minute"
    assert ask_as(0, place, "-ping").stdout == "ok\n"


@pytest.mark.parametrize("users", [[STRANGER], str(STRANGER), "*"])
def test_users_of_the_configuration_give_orders(pilot: StartPilot, place: Path, users: Any) -> None:
    start(pilot, place, users, prefix=["/bin/sh", "-c", 'umask 077; exec "$@"', "sh"])

    assert stat.S_IMODE(place.stat().st_mode) == 0o666
    assert ask_as(STRANGER, place, "-ping").stdout == "ok\n"
    assert ask_as(STRANGER + 1, place, "-ping").code == (0 if users == "*" else 1)


def test_a_user_by_name(pilot: StartPilot, place: Path) -> None:
    daemon = pwd.getpwnam("daemon").pw_uid
    start(pilot, place, ["daemon"])

    assert ask_as(daemon, place, "-putenv", "A=b").code == 0
    assert ask_as(STRANGER, place, "-putenv", "A=b").code == 1


def test_root_and_the_own_user_give_orders_to_a_pilot_without_rights(pilot: StartPilot, place: Path) -> None:
    os.chown(place.parent, OWNER, OWNER)
    folder = pilot.folder()
    (folder / "marks").touch()
    os.chown(folder / "marks", OWNER, OWNER)
    start(pilot, place, prefix=become(OWNER))

    assert ask_as(OWNER, place, "-ping").stdout == "ok\n"
    with Client(place) as root:  # with all of its rights, as `docker exec` has them
        assert root.ask("GET", "/v3/ping").status == 200
    place.chmod(0o666)
    assert ask_as(0, place, "-ping").stdout == "ok\n"
    assert REFUSED.format(user=STRANGER, own=f" and user {OWNER}") in ask_as(STRANGER, place, "-ping").stderr


def test_a_user_of_another_user_namespace_is_a_stranger(pilot: StartPilot, place: Path) -> None:
    """The kernel shows it as its overflow user."""
    start(pilot, place, [STRANGER], prefix=IN_A_USER_NAMESPACE)

    stranger = ask_as(STRANGER, place, "-ping")
    assert stranger.code == 1
    assert REFUSED.format(user=65534, own="") in stranger.stderr
    assert ask_as(0, place, "-ping").stdout == "ok\n"


def test_a_reload_changes_the_permitted_users(pilot: StartPilot, place: Path) -> None:
    started = start(pilot, place)

    for users, mode, code in (([STRANGER], 0o666, 0), ([STRANGER + 1], 0o666, 1), (None, 0o600, 1), ("*", 0o666, 0)):
        started.configure(with_users(place, users))
        with Client(place) as root:
            assert root.ask("POST", "/v3/reload").status == 200
        assert stat.S_IMODE(place.stat().st_mode) == mode
        assert ask_as(STRANGER, place, "-ping").code == code


def test_a_reload_that_is_refused_changes_no_rights(pilot: StartPilot, place: Path) -> None:
    started = start(pilot, place)

    for wrong in ({"logging": {"output": "/nowhere/log"}}, {"stopTimeout": "x"}):
        started.configure({**with_users(place, "*"), **wrong})
        with Client(place) as root:
            assert root.ask("POST", "/v3/reload").status == 422
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        place.chmod(0o666)
        assert ask_as(STRANGER, place, "-ping").code == 1
        place.chmod(0o600)


def test_an_unknown_user_is_reported_with_its_place_and_nothing_starts(pilot: StartPilot, place: Path) -> None:
    started = pilot(f'{{control: {{socket: "{place}",\n  users: ["no-such-user"]}}, jobs: []}}')

    assert started.wait_exit() == 1
    assert 'config.json:2:11: control.users[0]: cannot find the user "no-such-user"' in started.output()


def test_a_thousand_connections_of_strangers_delay_nobody(pilot: StartPilot, place: Path) -> None:
    started = start(pilot, place, [STRANGER + 1])
    descriptors = len(started.descriptors())

    with ExitStack() as stack:
        for _ in range(1000):
            connect_as(STRANGER, place, stack)
        assert ask_as(0, place, "-ping").stdout == "ok\n"

    started.wait_for(lambda: len(started.descriptors()) <= descriptors + 2, what="the end of the connections")
    assert started.output().count(f"user {STRANGER} (process ") == 1
    assert started.stop() == 0


def connect_as(user: int, place: Path, stack: ExitStack) -> None:
    client = stack.enter_context(socket.socket(socket.AF_UNIX))
    os.seteuid(user)  # the kernel notes it at this moment
    try:
        client.connect(str(place))
    finally:
        os.seteuid(0)
    client.setblocking(False)
    client.send(b"GET /v3/ping HTTP/1.1\r\nHost: control\r\n\r\n")
