"""-wait against a server with the answers of the test."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from cp.cli import wait as waiting
from tests.integration.cli.control_server import ControlServer, answer, server
from tests.integration.cli.test_subcommands import Pilot, pilot, signals

__all__ = ["pilot", "server", "signals"]

READY = answer(200, {"ready": True, "outcome": "ready", "maintenance": False, "stopping": False, "jobs": []})
CLOSED = (b"",)  # the server closes the connection


def unready(outcome: str, *jobs: dict[str, Any], **more: Any) -> bytes:
    content = {"ready": False, "outcome": outcome, "maintenance": False, "stopping": False, "jobs": jobs, **more}
    return answer(503, content)


APP = {"name": "app", "state": "running", "about": "is not ready: waits for READY=1"}
TASK = {"name": "task", "state": "complete", "about": "is complete: exited 3"}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 0.001)


def test_it_is_silent_when_it_is_ready(pilot: Pilot) -> None:
    pilot.server.says = (READY,)
    done = pilot("-wait", "app", "a b/c?é&=", "-timeout", "60s")
    assert (done.code, done.out, done.err) == (0, "", "")
    method, target, _ = pilot.server.requests[0]
    path, _, rest = target.partition("&")
    assert (method, rest) == ("GET", "job=app&job=a%20b%2Fc%3F%C3%A9%26%3D")
    assert 59 < float(path.removeprefix("/v3/ready?timeout=")) <= 60


def test_the_end_of_the_time_shows_what_is_not_ready(pilot: Pilot) -> None:
    other = {"name": "o\x1b", "state": "waiting", "about": "is not ready: waits for exitSuccess of task"}
    pilot.server.says = (unready("timeout", APP, other),)
    done = pilot("-wait", "-timeout", "0")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        "-wait: not ready within 0s:",
        "app is not ready: waits for READY=1",
        "o\\x1b is not ready: waits for exitSuccess of task",
    ]


def test_maintenance_is_a_reason(pilot: Pilot) -> None:
    pilot.server.says = (unready("timeout", maintenance=True),)
    assert pilot("-wait", "-timeout", "1s").err == "-wait: not ready within 1s, in maintenance\n"


def test_jobs_that_have_ended_are_shown_alone(pilot: Pilot) -> None:
    pilot.server.says = (unready("ended", APP, TASK),)
    done = pilot("-wait", "app", "task")
    first = "-wait: not ready, and only a request or a reload can change that:"
    assert (done.code, done.err) == (1, f"{first}\ntask is complete: exited 3\n")


def test_a_stop_ends_the_wait(pilot: Pilot) -> None:
    pilot.server.says = (unready("stopping", APP, stopping=True),)
    done = pilot("-wait")
    assert (done.code, done.err) == (1, "-wait: ContainerPilot is stopping\n")


def test_without_a_limit_it_asks_again(pilot: Pilot) -> None:
    pilot.server.says = (unready("timeout", APP),)
    pilot.server.later = [
        (unready("timeout", APP),),
        CLOSED,
        (answer(503, {"error": "all connections are busy"}),),
        (READY,),
    ]
    assert pilot("-wait").code == 0
    assert [target for _, target, _ in pilot.server.requests] == ["/v3/ready?timeout=3600.000"] * 5


@pytest.mark.parametrize("flags", [[], ["-timeout", "5s"]])
@pytest.mark.parametrize("says", [CLOSED, (b"HTTP/1.1 503 Words\r\nContent-Length: 1000\r\n\r\n{",)])
def test_it_connects_again_after_a_lost_connection(pilot: Pilot, flags: list[str], says: tuple[bytes, ...]) -> None:
    pilot.server.says = says
    pilot.server.later = [(READY,)]
    assert pilot("-wait", *flags).code == 0


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (answer(404, {"error": "there is no job 'ap' (did you mean 'app'?)"}), "there is no job 'ap' (did you mean"),
        (answer(403, {"error": "user 7 may not use it"}), "user 7 may not use it"),
        (answer(200, b"no json"), "it is not valid JSON"),
        (answer(404, b"404 page not found"), "HTTP status 404: 404 page not found"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "is not ContainerPilot"),
    ],
)
def test_an_error_ends_it_at_once(pilot: Pilot, says: bytes, words: str) -> None:
    pilot.server.says = (says,)
    done = pilot("-wait", "ap")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("-wait: failed to run subcommand: ")
    assert words in done.err
    assert len(pilot.server.requests) == 1


def test_json(pilot: Pilot) -> None:
    pilot.server.says = (READY,)
    done = pilot("-wait", "-json")
    assert (done.code, json.loads(done.out)["ready"]) == (0, True)

    pilot.server.says = (unready("timeout", APP),)
    done = pilot("-wait", "-json", "-timeout", "1s")
    assert (done.code, json.loads(done.out)["jobs"]) == (1, [APP])


def test_it_waits_for_the_socket(pilot: Pilot, tmp_path: Path) -> None:
    path = tmp_path / "later.socket"
    late: list[ControlServer] = []

    def listen() -> None:
        late.append(ControlServer(path))
        late[0].says = (READY,)

    thread = Thread(target=listen)
    try:
        thread.start()
        done = pilot.bare("-config", f'{{control: {{socket: "{path}"}}}}', "-wait", "-timeout", "10s")
        assert (done.code, done.err) == (0, "")
    finally:
        thread.join()
        late[0].close()


def test_no_server_comes_in_time(pilot: Pilot, tmp_path: Path) -> None:
    path = tmp_path / "never.socket"
    done = pilot.bare("-config", f'{{control: {{socket: "{path}"}}}}', "-wait", "-timeout", "20ms")
    assert done.code == 1
    assert done.err.startswith(f"-wait: not ready within 20ms: cannot connect to {path}: no such file: is Container")


def test_the_user_learns_that_no_server_is_there(pilot: Pilot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "NOTICE_AFTER", 0.0)
    path = tmp_path / "never.socket"
    done = pilot.bare("-config", f'{{control: {{socket: "{path}"}}}}', "-wait", "-timeout", "20ms")
    assert done.err.count(f"-wait: still waiting: cannot connect to {path}: no such file") == 1


def test_a_path_that_cannot_become_a_socket_ends_it_at_once(pilot: Pilot) -> None:
    done = pilot.bare("-config", f'{{control: {{socket: "/{"x" * 90}/{"y" * 10}"}}}}', "-wait", "-timeout", "0")
    assert done.code == 1
    (folder := pilot.config.parent / "file").touch()
    done = pilot.bare("-config", f'{{control: {{socket: "{folder}/socket"}}}}', "-wait")
    assert (done.code, "no such file" in done.err) == (1, True)


def test_a_frozen_server_does_not_hold_it(pilot: Pilot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "GRACE", 0.05)
    pilot.server.says = None
    done = pilot("-wait", "-timeout", "50ms")
    assert done.code == 1
    assert "no answer" in done.err
