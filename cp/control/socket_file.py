"""The control socket's file. It never replaces another program's file, and is removed only while it is our own.

A start may import it: only C modules and our own.
"""

from __future__ import annotations

import _socket
import errno
import os
import stat
import sys

from cp.plan import LONGEST_SOCKET_PATH
from cp.platform.text import from_bytes, reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

BACKLOG = 512  # clients that may wait while the loop is busy; the kernel limits it to net.core.somaxconn
ATTEMPTS = 3  # another program may create and remove files meanwhile
# A client that may connect may start processes. The file's mode admits only the user that ContainerPilot runs as. Where
# the configuration names other users, everybody may connect, and peer_credentials.py checks who it is. The mode of the
# folder is the choice of whoever created it.
MODE, MODE_FOR_OTHERS = 0o600, 0o666


class ListenError(Exception):
    """The socket cannot be created there; one sentence that says why, and what would help."""


class Listener:
    """A listening, non-blocking unix socket and its file."""

    __slots__ = ("_file", "_identity", "_mode", "path", "socket")

    def __init__(self, path: str, socket: _socket.socket, identity: tuple[int, int], mode: int) -> None:
        self.path = path
        self.socket = socket
        self._mode = mode
        self._file = from_bytes(os.path.abspath(to_bytes(path)))
        self._identity = identity

    def is_at(self, path: str, *, through_link: bool = False) -> bool:
        """Whether the path names its file, however it is written; with `through_link` also by a symbolic link."""
        try:
            return _identity(path, through_link) == self._identity
        except (OSError, ValueError):
            return False

    def change_mode(self, mode: int) -> None:
        """Change the mode of its file. Raises ListenError, and nothing has changed then."""
        if mode != self._mode:
            try:
                _set_mode(self._file, self._identity, mode)
            except (OSError, _Refused) as error:
                why = _why(error, self._file) if isinstance(error, OSError) else error
                raise ListenError(f"cannot change the mode of the control socket {_shown(self.path)}: {why}") from None
            self._mode = mode

    def unlink(self) -> None:
        """Remove the file, unless another program has replaced it. After that no new client can connect."""
        try:
            if _identity(self._file) == self._identity:
                os.unlink(to_bytes(self._file))
        except OSError:
            pass  # it is gone, or belongs to another program now

    def close(self) -> None:
        self.unlink()
        self.socket.close()


def open_listener(path: str, mode: int = MODE) -> Listener:
    """Listen at `path`; a socket there that no process serves any more is replaced. Raises ListenError."""
    try:
        return _open(path, mode)
    except _Refused as refused:
        raise ListenError(f"cannot serve the control socket {_shown(path)}: {refused}") from None


def open_first(paths: Iterable[str], mode: int = MODE) -> Listener:
    """Listen at the first of the paths where that works. Raises ListenError with the reasons of all of them."""
    reasons = []
    for path in paths:
        try:
            return _open(path, mode)
        except _Refused as refused:
            reasons.append(f"{_shown(path)}: {refused}")
    raise ListenError(f"cannot serve a control socket in any of the usual places: {'; '.join(reasons)}")


class _Refused(Exception):
    """Why the socket cannot be created at a path."""


def _open(path: str, mode: int) -> Listener:
    if not path:
        raise _Refused("the path is empty")
    if "\0" in path:
        raise _Refused("the path has a NUL character in it")
    length = len(to_bytes(path))
    if length > LONGEST_SOCKET_PATH:
        raise _Refused(f"the path has {length} bytes, and a socket's at most {LONGEST_SOCKET_PATH}: name a shorter one")
    for _ in range(ATTEMPTS):
        _clear(path)
        server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            server.setblocking(False)
            if _bind(server, path, mode):
                return Listener(path, server, _listen(server, path, mode), mode)
        except BaseException:  # whatever it is: close the descriptor
            server.close()
            raise
        server.close()
    raise _Refused("another program keeps putting a file there: name another path")


