"""A stream that this user may not open again, such as another user's pipe: a thread writes to it, and may block."""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread
from errno import EIO

from cp.log.channels import Channel, wait_writable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from _thread import LockType
    from collections.abc import Callable

    from cp.log.channels import Loop
else:
    import _signal  # the C module: `signal` imports enum


class ThreadChannel(Channel):
    """Writes one piece at a time. `fd` still belongs to the caller."""

    __slots__ = ("_broken", "_closed", "_failure", "_fd", "_idle", "_notify", "_piece", "_started", "_work")

    def __init__(self, fd: int) -> None:
        self._fd = os.dup(fd)
        self._idle: LockType = allocate_lock()  # locked while a piece is being written
        self._work: LockType = allocate_lock()  # locked while there is nothing to do
        self._work.acquire()
        self._piece = b""
        self._started = False
        self._closed = False
        self._broken: OSError | None = None
        self._failure: tuple[int, OSError] | None = None
        self._notify: Callable[[], object] | None = None

    def write(self, data: bytes) -> int:
        if not self._idle.acquire(False):
            raise BlockingIOError
        try:
            self._check()
            self._start()
        except OSError:
            self._idle.release()
            raise
        self._piece = data
        self._work.release()
        return len(data)

    def _check(self) -> None:
        """Raise the error of the last write, while the stream is still broken."""
        if self._broken is not None:
            if wait_writable(self._fd, 0):
                raise self._broken
            self._broken = None

    def _start(self) -> None:
        if not self._started:
            try:
                start_new_thread(self._run, ())
            except RuntimeError as error:  # the limit of processes is reached
                raise OSError(EIO, str(error)) from None
            self._started = True

    def _run(self) -> None:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())  # signals go to the main thread
        while True:
            self._work.acquire()
            if self._closed:
                break
            try:
                self._write_all(self._piece)
            except OSError as error:
                self._failure = (self._piece.count(b"\n"), error)
                self._broken = error
            self._idle.release()
            notify = self._notify
            if notify is not None:
                notify()
            if self._closed:  # since the check above
                break
        os.close(self._fd)

    def _write_all(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:  # another process made the shared description non-blocking
                wait_writable(self._fd, None)

    def take_failure(self) -> tuple[int, OSError] | None:
        failure, self._failure = self._failure, None
        return failure

    def busy(self) -> bool:
        return self._idle.locked()

    def wait(self, seconds: float) -> None:
        if self._idle.acquire(True, seconds):
            self._idle.release()

    def watch(self, loop: Loop, callback: Callable[[], object]) -> None:
        self._notify = lambda: loop.post(callback)
        if not self.busy():  # the thread finished before it could see `_notify`
            loop.post(callback)

    def unwatch(self, loop: Loop) -> None:
        self._notify = None

    def close(self) -> None:
        self._closed = True
        self._notify = None
        if not self._started:
            os.close(self._fd)
        elif self._idle.acquire(False):
            self._work.release()
        # Otherwise the thread is writing, perhaps forever: it ends with the process.
