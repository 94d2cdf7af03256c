"""One notify socket: reads the messages of sd_notify(3) and checks their senders."""

from __future__ import annotations

import _socket
import sys

from cp.readiness.messages import LONGEST_MESSAGE, assignments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.loop import Loop
    from cp.readiness.socket_folder import SocketFolder

# Messages that are read in one turn of the loop: a process that floods us delays nothing else.
BATCH = 4
# Messages that are read at once at most when the end of a run, or of the time of a watchdog, has come. By default the
# kernel keeps eleven for a socket (net.unix.max_dgram_qlen).
MOST_PENDING = 128
# Room for the credentials of the sender alone. So the kernel closes descriptors that come with a message.
ANCILLARY = _socket.CMSG_SPACE(12)
ROOT = 0


class NotifySocket:
    """`on_assignment(name, value)` is called for each line of an accepted message, and `on_refused(why)` for a message
    that is ignored. Accepted are messages of root and of `user`, the one that the processes of the job run as.

    The sender may be gone when its message is read, so what kind of process it is does not matter.
    """

    __slots__ = ("_folder", "_loop", "_on_assignment", "_on_refused", "_socket", "_user", "address", "is_open")

    def __init__(
        self,
        loop: Loop,
        folder: SocketFolder,
        user: int,
        on_assignment: Callable[[str, str], object],
        on_refused: Callable[[str], object],
    ) -> None:
        """OSError if there can be no socket."""
        self._loop = loop
        self._folder = folder
        self._user = user
        self._on_assignment = on_assignment
        self._on_refused = on_refused
        self._socket, self.address = folder.open()
        self.is_open = True
        try:
            loop.add_reader(self._socket.fileno(), self._readable)
        except OSError:
            self.is_open = False
            self._close()
            raise

    def read_pending(self) -> None:
        """Read what has come until now, within a limit."""
        for _ in range(MOST_PENDING):
            if not self._read():
                return

    def close(self) -> None:
        """Remove the socket; messages that nobody has read are lost."""
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._socket.fileno())
            self._close()

    def _close(self) -> None:
        self._folder.remove(self.address)
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(BATCH):
            if not self._read():
                return

    def _read(self) -> bool:
        """Read one message; False if there is none."""
        if not self.is_open:
            return False
        try:
            message, ancillary, flags, _ = self._socket.recvmsg(LONGEST_MESSAGE, ANCILLARY)
        except OSError:
            return False
        why = self._objection(ancillary, flags)
        if why:
            self._on_refused(why)
            return True
        try:
            found = assignments(message)
        except ValueError as error:
            self._on_refused(str(error))
            return True
        for name, value in found:
            self._on_assignment(name, value)
        return True

    def _objection(self, ancillary: list[tuple[int, int, bytes]], flags: int) -> str:
        """Why a message is not accepted; empty if it is."""
        for level, kind, data in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_CREDENTIALS and len(data) >= 12:
                pid, user = (int.from_bytes(data[at : at + 4], sys.byteorder) for at in (0, 4))
                if user not in (ROOT, self._user):
                    accepted = "root" if self._user == ROOT else f"root and user {self._user}"
                    return f"of user {user}: only those of {accepted} count"
                if not pid:
                    return "of a process in another PID namespace"
                return f"of more than {LONGEST_MESSAGE} bytes" if flags & _socket.MSG_TRUNC else ""
        return "of an unknown sender"
