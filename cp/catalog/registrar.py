"""Keeps the catalogue as the program wishes it: the thread and the clock around `goals`."""

from __future__ import annotations

import time
from _thread import allocate_lock, start_new_thread

from cp.catalog import CatalogError, CatalogUnreachable
from cp.catalog.bell import Bell
from cp.catalog.goals import DEREGISTER, HEARTBEAT, REGISTER, Goals
from cp.catalog.trouble import LONGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog import Catalog, Log, Loop
    from cp.catalog.goals import Action
    from cp.plan import Service

# A removal waits this long for another service's call to end by itself before that call is broken off: the engine
# gives all removals together one second.
GRACE = 0.2


class Registrar:
    """Told what should be true, and makes it true for as long as it takes.

    `start`, `want`, `forget` and `stop` are for the loop's thread and never block. All calls to the catalogue are made
    on one thread of the registrar's own, which opens the catalogue as soon as it is started, so that its first
    call finds all modules imported. `open` may raise CatalogError: that is an outage like any other.
    """

    def __init__(
        self,
        open: Callable[[], Catalog],
        loop: Loop,
        log: Log,
        *,
        random: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        start_thread: Callable[[Callable[[], None], tuple[()]], object] = start_new_thread,
    ) -> None:
        self._open = open
        self._loop = loop
        self._log = log
        self._clock = clock
        self._start_thread = start_thread
        self._goals = Goals(random, self._notice, loop.post)
        self._lock = allocate_lock()  # over the goals and the call; held for microseconds, never during a call
        self._bell: Bell | None = None
        self._catalog: Catalog | None = None
        self._action: Action | None = None  # the call under way
        self._stopped = False
        self._complained = False

    # --- on the loop's thread

    def start(self) -> None:
        """Starts the thread; a second call does nothing."""
        if self._bell is not None or self._stopped:
            return
        bell = None
        try:
            bell = self._bell = Bell()
            self._start_thread(self._run, ())
        except (OSError, RuntimeError) as error:  # no descriptor, no thread: the next wish tries again
            if bell is not None:
                bell.close()
            self._bell = None
            if not self._complained:
                self._complained = True
                self._log.warning(f"Service registration failed: cannot start a thread: {error}")

    def want(self, service: Service, status: str, output: str = "") -> None:
        """Present with this status, as a check has just found: each call is one heartbeat, and heals what is broken.

        Status "" is for the time before the first check: registered with the service's initial status, no heartbeat.
        A passing status is sent, and tried again, only until it is as old as the service's ttl.
        """
        if self._stopped:
            return
        with self._lock:
            self._goals.want(service, status, output, self._clock())
        self._wake()

    def forget(self, service: Service, done: Callable[[], None] | None = None) -> None:
        """Absent. `done` is posted to the loop when the service is gone or when the first try has failed.

        It is tried again until it succeeds or until the service is wanted again.
        """
        if self._stopped:
            if done is not None:
                self._loop.post(done)
            return
        self.start()
        if self._bell is None and done is not None:  # there is nobody to wait for
            self._loop.post(done)
            done = None
        with self._lock:
            self._goals.forget(service, done, self._clock())
            action = self._action
        if action is not None and action.verb != DEREGISTER:
            self._loop.call_later(GRACE, self._hurry, action)
        self._wake()

    def stop(self) -> None:
        """No more work. The thread ends by itself; nobody waits for it."""
        self._stopped = True
        catalog, bell = self._catalog, self._bell
        if catalog is not None:
            catalog.close()
        if bell is not None:
            bell.ring()

    def _wake(self) -> None:
        self.start()
        if self._bell is not None:
            self._bell.ring()

    def _hurry(self, action: Action) -> None:
        """Breaks off the call that was under way when a removal was wished for, if it still is."""
        with self._lock:
            if self._action is action and self._goals.removal_waits():
                catalog = self._catalog
                if catalog is not None:
                    catalog.interrupt()

    # --- on the registrar's thread

    def _run(self) -> None:
        bell = self._bell
        assert bell is not None
        try:
            self._warm_up()
            while not self._stopped:
                try:
                    pause = self.step()
                except Exception as error:  # a fault of ours: without this thread nothing would ever heal again
                    self._notice("error", f"Service registration: unexpected {type(error).__name__}: {error}")
                    pause = LONGEST
                if not self._stopped:
                    bell.wait(pause)
        finally:
            if self._catalog is not None:
                self._catalog.close()
            bell.close()

    def _warm_up(self) -> None:
        try:
            self._opened()
        except Exception:  # whatever it is, the first call meets it again and reports it
            return

    def step(self) -> float | None:
        """Makes all calls that are due; returns in how many seconds to ask again, None = after the next wish."""
        while not self._stopped:
            with self._lock:
                chosen = self._goals.next(self._clock())
                if chosen is None or isinstance(chosen, float):
                    return chosen
                self._action = chosen
            error = self._attempt(chosen)
            with self._lock:
                self._action = None
                if not self._stopped:
                    self._goals.ended(chosen, error, self._clock())
        return None

    def _attempt(self, action: Action) -> CatalogError | None:
        try:
            catalog = self._opened()
            if action.verb == REGISTER:
                catalog.register(action.service, action.status)
            elif action.verb == HEARTBEAT:
                catalog.heartbeat(action.service, action.status, action.output)
            else:
                catalog.deregister(action.service)
        except CatalogError as error:
            return error
        except Exception as error:  # a fault of ours or of a library must not end registration for good
            return CatalogUnreachable(f"unexpected {type(error).__name__}: {error}")
        return None

    def _opened(self) -> Catalog:
        if self._catalog is None:
            self._catalog = self._open()
            if self._stopped:  # `stop` may have looked before the catalogue was here
                self._catalog.close()
        return self._catalog

    def _notice(self, level: str, text: str) -> None:
        self._loop.post(getattr(self._log, level), text)
