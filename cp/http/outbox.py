"""The bytes of answers that one client has not read yet."""

from __future__ import annotations

from _socket import MSG_NOSIGNAL
from collections import deque
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Iterable

SEND_SIZE = 1 << 18  # bytes of one call of sendmsg(2): 0.1 ms
SEND_PIECES = 16


class Outbox:
    """A queue of pieces for one socket. Pieces are not copied: many clients may get the same ones."""

    __slots__ = ("_pieces", "size")

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self.size = 0  # bytes

    def put(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if piece:
                self._pieces.append(memoryview(piece))
                self.size += len(piece)

    def send(self, socket: _socket.socket) -> int:
        """Send some of it; the number of bytes that the kernel took, 0 if it takes none now. Raises OSError."""
        if not self.size:
            return 0
        try:
            taken = socket.sendmsg(self._next(), (), MSG_NOSIGNAL)
        except BlockingIOError:
            return 0
        self.size -= taken
        left = taken
        while left:
            piece = self._pieces.popleft()
            if left < len(piece):
                self._pieces.appendleft(piece[left:])
                break
            left -= len(piece)
        return taken

    def _next(self) -> list[memoryview]:
        """The first SEND_SIZE bytes, or SEND_PIECES pieces."""
        found: list[memoryview] = []
        left = SEND_SIZE
        for piece in islice(self._pieces, SEND_PIECES):
            found.append(piece[:left])
            left -= len(piece)
            if left <= 0:
                break
        return found

    def kept(self) -> dict[int, int]:
        """The size in bytes of each piece in memory, by its identity. A piece stays until its last byte is sent."""
        return {id(piece.obj): len(piece.obj) for piece in self._pieces if isinstance(piece.obj, bytes)}
