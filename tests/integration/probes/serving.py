"""A loop with checks on it, servers on threads for them, and what must be left of both at the end: nothing."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

from cp.engine.loop import Loop
from cp.plan import HttpProbe, SocketProbe
from cp.platform.resolver import Resolver
from cp.probes.factory import Probes
from tests.integration.full_epoll import descriptors
from tests.limits import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cp.probes.probe import Probe

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
TIMEOUT = 100.0  # seconds of the world's clock


class World:
    """Its clock is the real one, plus what a test has skipped."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self.skipped = 0.0
        self.errors: list[BaseException] = []
        self.loop = Loop(lambda: time.monotonic() + self.skipped, self.errors.append)
        self.resolver = resolver or Resolver()
        self.probes = Probes(self.loop, self.resolver)
        self.results: list[tuple[bool, str]] = []
        self._servers: list[Server] = []

    def serve(self, handle: Handler, *, path: Path | None = None, host: str = "127.0.0.1") -> Server:
        server = Server(handle, path, host)
        self._servers.append(server)
        return server

    def skip(self, seconds: float = TIMEOUT) -> None:
        """Let time pass. For other threads: a server does so when it has got where a test wants it."""
        self.loop.post(self._skip, seconds)

    def _skip(self, seconds: float) -> None:
        self.skipped += seconds

    def start(self, probe: HttpProbe | SocketProbe, timeout: float | None = TIMEOUT, address: str = "") -> Probe:
        return self.probes.start(probe, address, timeout, self._ended)

    def _ended(self, passed: bool, text: str) -> None:
        self.results.append((passed, text))

    def turn_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE
        ticker = self.loop.call_later(0.02, lambda: None)
        while not condition():
            assert time.monotonic() < deadline, "it does not happen"
            if ticker.callback is None:  # what another thread does need not wake the loop
                ticker = self.loop.call_later(0.02, lambda: None)
            self.loop.run_once()
        ticker.cancel()

    def check(self, probe: HttpProbe | SocketProbe, timeout: float | None = TIMEOUT, address: str = "") -> str:
        """The result of one check: `passed: …` or `failed: …`, with `in N ms` for the time it took."""
        count = len(self.results)
        self.start(probe, timeout, address)
        self.turn_until(lambda: len(self.results) > count)
        passed, text = self.results[-1]
        return f"{'passed' if passed else 'failed'}: {text}"

    def timers(self) -> int:
        return sum(timer.callback is not None for timer in self.loop._timers)

    def _under_way(self) -> bool:
        """Whether a thread imports modules or reads the settings of TLS."""
        return bool(self.probes._modules._awaited or self.probes._contexts._awaited)

    def verify_rest(self, before: set[str]) -> None:
        """Nothing of the checks is left: no descriptor, registration, timer or thread, and nothing went wrong."""
        for server in self._servers:
            server.close()
        self.turn_until(lambda: not (self.loop._posted or self.loop._ready or self._under_way()))
        assert not self.errors
        assert not self.loop._readers
        assert not self.loop._writers
        assert not self.timers()
        self.loop._epoll.close()
        for fd in (self.loop._wake_read, self.loop._wake_write):
            socket.close(fd)
        assert descriptors() <= before


class Connection:
    """One client of a server, on the server's thread."""

    def __init__(self, raw: socket.socket, closing: threading.Event) -> None:
        self.raw = raw
        self.closing = closing
        self.request = b""

    def read_request(self) -> bytes:
        """The head of a request, and the body that its length announces."""
        while b"\r\n\r\n" not in self.request:
            data = self.raw.recv(65536)
            if not data:
                return self.request
            self.request += data
        head, _, body = self.request.partition(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        missing = int(length[0].split(b":")[1]) - len(body) if length else 0
        while missing > 0:
            data = self.raw.recv(missing)
            self.request += data
            missing -= len(data)
        return self.request

    def hold(self) -> None:
        """Answer nothing more, until the client leaves or the test is over."""
        self.raw.settimeout(0.05)
        while not self.closing.is_set():
            try:
                if not self.raw.recv(65536):
                    return
            except TimeoutError:
                continue
            except OSError:
                return


if TYPE_CHECKING:
    Handler = Callable[[Connection], object]


class Server:
    """Accepts on a thread, and lets `handle` serve one client after the other. `requests`: what they sent."""

    def __init__(self, handle: Handler, path: Path | None = None, host: str = "127.0.0.1") -> None:
        family = socket.AF_UNIX if path else socket.AF_INET6 if ":" in host else socket.AF_INET
        self._requests: list[bytes] = []
        self.accepted = 0
        self.errors: list[BaseException] = []
        self.context: ssl.SSLContext | None = None
        self._handle = handle
        self._closing = threading.Event()
        self._listener = socket.socket(family)
        address: Any = str(path) if path else (host, 0)
        self._listener.bind(address)
        self._listener.listen(16)
        self.port = 0 if path else self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            request = b""
            # A client may leave at any time.
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                if self.context is not None:
                    raw.settimeout(DEADLINE)
                    raw = self.context.wrap_socket(raw, server_side=True)
                connection = Connection(raw, self._closing)
                try:
                    self._handle(connection)
                except (ConnectionError, ssl.SSLError):
                    pass
                except Exception as error:  # shown by `close`
                    self.errors.append(error)
                request = connection.request
            self._requests.append(request)
            raw.close()

    @property
    def requests(self) -> list[bytes]:
        """All of them, once the last client is served."""
        deadline = time.monotonic() + DEADLINE
        while len(self._requests) < self.accepted and time.monotonic() < deadline:
            self._closing.wait(0.001)
        return self._requests

    def close(self) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE)
        assert not self.errors


def says(*pieces: bytes) -> Handler:
    """A handler that reads a request, sends this, and closes."""

    def handle(connection: Connection) -> None:
        connection.read_request()
        for piece in pieces:
            connection.raw.sendall(piece)

    return handle
