"""The drain of a job, with real processes and connections."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from cp.platform.netlink import local_addresses
from tests.limits import DEADLINE
from tests.system.jobs.configs import advertised, app, config, job, once
from tests.system.scripts import mark, python
from tests.system.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.jobs.configs import Job
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

# Accepts connections at all addresses, and answers each line with a line.
SERVER = """
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
def term(*_):
    mark("term")
    os._exit(0)
signal.signal(signal.SIGTERM, term)
with Server(("0.0.0.0", PORT), Echo) as server:
    mark("app")
    server.serve_forever(0.05)
"""


def own_address() -> str:
    """An IPv4 address of this machine that is not on loopback."""
    found = [each.packed for each in local_addresses() if len(each.packed) == 4 and each.packed[0] != 127]
    if not found:
        pytest.skip("this machine has no address besides loopback")
    return socket.inet_ntoa(found[0])


def server(port: int, drain: Any, name: str = "app", **more: Any) -> Job:
    command = python(SERVER.replace("PORT", str(port)))
    return advertised(name, command, port=port, drain=drain, **more)


class Client:
    """A client with a connection that stays."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.create_connection((address, port), timeout=DEADLINE)
        self._file = self._socket.makefile("rb")

    def request(self) -> bytes:
        self._socket.sendall(b"hello\n")
        return self._file.readline()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def is_registered(shelf: Path) -> bool:
    return any(shelf.glob("app-*.json"))


def start(pilot: StartPilot, *jobs: Job, **more: Any) -> tuple[Pilot, Path]:
    """Jobs in a folder as their catalogue, when `app` is registered."""
    shelf = pilot.folder() / "shelf"
    started = pilot(config(*jobs, directory=str(shelf), **more))
    started.wait_for_mark("app")
    started.wait_for(lambda: is_registered(shelf), what="the registration")
    return started, shelf


def test_stop_waits_until_the_last_client_has_left(pilot: StartPilot) -> None:
    port = free_port()
    started, shelf = start(pilot, server(port, {"min": "100ms", "max": "1h", "until": "idle"}), app("other"))
    client, beside = Client(own_address(), port), Client("127.0.0.1", port)
    started.signal("TERM")
    started.wait_for_line(f"app drains: 1 connection is left on port {port}")

    assert not is_registered(shelf)
    seen = started.jobs()["app"]
    assert (seen["state"], seen["drain"]["connections"], seen["service"]["registered"]) == ("draining", 1, "no")
    for view in (("-jobs",), ("-job", "app"), ("-status",)):
        text = started.run(*view).stdout
        assert "draining" in text
        assert f"drains; 1 connection is left on port {port}; at most 3" in text
    assert client.request() == beside.request() == b"hello\n"
    assert started.jobs()["other"]["state"] == "running"
    assert not started.count("term")

    client.close()
    started.wait_for_line(r"app has drained after \d+\.\d s")
    assert started.wait_exit() == 0
    assert started.count("term") == 1
    beside.close()


def test_a_fixed_time_comes_before_stopping(pilot: StartPilot) -> None:
    hook = job("hook", mark("hook"), when=once("stopping", "app"))
    started, _ = start(pilot, server(free_port(), "700ms"), hook)
    assert started.run("-stop", "app").code == 0

    drains = started.wait_for_line(r"app drains for 0\.7 s").start()
    assert drains < started.wait_for_line(r"app has drained after \d+\.\d s").start()
    assert started.words() == ["app", "hook", "term"]
    assert started.jobs()["app"]["state"] == "held"


def test_restart_drains_and_registers_the_new_process(pilot: StartPilot) -> None:
    port = free_port()
    started, shelf = start(pilot, server(port, {"min": "50ms", "max": "1h", "until": "idle"}, main=True))
    client = Client(own_address(), port)
    with ThreadPoolExecutor() as threads:
        restart = threads.submit(started.run, "-restart", "app")
        started.wait_for_line("app drains: 1 connection is left")
        assert client.request() == b"hello\n"
        client.close()
        assert restart.result().code == 0
    started.wait_for_mark("app", 2)
    started.wait_for(lambda: is_registered(shelf), what="the registration")
    assert started.words() == ["app", "term", "app"]


def test_a_second_signal_ends_the_drain(pilot: StartPilot) -> None:
    started, _ = start(pilot, server(free_port(), "1h"))
    started.signal("TERM")
    started.wait_for_line("app drains for 1 h 0 min")
    started.wait_for(lambda: _second_request(started), what="an end after a second signal")
    assert started.wait_exit() == 0
    assert "stops draining: ContainerPilot ends it now" in started.output()


def _second_request(started: Pilot) -> bool:
    """Signals within 0.2 s count as one: send one more, and look whether it ends the drain."""
    if started.is_running():
        started.signal("INT")
    return "stops draining" in started.output()


def test_a_process_that_exits_ends_its_drain(pilot: StartPilot) -> None:
    started, _ = start(pilot, server(free_port(), "1h"))
    started.signal("TERM")
    started.wait_for_line("app drains for")
    assert started.run("-signal", "app=TERM").code == 0
    assert started.wait_exit() == 0
    assert "stops draining: its process has ended" in started.output()


def test_shutdown_timeout_ends_a_drain_and_a_start_warns_about_it(pilot: StartPilot) -> None:
    started, _ = start(pilot, server(free_port(), "1h"), shutdownTimeout="1s")
    started.signal("TERM")
    started.wait_exit()
    output = started.output()
    assert "drain: may take 3600 s, but a stop takes at most 1 s (`shutdownTimeout`)" in output
    assert "killing everything: the stop took longer than shutdownTimeout" in output


def test_a_change_of_the_drain_is_a_change_of_the_job(pilot: StartPilot) -> None:
    port = free_port()
    started, _ = start(pilot, server(port, "100ms"))
    started.configure(config(server(port, "200ms"), directory=str(started.folder / "shelf")))
    assert started.run("-reload").code == 0
    started.wait_for_mark("app", 2)
    assert "app drains for 0.1 s" in started.output()
