"""Real catalogue servers for the tests: a Consul agent that keeps everything in memory, on free loopback ports.

The program is the one that the variable CONSUL names, or what scripts/fetch-consul.py fetched, or `consul` on PATH.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from xprocess import ProcessStarter  # type: ignore[import-untyped]

from tests.limits import DEADLINE
from tests.system import proc
from tests.system.pilot import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xprocess import XProcess

ROOT = Path(__file__).resolve().parents[2]
LISTENING = range(12000, 30000)  # below the ports that the kernel gives to outgoing connections

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def halt(pid: int) -> None:
    """Stop all of a process: for a moment after the signal some of its threads may still answer."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: all(proc.state(int(thread)) == "T" for thread in os.listdir(f"/proc/{pid}/task")), what="a halt")


def find_server(name: str) -> Path:
    """The program of this name: what the variable NAME names, what scripts/fetch-NAME.py fetched, or that on PATH.
    Without it a test fails: a suite that is green because it could not test is worse than none."""
    variable = name.upper().replace("-", "_")
    if named := os.environ.get(variable):
        return Path(named)
    fetched = ROOT / ".cache" / name / "usr" / "bin" / name
    if fetched.is_file():
        return fetched
    if found := shutil.which(name):
        return Path(found)
    pytest.fail(f"cannot find {name}: run scripts/test.sh once, name it in {variable}, or put it on PATH", False)


def find_consul() -> Path:
    return find_server("consul")


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    for port in random.sample(LISTENING, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")


class Consul:
    """A Consul of its own. Its ports and its unix socket stay the same over a restart; what it knew does not.

    `more` is more of its configuration, in its own language; with `token` the methods here ask what it knows.
    """

    def __init__(self, xprocess: XProcess, name: str, more: str = "", token: str = "") -> None:
        self._xprocess = xprocess
        self._name = name
        self._more = more
        self._token = token
        self._ports = [free_port() for _ in range(3)]
        self._folder = Path(str(xprocess.getinfo(name).controldir))
        self.address = f"127.0.0.1:{self._ports[0]}"
        # A short path: 108 bytes are all there are.
        self.socket = Path(tempfile.mkdtemp(prefix="consul-")) / "http.sock"
        self._popen: Any = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return int(self._popen.pid)

    # --- its life

    def start(self) -> None:
        """Empty, and ready to answer."""
        http, server, serf = self._ports
        socket_path, more = self.socket, self._more
        ready = self._is_ready

        class Starter(ProcessStarter):  # type: ignore[misc]
            timeout = 60
            terminate_on_interrupt = True
            args: ClassVar[list[object]] = [
                find_consul(), "agent", "-dev", "-node", "test", "-log-level", "warn", "-disable-host-node-id",
                "-bind", "127.0.0.1", "-http-port", http, "-server-port", server, "-serf-lan-port", serf,
                "-serf-wan-port", "-1", "-dns-port", "-1", "-grpc-port", "-1",
                "-hcl", f'addresses {{ http = "127.0.0.1 unix://{socket_path}" }} disable_update_check = true {more}',
            ]  # fmt: skip

            def startup_check(self) -> bool:
                code = self.process.resources[-1].popen.poll()
                assert code is None, f"consul ended with {code}: see {self.control_dir}/xprocess.log"
                return ready()

        try:
            self._xprocess.ensure(self._name, Starter)
        finally:
            self._popen = self._xprocess.resources[-1].popen

    def _is_ready(self) -> bool:
        try:
            return bool(self.get("/v1/catalog/nodes"))
        except OSError:
            return False

    def kill(self) -> None:
        """As a crash does: connections break, nothing is handed over."""
        self._popen.kill()
        self._popen.wait()

    def freeze(self) -> None:
        """It accepts connections (the kernel does) and never answers."""
        halt(self.pid)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        if self._popen is not None:
            self.kill()
        for folder in (self._folder, self.socket.parent):
            shutil.rmtree(folder, ignore_errors=True)

    # --- what it knows

    def get(self, path: str) -> Any:
        """The answer, from JSON; OSError without one."""
        with _direct.open(self._request(path), timeout=DEADLINE) as answer:
            return json.load(answer)

    def put(self, path: str, body: Any = None) -> None:
        """Raises if the answer is not 200."""
        content = b"" if body is None else json.dumps(body).encode()
        with _direct.open(self._request(path, content, "PUT"), timeout=DEADLINE):
            pass

    def _request(self, path: str, content: bytes | None = None, method: str = "GET") -> urllib.request.Request:
        headers = {"X-Consul-Token": self._token} if self._token else {}
        return urllib.request.Request(f"http://{self.address}{path}", content, headers, method=method)

    def passing(self, service: str) -> list[dict[str, Any]]:
        """The healthy instances of a service, as `Service` objects of Consul's answer."""
        return [entry["Service"] for entry in self.get(f"/v1/health/service/{service}?passing=1")]

    def services(self) -> dict[str, Any]:
        """The services of the agent, by id."""
        return dict(self.get("/v1/agent/services"))

    def checks(self) -> dict[str, Any]:
        """The agent's checks, by id."""
        return dict(self.get("/v1/agent/checks"))

    def wait_until_passing(self, service: str, count: int = 1, timeout: float = DEADLINE) -> list[dict[str, Any]]:
        """As soon as there are exactly so many healthy instances (0: none)."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = self.passing(service)
            return len(found) == count

        wait_for(there, timeout, f"{count} healthy instances of {service}")
        return found

    def wait_until_gone(self, id: str, timeout: float = DEADLINE) -> None:
        wait_for(lambda: id not in self.services(), timeout, f"the end of {id}")


class StartConsul:
    """Starts Consuls that a test may kill, freeze and start again, and ends them after it."""

    def __init__(self, xprocess: XProcess) -> None:
        self._xprocess = xprocess
        self._started: list[Consul] = []

    def __call__(self, more: str = "", token: str = "") -> Consul:
        consul = Consul(self._xprocess, f"consul-{os.getpid()}-{random.getrandbits(32):x}", more, token)
        self._started.append(consul)
        return consul

    def close(self) -> None:
        for consul in self._started:
            consul.close()


@pytest.fixture(scope="session")
def consul(xprocess: XProcess) -> Iterator[Consul]:
    """One that all tests of a worker share: give services names of their own, and do not stop it."""
    start = StartConsul(xprocess)
    try:
        yield start()
    finally:
        start.close()


@pytest.fixture
def start_consul(xprocess: XProcess) -> Iterator[StartConsul]:
    """`start_consul()` starts a Consul for this test alone."""
    start = StartConsul(xprocess)
    try:
        yield start
    finally:
        start.close()
