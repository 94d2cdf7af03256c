"""A wake-up for a thread that waits, and that may wait for a file descriptor at the same time."""

from __future__ import annotations

import os
import select
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_WAIT = 86400.0  # poll() takes an int of milliseconds


class Wakeup:
    """Rings are not counted: any number of them before a wait end that one wait.

    An eventfd and not a lock with a timeout, because the latter follows the wall clock on Python 3.10.
    """

    __slots__ = ("_fd", "_guard")

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._guard = allocate_lock()

    def ring(self) -> None:
        """Ends the wait under way or the next one; on any thread, and without effect once closed."""
        with self._guard:  # else the number might already belong to another file
            if self._fd >= 0:
                os.eventfd_write(self._fd, 1)

    def wait(self, seconds: float | None, others: Iterable[int] = ()) -> bool:
        """Until it rings, one of the other descriptors is readable, or the time is over; true if it rang."""
        poll = select.poll()
        for fd in (self._fd, *others):
            poll.register(fd, select.POLLIN)
        wait = LONGEST_WAIT if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)
        for fd, _ in poll.poll(-int(-wait * 1000 // 1)):
            if fd == self._fd:
                os.eventfd_read(self._fd)
                return True
        return False

    def close(self) -> None:
        """By the waiting thread only."""
        with self._guard:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
