"""The client side of the control socket: one HTTP request, with as little work as possible.

Sensors start a process each second to send a metric, so this module imports only built-in modules of C. Whatever the
server does, an exchange ends: it has a deadline, and a limit to the size of the answer.
"""

from __future__ import annotations

import _socket
import os
import sys
from time import monotonic

from cp.control.socket_paths import NOBODY, USUAL, user_of_init
from cp.platform.text import reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TIMEOUT = 10.0  # seconds for a whole exchange
LARGEST_HEAD = 64 * 1024  # bytes; also of a line of a chunked body
LARGEST_ANSWER = 64 * 1024 * 1024 + LARGEST_HEAD  # bytes; ContainerPilot's server sends no larger body
_PIECE = 65536


class ClientError(Exception):
    """The exchange failed. The text is a sentence for people."""


class NoServer(ClientError):
    """No server listens at any of the paths, or none that this user may trust. `may_start`: one may listen later."""

    def __init__(self, text: str, *, may_start: bool = False) -> None:
        super().__init__(text)
        self.may_start = may_start


class ConnectionLost(ClientError):
    """The server took the connection and gave no answer."""


class CutOff(ConnectionLost):
    """The answer is incomplete."""


class ControlConnection:
    """A connection to the first of `paths` that accepts. `deadline` is on the monotonic clock; None: no limit."""

    __slots__ = ("_buffer", "_read", "_socket", "before_waiting", "deadline", "path")

    def __init__(self, paths: Sequence[str], deadline: float | None, hint: str = "") -> None:
        """Raises NoServer, with the hint at its end, if no path accepts a connection."""
        self.deadline = deadline
        self.before_waiting: Callable[[], None] | None = None  # called before each wait without a deadline
        self._buffer = b""
        self._read = 0
        tried = []
        may_start = False
        for path in paths:
            # In a folder that everybody may write to, another user may listen here to receive secrets.
            if len(paths) > 1 and path != USUAL and _is_foreign(path):
                tried.append(f"{_printable(path)}: it belongs to another user")
                continue
            try:
                self._socket = self._connect(path)
            except (OSError, ValueError) as error:
                tried.append(f"{_printable(path)}: {_reason(error)}")
                # EAGAIN: the queue of the server is full.
                may_start |= isinstance(error, (FileNotFoundError, ConnectionRefusedError, BlockingIOError))
                continue
            # The file may have been replaced since _is_foreign.
            if len(paths) > 1 and path != USUAL and _is_strangers(self._socket):
                self._socket.close()
                tried.append(f"{_printable(path)}: another user listens there")
                continue
            self.path = _printable(path)
            return
        raise NoServer(f"cannot connect to {', nor to '.join(tried)}{hint}", may_start=may_start)

    def _connect(self, path: str) -> _socket.socket:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        if self.deadline is not None:
            # A non-blocking connect(2) fails at once if the queue of a busy server is full, so use a blocking one.
            rest = max(int((self.deadline - monotonic()) * 1e6), 1)
            limit = b"".join(part.to_bytes(8, sys.byteorder) for part in divmod(rest, 1_000_000))
            connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, limit)
        try:
            connection.connect(to_bytes(path))
        except (OSError, ValueError):
            connection.close()
            raise
        return connection

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        """Send a request. It is not an error if the server does not read all of it: it may have answered already."""
        try:
            while data:
                self._limit()
                data = data[self._socket.send(data) :]
        except TimeoutError:
            raise self._silent() from None
        except OSError:
            return

    def receive(self) -> bytes:
        """Return more bytes of the answer; none at its end."""
        if self._read > LARGEST_ANSWER and self.deadline is not None:
            raise ClientError(f"cannot read the answer of {self.path}: it is longer than {LARGEST_ANSWER >> 20} MiB")
        try:
            self._limit()
            data = self._socket.recv(_PIECE)
        except TimeoutError:
            raise self._silent() from None
        except OSError:
            return b""  # the server reset the connection: use what has arrived
        self._read += len(data)
        return data

    def _limit(self) -> None:
        if self.deadline is None:
            self._socket.settimeout(None)
            if self.before_waiting:
                self.before_waiting()
            return
        rest = self.deadline - monotonic()
        if rest <= 0:
            raise TimeoutError
        self._socket.settimeout(rest)

    def _silent(self) -> ConnectionLost:
        return ConnectionLost(f"no answer at {self.path} in time: ContainerPilot is stuck, stopped, or still starting")

    # -- the answer

    def head(self) -> tuple[int, dict[str, str]]:
        """Return the status and the headers (names in lower case) of the answer."""
        while True:
            lines = self._until(b"\r\n\r\n").split(b"\r\n")
            version, _, rest = lines[0].partition(b" ")
            if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit() or len(rest[:3]) < 3:
                raise self._not_containerpilot(lines[0])
            headers = {}
            for line in lines[1:]:
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            if (status := int(rest[:3])) >= 200:
                return status, headers

    def body(self, headers: dict[str, str]) -> Iterator[bytes]:
        """Yield the pieces of the body as they arrive."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            yield from self._chunks()
            return
        length = headers.get("content-length")
        if length is None:
            while piece := self._buffer or self.receive():
                self._buffer = b""
                yield piece
            return
        if not (length.isascii() and length.isdigit() and len(length) < 16):
            raise self._not_containerpilot(f"Content-Length: {length}".encode("latin-1"))
        yield from self._exactly(int(length))

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = self._until(b"\r\n")
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                raise self._not_containerpilot(line) from None
            if size <= 0:
                return
            yield from self._exactly(size)
            self._until(b"\r\n")

    def _until(self, end: bytes) -> bytes:
        """Return the bytes before `end`, and drop `end`."""
        while end not in self._buffer:
            if len(self._buffer) > LARGEST_HEAD:
                raise self._not_containerpilot(self._buffer)
            self._more()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size > 0:
            if not self._buffer:
                self._more()
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            yield piece

    def _more(self) -> None:
        data = self.receive()
        if not data:
            if self._read:
                raise CutOff(f"the answer at {self.path} was cut off: ContainerPilot may have ended meanwhile")
            raise ConnectionLost(f"{self.path} closed the connection without an answer: ContainerPilot may be stopping")
        self._buffer += data

    def _not_containerpilot(self, line: bytes) -> ClientError:
        excerpt = line[:60].decode(errors="replace")
        return ClientError(f"the server at {self.path} is not ContainerPilot: its answer has {excerpt!r}")


def exchange(
    path: str | Sequence[str], method: str, target: str, body: bytes = b"", timeout: float = TIMEOUT, hint: str = ""
) -> tuple[int, bytes]:
    """Send one HTTP request to the socket at `path`, or at the first of several; return status and body of the answer.

    `target` is percent-encoded; a body is JSON; `timeout` is in seconds, for the whole exchange. Raises ClientError if
    there is no answer; `hint` is added if no server listens.
    """
    connection = ControlConnection((path,) if isinstance(path, str) else path, monotonic() + timeout, hint)
    try:
        connection.send(request(method, target, body))
        status, headers = connection.head()
        pieces = connection.body(headers) if method != "HEAD" and status not in (204, 304) else ()
        return status, b"".join(pieces)
    finally:
        connection.close()


def request(method: str, target: str, body: bytes = b"", headers: str = "") -> bytes:
    """Return the bytes of a request. Each of `headers` ends with a line break."""
    kind = "Content-Type: application/json\r\n" if body else ""
    length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
    head = f"{method} {target} HTTP/1.1\r\nHost: control\r\nConnection: close\r\n{kind}{length}{headers}\r\n"
    return head.encode("ascii") + body


def _printable(path: str) -> str:
    return path if path.isprintable() else repr(path)


def _is_foreign(path: str) -> bool:
    try:
        return os.lstat(to_bytes(path)).st_uid not in (0, os.getuid(), user_of_init())
    except (OSError, ValueError):
        return False  # connect reports the reason


def _is_strangers(connection: _socket.socket) -> bool:
    """Whether an untrusted user listens: not root, not this user, and not PID 1 or the user that PID 1 runs as."""
    credentials = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)  # pid, uid, gid
    pid, user = int.from_bytes(credentials[:4], sys.byteorder), int.from_bytes(credentials[4:8], sys.byteorder)
    if user in (0, os.getuid()) or pid == 1:
        return False
    return user == NOBODY or user != user_of_init()


def _reason(error: OSError | ValueError) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if code is None:  # the path is too long, or has a NUL character
        return str(error)
    import errno

    reasons = {
        errno.ENOENT: "no such file",
        errno.ENOTDIR: "no such file",
        errno.ECONNREFUSED: "no server listens there",
        errno.EACCES: "permission denied",
        errno.EPERM: "permission denied",
        errno.EAGAIN: "its queue of connections is full",
        errno.EPROTOTYPE: "it is a socket of another type",
    }
    return reasons.get(code) or reason_of(error)
