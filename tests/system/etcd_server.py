"""A real etcd for the tests, on free loopback ports, which speaks both of its APIs.

The program is the one that the variable ETCD names, or what scripts/fetch-etcd.py fetched, or `etcd` on PATH.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import ssl
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from xprocess import ProcessStarter  # type: ignore[import-untyped]

from tests.limits import DEADLINE
from tests.system.pilot import wait_for
from tests.system.servers import find_server, free_port, halt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xprocess import XProcess

    from tests.certificates import Authority

USER, PASSWORD = "root", "geheim:é&x"
PREFIX = "/containerpilot"


def find_etcd() -> Path:
    return find_server("etcd")


class Etcd:
    """An etcd of its own, whose ports stay the same over a restart. `authority` makes it speak TLS with client
    certificates; `flags` are more of etcd's own."""

    def __init__(self, xprocess: XProcess, name: str, authority: Authority | None, flags: list[str]) -> None:
        self._xprocess = xprocess
        self._name = name
        self._port, self._peer_port = free_port(), free_port()
        self._folder = Path(str(xprocess.getinfo(name).controldir))
        self._flags = flags
        self._authorization: dict[str, dict[str, str]] = {}  # by the API
        scheme = "http"
        context = None
        if authority is not None:
            scheme = "https"
            certificate, key = (authority.file.with_name(each) for each in ("server.pem", "server.key"))
            self._flags += [
                "--cert-file", str(certificate), "--key-file", str(key),
                "--trusted-ca-file", str(authority.file), "--client-cert-auth",
            ]  # fmt: skip
            context = ssl.create_default_context(cafile=str(authority.file))
            context.load_cert_chain(authority.file.with_name("client.pem"), authority.file.with_name("client.key"))
        self.address = f"127.0.0.1:{self._port}"
        self.url = f"{scheme}://{self.address}"
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
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

    def start(self, *, empty: bool = True) -> None:
        """Ready to answer; with what it knew before it ended unless `empty`."""
        if empty:
            shutil.rmtree(self._folder / "data", ignore_errors=True)
        peer = f"http://127.0.0.1:{self._peer_port}"
        folder, url, flags, ready = self._folder, self.url, self._flags, self._is_ready

        class Starter(ProcessStarter):  # type: ignore[misc]
            timeout = 60
            terminate_on_interrupt = True
            # Short beats, because no lease is shorter than seven of them. They do not matter to a single member.
            args: ClassVar[list[object]] = [
                find_etcd(), "--data-dir", folder / "data", "--name", "test", "--enable-v2=true",
                "--listen-client-urls", url, "--advertise-client-urls", url,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"test={peer}",
                "--heartbeat-interval", "20", "--election-timeout", "100", *flags,
            ]  # fmt: skip

            def startup_check(self) -> bool:
                code = self.process.resources[-1].popen.poll()
                assert code is None, f"etcd ended with {code}: see {self.control_dir}/xprocess.log"
                return ready()

        try:
            self._xprocess.ensure(self._name, Starter)
        finally:
            self._popen = self._xprocess.resources[-1].popen

    def _is_ready(self) -> bool:
        try:
            return bool(self.call("GET", "/health")["health"] == "true")
        except OSError:
            return False

    def kill(self) -> None:
        """Ends it as a crash does: connections break, nothing is handed over."""
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
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- what it knows

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        """The answer, from JSON; OSError without one, HTTPError if it is an error."""
        own = self._authorization.get(path.split("/")[1], {})
        request = urllib.request.Request(f"{self.url}{path}", body, {**own, **headers}, method=method)
        with self._opener.open(request, timeout=DEADLINE) as answer:
            content = answer.read()
        return json.loads(content) if content.strip() else None

    def v3(self, method: str, **fields: Any) -> dict[str, Any]:
        """A call of the JSON gateway, such as "kv/put"."""
        return dict(self.call("POST", f"/v3/{method}", json.dumps(fields).encode()))

    def keys(self, prefix: str = PREFIX) -> dict[str, str]:
        """All keys of API v3 that begin so, and their values."""
        answer = self.v3("kv/range", key=encoded(prefix), range_end=encoded(prefix[:-1] + chr(ord(prefix[-1]) + 1)))
        return {decoded(pair["key"]): decoded(pair.get("value", "")) for pair in answer.get("kvs", [])}

    def put(self, key: str, value: str) -> None:
        self.v3("kv/put", key=encoded(key), value=encoded(value))

    def delete(self, key: str) -> None:
        self.v3("kv/deleterange", key=encoded(key))

    def node(self, key: str) -> dict[str, Any] | None:
        """A key or directory of API v2, with all that is below; None if it is not there."""
        try:
            return dict(self.call("GET", f"/v2/keys{key}?recursive=true")["node"])
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def ids(self, api: str, service: str) -> list[str]:
        """The instances of a service, as a reader of the keys sees them."""
        folder = f"{PREFIX}/{service}/"
        if api == "v3":
            return sorted(key.removeprefix(folder) for key in self.keys(folder))
        node = self.node(folder[:-1]) or {}
        return sorted(child["key"].removeprefix(folder) for child in node.get("nodes", []) if child.get("nodes"))

    def remove(self, api: str, service: str, id: str) -> None:
        """Removes the instance, as an operator would do by hand."""
        key = f"{PREFIX}/{service}/{id}"
        if api == "v3":
            self.delete(key)
        else:
            self.call("DELETE", f"/v2/keys{key}?recursive=true&dir=true")

    def enter(self, api: str, service: str, number: int) -> None:
        """An instance without a time to live, whose port is `number`."""
        key, name = f"{PREFIX}/{service}/{service}-{number}", f"{service}-{number}"
        value = json.dumps({"id": name, "name": service, "address": "10.0.0.1", "port": number, "tags": None})
        if api == "v3":
            self.put(key, value)
        else:
            self.call("PUT", f"/v2/keys{key}/service", f"value={urllib.parse.quote(value)}".encode())

    def wait_for_ids(self, api: str, service: str, ids: list[str], timeout: float = DEADLINE) -> None:
        wait_for(lambda: self.ids(api, service) == ids, timeout, f"{service} = {ids}")

    # --- its users

    def require_passwords(self) -> None:
        """USER with PASSWORD may do everything, everybody else nothing, in both APIs."""
        self.call("PUT", f"/v2/auth/users/{USER}", json.dumps({"user": USER, "password": PASSWORD}).encode())
        self.call("PUT", "/v2/auth/enable")
        self._authorization["v2"] = {"Authorization": f"Basic {encoded(f'{USER}:{PASSWORD}')}"}
        nobody = {"role": "guest", "revoke": {"kv": {"read": ["/*"], "write": ["/*"]}}}
        self.call("PUT", "/v2/auth/roles/guest", json.dumps(nobody).encode())
        self.v3("auth/user/add", name=USER, password=PASSWORD)
        self.v3("auth/role/add", name="root")
        self.v3("auth/user/grant", user=USER, role="root")
        self.v3("auth/enable")
        self.authenticate()

    def authenticate(self) -> None:
        """Logs this object in, so that it can read with API v3. A token expires."""
        self._authorization.pop("v3", None)
        token = self.v3("auth/authenticate", name=USER, password=PASSWORD)["token"]
        self._authorization["v3"] = {"Authorization": token}


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def decoded(text: str) -> str:
    return b64decode(text).decode()


class StartEtcd:
    """Starts etcds that a test may kill, freeze and start again, and ends them after it."""

    def __init__(self, xprocess: XProcess) -> None:
        self._xprocess = xprocess
        self._started: list[Etcd] = []

    def __call__(self, *flags: str, authority: Authority | None = None) -> Etcd:
        name = f"etcd-{os.getpid()}-{random.getrandbits(32):x}"
        etcd = Etcd(self._xprocess, name, authority, list(flags))
        self._started.append(etcd)
        return etcd

    def close(self) -> None:
        for etcd in self._started:
            etcd.close()


@pytest.fixture(scope="session")
def etcd(xprocess: XProcess) -> Iterator[Etcd]:
    """One that all tests of a worker share: give services names of their own, and do not stop it."""
    start = StartEtcd(xprocess)
    try:
        yield start()
    finally:
        start.close()


@pytest.fixture
def start_etcd(xprocess: XProcess) -> Iterator[StartEtcd]:
    """`start_etcd()` starts an etcd for this test alone."""
    start = StartEtcd(xprocess)
    try:
        yield start
    finally:
        start.close()
