"""Writes log lines at once if possible, otherwise keeps them within a limit, otherwise counts them. Never waits."""

from __future__ import annotations

import time

from cp.log.streams import file_channel, stream_channel
from cp.platform.text import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from typing import Final, Literal

    from cp.log.channels import Channel, Loop, Timer
else:
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs

STDOUT, STDERR = "standard output", "standard error"

# Why new records are dropped.
DOES_NOT_FIT: Final = "does not fit"  # one did not, and more than HIGH_WATER bytes have been kept since then
NOT_READ: Final = "not read"  # nobody reads, and something has been kept since then

# Where the rest is of a record that the channel has taken in part.
REST_KEPT: Final = "rest kept"  # it is the first entry of the buffer
REST_LOST: Final = "rest lost"

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
        "_batching",
        "_buffer",
        "_buffered",
        "_channel",
        "_drops",
        "_is_broken",
        "_longest_stall",
        "_loop",
        "_lost",
        "_notes",
        "_on_pressure",
        "_partial",
        "_pressure_since",
        "_progressed_at",
        "_reason",
        "_timer",
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
        self._partial: Literal["rest kept", "rest lost"] | None = None  # None: the last written record is complete
        self._lost = 0  # records that were lost and not reported yet
        self._appended = 0  # the number of records that were added to the buffer
        self._written = 0  # the number of records that left it
        self._notes: deque[tuple[int, int]] = deque()  # notes in the buffer: number of the record, lost records
        self._drops: Literal["does not fit", "not read"] | None = None  # None: new records are kept
        self._reason = ""  # why records were lost, if the channel gave an error
        self._progressed_at = 0.0  # the time at which the channel took something, or was first full
        self._longest_stall = 0.0  # seconds; the longest time without progress since the last note
        self._watching = False  # the loop reports when the channel is writable
        self._batching = False  # between `hold(True)` and `hold(False)`
        self._pressure_since: float | None = None  # when less output was requested; None: it is not
        self._timer: Timer | None = None

    def attach(self, loop: Loop, on_pressure: Callable[[bool], object] | None = None) -> None:
        """Let the loop write the kept records when the channel is writable."""
        self._loop = loop
        self._on_pressure = on_pressure
        self._settle()

    def write(self, record: bytes) -> None:
        """Write a record, which ends with a line feed, or keep it, or drop it."""
        if self._batching:
            if not self._watching and self._buffered + len(record) > self.LIMIT:
                self._flush()
            if self._has_room(len(record)):
                if not self._buffer:
                    self._progressed_at = self._now()
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
                if taken:
                    self._partial = REST_KEPT
                self._progressed_at = self._now()
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
        self._batching = held
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
        drops = self._drops
        if drops is not None:
            if drops == NOT_READ or self._buffered > self.HIGH_WATER:
                return False
            self._drops = None
            if self._lost:
                self._announce()
        if self._buffered + size <= self.LIMIT:
            return True
        self._drops = DOES_NOT_FIT
        return False

    def _append(self, record: bytes) -> None:
        self._buffer.append(record)
        self._buffered += len(record)
        self._appended += 1

    def _announce(self) -> None:
        """Append a note about the lost records, in their place."""
        seconds = round(self._longest_stall)
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
        partial = self._partial  # nearly always None, which is the fastest to look at: this runs for each line
        if partial is not None and partial == REST_LOST:
            data = b"\n" + data
        try:
            taken = self._channel.write(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._reason = reason_of(error)
            if not self._is_broken and self.on_broken is not None:
                self.on_broken(self._reason)
            self._is_broken = True
            return -1
        self._is_broken = False
        if partial is not None and partial == REST_LOST and taken:
            self._partial = None
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
            self._longest_stall = max(self._longest_stall, now - self._progressed_at)
            self._progressed_at = now
            self._consume(taken)
            if not self._buffer:
                self._drops = None
                if self._lost:
                    self._announce()
                self._longest_stall = 0.0
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
            if taken < len(head):
                self._partial = REST_KEPT
                buffer.appendleft(head[taken:])
                return
            self._partial = None
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
        if self._partial is not None:
            self._partial = REST_LOST
        self._drops = None
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
        if self._pressure_since is not None:
            if self._buffered <= self.LOW_WATER:
                self._end_pressure()
        elif self._buffered > self.HIGH_WATER and self._drops != NOT_READ:
            self._begin_pressure(loop)

    def _begin_pressure(self, loop: Loop) -> None:
        self._pressure_since = now = loop.now()
        self._timer = loop.call_at(now + self.PATIENCE, self._check_progress)
        if self._on_pressure is not None:
            self._on_pressure(True)

    def _end_pressure(self) -> None:
        self._pressure_since = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._on_pressure is not None:
            self._on_pressure(False)

    def _check_progress(self) -> None:
        """End the pressure and drop new records if nothing was read for PATIENCE seconds."""
        if self._loop is None or self._pressure_since is None:
            return
        deadline = max(self._progressed_at, self._pressure_since) + self.PATIENCE
        if self._loop.now() < deadline:
            self._timer = self._loop.call_at(deadline, self._check_progress)
            return
        self._timer = None
        self._drops = NOT_READ
        self._end_pressure()


def open_sink(output: str) -> Sink:
    """The sink for "stdout", "stderr" or a path. Raises OSError if a path cannot be opened."""
    if output in ("stdout", "/dev/stdout"):
        return Sink(stream_channel(1), STDOUT)
    if output in ("stderr", "/dev/stderr"):
        return Sink(stream_channel(2), STDERR)
    return Sink(file_channel(output), output)


def lost_lines(count: int) -> str:
    return "1 log line was lost" if count == 1 else f"{count} log lines were lost"