def _clear(path: str) -> None:
    """Remove a socket that no process serves. Anything else stays, and is refused."""
    try:
        is_socket = stat.S_ISSOCK(os.stat(to_bytes(path)).st_mode)
        identity = _identity(path)
    except FileNotFoundError:
        if os.path.islink(to_bytes(path)):
            raise _Refused("a symbolic link to nothing is there: remove it, or name another path") from None
        return
    except OSError as error:
        raise _Refused(_why(error, path)) from None
    if not is_socket:
        raise _Refused(f"{_kind(path)} is there, not a socket: remove it, or name another path")
    server = _server_of(path)
    if server == 1:  # stopping it would stop the container
        raise _Refused("process 1 of this container listens there: name another path in `control.socket`")
    if server is not None:
        raise _Refused("another instance listens there: stop it, or name another path")
    try:
        if _identity(path) == identity:
            os.unlink(to_bytes(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _Refused(f"an old socket is there and cannot be removed: {_why(error, path)}") from None


def _server_of(path: str) -> int | None:
    """The pid of the process that serves the socket, 0 if it is not visible; None if no process does."""
    probe = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        probe.setblocking(False)
        probe.connect(to_bytes(path))
        return int.from_bytes(probe.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)[:4], sys.byteorder)
    except (ConnectionRefusedError, FileNotFoundError):
        return None
    except BlockingIOError:  # its queue is full
        return 0
    except OSError as error:
        if error.errno == errno.EPROTOTYPE:  # a process serves it, though not as a stream
            return 0
        if error.errno in (errno.EACCES, errno.EPERM):
            raise _Refused("a socket of another user is there: remove it, or name another path") from None
        raise _Refused(f"a socket is there that cannot be tried: {_why(error, path)}") from None
    finally:
        probe.close()


def _bind(server: _socket.socket, path: str, mode: int) -> bool:
    """Bind the socket; False if a file has appeared there meanwhile."""
    try:
        # The file gets the mode of its socket. A chmod by its path could hit a file that another program has put there
        # in a folder that everybody may write to.
        os.fchmod(server.fileno(), mode)
    except OSError:
        pass  # this kernel does not support it
    try:
        server.bind(to_bytes(path))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise _Refused(_why(error, path)) from None
    return True


def _listen(server: _socket.socket, path: str, mode: int) -> tuple[int, int]:
    """Set the mode, then listen: no client can connect before the mode is right. Returns the file's identity."""
    try:
        identity = _identity(path)
        found = os.lstat(to_bytes(path)).st_mode
        if not stat.S_ISSOCK(found):
            raise _Refused("another program has just put its own file there: name another path")
        if stat.S_IMODE(found) != mode:  # the umask has removed some of it
            _set_mode(path, identity, mode)
        server.listen(BACKLOG)
        if _identity(path) != identity:  # a program that started at the same instant took this file for an unserved one
            raise _Refused("another instance has just put its own socket there: stop it, or name another path")
    except OSError as error:
        raise _Refused(_why(error, path)) from None
    return identity


def _set_mode(path: str, identity: tuple[int, int], mode: int) -> None:
    """Set the mode of this very file, never of one that has replaced it. Raises OSError, _Refused."""
    fd = os.open(to_bytes(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) != identity:
            raise _Refused("another instance has just put its own socket there: stop it, or name another path")
        try:
            os.chmod(f"/proc/self/fd/{fd}", mode)
        except FileNotFoundError:
            raise _Refused("its mode cannot be set without /proc: mount that") from None
    finally:
        os.close(fd)


def _identity(path: str, through_link: bool = False) -> tuple[int, int]:
    """Device and inode of the file itself, even of a symbolic link; with `through_link` of its target."""
    status = os.stat(to_bytes(path), follow_symlinks=through_link)
    return status.st_dev, status.st_ino


def _kind(path: str) -> str:
    mode = os.stat(to_bytes(path)).st_mode
    kind = "a directory" if stat.S_ISDIR(mode) else "a file" if stat.S_ISREG(mode) else "something else"
    return f"a symbolic link to {kind}" if os.path.islink(to_bytes(path)) else kind


def _why(error: OSError, path: str) -> str:
    folder = _shown(os.path.dirname(path) or ".")
    if error.errno == errno.ENOENT:
        return f"there is no directory {folder}: create it, or name another path"
    if error.errno == errno.ENOTDIR:
        return f"{folder} is not a directory: name another path"
    if error.errno == errno.EROFS:
        return f"the file system of {folder} is read-only: mount a volume there, or name a path that can be written"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"no permission for user {os.geteuid()} to write to {folder}: "
            "change its owner or mode, or name another path"
        )
    return reason_of(error)


def _shown(path: str) -> str:
    """The path in a message: without line breaks and control characters."""
    return path if path.isprintable() and path else repr(path)
