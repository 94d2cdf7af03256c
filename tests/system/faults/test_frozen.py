"""A real catalogue that is stopped (SIGSTOP) while the application serves: it takes connections and never answers."""

from __future__ import annotations

import http.client
import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.outage import CALM
from tests.limits import DEADLINE
from tests.size import FULL, mostly_nightly
from tests.system.pilot import now
from tests.system.scripts import mark, python, service
from tests.system.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.etcd_server import Etcd, StartEtcd
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import Consul, StartConsul

FROZEN = 60.0 if FULL else 5.0  # seconds
LONGEST_ANSWER = 1.0  # seconds, of an application on a machine that does much else
POLL = 1  # seconds between two health checks


class Visitor:
    """Asks the application again and again, on a thread of its own."""

    def __init__(self, port: int) -> None:
        self.seconds: list[float] = []  # that answers took
        self.failures: list[str] = []
        self._port = port
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends.wait(0.02):
            requested_at = now()
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
            try:
                connection.request("GET", "/")
                assert connection.getresponse().read() == b"served"
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(repr(error))
            finally:
                connection.close()
            self.seconds.append(now() - requested_at)

    def leave(self) -> None:
        self._ends.set()
        self._thread.join()


def serving(port: int) -> list[str]:
    """Serves, and exits with 7 on SIGTERM."""
    return python(
        "from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer\n"
        "class Handler(BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200)\n"
        "        self.send_header('Content-Length', '6')\n"
        "        self.end_headers()\n"
        "        self.wfile.write(b'served')\n"
        "    def log_message(self, *_):\n"
        "        pass\n"
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(7))\n"
        f"server = ThreadingHTTPServer(('127.0.0.1', {port}), Handler)\n"
        "mark('serves')\n"
        "server.serve_forever()"
    )


@pytest.mark.timing
@pytest.mark.timeout(120 + FROZEN)
@pytest.mark.parametrize("catalog", mostly_nightly(["consul", "etcd v2", "etcd v3"], "consul"))
def test_a_frozen_catalogue_costs_the_application_nothing(
    pilot: StartPilot, start_consul: StartConsul, start_etcd: StartEtcd, catalog: str
) -> None:
    server: Consul | Etcd
    where: dict[str, Any]
    if catalog == "consul":
        server = start_consul()
        where = {"consul": server.address}
    else:
        server = start_etcd()
        where = {"etcd": {"endpoints": server.url, "api": catalog.removeprefix("etcd ")}}
    port = free_port()
    watched = {"name": "web", "poll": 1, "onChange": "/bin/true"}
    config = {**where, "services": [service(health=mark("check"), poll=POLL)], "backends": [watched]}
    started = pilot(config, serving(port))
    started.wait_for_mark("serves")
    started.wait_for_line("Service registered: app")

    server.freeze()
    begin = now()
    visitor = Visitor(port)
    try:
        end = started.wait_for(lambda: now() > begin + FROZEN and now(), timeout=FROZEN + DEADLINE)
    finally:
        visitor.leave()

    assert visitor.failures == []
    assert len(visitor.seconds) > 5 * FROZEN
    assert max(visitor.seconds) < LONGEST_ANSWER
    checks = [begin, *(mark.at for mark in started.marks() if mark.word == "check" and begin < mark.at < end), end]
    assert max(later - earlier for earlier, later in itertools.pairwise(checks)) < POLL + 0.9
    assert started.output().count("registration failed") <= 1

    requested_at = now()
    assert started.stop() == 7
    assert now() - requested_at < 1 + 1, "a second for the catalogue, and one for the test"
    started.assert_nothing_is_left()
    server.thaw()


@pytest.mark.timing
def test_the_logged_duration_of_an_outage_is_that_of_the_silence(pilot: StartPilot, start_consul: StartConsul) -> None:
    """It counts from the question that had no answer, and not from the moment at which it was given up."""
    consul = start_consul()
    where = {"address": consul.address, "readTimeout": "4s"}
    started = pilot({"consul": where, "services": [service(health="/bin/true", poll=1, ttl=30)]}, ["sleep", "1000"])
    started.wait_for_line("Service registered: app")

    consul.freeze()
    begin = now()
    started.wait_for_line("Service registration failed")
    consul.thaw()
    frozen = now() - begin
    match = started.wait_for_line(r"Catalogue reachable again after ([\d.]+) s")

    assert frozen - 1.5 < float(match[1]) < frozen + 3


def test_no_end_of_an_outage_is_logged_for_a_catalogue_that_has_died(
    pilot: StartPilot, start_consul: StartConsul, tmp_path: Path
) -> None:
    """The watch notices it at once, long before the registration asks again."""
    consul = start_consul()
    consul.kill()
    watched = {"name": "web", "poll": 1, "onChange": "/bin/true"}
    services = [service(health=f"mkdir {tmp_path}/once", poll=1, ttl=200)]  # one check passes, and no other is sent
    started = pilot({"consul": consul.address, "services": services, "backends": [watched]}, ["sleep", "1000"])
    started.wait_for_line("Service registration failed")
    consul.start()
    started.wait_for_line("Service registered: app")

    consul.kill()
    down_at = now()
    started.wait_for(lambda: now() > down_at + CALM + 1.5)

    assert "Catalogue reachable again" not in started.output()
