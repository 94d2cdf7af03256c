"""Tokens of a catalogue: on no command line, and in no environment where nobody has put them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system import proc
from tests.system.jobs.configs import advertised, app, config, job
from tests.system.scripts import forever, sh
from tests.system.security.tls_server import NotingServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

TOKEN = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def agent() -> Iterator[NotingServer]:
    agent = NotingServer()
    yield agent
    agent.close()


def start(pilot: StartPilot, agent: NotingServer, consul: dict[str, str]) -> Pilot:
    """With children of all kinds, the token in the file `token`, and an agent that has been sent it."""
    (pilot.folder() / "token").write_text(TOKEN)
    checked = advertised("checked", health={"exec": sh("mark check; sleep 0.2"), "interval": 1, "ttl": 10})
    after = job("after", sh("mark after; exec sleep 1000"), when={"source": "checked", "once": "healthy"})
    watches = [{"name": "other", "interval": 1}]
    configured = config(app(), checked, after, watches=watches, consul={"address": agent.address, **consul})
    started = pilot(configured, env={"OTHER": "value"})
    started.wait_for_mark("after")
    started.wait_for(
        lambda: any(TOKEN.encode() in received for received in agent.received), what="a request with the token"
    )
    return started


@pytest.mark.parametrize(
    "consul", [{"token": TOKEN}, {"tokenfile": "token"}], ids=["in the configuration", "in a file"]
)
def test_no_process_shows_a_token_to_others(pilot: StartPilot, agent: NotingServer, consul: dict[str, str]) -> None:
    started = start(pilot, agent, consul)

    seen = 0
    for _ in range(20):
        for pid in (started.pid, *started.children()):
            assert TOKEN not in proc.command_line(pid)
            assert TOKEN.encode() not in environment(pid)
            seen += 1
        started.wait_for(lambda: True)
    assert seen > 60
    assert b"OTHER=value" in environment(started.child("sleep 1000"))
    assert TOKEN not in started.output()


def test_a_token_of_the_environment_is_one_of_the_children_s_too_until_it_is_taken_away(
    pilot: StartPilot,
) -> None:
    """It was put there for all: the configuration's own keys are for ContainerPilot alone."""
    token = {"CONSUL_HTTP_TOKEN": TOKEN}
    started = pilot(config(app()), env=token)
    assert TOKEN.encode() in environment(started.child("sleep 1000"))

    taken = pilot(config(job("app", ["env", "-u", "CONSUL_HTTP_TOKEN", *forever()])), env=token)
    assert TOKEN.encode() not in environment(taken.child("sleep 1000"))


def environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
