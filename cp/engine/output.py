"""The output of children: from pipes to lines, in bounded memory. No line is lost while our own output is read."""

from __future__ import annotations

import os
import select

from cp.platform.text import from_beginning, from_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from cp.engine.loop import Loop

    class Matcher(Protocol):
        """Masks secrets in what children print."""

        def masked(self, data: bytes, /) -> bytes: ...
        def masked_lines(self, data: bytes, expected: tuple[bytes, ...], /) -> tuple[bytes, tuple[bytes, ...]]: ...
        def cut(self, data: bytes, limit: int, /) -> int: ...
else:
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs

# Bytes read from one pipe before others have their turn: a sixteenth of a pipe's capacity. Less where lines are short,
# since it is lines that take time: so many of them are logged in about a millisecond.
READ_SIZE = 4096
READ_LINES = 256
FIRST_SIZE = 1024
# Pipes that are read before anything else has its turn, however many have something to say. The kernel returns ready
# ones in rotation.
TURNS = 2
CAPACITY = 65536  # bytes of a pipe
LINE_LIMIT = 65536  # a longer line is passed on in pieces of this size, or a little less
LINGERING_LIMIT = 64  # pipes kept for background children whose parent has exited; the oldest is closed
WARNING_PAUSE = 60.0  # seconds between two lines in the log about such pipes


