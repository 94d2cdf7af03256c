"""What children print: pipes to lines. Bounded in memory; nothing is lost as long as somebody reads our own output."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from cp.engine.loop import Loop
else:
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs

# Bytes read from one pipe before others have their turn: two thousand lines at worst, which take 20 ms to log. A
# sixteenth of a pipe's capacity.
READ_SIZE = 4096
LINE_LIMIT = 65536  # a longer line is passed on in pieces of this size
LINGERING_LIMIT = 64  # pipes kept for background children whose parent has exited; the oldest is closed


class LineReader:
    """Reads one pipe of a child and passes on its lines, without their ends; the last one also if it has no end."""

    __slots__ = ("_on_end", "_on_line", "_outputs", "_partial", "fd")

    def __init__(
        self, outputs: Outputs, fd: int, on_line: Callable[[str], object], on_end: Callable[[], object] | None
    ) -> None:
        self._outputs = outputs
        self._on_line = on_line
        self._on_end = on_end
        self._partial = b""
        self.fd = fd

    def read(self) -> bool:
        """Read what is there, up to READ_SIZE bytes; True if more may be waiting."""
        try:
            data = os.read(self.fd, READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            return False
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        for line in lines:
            self._pass_on(line)
        while len(self._partial) >= LINE_LIMIT:
            self._pass_on(self._partial[:LINE_LIMIT])
            self._partial = self._partial[LINE_LIMIT:]
        return len(data) == READ_SIZE

    def drain(self) -> None:
        """Read what an exited child left, at most a pipe's capacity of it: a background child may go on writing."""
        for _ in range(16):
            if self.fd < 0 or not self.read():
                return

    def _pass_on(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), LINE_LIMIT):
            piece = line[start : start + LINE_LIMIT]
            self._on_line(piece.removesuffix(b"\r").decode("utf-8", "surrogateescape"))

    def close(self) -> None:
        if self.fd < 0:
            return
        self._outputs.closed(self)
        os.close(self.fd)
        self.fd = -1
        if self._partial:
            self._pass_on(self._partial)
            self._partial = b""
        if self._on_end is not None:
            self._on_end()


class Outputs:
    """All pipes of children. Under pressure on our own output none is read: children wait, and no line is lost."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._readers: set[LineReader] = set()
        self._lingering: deque[LineReader] = deque()
        self._paused = False

    def open(
        self, on_line: Callable[[str], object], on_end: Callable[[], object] | None = None
    ) -> tuple[LineReader, int]:
        """A reader and the descriptor to give to a child, which the caller closes once the child has it."""
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read_end, False)
        reader = LineReader(self, read_end, on_line, on_end)
        self._readers.add(reader)
        if not self._paused:
            self._loop.add_reader(read_end, reader.read)
        return reader, write_end

    def linger(self, reader: LineReader) -> None:
        """Keep reading for background children of a finished run."""
        if reader.fd < 0:
            return
        self._lingering.append(reader)
        if len(self._lingering) > LINGERING_LIMIT:
            self._lingering.popleft().close()

    def closed(self, reader: LineReader) -> None:
        self._readers.discard(reader)
        if reader in self._lingering:
            self._lingering.remove(reader)
        if not self._paused:
            self._loop.remove_reader(reader.fd)

    def pause(self, paused: bool) -> None:
        """Stop reading, or go on. The children notice it only when their pipes are full."""
        if paused == self._paused:
            return
        self._paused = paused
        for reader in self._readers:
            if paused:
                self._loop.remove_reader(reader.fd)
            else:
                self._loop.add_reader(reader.fd, reader.read)
