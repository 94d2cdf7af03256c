"""`-wait`, `/readyz` and READY=1: when a container is ready, and what a script learns that waits for it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.limits import DEADLINE
from tests.system.control import SOCKET, connect
from tests.system.jobs.configs import advertised, app, config, each, job, once
from tests.system.pilot import PATH, archive, interpreter, write_config
from tests.system.scripts import sh
from tests.system.telemetry.scraping import Port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

# Becomes ready when the test says so.
ON_GO = sh("until test -e go; do sleep 0.02; done; echo listening; mark go; exec sleep 1000")
IN_TIME = ("-timeout", "60s")


class Waiters:
    """Clients that wait, as processes of their own."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def start(self, folder: Path, *flags: str) -> subprocess.Popen[str]:
        command = [interpreter(), str(archive()), "-config", "config.json", "-wait", *flags]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=folder, env={"PATH": PATH}, stdout=pipe, stderr=pipe, text=True)
        self._started.append(process)
        return process

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


@pytest.fixture
def waiters() -> Iterator[Waiters]:
    waiters = Waiters()
    yield waiters
    waiters.close()


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code, and what is on standard error."""
    _, err = process.communicate(timeout=DEADLINE)
    return process.returncode, err


def clients(pilot: Pilot) -> int:
    """The number of its connected clients: it also has a socket at which it listens."""
    return sum(each.startswith("socket:") for each in pilot.descriptors().values()) - 1


def ready_app(**more: Any) -> dict[str, Any]:
    return job("app", ON_GO, ready={"log": "listening"}, **more)


@pytest.mark.smoke
def test_a_script_that_begins_before_the_container_waits_until_it_is_ready(pilot: StartPilot, waiters: Waiters) -> None:
    folder = pilot.folder()
    write_config(folder / "config.json", config(ready_app(main=True)))
    early = waiters.start(folder)

    started = pilot(config(ready_app(main=True)))
    late = waiters.start(folder, "app", *IN_TIME)
    started.wait_for_state("app", "running")
    assert started.run("-wait", "-timeout", "0").code == 1
    assert early.poll() is None
    assert "ready after" not in started.output()
    (folder / "go").touch()

    assert end_of(early) == end_of(late) == (0, "")
    assert re.search(r"ready after \d+\.\d s\n", started.output())
    assert started.run("-wait").code == 0
    assert started.output().count("ready after") == 1


def test_the_end_of_the_time_shows_what_each_job_waits_for(pilot: StartPilot) -> None:
    started = pilot(
        config(
            job("prepare", sh("exec sleep 1000")),
            app("late", ready={"log": "never"}, when=once("exitSuccess", "prepare")),
            app("quiet", ready={"log": "never"}),
            app("sick", health={"exec": "false", "interval": 1}),
            app("unimportant"),
        )
    )
    started.wait_for(lambda: "unhealthy" in started.run("-job", "sick").stdout, what="a failed check")
    begin = time.monotonic()
    done = started.run("-wait", "-timeout", "100ms")
    assert (done.code, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert lines[:3] == [
        "-wait: not ready within 100ms:",
        "late is not ready: waits for exitSuccess of prepare",
        "quiet is not ready: waits for a line of its output with 'never'",
    ]
    assert re.fullmatch(r"sick is unhealthy: (1 check|\d+ checks in a row) failed", lines[3])
    assert len(lines) == 4
    assert time.monotonic() - begin < DEADLINE

    answer = started.run("-wait", "quiet", "-timeout", "0", "-json")
    assert (answer.code, json.loads(answer.stdout)["jobs"]) == (
        1,
        [
            {
                "name": "quiet",
                "state": "running",
                "about": "is not ready: waits for a line of its output with 'never'",
            }
        ],
    )
    assert started.run("-wait", "unimportant").code == 0


def test_health_makes_a_job_ready(pilot: StartPilot, waiters: Waiters) -> None:
    health = {"exec": ["test", "-e", "go"], "interval": 1}
    started = pilot(config(app(health=health)))
    waiting = waiters.start(started.folder, *IN_TIME)
    started.wait_for(lambda: "unhealthy" in started.run("-job", "app").stdout, what="a failed check")
    assert waiting.poll() is None
    (started.folder / "go").touch()
    assert end_of(waiting) == (0, "")


def test_named_jobs_that_have_ended(pilot: StartPilot) -> None:
    started = pilot(
        config(
            job("well", "true"),
            job("badly", sh("exit 3")),
            app("after", when=once("exitSuccess", "badly")),
            app(),
        )
    )
    started.wait_for_state("badly", "complete")
    started.wait_for_state("after", "skipped")
    assert started.run("-wait", "well", "app").code == 0
    done = started.run("-wait", "badly", "after", "app")
    assert done.code == 1
    assert done.stderr.splitlines() == [
        "-wait: not ready, and only a request or a reload can change that:",
        "badly is complete: exited 3",
        "after is skipped: it waits for exitSuccess of badly, which has ended (exit status 3)",
    ]
    unknown = started.run("-wait", "ap")
    assert (unknown.code, unknown.stderr) == (
        1,
        "-wait: failed to run subcommand: there is no job 'ap' (did you mean 'app'?)\n",
    )
    assert started.run("-stop", "app").code == 0
    held = started.run("-wait", "app")
    assert (held.code, held.stderr.splitlines()[1]) == (1, "app is held: stopped on request")


def test_a_stop_ends_all_waits_and_is_not_delayed_by_them(pilot: StartPilot, waiters: Waiters) -> None:
    started = pilot(config(ready_app(main=True)))
    started.wait_for_state("app", "running")
    started.wait_for(lambda: clients(started) == 0, what="the end of other connections")
    waiting = [waiters.start(started.folder) for _ in range(5)]
    started.wait_for(lambda: clients(started) == 5, what="waiting clients")
    assert started.run("-ping").code == 0  # their requests came before this one
    begin = time.monotonic()
    started.signal("TERM")
    started.wait_exit()
    assert time.monotonic() - begin < DEADLINE
    assert [end_of(each) for each in waiting] == [(1, "-wait: ContainerPilot is stopping\n")] * 5


def test_a_client_goes_on_after_a_crash_of_containerpilot(pilot: StartPilot, waiters: Waiters) -> None:
    started = pilot(config(ready_app()))
    started.wait_for_state("app", "running")
    started.wait_for(lambda: clients(started) == 0, what="the end of other connections")
    waiting = waiters.start(started.folder, *IN_TIME)
    started.wait_for(lambda: clients(started) == 1, what="a waiting client")
    children = started.children()
    started.signal("KILL")
    started.process.wait(DEADLINE)
    for pid in children:
        subprocess.run(["kill", "-9", str(pid)], check=False)
    assert waiting.poll() is None

    environ = {"PATH": PATH, "MARKS": str(started.folder / "marks")}
    command = [interpreter(), str(archive()), "-config", "config.json"]
    (started.folder / "go").touch()
    again = subprocess.Popen(command, cwd=started.folder, env=environ, stdout=subprocess.DEVNULL)
    try:
        assert end_of(waiting) == (0, "")
    finally:
        again.terminate()
        again.wait(DEADLINE)


def test_clients_that_are_killed_leave_nothing(pilot: StartPilot, waiters: Waiters) -> None:
    started = pilot(config(ready_app()))
    started.wait_for_state("app", "running")
    started.wait_for(lambda: clients(started) == 0, what="the end of other connections")
    for names in ((), ("app",)):
        waiting = waiters.start(started.folder, *names)
        started.wait_for(lambda: clients(started) == 1, what="a waiting client")
        waiting.kill()
        started.wait_for(lambda: clients(started) == 0, what="the end of its connection")


def test_fifty_clients_wait_and_nobody_else_notices(pilot: StartPilot) -> None:
    started = pilot(config(ready_app(), app("other", when=each("signal", "SIGHUP"))))
    started.wait_for_state("app", "running")
    waiting = [connect(started.folder / SOCKET) for _ in range(50)]
    for client in waiting:
        client.sendall(b"GET /v3/ready?timeout=60 HTTP/1.1\r\nHost: control\r\nConnection: close\r\n\r\n")
    assert started.run("-ping").code == 0
    started.signal("HUP")
    started.wait_for_mark("other")
    (started.folder / "go").touch()
    for client in waiting:
        with client:
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_probes_of_kubernetes_see_each_state(pilot: StartPilot) -> None:
    port = Port()
    health = {"exec": ["test", "-e", "healthy"], "interval": 1}
    started = pilot(
        config(
            ready_app(health=health),
            app("late", main=True, when=once("ready", "app")),
            telemetry=port.config(),
        )
    )
    started.wait_for(port.is_served, what="telemetry")

    def shows(text: str, status: int = 503) -> None:
        started.wait_for(lambda: (a := port.ask("/readyz")).status == status and text in a.text, what=text)

    shows("late is not ready: waits for ready of app")
    shows("waits for a line of its output with 'listening'")
    (started.folder / "go").touch()
    shows("app is unhealthy: ")
    (started.folder / "healthy").touch()
    shows("ok\n", 200)
    assert started.run("-wait").code == 0
    assert started.run("-maintenance", "enable").code == 0
    shows("in maintenance\n")
    waited = started.run("-wait", "-timeout", "0").stderr
    assert waited == "-wait: not ready within 0s, in maintenance:\napp is not checked in maintenance\n"
    assert started.run("-maintenance", "disable").code == 0
    shows("ok\n", 200)
    started.configure(
        config(
            ready_app(health=health),
            app("late", main=True),
            app("new", ready={"log": "never"}),
            telemetry=port.config(),
        )
    )
    assert started.run("-reload").code == 0
    shows("new is not ready: waits for a line of its output with 'never'")
    assert started.output().count("ready after") == 1


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_service_manager_gets_one_message(pilot: StartPilot, kind: str) -> None:
    folder = pilot.folder()
    address = str(folder / "notify") if kind == "path" else f"@{folder}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0"))
        manager.settimeout(0.3)
        started = pilot(
            config(ready_app(main=True), job("shows", sh("mark socket-$NOTIFY_SOCKET"))),
            env={"NOTIFY_SOCKET": address},
        )
        started.wait_for_mark("socket-")
        with pytest.raises(TimeoutError):
            manager.recv(1000)
        (folder / "go").touch()
        manager.settimeout(DEADLINE)
        assert re.fullmatch(rb"READY=1\nSTATUS=ready after \d+\.\d s", manager.recv(1000))
        assert started.run("-reload").code == 0
        assert started.run("-wait").code == 0
        manager.settimeout(0.3)
        with pytest.raises(TimeoutError):
            manager.recv(1000)


def test_a_service_manager_that_is_gone_is_one_warning(pilot: StartPilot) -> None:
    started = pilot(config(ready_app(main=True)), env={"NOTIFY_SOCKET": "/nonexistent/notify"})
    (started.folder / "go").touch()
    started.wait_for_line("ready after")
    started.wait_for_line("cannot send READY=1 to NOTIFY_SOCKET /nonexistent/notify: no such file or directory")


def test_hundreds_of_jobs_become_ready_and_a_client_learns_it(pilot: StartPilot, waiters: Waiters) -> None:
    started = pilot(
        config(*(job(f"j{number}", sh("echo ok; exec sleep 1000"), ready={"log": "ok"}) for number in range(300)))
    )
    waiting = waiters.start(started.folder, *IN_TIME)
    assert end_of(waiting) == (0, "")
    started.wait_for_line("ready after")
    assert started.output().count("ready after") == 1


def test_the_interrupt_key_ends_it(pilot: StartPilot, waiters: Waiters) -> None:
    folder = pilot.folder()
    write_config(folder / "config.json", config(advertised()))
    waiting = waiters.start(folder)
    assert waiting.stderr is not None
    assert waiting.stderr.readline().startswith("-wait: still waiting: cannot connect to control.socket")
    waiting.send_signal(signal.SIGINT)
    assert end_of(waiting)[0] == -signal.SIGINT
