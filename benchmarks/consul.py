"""A Consul agent of our own, and a TCP proxy that counts the requests that pass through it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.fetching import Unavailable
from tests.certificates import Authority

LOCALHOST = "127.0.0.1"
READY_SECONDS = 30
END_OF_REQUEST_LINE = b" HTTP/1.1\r\n"


def find(root: Path) -> str:
    """The executable: `CONSUL`, or the output of scripts/fetch-consul.py (it looks on PATH first). Or Unavailable."""
    named = os.environ.get("CONSUL")
    if named:
        if not os.access(named, os.X_OK):
            raise Unavailable(f"CONSUL={named} cannot be executed")
        return os.path.abspath(named)
    command = [sys.executable, str(root / "scripts/fetch-consul.py")]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable("scripts/fetch-consul.py brought none, see its message")
    return os.path.join(root, done.stdout.strip())


def free_ports(count: int) -> list[int]:
    """Loopback ports that were free a moment ago."""
    sockets = [socket.create_server((LOCALHOST, 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Agent:
    """`consul agent -dev` on free ports, in memory only. A context manager: the agent lives inside the block.

    It speaks TLS too, with a certificate that `authority` (a file) has signed; that is None where there is no openssl.
    """

    def __init__(self, executable: str, folder: Path) -> None:
        self.executable = executable
        self.folder = folder
        self.authority: Path | None = None
        version = subprocess.run([executable, "version"], capture_output=True, text=True, check=True)
        self.version = version.stdout.splitlines()[0].replace("Consul v", "")

    def __enter__(self) -> Agent:
        self.port, https, serf, server = free_ports(4)
        self.address = f"{LOCALHOST}:{self.port}"
        self.https_address = f"{LOCALHOST}:{https}"
        ports = f"-http-port={self.port} -serf-lan-port={serf} -serf-wan-port=-1 -server-port={server}"
        others = f"-dns-port=-1 -grpc-port=-1 -bind={LOCALHOST} -client={LOCALHOST} -node=bench -log-level=err"
        command = [self.executable, "agent", "-dev", *ports.split(), *others.split()]
        if shutil.which("openssl"):
            authority = Authority(self.folder / "certificates")
            certificate, key = authority.issue("consul", f"IP:{LOCALHOST}")
            self.authority = authority.file
            command += [f"-https-port={https}", "-hcl", f'cert_file = "{certificate}" key_file = "{key}"']
        self.log = self.folder / "consul.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + READY_SECONDS
        while not self._has_leader():
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
            self.__exit__()
            raise Unavailable(f"consul did not start, see {self.log}")
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _has_leader(self) -> bool:
        try:
            return len(self.call("GET", "/v1/status/leader")) > 2 and bool(self.instances("consul"))
        except OSError:
            return False

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request; the decoded answer, or OSError for anything but 200."""
        connection = http.client.HTTPConnection(LOCALHOST, self.port, timeout=10)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as fault:
            raise OSError(f"{method} {path}: {fault}") from None
        finally:
            connection.close()
        if answer.status != 200:
            raise OSError(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
        return json.loads(text) if text.strip() else None

    def instances(self, service: str) -> list[Any]:
        """The healthy instances of a service."""
        found: list[Any] = self.call("GET", f"/v1/health/service/{service}?passing=1")
        return found

    def tls_settings(self) -> dict[str, Any] | None:
        """What a configuration says to reach it by TLS."""
        if self.authority is None:
            return None
        return {"address": self.https_address, "scheme": "https", "tls": {"cafile": str(self.authority)}}

    def put_instance(self, service: str, port: int) -> None:
        """Makes `service` have one instance, at `port`, on a node without an agent: no anti-entropy undoes it."""
        instance = {"ID": f"{service}-1", "Service": service, "Address": "10.0.0.1", "Port": port}
        self.call("PUT", "/v1/catalog/register", {"Node": "elsewhere", "Address": "10.0.0.1", "Service": instance})


class CountingProxy:
    """A TCP proxy on a loopback port that keeps the first line of every HTTP request.

    A context manager; the proxy runs on a thread of its own.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.requests: list[str] = []
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> CountingProxy:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, LOCALHOST, 0))
        self.address = "{}:{}".format(*server.sockets[0].getsockname())
        self._ready.set()
        self._loop.run_forever()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(LOCALHOST, self.target_port)
        await asyncio.gather(
            self._pump(reader, upstream_writer, count=True), self._pump(upstream_reader, writer, count=False)
        )

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool) -> None:
        unread = b""
        try:
            while data := await reader.read(65536):
                if count:
                    # A body is JSON and has no such line in it; a line may come in two pieces.
                    *lines, unread = (unread + data).split(END_OF_REQUEST_LINE)
                    self.requests += [line.rsplit(b"\n", 1)[-1].decode("latin-1") for line in lines]
                    unread = unread[-4096:]
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return  # either end may leave as it likes
        finally:
            writer.close()
