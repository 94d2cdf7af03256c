"""The loop: one thread, epoll, timers, signals, and calls from other threads. The only clock of the engine.

The order of work in one turn: signals, calls from other threads, due timers, the engine's own calls, descriptors, and
last the clients, which are those who look in from outside. Clients get all the time that the engine leaves. While the
engine has something to do they get CLIENT_SHARE of the time, and STOPPING_SHARE from `hurry` on: no client delays a
signal, an exit or a timer by more than one turn of CLIENT_TURN, and no client is locked out.
"""

from __future__ import annotations

import os
import select
import time
from _heapq import heapify, heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections import deque
    from collections.abc import Callable, Iterator
    from typing import Any

    Call = tuple[Callable[..., object], tuple[Any, ...]]
else:
    import _signal  # the C module: `signal` imports enum
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs

# Calls that run in one turn: a burst of calls must not starve a signal.
READY_BATCH = 1000
# Calls that wait for the next turn of the loop; if there are more, the loop wakes up for them.
MOST_LAZY = 100
# Seconds after which a turn makes no more calls: the checks of 200 jobs may all be due at once.
TURN = 0.002
# Descriptors that are served in one turn. The kernel returns ready ones in rotation, so that those which are left out
# come first the next time.
EVENTS_BATCH = 16
# Seconds of one turn that all clients together get.
CLIENT_TURN = 0.0005
# The clients' part of the time while the engine has something to do: usually, and during a stop.
CLIENT_SHARE, STOPPING_SHARE = 0.25, 0.01
LONGEST_WAIT = 86400.0  # seconds; epoll refuses more than 24 days


