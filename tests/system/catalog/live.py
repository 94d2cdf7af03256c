"""The environment of registrar and watcher on the test's own thread, and a relay that notes their requests."""

from __future__ import annotations

import queue
import random
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from cp.catalog.factory import open_catalog
from cp.catalog.registrar import Registrar
from cp.catalog.watcher import Watcher
from cp.engine.catalog_status import CatalogStatus
from cp.plan import ConsulSettings, DirectorySettings, EtcdSettings, Service, Watch
from tests.limits import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cp.catalog.protocol import Instance


def service(name: str, **fields: Any) -> Service:
    return Service(**{"name": name, "id": f"{name}-box", "address": "10.0.0.1", "port": 80, "ttl": 10, **fields})


def watch(name: str, **fields: Any) -> Watch:
    return Watch(**{"name": name, "source": f"watch.{name}", "interval": 0.01, **fields})


class Timer:
    def __init__(self, deadline: float, callback: Callable[[], object]) -> None:
        self.deadline = deadline
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Live:
    """Loop and log of a test. Callbacks run only within `until`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._posted: queue.SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = queue.SimpleQueue()
        self._timers: list[Timer] = []

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        self._posted.put((callback, args))

    post_lazily = post

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        timer = Timer(time.monotonic() + delay, lambda: callback(*args))
        self._timers.append(timer)
        return timer

    def until(self, condition: Callable[[], object], timeout: float = DEADLINE) -> None:
        """Run callbacks until it holds; it is looked at after each of them, and each 20 ms."""
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"it did not come true within {timeout} s; the log: {self.lines}"
            due = [timer for timer in self._timers if timer.deadline <= time.monotonic()]
            self._timers = [timer for timer in self._timers if timer not in due]
            for timer in due:
                if timer.callback is not None:
                    timer.callback()
            try:
                callback, args = self._posted.get(timeout=0.02)
            except queue.Empty:
                continue
            callback(*args)

    def debug(self, message: str) -> None:
        pass

    def info(self, message: str) -> None:
        self.lines.append(f"info: {message}")

    def warning(self, message: str) -> None:
        self.lines.append(f"warning: {message}")

    def error(self, message: str) -> None:
        self.lines.append(f"error: {message}")


class Party:
    """Registrars and watchers of one test, on one loop; `close` stops them."""

    def __init__(self) -> None:
        self.live = Live()
        self._members: list[Registrar | Watcher] = []

    def registrar(self, settings: ConsulSettings | EtcdSettings | DirectorySettings) -> Registrar:
        registrar = Registrar(
            lambda: open_catalog(settings, environ={}),
            self.live,
            self.live,
            listener=CatalogStatus(time.monotonic),
            random=random.random,
        )
        registrar.start()
        self._members.append(registrar)
        return registrar

    def watcher(
        self, settings: ConsulSettings | EtcdSettings | DirectorySettings, followed: Watch
    ) -> tuple[Watcher, Reports]:
        reports = Reports()
        watcher = Watcher(
            followed,
            lambda: open_catalog(settings, environ={}),
            self.live,
            self.live,
            reports.add,
            listener=CatalogStatus(time.monotonic),
            random=random.random,
        )
        watcher.start()
        self._members.append(watcher)
        return watcher, reports

    def close(self) -> None:
        for member in self._members:
            member.stop()


class Reports:
    """The reports of a watcher: lists of ports, with the times of their arrival."""

    def __init__(self) -> None:
        self.ports: list[list[int]] = []
        self.times: list[float] = []

    def add(self, instances: list[Instance]) -> None:
        self.ports.append([instance.port for instance in instances])
        self.times.append(time.monotonic())

    @property
    def last(self) -> list[int] | None:
        return self.ports[-1] if self.ports else None


class Relay:
    """A proxy before a server: it notes all requests, and passes everything on unchanged."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._sent: list[bytearray] = []
        self._sockets = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def requests(self) -> list[tuple[str, str, str]]:
        """Method, target and body of each, connection by connection."""
        found = []
        for sent in self._sent:
            rest = bytes(sent)
            while rest:
                head, _, rest = rest.partition(b"\r\n\r\n")
                first, *headers = head.decode().split("\r\n")
                length = next((int(h.partition(":")[2]) for h in headers if h.lower().startswith("content-length:")), 0)
                method, target, _ = first.split(" ")
                found.append((method, target, rest[:length].decode()))
                rest = rest[length:]
        return found

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            sent = bytearray()
            self._sent.append(sent)
            for source, sink, notes in ((client, server, sent), (server, client, bytearray())):
                self._threads.append(threading.Thread(target=self._pump, args=(source, sink, notes)))
                self._threads[-1].start()

    def _pump(self, source: socket.socket, sink: socket.socket, notes: bytearray) -> None:
        try:
            while piece := source.recv(65536):
                notes += piece
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join(DEADLINE)
        for each in self._sockets:
            each.close()


def consul_at(address: str, **fields: Any) -> ConsulSettings:
    return ConsulSettings(address=address, **fields)


def etcd_at(*urls: str, **fields: Any) -> EtcdSettings:
    return EtcdSettings(endpoints=urls, **fields)


def directory_at(path: Path) -> DirectorySettings:
    return DirectorySettings(path=str(path))
