"""Keeps the catalogue in the desired state: the threads and the clock around `desired`."""

from __future__ import annotations

import time
from _thread import allocate_lock, start_new_thread

from cp.catalog.desired import DesiredState
from cp.catalog.desired_service import DEREGISTER
from cp.catalog.registrar_worker import RegistrarWorker
from cp.catalog.reports import Reports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.desired_service import Action
    from cp.catalog.outage import Failures
    from cp.catalog.protocol import Catalog, CatalogError
    from cp.catalog.registrar_worker import StartThread
    from cp.engine.ports import CatalogListener, Log, Loop
    from cp.plan import Level, Service, Status

# Seconds that a deregistration waits for the call of another service. Then it interrupts that call: the engine gives
# all deregistrations together one second.
DEREGISTRATION_GRACE = 0.2
SLOW = 1.0  # seconds; a call that takes longer must not delay other services: they get another worker
MOST_WORKERS = 4
IDLE = 30.0  # seconds without a slow call after which all workers but the first one end


class Registrar:
    """Receives the desired state of services, and repeats calls until the catalogue has it.

    `start`, `register`, `deregister` and `stop` are for the loop's thread and never block. Threads of the registrar
    make all calls to the catalogue. The first one opens the catalogue when it starts, so that its first call finds all
    modules imported. Up to three more run while calls are slow. `open` makes a client for one thread; it may raise
    CatalogError, which begins an outage. `clock` should go on while the machine is suspended, as the catalogue's clock
    does. `shared` has the failures of all clients of the catalogue.
    """

    def __init__(
        self,
        open: Callable[[], Catalog],
        loop: Loop,
        log: Log,
        *,
        listener: CatalogListener,
        random: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        start_thread: StartThread = start_new_thread,
        idle: float = IDLE,
        shared: Failures | None = None,
    ) -> None:
        self._open = open
        self._loop = loop
        self._log = log
        self._clock = clock
        self._start_thread = start_thread
        self._idle = idle
        self._reports = Reports(loop, listener)
        self._desired_state = DesiredState(random, self.notice, loop.post, self._reports, shared)
        # Over the desired state, workers and their calls; held for microseconds, never during a call.
        self._lock = allocate_lock()
        self._first = RegistrarWorker(self, open)
        self._workers = [self._first]
        self._check_is_due = False  # a timer will call `_check_for_slow_calls`
        self._slow_at = 0.0  # when one worker was last not enough
        self._stopped = False
        self._complained = False

    # --- on the loop's thread

    def start(self) -> None:
        """Start the first thread. A second call does nothing."""
        if not self._stopped:
            self._start_first()

    def _start_first(self) -> bool:
        try:
            self._first.start(self._start_thread)
        except (OSError, RuntimeError) as error:  # no descriptor, no thread: the next `register` tries again
            why = f"cannot start a thread: {error}"
            self._reports.failed(why)
            if not self._complained:
                self._complained = True
                self._log.warning(f"Service registration failed: {why}")
            return False
        return True

    def register(self, service: Service, status: Status, output: str = "", age: float = 0.0) -> None:
        """Register the service with this status of a check. Each call is one heartbeat, and repairs the entry.

        Status "" is for the time before the first check: the service has its initial status, and no heartbeat. A
        passing status is sent and retried only until its age is the service's ttl. `age`: its age now, in seconds.
        """
        if self._stopped:
            return
        with self._lock:
            self._desired_state.register(service, status, output, self._clock() - age)
        self._wake()

    def deregister(self, service: Service, done: Callable[[], None] | None = None) -> None:
        """Deregister the service. `done` is posted to the loop when that succeeds, or fails for the first time.

        The registrar retries until that succeeds, or until `register` gets the service again.
        """
        if self._stopped:
            if done is not None:
                self._loop.post(done)
            return
        if not self._start_first() and done is not None:  # no thread will call it
            self._loop.post(done)
            done = None
        with self._lock:
            self._desired_state.deregister(service, done, self._clock())
            calls = [worker.action for worker in self._workers if worker.action is not None]
        if calls:
            self._loop.call_later(
                DEREGISTRATION_GRACE, self._interrupt, [call for call in calls if call.verb != DEREGISTER]
            )
        self._wake()

    def stop(self) -> None:
        """Make no more calls. The threads end by themselves; nothing waits for them."""
        self._stopped = True
        self._reports.close()
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            worker.stop()

    def _wake(self) -> None:
        self._start_first()
        self._wake_resting_workers()
        if len(self._desired_state) > 1:  # a slow call of the only service delays no other
            self._schedule_check()

    def _interrupt(self, actions: list[Action]) -> None:
        """Interrupt those of the calls that delay deregistrations, if they are still under way.

        A deregistration is not interrupted for another one, which gets another worker.
        """
        if self._stopped:
            return
        with self._lock:
            waiting = self._desired_state.untried_deregistrations()
            old = [each for each in self._workers if each.action in actions and each.client.is_open]
            old.sort(key=lambda worker: worker.action is None or worker.action.desired not in waiting)
            own = sum(worker.action is not None and worker.action.desired in waiting for worker in old)
            missing = len(waiting) - sum(worker.action is None for worker in self._workers)
            interrupted = old[: max(own, missing)]
            for worker in interrupted:
                worker.client.interrupt()
            missing -= len(interrupted)
        for _ in range(missing):
            self._start_worker()

    def _check_for_slow_calls(self) -> None:
        """Start another worker if all calls are slow and more are due."""
        self._check_is_due = False
        if self._stopped:
            return
        now = self._clock()
        with self._lock:
            calls = [worker.action for worker in self._workers]
            busy = any(calls)
            slow = all(call is not None and now - call.begun >= SLOW for call in calls)
            waits = self._desired_state.waits_for_worker(now)
        if waits and slow:
            self._start_worker()
        elif waits:
            self._wake_resting_workers()  # the first worker knows when to retry, and it may be busy
        if busy:
            self._schedule_check()

    def _start_worker(self) -> None:
        worker = RegistrarWorker(self, self._open, self._idle)
        with self._lock:
            self._slow_at = self._clock()
            if len(self._workers) >= MOST_WORKERS:
                return
            self._workers.append(worker)
        try:
            worker.start(self._start_thread)
        except (OSError, RuntimeError):  # the others go on without it
            with self._lock:
                self._workers.remove(worker)

    def _wake_resting_workers(self) -> None:
        with self._lock:
            resting = [worker for worker in self._workers if worker.action is None]
        for worker in resting:
            worker.wake()

    def _schedule_check(self) -> None:
        if not self._check_is_due:
            self._check_is_due = True
            self._loop.call_later(SLOW, self._check_for_slow_calls)

    # --- on the workers' threads

    def step(self) -> float | None:
        """Make the calls of the first worker that are due."""
        return self._first.step()

    def take(self, worker: RegistrarWorker) -> Action | float | None:
        """The next call for this worker, or the seconds until then; None: not before the desired state changes."""
        with self._lock:
            chosen = self._desired_state.next(self._clock(), worker)
            if chosen is not None and not isinstance(chosen, float):
                worker.action = chosen
            return chosen

    def give_back(self, worker: RegistrarWorker, action: Action, error: CatalogError | None) -> None:
        """Record the outcome of a call."""
        now = self._clock()
        with self._lock:
            worker.action = None
            if now - action.begun >= SLOW:
                self._slow_at = now
            if not self._stopped:
                self._desired_state.ended(action, error, now)
            alone = len(self._workers) == 1
        if worker is not self._first and not alone:
            self._first.wake()  # it waits for the time of the next attempt

    def dismiss(self, worker: RegistrarWorker) -> None:
        """End this worker if calls have been fast for long enough: the first one makes them all."""
        with self._lock:
            if self._clock() - self._slow_at < self._idle:
                return
            if worker in self._workers:
                self._workers.remove(worker)
        worker.stop()

    def notice(self, level: Level, text: str) -> None:
        self._loop.post(getattr(self._log, level), text)
