"""The files of the notify sockets, in a private folder. Where no folder is writable, the sockets have no file."""

from __future__ import annotations

import _socket
import errno
import os
import stat

from cp.plan import LONGEST_SOCKET_PATH
from cp.platform.text import from_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = ("/run", "/var/run")
FOLDER_MODE, SOCKET_MODE = 0o700, 0o600
ATTEMPTS = 3  # another instance may remove the folder when it has no socket any more


class SocketFolder:
    """Makes sockets for datagrams with a name that no other user can guess or replace.

    Instances of the same user share the folder. It is in the first usual place that can be written, for which
    `environ` may name two.
    """

    __slots__ = ("_bases", "_user", "path")

    def __init__(self, environ: Mapping[str, str]) -> None:
        named = (environ.get("XDG_RUNTIME_DIR", ""), environ.get("TMPDIR", ""), "/tmp")
        self._bases = (*USUAL, *(base.rstrip("/") for base in named if base.startswith("/")))
        self._user = os.geteuid()
        self.path = ""  # of the folder, once there is one

    def open(self) -> tuple[_socket.socket, str]:
        """A bound, non-blocking socket, and its address as NOTIFY_SOCKET has it. OSError if there can be none."""
        server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
        try:
            # Before the socket has an address, so that each message has the credentials of its sender.
            server.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 1)
            return server, self._bind(server)
        except BaseException:  # whatever it is: close the descriptor
            server.close()
            raise

    def _bind(self, server: _socket.socket) -> str:
        for base in (os.path.dirname(self.path),) if self.path else self._bases:
            for _ in range(ATTEMPTS):
                try:
                    return self._bind_in(server, f"{base}/containerpilot-{self._user}.notify")
                except FileNotFoundError:
                    continue
                except OSError:
                    break
        # The name is visible in /proc/net/unix, but who else may write to it is decided for each message.
        address = f"containerpilot-{os.urandom(16).hex()}"
        server.bind(to_bytes(f"\0{address}"))
        return f"@{address}"

    def _bind_in(self, server: _socket.socket, folder: str) -> str:
        if folder != self.path or not os.path.isdir(to_bytes(folder)):
            self._prepare(folder)
        path = f"{folder}/{os.urandom(8).hex()}"
        if len(to_bytes(path)) > LONGEST_SOCKET_PATH:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        server.bind(to_bytes(path))
        try:
            # The folder lets nobody else in, so nobody could have replaced the file.
            os.chmod(to_bytes(path), SOCKET_MODE)
        except OSError:
            self.remove(path)
            raise
        self.path = folder
        return path

    def _prepare(self, folder: str) -> None:
        """Make the folder, or use the one of an earlier run. OSError if it is not ours alone."""
        try:
            os.mkdir(to_bytes(folder), FOLDER_MODE)
        except FileExistsError:
            pass
        if not _is_private(folder, self._user):
            found = os.lstat(to_bytes(folder))
            if stat.S_ISDIR(found.st_mode) and found.st_uid == self._user:
                os.chmod(to_bytes(folder), FOLDER_MODE)  # the umask has removed some of it, or a user added some
            if not _is_private(folder, self._user):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        for name in os.listdir(to_bytes(folder)):
            remove_unserved(f"{folder}/{from_bytes(name)}")

    def remove(self, address: str) -> None:
        """Remove the file of a socket."""
        if not address.startswith("@"):
            _unlink(address)

    def close(self) -> None:
        """Remove the folder, unless another instance uses it."""
        if self.path:
            try:
                os.rmdir(to_bytes(self.path))
            except OSError:
                pass


def _is_private(folder: str, user: int) -> bool:
    found = os.lstat(to_bytes(folder))
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user and stat.S_IMODE(found.st_mode) == FOLDER_MODE


def _unlink(path: str) -> None:
    try:
        os.unlink(to_bytes(path))
    except OSError:
        pass  # somebody has cleaned up


def remove_unserved(path: str) -> None:
    """Remove a socket whose process is gone. The kernel knows it, in whatever PID namespace that process was."""
    probe = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
    try:
        if stat.S_ISSOCK(os.lstat(to_bytes(path)).st_mode):  # the kernel refuses a connection to a plain file, too
            probe.connect(to_bytes(path))
    except ConnectionRefusedError:
        _unlink(path)
    except OSError:
        pass
    finally:
        probe.close()
