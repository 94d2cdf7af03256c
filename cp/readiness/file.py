"""Readiness by a file that is newer than the start of the run."""

from __future__ import annotations

import os
import time
from _thread import start_new_thread

from cp.platform.text import reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.loop import Loop, Timer

    Stamp = tuple[int, int, int]  # device, inode, and time of the last change in nanoseconds

PAUSE = 0.25  # seconds between two looks
# The clock from which the kernel takes the times of files. It is up to 10 ms behind the usual one.
REALTIME_COARSE = 5
TOLERANCE = 1_000_000_000  # nanoseconds by which the clock of a file server may be ahead


class Freshness:
    """Decides whether a file is newer than the start of a run, from what one look after the other finds; pure.

    The first look comes right after the start. A file that is there by then counts if its time is not before the
    start, and not in the future. Later each change counts, whatever the clock of the file system and its resolution.
    """

    __slots__ = ("_began", "_has_looked", "_known")

    def __init__(self, began: int) -> None:
        """`began` is the time of the start in nanoseconds, of the clock that files have."""
        self._began = began
        self._known: Stamp | None = None
        self._has_looked = False

    def is_fresh(self, found: Stamp | None, now: int) -> bool:
        """Whether a look found a file that counts; None: no file. `now` is the time of the look."""
        if found is None:
            fresh = False
        elif self._has_looked:
            fresh = found != self._known
        else:
            fresh = self._began <= found[2] <= now + TOLERANCE
        self._has_looked, self._known = True, found
        return fresh


class ReadyFile:
    """Looks for the file on a thread, about four times a second while a run waits for it. `on_found()` is called once
    in each run.

    A look at a file of a network may take any time. Until it has ended there is no other, so there is one thread at
    most.
    """

    __slots__ = ("_freshness", "_is_looking", "_loop", "_on_found", "_path", "_timer", "error")

    def __init__(self, loop: Loop, path: str, on_found: Callable[[], object]) -> None:
        self.error = ""  # why the last look was not possible
        self._loop = loop
        self._path = path
        self._on_found = on_found
        self._freshness: Freshness | None = None  # of the run that waits
        self._is_looking = False
        self._timer: Timer | None = None

    def start(self) -> None:
        """A run is about to start."""
        self._freshness = Freshness(time.clock_gettime_ns(REALTIME_COARSE))
        self.error = ""
        self._look()

    def stop(self) -> None:
        """The run does not wait for it any more."""
        self._freshness = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._freshness is None or self._is_looking:
            return
        try:
            start_new_thread(self._find, (self._freshness,))
        except RuntimeError:  # there is no thread at the moment
            self._timer = self._loop.call_later(PAUSE, self._look)
        else:
            self._is_looking = True

    def _find(self, freshness: Freshness) -> None:
        """On a thread of its own."""
        found: Stamp | None = None
        error = ""
        try:
            status = os.stat(to_bytes(self._path))
            found = (status.st_dev, status.st_ino, status.st_mtime_ns)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except Exception as problem:
            error = reason_of(problem)
        self._loop.post(self._found, freshness, found, error, time.time_ns())

    def _found(self, freshness: Freshness, found: Stamp | None, error: str, now: int) -> None:
        self._is_looking = False
        if freshness is not self._freshness:
            self._look()  # for another run than the one that waits, if one does
            return
        self.error = error
        if not error and freshness.is_fresh(found, now):
            self.stop()
            self._on_found()
        else:
            self._timer = self._loop.call_later(PAUSE, self._look)
