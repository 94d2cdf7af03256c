"""The control socket's file: made so that nobody else's is touched, and removed only while it is ours.

On the way to the application's start: C modules and our own only.
"""

from __future__ import annotations

import _socket
import errno
import os
import stat
import sys

from cp.platform.text import from_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_PATH = 107  # bytes: what the kernel's sockaddr_un holds, and the zero byte after it
BACKLOG = 512  # clients that may wait while the loop is busy; the kernel cuts it to net.core.somaxconn
ATTEMPTS = 3  # a file may come and go while we look
# Who may connect may start processes. The mode keeps out all but the user that we run as, unless others are named: then
# anybody may connect, and is asked who he is (peers.py). The folder's mode is for who made it.
MODE, MODE_FOR_OTHERS = 0o600, 0o666


class ListenError(Exception):
    """The socket cannot be served there; one sentence that says why, and what would help."""


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
        """Whether a path is one of its file, however it is written; or of a symbolic link to it, if that will do."""
        try:
            return _identity(path, through_link) == self._identity
        except (OSError, ValueError):
            return False

    def change_mode(self, mode: int) -> None:
        """Of its file. Raises ListenError, and nothing has changed."""
        if mode != self._mode:
            try:
                _set_mode(self._file, self._identity, mode)
            except (OSError, _Refused) as error:
                why = _why(error, self._file) if isinstance(error, OSError) else error
                raise ListenError(f"cannot change the mode of the control socket {_shown(self.path)}: {why}") from None
            self._mode = mode

    def unlink(self) -> None:
        """Remove the file, unless somebody else has put another there; nobody new can connect then."""
        try:
            if _identity(self._file) == self._identity:
                os.unlink(to_bytes(self._file))
        except OSError:
            pass  # it is gone, or no longer ours to remove

    def close(self) -> None:
        self.unlink()
        self.socket.close()


def open_listener(path: str, mode: int = MODE) -> Listener:
    """Listen at `path`, in place of a socket that nobody serves any more. Raises ListenError."""
    try:
        return _open(path, mode)
    except _Refused as refused:
        raise ListenError(f"cannot serve the control socket {_shown(path)}: {refused}") from None


def open_first(paths: Iterable[str], mode: int = MODE) -> Listener:
    """Listen at the first of the paths where that can be had. Raises ListenError that tells of all of them."""
    reasons = []
    for path in paths:
        try:
            return _open(path, mode)
        except _Refused as refused:
            reasons.append(f"{_shown(path)}: {refused}")
    raise ListenError(f"cannot serve a control socket in any of the usual places: {'; '.join(reasons)}")


class _Refused(Exception):
    """Why a path cannot be had."""


def _open(path: str, mode: int) -> Listener:
    if not path:
        raise _Refused("the path is empty")
    if "\0" in path:
        raise _Refused("the path has a NUL character in it")
    length = len(to_bytes(path))
    if length > LONGEST_PATH:
        raise _Refused(f"the path has {length} bytes, and a socket's at most {LONGEST_PATH}: name a shorter one")
    for _ in range(ATTEMPTS):
        _clear(path)
        server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            server.setblocking(False)
            if _bind(server, path, mode):
                return Listener(path, server, _listen(server, path, mode), mode)
        except BaseException:  # whatever it is: the descriptor is not left behind
            server.close()
            raise
        server.close()
    raise _Refused("another program keeps putting a file there: name another path")


def _clear(path: str) -> None:
    """Remove a socket that nobody serves. Anything else stays, and is refused."""
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
    if server == 1:  # to stop it would be to stop the container
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
    """The process that serves the socket, 0 if that cannot be seen; None if nobody does."""
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
        if error.errno == errno.EPROTOTYPE:  # served, though not as a stream
            return 0
        if error.errno in (errno.EACCES, errno.EPERM):
            raise _Refused("a socket of another user is there: remove it, or name another path") from None
        raise _Refused(f"a socket is there that cannot be tried: {_why(error, path)}") from None
    finally:
        probe.close()


def _bind(server: _socket.socket, path: str, mode: int) -> bool:
    """False if a file has come there meanwhile."""
    try:
        # The file gets the mode of its socket. To change it by its path would be to change what somebody else may have
        # put there by then, in a folder that all may write to.
        os.fchmod(server.fileno(), mode)
    except OSError:
        pass  # a kernel that does not know that
    try:
        server.bind(to_bytes(path))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise _Refused(_why(error, path)) from None
    return True


def _listen(server: _socket.socket, path: str, mode: int) -> tuple[int, int]:
    """Until this listens nobody can connect, so that nobody does before the mode is right."""
    try:
        identity = _identity(path)
        found = os.lstat(to_bytes(path)).st_mode
        if not stat.S_ISSOCK(found):
            raise _Refused("another program has just put its own file there: name another path")
        if stat.S_IMODE(found) != mode:  # the umask has taken some of it
            _set_mode(path, identity, mode)
        server.listen(BACKLOG)
        if _identity(path) != identity:  # to one that started in the same instant, ours looked like nobody's
            raise _Refused("another instance has just put its own socket there: stop it, or name another path")
    except OSError as error:
        raise _Refused(_why(error, path)) from None
    return identity


def _set_mode(path: str, identity: tuple[int, int], mode: int) -> None:
    """Of the file that we have made, and of no other that somebody may put in its place. Raises OSError, _Refused."""
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
    """Of the file itself, be it a symbolic link; or of what that leads to."""
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
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _shown(path: str) -> str:
    """As it is printed: no line breaks, no control characters."""
    return path if path.isprintable() and path else repr(path)