class LineReader:
    """Reads one pipe of a child and passes on its lines, without their ends; the last one also if it has no end."""

    __slots__ = (
        "_expected",
        "_on_end",
        "_on_line",
        "_outputs",
        "_partial",
        "_size",
        "fd",
        "is_urgent",
        "keep",
        "label",
    )

    def __init__(
        self, outputs: Outputs, fd: int, on_line: Callable[[str], object], on_end: Callable[[], object] | None
    ) -> None:
        self._outputs = outputs
        self._on_line = on_line
        self._on_end = on_end
        self._partial = b""
        self._expected: tuple[bytes, ...] = ()  # the rest of a secret of several lines
        self._size = FIRST_SIZE
        self.fd = fd
        self.is_urgent = False  # it is read under pressure as well
        self.label = ""  # of the run whose output it is
        # Receives the same lines, many of them at a time: bytes, and the number of lines in them, after which the
        # beginning of another line may follow.
        self.keep: Callable[[bytes, int], object] | None = None

    def read(self) -> int:
        """Read what is there, up to READ_SIZE bytes or about READ_LINES lines. How many bytes; 0 if there are none, now
        or ever: then it is closed."""
        size = self._size
        try:
            data = os.read(self.fd, size)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            self.close()
            return 0
        taken = len(data)
        matcher = self._outputs.matcher
        data = self._partial + data if matcher is None else self._masked_lines(matcher, data)
        lines = data.split(b"\n")
        self._partial = lines.pop()
        self._size = min(READ_SIZE, max(2 * READ_LINES, size * READ_LINES // len(lines))) if lines else READ_SIZE
        self._outputs.hold(True)
        try:
            for line in lines:
                self._pass_on(line)
            if lines and self.keep is not None:
                self.keep(data, len(lines))
            if matcher is not None:
                self._pass_on_masked_pieces(matcher)
            else:
                # Its end may still come, as LF or CRLF: a line of exactly this size has no empty piece after it.
                while len(self._partial) > LINE_LIMIT + 1:
                    piece, self._partial = self._partial, self._pass_on_piece(self._partial)
                    if self.keep is not None:
                        self.keep(piece[: len(piece) - len(self._partial)], 1)
        finally:
            self._outputs.hold(False)
        return taken

    @property
    def is_held(self) -> bool:
        """Whether any process has the other end, even if we do not read at the moment."""
        if self.fd < 0:
            return False
        other_end = select.poll()
        other_end.register(self.fd, 0)
        return not other_end.poll(0)

    def drain(self) -> Iterator[None]:
        """Read what an exited child left, under pressure as well, one large read a step: a pipe that is full of short
        lines takes 0.2 s. At most a pipe's capacity is read: a background child may go on writing."""
        left = CAPACITY
        while left > 0 and self.fd >= 0:
            size = self._size
            taken = self.read()
            if not taken:
                return
            left -= taken
            if taken == size:
                yield

    def _masked_lines(self, matcher: Matcher, data: bytes) -> bytes:
        """The lines that end in these new bytes, without secrets, and the beginning of the next one as it is."""
        ended, newline, rest = data.rpartition(b"\n")
        if not newline:
            return self._partial + data
        masked, self._expected = matcher.masked_lines(self._partial + ended, self._expected)
        return masked + newline + rest

    def _pass_on_masked_pieces(self, matcher: Matcher) -> None:
        while size := matcher.cut(self._partial, LINE_LIMIT):
            _, whole = from_beginning(self._partial[:size])
            size = whole or size
            piece = matcher.masked(self._partial[:size])
            self._on_line(from_bytes(piece))
            if self.keep is not None:
                self.keep(piece, 1)
            self._partial = self._partial[size:]
            self._expected = ()

    def _pass_on(self, line: bytes) -> None:
        line = line.removesuffix(b"\r")
        while len(line) > LINE_LIMIT:
            line = self._pass_on_piece(line)
        self._on_line(from_bytes(line))

    def _pass_on_piece(self, line: bytes) -> bytes:
        """Pass on the beginning of a line that is too long; returns the rest of the line."""
        piece = line[:LINE_LIMIT]
        # A character that is only begun goes to the next piece. Bytes that are not UTF-8 are not held back.
        text, size = from_beginning(piece)
        if not size:
            text, size = from_bytes(piece), len(piece)
        self._on_line(text)
        return line[size:]

    def close(self) -> None:
        if self.fd < 0:
            return
        self._outputs.closed(self)
        os.close(self.fd)
        self.fd = -1
        if self._partial:
            matcher = self._outputs.matcher
            if matcher is not None:
                self._partial, _ = matcher.masked_lines(self._partial, self._expected)
            self._pass_on(self._partial)
            if self.keep is not None:
                self.keep(self._partial, 1)
            self._partial = b""
        if self._on_end is not None:
            self._on_end()


class Outputs:
    """All pipes of children. Under pressure on our own output they are not read: children wait, and no line is lost.
    Processes that received a signal to end are read anyway, and from `hurry` on all are: a child that waits for us
    cannot end.

    They have an epoll of their own inside the loop's, and so have the urgent ones: to the loop all of them are one
    descriptor, so that signals, timers and clients have their turn after every few reads, even if hundreds of children
    flood us.

    `hold(True)` comes before the lines of one read, `hold(False)` after them: they may be written together.
    `warn` gets a line for the log. `matcher` masks secrets in what is printed; None: there are none.
    """

    def __init__(self, loop: Loop, hold: Callable[[bool], object] = bool, warn: Callable[[str], object] = str) -> None:
        self.hold = hold
        self.matcher: Matcher | None = None
        self._warn = warn
        self._closed = 0  # pipes that there was no room for, since the last warning
        self._warned_at: float | None = None
        self._loop = loop
        self._epoll = select.epoll(select.EPOLL_CLOEXEC)
        self._urgent = select.epoll(select.EPOLL_CLOEXEC)
        self._readers: dict[int, LineReader] = {}
        self._lingering: deque[LineReader] = deque()
        self._paused = False
        self._is_hurrying = False
        loop.add_reader(self._epoll.fileno(), self._read)
        loop.add_reader(self._urgent.fileno(), self._read_urgent)

    def mask_with(self, matcher: Matcher) -> None:
        """From now on this masks secrets in what is printed."""
        self.matcher = matcher

    def open(
        self, on_line: Callable[[str], object], on_end: Callable[[], object] | None = None
    ) -> tuple[LineReader, int]:
        """A reader and the descriptor to give to a child, which the caller closes once the child has it. OSError if
        there can be no pipe."""
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            os.set_blocking(read_end, False)
            self._epoll.register(read_end, select.EPOLLIN)
        except OSError:
            os.close(read_end)
            os.close(write_end)
            raise
        reader = self._readers[read_end] = LineReader(self, read_end, on_line, on_end)
        return reader, write_end

    def _read(self) -> None:
        for fd, _ in self._epoll.poll(0, TURNS):
            reader = self._readers.get(fd)
            if reader is not None and not self._paused:  # closed, or under pressure, because of the one before
                reader.read()

    def read_urgently(self, reader: LineReader) -> None:
        """From now on read it under pressure too: its process received a signal to end."""
        if reader.fd < 0 or reader.is_urgent:
            return
        try:
            self._urgent.register(reader.fd, select.EPOLLIN)
        except OSError:
            return  # the kernel has no room for it: it waits like the others
        self._epoll.unregister(reader.fd)
        reader.is_urgent = True

    def _read_urgent(self) -> None:
        for fd, _ in self._urgent.poll(0, TURNS):
            if reader := self._readers.get(fd):
                reader.read()

    def hurry(self) -> None:
        """A stop has begun: from now on read all of them."""
        self._is_hurrying = True
        self.pause(False)

    def linger(self, reader: LineReader) -> None:
        """Keep reading for background children of a finished run."""
        if reader.fd < 0:
            return
        if reader.is_urgent:
            try:
                self._epoll.register(reader.fd, select.EPOLLIN)
            except OSError:
                pass  # it stays urgent
            else:
                self._urgent.unregister(reader.fd)
                reader.is_urgent = False
        self._lingering.append(reader)
        if len(self._lingering) > LINGERING_LIMIT:
            oldest = self._lingering.popleft()
            self._warn_of(oldest)
            oldest.close()

    def _warn_of(self, oldest: LineReader) -> None:
        self._closed += 1
        now = self._loop.now()
        if self._warned_at is not None and now < self._warned_at + WARNING_PAUSE:
            return
        others = "" if self._closed == 1 else f", nor was that of {self._closed - 1} others"
        self._warn(
            f"the output of what {oldest.label} has left in the background is not read any more{others}: "
            f"there is room for {LINGERING_LIMIT}"
        )
        self._warned_at, self._closed = now, 0

    def closed(self, reader: LineReader) -> None:
        self._readers.pop(reader.fd, None)
        if reader in self._lingering:
            self._lingering.remove(reader)
        (self._urgent if reader.is_urgent else self._epoll).unregister(reader.fd)

    def pause(self, paused: bool) -> None:
        """Stop reading, or go on. The children notice it only when their pipes are full."""
        if paused == self._paused or (paused and self._is_hurrying):
            return
        self._paused = paused
        if paused:
            self._loop.pause_reader(self._epoll.fileno())
        else:
            self._loop.add_reader(self._epoll.fileno(), self._read)
