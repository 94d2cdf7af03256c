"""Writes log lines at once if possible, otherwise keeps them within a limit, otherwise counts them. Never waits."""

from __future__ import annotations

import time

from cp.log.streams import file_channel, stream_channel
from cp.platform.text import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from cp.log.channels import Channel, Loop, Timer
else:
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs

STDOUT, STDERR = "standard output", "standard error"

# A pipe takes up to so many bytes at once or none, so the application's writes cannot split a line (pipe(7)).
_PIPE_BUF = 4096


class Sink:
    """A queue of records for one channel. Call all methods on one thread, the loop's.

    If the other end does not read, the sink keeps up to LIMIT bytes. Above HIGH_WATER it calls `on_pressure(True)` to
    request less output, and below LOW_WATER `on_pressure(False)`. If nothing is read during PATIENCE seconds of
    pressure, it ends the pressure and drops new records until the kept ones are read. When a record does not fit, new
    records are dropped until at most HIGH_WATER bytes are kept. One record in their place has the number of the dropped
    records.
    """

    LIMIT = 1 << 20
    HIGH_WATER = 1 << 18
    LOW_WATER = 1 << 16
    PATIENCE = 10.0

    __slots__ = (
        "_appended",
        "_buffer",
        "_buffered",
        "_channel",
        "_discarding",
        "_full",
        "_held",
        "_is_broken",
        "_loop",
        "_lost",
        "_notes",
        "_on_pressure",
        "_pressed",
        "_pressed_at",
        "_progressed",
        "_reason",
        "_split",
        "_stall",
        "_timer",
        "_torn",
        "_watching",
        "_written",
        "name",
        "note",
        "on_broken",
    )

    def __init__(self, channel: Channel, name: str = STDOUT) -> None:
        self.name = name
        self.note: Callable[[str], bytes] = lambda text: f"{text}\n".encode()  # formats a record
        self.on_broken: Callable[[str], object] | None = None  # gets the reason when the channel begins to fail
        self._is_broken = False
        self._channel = channel
        self._loop: Loop | None = None
        self._on_pressure: Callable[[bool], object] | None = None
        self._buffer: deque[bytes] = deque()
        self._buffered = 0  # bytes
        self._split = False  # the first entry of the buffer is the rest of a record whose beginning was written
        self._torn = False  # the last written record is incomplete, and its rest is lost
        self._lost = 0  # records that were lost and not reported yet
        self._appended = 0  # the number of records that were added to the buffer
        self._written = 0  # the number of records that left it
        self._notes: deque[tuple[int, int]] = deque()  # notes in the buffer: number of the record, lost records
        self._full = False  # a record did not fit, and more than HIGH_WATER has been kept since then
        self._reason = ""  # why records were lost, if the channel gave an error
        self._progressed = 0.0  # the time at which the channel took something, or was first full
        self._stall = 0.0  # seconds; the longest time without progress since the last note
        self._watching = False
        self._discarding = False
        self._held = False
        self._pressed = False
        self._pressed_at = 0.0
        self._timer: Timer | None = None

    def attach(self, loop: Loop, on_pressure: Callable[[bool], object] | None = None) -> None:
        """Let the loop write the kept records when the channel is writable."""
        self._loop = loop
        self._on_pressure = on_pressure
        self._settle()

    def write(self, record: bytes) -> None:
        """Write a record, which ends with a line feed, or keep it, or drop it."""
        if self._held:
            if not self._watching and self._buffered + len(record) > self.LIMIT:
                self._flush()
            if self._has_room(len(record)):
                if not self._buffer:
                    self._progressed = self._now()
                    if self._lost:
                        self._announce()
                self._append(record)
                return
        if not self._buffer:
            if self._lost:
                self._announce()
            else:
                taken = self._put(record)
                if taken == len(record):
                    return
                if taken < 0:
                    self._lost += 1
                    return
                self._split = taken > 0
                self._progressed = self._now()
                self._append(record[taken:])
                self._flush()
                return
        if self._has_room(len(record)):
            self._append(record)
        else:
            self._lost += 1
        if self._watching:
            self._settle()
        else:
            self._flush()

    def hold(self, held: bool) -> None:
        """After `hold(True)` records are only kept, and `hold(False)` writes them together."""
        self._held = held
        if not held and self._buffer:
            if self._watching:
                self._settle()
            else:
                self._flush()

    def flush(self, patience: float = 0.1, longest: float = 0.0) -> None:
        """Write the kept records before the exit. Goes on while the channel takes something at least every `patience`
        seconds, for up to `longest` seconds, or `patience` if that is more."""
        now = time.monotonic()
        end, gives_up = now + max(patience, longest), now + patience
        while True:
            kept = self._buffered
            self._flush()
            now = time.monotonic()
            if self._buffered != kept:
                gives_up = now + patience
            left = min(end, gives_up) - now
            if left <= 0 or not (self._buffer or self._channel.busy()):
                return
            self._channel.wait(left)

    @property
    def unwritten(self) -> int:
        """The number of records that are kept, or were lost and not reported."""
        return self._lost + sum(lost for _, lost in self._notes) + len(self._buffer) - len(self._notes)

    @property
    def is_broken(self) -> bool:
        """Whether the last write to the channel failed."""
        return self._is_broken

    def close(self) -> int:
        """Close the channel. Return the number of records that were lost and not reported."""
        self._flush()
        self._fail("")
        self._channel.close()
        return self._lost

    def _now(self) -> float:
        return time.monotonic() if self._loop is None else self._loop.now()

    def _has_room(self, size: int) -> bool:
        """Whether a record of this size can be kept."""
        if self._discarding:
            return False
        if self._full:
            if self._buffered > self.HIGH_WATER:
                return False
            self._full = False
            if self._lost:
                self._announce()
        self._full = self._buffered + size > self.LIMIT
        return not self._full

    def _append(self, record: bytes) -> None:
        self._buffer.append(record)
        self._buffered += len(record)
        self._appended += 1

    def _announce(self) -> None:
        """Append a note about the lost records, in their place."""
        seconds = round(self._stall)
        reason = self._reason or (
            f"{self.name} was not read for {seconds} s" if seconds else f"{self.name} was read too slowly"
        )
        lost, self._lost = self._lost, 0
        self._reason = ""
        self._append(self.note(f"{lost_lines(lost)}: {reason}"))
        self._notes.append((self._appended, lost))

    def _put(self, data: bytes) -> int:
        """Return the number of bytes that the channel took: 0 if it is full, -1 if it is broken."""
        failure = self._channel.take_failure()
        if failure is not None:
            lines, error = failure
            self._lost += lines
            self._reason = reason_of(error)
        torn = self._torn
        try:
            taken = self._channel.write(b"\n" + data if torn else data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._reason = reason_of(error)
            if not self._is_broken and self.on_broken is not None:
                self.on_broken(self._reason)
            self._is_broken = True
            return -1
        self._is_broken = False
        if torn and taken:
            self._torn = False
            taken -= 1
        return taken

    def _flush(self) -> None:
        """Write as much as the channel takes now."""
        while self._buffer:
            chunk = self._chunk()
            taken = self._put(chunk)
            if taken < 0:
                self._fail(self._reason)
                break
            if not taken:
                break
            now = self._now()
            self._stall = max(self._stall, now - self._progressed)
            self._progressed = now
            self._consume(taken)
            if not self._buffer:
                self._discarding = self._full = False
                if self._lost:
                    self._announce()
                self._stall = 0.0
        self._settle()

    def _chunk(self) -> bytes:
        buffer = self._buffer
        if len(buffer) == 1 or not self._channel.joins:
            return buffer[0]
        size = count = 0
        for record in buffer:
            size += len(record)
            if size > _PIPE_BUF:
                break
            count += 1
        return b"".join(buffer[index] for index in range(count)) if count > 1 else buffer[0]

    def _consume(self, taken: int) -> None:
        buffer = self._buffer
        self._buffered -= taken
        while taken:
            head = buffer.popleft()
            self._split = taken < len(head)
            if self._split:
                buffer.appendleft(head[taken:])
                return
            taken -= len(head)
            self._written += 1
            if self._notes and self._notes[0][0] == self._written:
                self._notes.popleft()

    def _fail(self, reason: str) -> None:
        """Drop everything that is kept: the channel is broken."""
        self._lost = self.unwritten
        self._reason = reason
        self._notes.clear()
        self._written = self._appended
        self._torn = self._torn or self._split
        self._split = False
        self._discarding = self._full = False
        self._buffer.clear()
        self._buffered = 0
        self._settle()

    def _settle(self) -> None:
        """Fit the loop's watch and the pressure to what is kept. Calls `on_pressure` last, because it may write."""
        loop = self._loop
        if loop is None:
            return
        if self._buffer and not self._watching:
            try:
                self._channel.watch(loop, self._flush)
                self._watching = True
            except OSError:  # epoll does not support every kind of file: the next write tries again
                pass
        elif self._watching and not self._buffer:
            self._channel.unwatch(loop)
            self._watching = False
        if self._pressed:
            if self._buffered <= self.LOW_WATER:
                self._press(False)
        elif self._buffered > self.HIGH_WATER and not self._discarding:
            self._press(True)

    def _press(self, on: bool) -> None:
        self._pressed = on
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if on and self._loop is not None:
            self._pressed_at = self._loop.now()
            self._timer = self._loop.call_at(self._pressed_at + self.PATIENCE, self._check_progress)
        if self._on_pressure is not None:
            self._on_pressure(on)

    def _check_progress(self) -> None:
        """End the pressure and drop new records if nothing was read for PATIENCE seconds."""
        if self._loop is None:
            return
        deadline = max(self._progressed, self._pressed_at) + self.PATIENCE
        if self._loop.now() < deadline:
            self._timer = self._loop.call_at(deadline, self._check_progress)
            return
        self._timer = None
        self._discarding = True
        self._press(False)


def open_sink(output: str) -> Sink:
    """The sink for "stdout", "stderr" or a path. Raises OSError if a path cannot be opened."""
    if output in ("stdout", "/dev/stdout"):
        return Sink(stream_channel(1), STDOUT)
    if output in ("stderr", "/dev/stderr"):
        return Sink(stream_channel(2), STDERR)
    return Sink(file_channel(output), output)


def lost_lines(count: int) -> str:
    return "1 log line was lost" if count == 1 else f"{count} log lines were lost"