def _elapsed() -> float:
    """Seconds since the machine's boot, with the time for which it was suspended; `now` leaves that out. For ages of
    facts about other machines. Also for other threads."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Timer:
    """A call that is due at a moment of the monotonic clock; cancelled timers leave the heap when their time comes."""

    __slots__ = ("arguments", "callback", "deadline", "sequence")

    def __init__(self, deadline: float, sequence: int, callback: Callable[..., object], arguments: tuple[Any, ...]):
        self.deadline = deadline
        self.sequence = sequence
        self.callback: Callable[..., object] | None = callback
        self.arguments = arguments

    def cancel(self) -> None:
        self.callback = None
        self.arguments = ()

    def __lt__(self, other: Timer) -> bool:
        return (self.deadline, self.sequence) < (other.deadline, other.sequence)


class Loop:
    """Runs callbacks one at a time on the thread that calls `run`.

    `on_error(error)` is called if a callback raises: at PID 1 one faulty callback must not take the service down.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, on_error: Callable[[BaseException], None] | None = None
    ) -> None:
        self.now = clock
        self.elapsed = _elapsed
        self.on_error = on_error
        self._epoll = select.epoll(select.EPOLL_CLOEXEC)
        self._readers: dict[int, Callable[[], object] | None] = {}  # None: paused
        self._writers: dict[int, Callable[[], object]] = {}
        self._timers: list[Timer] = []
        self._cancelled_limit = 1000
        self._sequence = 0
        self._ready: deque[Call] = deque()
        self._posted: deque[Call] = deque()
        self._clients: set[int] = set()  # the descriptors among `_readers` that belong to clients
        self._pieces: deque[Iterator[object]] = deque()  # work for clients that has not ended
        self._client_share = CLIENT_SHARE
        self._clients_end = 0.0  # when the clients' turn is over
        self._clients_next = 0.0  # when they have their next one, however busy the engine is
        self._client_turns = 0
        self._signals: deque[int] = deque()
        self._signal_handlers: dict[int, Callable[[int], object]] = {}
        self._stopped = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._epoll.register(self._wake_read, select.EPOLLIN)

    # --- timers and calls

    def call_at(self, deadline: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        self._sequence += 1
        timer = Timer(deadline, self._sequence, callback, arguments)
        heappush(self._timers, timer)
        if len(self._timers) > self._cancelled_limit:
            self._drop_cancelled()
        return timer

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        return self.call_at(self.now() + delay, callback, *arguments)

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._ready.append((callback, arguments))

    def call_steps(self, steps: Iterator[object]) -> None:
        """Like `call_soon`, for work of many steps. All that is called later waits for the last one, but signals,
        timers and descriptors do not."""
        self._ready.append((self._step, (steps,)))

    def _step(self, steps: Iterator[object]) -> None:
        try:
            next(steps)
        except StopIteration:
            return
        self._ready.appendleft((self._step, (steps,)))

    def post(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call from another thread: the callback runs on the loop's."""
        self._posted.append((callback, arguments))
        self._wake()

    def post_lazily(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Like `post`, for what nothing waits for: the callback runs in the next turn, but does not begin one.

        A turn makes these calls before it serves clients, so they see no difference.
        """
        self._posted.append((callback, arguments))
        if len(self._posted) >= MOST_LAZY:
            self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            pass  # the pipe is full of wake-ups: one of them will do

    def _drop_cancelled(self) -> None:
        self._timers = [timer for timer in self._timers if timer.callback is not None]
        heapify(self._timers)
        self._cancelled_limit = max(1000, 2 * len(self._timers))

    # --- descriptors

    # The kernel may refuse a descriptor that is new to it: no memory, or fs.epoll.max_user_watches is reached. It never
    # refuses one that it has, so whoever only makes a pause says `pause_reader`: the way back is always open.

    def add_reader(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back when there is something to read. OSError if the kernel refuses, and nothing has changed then."""
        self._add(self._readers, fd, callback)

    def pause_reader(self, fd: int) -> None:
        """Do not call back until the next `add_reader`, which cannot fail. Not for what can hang up."""
        if self._readers.get(fd) is not None:
            self._readers[fd] = None
            self._watch(fd)

    def remove_reader(self, fd: int) -> None:
        self._clients.discard(fd)
        if fd in self._readers:
            del self._readers[fd]
            self._watch(fd)

    def add_writer(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back when something can be written. OSError if the kernel refuses, and nothing has changed then."""
        self._add(self._writers, fd, callback)

    def remove_writer(self, fd: int) -> None:
        if self._writers.pop(fd, None) is not None:
            self._watch(fd)

    def forget(self, fd: int) -> None:
        """Remove reader and writer of a descriptor that is closed next: the kernel drops it from epoll then.

        Not for a descriptor that has a duplicate, in this process or in another one.
        """
        self._readers.pop(fd, None)
        self._writers.pop(fd, None)

    def _add(self, callbacks: dict[int, Any], fd: int, callback: Callable[[], object]) -> None:
        is_known = fd in self._readers or fd in self._writers
        callbacks[fd] = callback
        try:
            if is_known:
                self._watch(fd)
            else:
                self._epoll.register(fd, select.EPOLLIN if callbacks is self._readers else select.EPOLLOUT)
        except OSError:
            del callbacks[fd]
            raise

    def _watch(self, fd: int) -> None:
        if fd not in self._readers and fd not in self._writers:
            self._epoll.unregister(fd)
            return
        mask = (select.EPOLLIN if self._readers.get(fd) else 0) | (select.EPOLLOUT if fd in self._writers else 0)
        try:
            self._epoll.modify(fd, mask)
        except FileNotFoundError:
            self._epoll.register(fd, mask)

    # --- clients

    def add_client(self, fd: int, callback: Callable[[], object]) -> None:
        """Like `add_reader`, for the descriptor of a client: the callback runs in the clients' time.

        It should return when `clients_over` is true, and is called again then. OSError if the kernel refuses.
        """
        self.add_reader(fd, callback)
        self._clients.add(fd)

    def add_pieces(self, pieces: Iterator[object]) -> None:
        """Do a long piece of work for a client, step by step in the clients' time. A step takes 0.1 ms at most."""
        self._pieces.append(pieces)

    def clients_over(self) -> bool:
        """Whether the clients have had their time of this turn."""
        return self.now() >= self._clients_end

    def hurry(self) -> None:
        """From now on the engine stops: clients get less."""
        self._client_share = STOPPING_SHARE

    # --- signals

    def handle_signals(self, handlers: dict[int, Callable[[int], object]]) -> None:
        """Install the handlers and unblock every signal: what arrived since the interpreter's start is handled now.

        The handlers are called by the loop, in the order of arrival. The wake-up pipe only ends the wait; which signals
        came is kept in a queue of its own, so that a full pipe loses none.
        """
        self._signal_handlers = handlers
        _signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in handlers:
            _signal.signal(number, self._note_signal)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())

    def _note_signal(self, number: int, frame: object) -> None:
        if number not in self._signals:
            self._signals.append(number)

    # --- running

    def stop(self) -> None:
        self._stopped = True

    def run(self) -> None:
        """Run until `stop` is called."""
        self._stopped = False
        while not self._stopped:
            self.run_once()

    def run_once(self) -> None:
        own: list[tuple[int, int]] = []
        clients: list[int] = []
        for fd, mask in self._epoll.poll(self._timeout(), EVENTS_BATCH):
            if fd == self._wake_read:
                self._drain_wake()
            elif fd in self._clients:
                clients.append(fd)
            else:
                own.append((fd, mask))
        self._run_calls()
        if self._stopped:
            return
        for fd, mask in own:
            # A hang-up counts as readable and writable: the owner finds out by reading or writing.
            if mask & ~select.EPOLLOUT and (reader := self._readers.get(fd)):
                self._call(reader, ())
            if mask & ~select.EPOLLIN and (writer := self._writers.get(fd)):
                self._call(writer, ())
        if clients or self._pieces:
            now = self.now()
            if now >= self._clients_next or not (own or self._is_busy(now)):
                self._serve_clients(now, clients)

    def _run_calls(self) -> None:
        while self._signals:
            number = self._signals.popleft()
            self._call(self._signal_handlers[number], (number,))
        end = self.now() + TURN
        for _ in range(len(self._posted)):
            self._call(*self._posted.popleft())
            if self.now() >= end:
                break
        self._run_timers(end)
        for _ in range(READY_BATCH):
            if not self._ready or self._stopped:
                break
            self._call(*self._ready.popleft())
            if self.now() >= end:
                break

    def _timeout(self) -> float:
        if self._ready or self._posted or self._signals or self._pieces:
            return 0
        while self._timers and self._timers[0].callback is None:
            heappop(self._timers)
        if not self._timers:
            return -1
        return min(max(0.0, self._timers[0].deadline - self.now()), LONGEST_WAIT)

    def _is_busy(self, now: float) -> bool:
        """Whether the engine has something to do at once."""
        due = self._timers and self._timers[0].deadline <= now
        return bool(self._ready or self._posted or self._signals or due)

    def _serve_clients(self, began: float, fds: list[int]) -> None:
        """Give the clients a turn. Where it is too short for all the next one begins with those that were left out."""
        self._clients_end = began + CLIENT_TURN
        waiting = [*fds, -1] if self._pieces else fds
        for _ in waiting:
            self._client_turns += 1
            fd = waiting[self._client_turns % len(waiting)]
            if fd < 0:
                self._do_pieces()
            elif reader := self._readers.get(fd):
                self._call(reader, ())
            if self.clients_over():
                break
        # Where it took longer, other processes had the processor. Clients do not pay for that.
        took = min(self.now() - began, CLIENT_TURN)
        self._clients_next = began + took / self._client_share

    def _do_pieces(self) -> None:
        while self._pieces:
            pieces = self._pieces.popleft()
            try:
                next(pieces)
                self._pieces.append(pieces)
            except StopIteration:
                pass
            except Exception as error:
                self._report(error)
            if self.clients_over():
                return

    def _run_timers(self, end: float) -> None:
        now = self.now()
        while self._timers and self._timers[0].deadline <= now:
            timer = heappop(self._timers)
            if timer.callback is not None:
                callback, arguments = timer.callback, timer.arguments
                timer.cancel()
                self._call(callback, arguments)
                if self.now() >= end:
                    return

    def _drain_wake(self) -> None:
        try:
            while len(os.read(self._wake_read, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def _call(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        try:
            callback(*arguments)
        except Exception as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        # An exception of a callback is a bug. The loop keeps the container alive: it reports the bug and goes on.
        if self.on_error is None:
            raise error
        try:
            self.on_error(error)
        except Exception:
            pass  # no memory or no descriptor is left to report it with; the loop goes on
