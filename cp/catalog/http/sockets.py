"""Connections with one deadline for all that happens on them."""

from __future__ import annotations

import os
import socket
import time
from _thread import allocate_lock

from cp.catalog.protocol import CatalogError
from cp.platform.text import reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Any

    from cp.plan import Tls

# A peer that is gone without a word is noticed after 15 + 3 x 5 seconds of silence, even in the middle of a long poll.
KEEP_ALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000))

MOST_CONTEXTS = 4

_contexts_guard = allocate_lock()
_contexts: dict[Tls, tuple[object, ssl.SSLContext]] = {}


class Deadline:
    """When the work under way has to be over. One recv() may not take longer, nor may a thousand short ones."""

    __slots__ = ("deadline",)

    def __init__(self) -> None:
        self.deadline = 0.0

    def restart(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds; TimeoutError if there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


class DeadlineSocket(socket.socket):
    """A socket whose reads share a deadline. (One sendall() has one deadline anyway.)"""

    patience: Deadline

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.patience.left())
        return super().recv_into(*args, **kwargs)


def open_unix(path: str, patience: Deadline, watched: Callable[[socket.socket], None]) -> DeadlineSocket:
    """Connected, or OSError. `watched` gets the socket before it is connected, and may raise."""
    return open_socket(socket.AF_UNIX, 0, to_bytes(path), patience, patience.left(), watched)


def open_socket(
    family: int, protocol: int, peer: Any, patience: Deadline, limit: float, watched: Callable[[socket.socket], None]
) -> DeadlineSocket:
    """Connected within `limit` seconds, or OSError. `watched` is as that of `open_unix`."""
    connected = DeadlineSocket(family, socket.SOCK_STREAM, protocol)
    connected.patience = patience
    try:
        connected.settimeout(limit)
        if family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEP_ALIVE:
                if hasattr(socket, option):
                    connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        watched(connected)
        connected.connect(peer)
    except BaseException:  # whatever it is, it goes on from here, and the descriptor must not stay open
        connected.close()
        raise
    return connected


def tls_context(tls: Tls, server: str, hint: str = "") -> ssl.SSLContext:
    """For the client side; CatalogError, which names the files and ends with `hint`, if they cannot be used.

    All connections with the same settings share one: each holds the certificates of all authorities, which is half a
    megabyte. It is made anew when a file has changed; while the new files do not fit together the old one is used.
    """
    with _contexts_guard:
        files = tuple(_state(name) for name in (tls.ca_file, tls.ca_path, tls.client_cert, tls.client_key))
        known = _contexts.pop(tls, None)
        if known is None or known[0] != files:
            try:
                known = (files, _new_tls_context(tls, server, hint))
            except CatalogError:
                if known is None:
                    raise
        _contexts[tls] = known
        while len(_contexts) > MOST_CONTEXTS:  # of earlier configurations
            del _contexts[next(iter(_contexts))]
        return known[1]


def _state(path: str) -> tuple[int, int, int] | None:
    """What changes when the file does."""
    try:
        status = os.stat(to_bytes(path))
    except (OSError, ValueError):  # not there: to read it will say why
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _new_tls_context(tls: Tls, server: str, hint: str) -> ssl.SSLContext:
    import ssl

    from urllib3.util.ssl_ import create_urllib3_context

    class DeadlineTlsSocket(ssl.SSLSocket):
        patience: Deadline

        def recv_into(self, *args: Any, **kwargs: Any) -> int:
            self.settimeout(self.patience.left())
            return super().recv_into(*args, **kwargs)

    context = create_urllib3_context()
    context.sslsocket_class = DeadlineTlsSocket
    try:
        if tls.ca_file or tls.ca_path:
            context.load_verify_locations(_file(tls.ca_file), _file(tls.ca_path))
        else:
            context.load_default_certs()
        if tls.client_cert:
            # Without a password at hand OpenSSL would ask for it on the terminal.
            context.load_cert_chain(to_bytes(tls.client_cert), _file(tls.client_key), lambda: "")
    except (OSError, ValueError) as error:
        files = ", ".join(name for name in (tls.ca_file, tls.ca_path, tls.client_cert, tls.client_key) if name)
        raise CatalogError(f"cannot set up TLS for {server} with {files}: {reason(error)}{hint}") from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _file(path: str) -> bytes | None:
    return to_bytes(path) if path else None


def origin(error: BaseException) -> BaseException:
    """What really happened: urllib3 wraps what it caught."""
    while True:
        inner = error.__cause__ or (error.args[-1] if error.args else None)
        if not isinstance(inner, Exception):
            return error
        error = inner


def reason(error: BaseException, masked: Callable[[str], str] = str) -> str:
    """What went wrong, for a person: the system's words if there are any, on one line, and no more of a library's.

    `masked` takes secrets out of what may quote the other side.
    """
    if isinstance(error, OSError) and error.errno:
        return reason_of(error)
    if type(error).__name__ == "IncompleteRead":
        return "the answer ends too early"
    text = masked(" ".join(str(error).split()))[:200] or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in text)
