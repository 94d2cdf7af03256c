"""Impossible places of the control socket: each is reported with its reason, and nothing is started."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.system.control import SOCKET
from tests.system.jobs.configs import app, config, job
from tests.system.scripts import sh

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot


def a_file(folder: Path) -> str:
    (folder / "place").write_text("precious")
    return "place"


def a_directory(folder: Path) -> str:
    (folder / "place").mkdir()
    return "place"


def a_link_to_a_file(folder: Path) -> str:
    a_file(folder)
    (folder / "link").symlink_to("place")
    return "link"


def a_link_to_nothing(folder: Path) -> str:
    (folder / "link").symlink_to("nothing")
    return "link"


def a_pipe(folder: Path) -> str:
    os.mkfifo(folder / "place")
    return "place"


def a_folder_that_is_not_there(folder: Path) -> str:
    return "none/place"


def a_file_as_a_folder(folder: Path) -> str:
    return f"{a_file(folder)}/place"


def a_path_that_is_too_long(folder: Path) -> str:
    return "x" * 108


def a_folder_that_cannot_be_written(folder: Path) -> str:
    return "/proc/place"


def nothing(folder: Path) -> str:
    return " "


PLACES = [
    (a_file, "place: a file is there, not a socket"),
    (a_directory, "place: a directory is there, not a socket"),
    (a_link_to_a_file, "link: a symbolic link to a file is there, not a socket"),
    (a_link_to_nothing, "link: a symbolic link to nothing is there"),
    (a_pipe, "place: something else is there, not a socket"),
    (a_folder_that_is_not_there, "there is no directory none: create it, or name another path"),
    (a_file_as_a_folder, "place is not a directory"),
    (a_path_that_is_too_long, "control.socket: the path is too long for a socket: at most 107 bytes"),
    (a_folder_that_cannot_be_written, "cannot serve the control socket /proc/place: "),
    (nothing, "control: validate failed with control server not loading due to missing config"),
]


@pytest.mark.parametrize(("make", "complaint"), PLACES, ids=[make.__name__.replace("_", " ") for make, _ in PLACES])
def test_unusable_place_is_named_and_nothing_starts(
    pilot: StartPilot, make: Callable[[Path], str], complaint: str
) -> None:
    folder = pilot.folder()
    path = make(folder)
    before = contents(folder)

    started = pilot(config(app(), control={"socket": path}))

    assert started.wait_exit() == 1
    assert started.output().count(complaint) == 1
    assert started.errors() == ""
    assert started.words() == []
    assert {name: text for name, text in contents(folder).items() if name in before} == before


def test_socket_that_another_one_serves_is_left_alone(pilot: StartPilot) -> None:
    first = pilot(config(app()))
    first.wait_for_mark("app")
    first.ask("GET", "/v3/ping")
    place = os.path.relpath(first.folder / SOCKET, pilot.folder())

    second = pilot(config(app(), control={"socket": place}))

    assert second.wait_exit() == 1
    assert f"cannot serve the control socket {place}: another instance listens there" in second.output()
    assert first.ask("GET", "/v3/ping").status == 200


def test_socket_of_a_program_that_is_gone_is_replaced(pilot: StartPilot) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        folder = os.open(pilot.folder(), os.O_PATH)
        old.bind(f"/proc/self/fd/{folder}/{SOCKET}")
        os.close(folder)

    started = pilot(config(app()))

    assert started.ask("GET", "/v3/ping").status == 200


def test_only_the_own_user_may_connect(pilot: StartPilot) -> None:
    started = pilot(config(app()), prefix=["/bin/sh", "-c", 'umask 0; exec "$@"', "sh"])
    started.ask("GET", "/v3/ping")

    assert (started.folder / SOCKET).stat().st_mode & 0o777 == 0o600


def test_children_inherit_no_socket(pilot: StartPilot) -> None:
    started = pilot(config(job("app", sh("ls -l /proc/self/fd >fds; mark app; exec sleep 1000"))))
    started.wait_for_mark("app")
    with started.client() as client:
        client.ask("GET", "/v3/ping")
        client.ask("POST", "/v3/jobs/app/restart")
        started.wait_for_mark("app", 2)

    assert "socket:" not in (started.folder / "fds").read_text()


def contents(folder: Path) -> dict[str, str]:
    return {
        name: (folder / name).read_text() if (folder / name).is_file() else str((folder / name).lstat().st_mode)
        for name in os.listdir(folder)
    }
