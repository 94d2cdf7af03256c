"""A thread of the registrar, with its own client of the catalogue."""

from __future__ import annotations

from cp.catalog.desired_service import HEARTBEAT, LOOK, REGISTER
from cp.catalog.lazy_client import LazyClient
from cp.catalog.outage import LONGEST, in_words
from cp.catalog.protocol import CatalogError, CatalogUnreachable
from cp.platform.wakeup import Wakeup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from cp.catalog.desired_service import Action
    from cp.catalog.protocol import Catalog
    from cp.plan import Level

    class Dispatcher(Protocol):
        """Distributes the calls. A worker calls all methods on its thread."""

        def take(self, worker: RegistrarWorker) -> Action | float | None: ...
        def give_back(self, worker: RegistrarWorker, action: Action, error: CatalogError | None) -> None: ...
        def dismiss(self, worker: RegistrarWorker) -> None: ...
        def notice(self, level: Level, message: str) -> None: ...

    StartThread = Callable[[Callable[[], None], tuple[()]], object]


class RegistrarWorker:
    """Makes the calls that the registrar gives it. Every `idle` seconds, it asks whether it is still needed."""

    def __init__(self, dispatcher: Dispatcher, open: Callable[[], Catalog], idle: float | None = None) -> None:
        self._dispatcher = dispatcher
        self._idle = idle
        self._wakeup: Wakeup | None = None
        self.client = LazyClient(open)
        self.action: Action | None = None  # the call under way; guarded by the registrar's lock
        self.stopped = False

    # --- on the loop's thread

    def start(self, start_thread: StartThread) -> None:
        """OSError or RuntimeError if no descriptor or thread is available. A second call does nothing."""
        if self._wakeup is not None:
            return
        wakeup = self._wakeup = Wakeup()
        try:
            start_thread(self._run, ())
        except (OSError, RuntimeError):
            wakeup.close()
            self._wakeup = None
            raise

    def wake(self) -> None:
        if self._wakeup is not None:
            self._wakeup.ring()

    def stop(self) -> None:
        """Make the call under way fail. The thread ends by itself; nothing waits for it."""
        self.stopped = True
        self.client.close()
        self.wake()

    # --- on the worker's thread

    def _run(self) -> None:
        wakeup = self._wakeup
        assert wakeup is not None
        try:
            self.client.warm_up()
            while not self.stopped:
                try:
                    pause = self.step()
                except Exception as error:  # an error of this program: this thread is still needed for repairs
                    self._dispatcher.notice("error", f"Service registration: {in_words(error)}")
                    pause = LONGEST
                if not self.stopped:
                    self._rest(wakeup, pause)
        finally:
            self.client.close()
            wakeup.close()

    def _rest(self, wakeup: Wakeup, pause: float | None) -> None:
        if self._idle is None:
            wakeup.wait(pause)
        else:
            wakeup.wait(self._idle)
            self._dispatcher.dismiss(self)

    def step(self) -> float | None:
        """Make all calls that are due. Returns the seconds until the next; None: until the desired state changes."""
        while not self.stopped:
            chosen = self._dispatcher.take(self)
            if chosen is None or isinstance(chosen, float):
                return chosen
            error = self._attempt(chosen)
            self._dispatcher.give_back(self, chosen, error)
        return None

    def _attempt(self, action: Action) -> CatalogError | None:
        try:
            catalog = self.client.get()
            if action.verb == REGISTER:
                catalog.register(action.service, action.status)
            elif action.verb == HEARTBEAT:
                catalog.heartbeat(action.service, action.status, action.output)
            elif action.verb == LOOK:
                action.found = catalog.entry(action.service)
            else:
                catalog.deregister(action.service)
        except CatalogError as error:
            return error
        except Exception as error:  # an error of this program or of a library must not end registration
            return CatalogUnreachable(in_words(error))
        return None
