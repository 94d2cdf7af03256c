"""Asking a container that runs as another user: whoever runs it is found, and nobody else is trusted."""

from __future__ import annotations

import json
import os
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.box import PROGRAM, Box
from tests.system.pilot import wait_for
from tests.system.scripts import forever
from tests.system.security.users import OWNER, STRANGER, become, only_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

pytestmark = only_root

JOBS = [{"name": "app", "exec": forever()}]
# The usual place of root is not to be found by accident: it may be that of the machine that runs the tests.
PRIVATE_RUN = ["/bin/sh", "-c", 'mount -t tmpfs -o mode=755 run /run && exec "$@"', "sh"]
SHELL = ["/bin/sh", "-c", '"$@"; exit $?', "sh"]


@pytest.fixture
def box(tmp_path: Path, place: Path, built_archive: Path) -> Iterator[Callable[..., Box]]:
    """Runs a container whose users may all write to its TMPDIR, until its application runs."""
    boxes: list[Box] = []
    place.parent.chmod(0o1777)
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(0o755)
    (tmp_path / "marks").touch()
    (tmp_path / "marks").chmod(0o666)

    def run(command: Sequence[str], **control: Any) -> Box:
        config = {"jobs": JOBS, **({"control": control} if control else {})}
        (tmp_path / "config.json").write_text(json.dumps(config))
        boxes.append(Box(tmp_path, [*PRIVATE_RUN, *command], {"TMPDIR": str(place.parent)}))
        boxes[-1].wait_for_app()
        wait_for(lambda: list(place.parent.glob("containerpilot-*.socket")), what="the control socket")
        return boxes[-1]

    yield run
    for each in boxes:
        each.close()


@pytest.mark.parametrize("init", ["ContainerPilot", "a shell"])
@pytest.mark.parametrize("asks", ["without a configuration", "with one that names no socket"])
def test_root_asks_a_container_of_another_user(box: Callable[..., Box], init: str, asks: str) -> None:
    started = box([*become(OWNER), *([] if init == "ContainerPilot" else SHELL), *PROGRAM])
    if asks == "without a configuration":
        del started.environ["CONTAINERPILOT"]

    assert started.again("-ping") == (0, "ok\n", "")
    assert started.again("-putenv", "A=b") == (0, "", "")
    jobs = started.again("-jobs")
    assert (jobs.code, "app" in jobs.stdout) == (0, True)
    assert started.again("-ping", user=OWNER).stdout == "ok\n"
    stranger = started.again("-ping", user=STRANGER)
    assert (stranger.code, "permission denied" in stranger.stderr) == (1, True)


def test_a_user_that_may_give_orders_finds_the_socket_of_the_container(box: Callable[..., Box]) -> None:
    started = box([*become(OWNER), *PROGRAM], users=[STRANGER])

    assert started.again("-ping", user=STRANGER) == (0, "ok\n", "")
    assert started.again("-ping").stdout == "ok\n"


def test_root_is_shown_the_way_to_a_user_that_does_not_run_the_container(box: Callable[..., Box], place: Path) -> None:
    """PID 1 is root's: any user might listen there to what root says."""
    started = box([*SHELL, *become(OWNER), *PROGRAM])

    refused = started.again("-putenv", "SECRET=x")

    socket_ = f"{place.parent}/containerpilot-{OWNER}.socket"
    assert (refused.code, refused.stdout) == (1, "")
    example = f"-config '{{control: {{socket: \"{socket_}\"}}}}'"
    assert refused.stderr.endswith(f". Other users have {socket_}: to use one, add {example}\n")
    assert started.again("-config", f'{{control: {{socket: "{socket_}"}}}}', "-putenv", "SECRET=x").code == 0
    assert "Other users" not in started.again("-ping", user=STRANGER).stderr


@pytest.mark.parametrize("owner", [OWNER, STRANGER])
def test_a_listener_of_a_stranger_in_the_place_of_a_socket_receives_nothing(
    box: Callable[..., Box], place: Path, owner: int
) -> None:
    """The file may even look like the socket of the user who runs the container."""
    started = box([*become(OWNER), *PROGRAM])
    path = place.parent / f"containerpilot-{OWNER}.socket"
    path.unlink()
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        os.seteuid(STRANGER)  # the kernel notes who listens
        try:
            listener.bind(str(path))
            listener.listen()
        finally:
            os.seteuid(0)
        os.chown(path, owner, owner)
        listener.setblocking(False)

        refused = started.again("-putenv", "SECRET=x")

        assert refused.code == 1
        reason = "another user listens there" if owner == OWNER else "it belongs to another user"
        assert f"{path}: {reason}" in refused.stderr
        received = b""
        with suppress(BlockingIOError), listener.accept()[0] as client:
            received = client.recv(1000)
        assert received == b""
