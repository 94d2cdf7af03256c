"""The catalogue as the engine sees it: one registrar, and a watcher for each watch."""

from __future__ import annotations

import sys
from _thread import allocate_lock

from cp.plan import REGISTRATION, DirectorySettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.instrumented import Observe
    from cp.catalog.outage import Failures
    from cp.catalog.protocol import Catalog
    from cp.catalog.registrar import Registrar
    from cp.catalog.unusable_entries import Seen
    from cp.catalog.watcher import Watcher
    from cp.engine.loop import Loop
    from cp.engine.ports import CatalogFacts, Instance, Log, Report
    from cp.plan import ConsulSettings, EtcdSettings, Service, Status, Watch
    from cp.platform.resolver import Resolver


# Modules that the clients of Consul and etcd import later, and that a minimal Python may lack.
HTTP_MODULES = ("http", "json", "queue")
RETRY = 5.0  # seconds until the next attempt to import what watches need


def missing_for(settings: ConsulSettings | EtcdSettings | DirectorySettings) -> str | None:
    """Why this Python can never use the catalogue; None if it has all modules. Imports none of them."""
    if isinstance(settings, DirectorySettings):
        return None
    for name in HTTP_MODULES:
        if name not in sys.modules and not any(finder.find_spec(name, None) for finder in sys.meta_path):
            from cp.catalog.http.urllib3_subset import missing_module

            return missing_module(name)
    return None


def import_modules() -> None:
    """Import what a start postpones: a reload that cannot import it is refused, as long as nothing has changed."""
    import cp.catalog.registrar
    import cp.catalog.watcher  # noqa: F401


class NoDiscovery:
    """For a plan without a catalogue: it has no service and no watch, so nothing calls this."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def start(self) -> None:
        pass

    def register(self, service: Service, status: Status, output: str = "", *, age: float = 0.0) -> None:
        pass

    def deregister(self, service: Service, done: Callable[[], None]) -> None:
        self._loop.call_soon(done)

    def watch(self, watch: Watch, report: Report, memory: list[Instance] | None) -> Watcher:
        raise RuntimeError(f"{watch.source} needs a catalogue")

    def stop(self) -> None:
        pass


class SharedResolver:
    """What looks up names for all clients, over all reloads; made when the first client needs it, off the loop."""

    def __init__(self) -> None:
        self._guard = allocate_lock()
        self._resolver: Resolver | None = None

    def get(self) -> Resolver:
        with self._guard:
            if self._resolver is None:
                from cp.platform.resolver import Resolver

                self._resolver = Resolver()
            return self._resolver


class PostponedWatcher:
    """Stands for a watcher whose modules cannot be imported now. `make` makes the watcher, and is repeated until it
    can."""

    def __init__(self, loop: Loop, make: Callable[[], Watcher], memory: list[Instance] | None) -> None:
        self._loop = loop
        self._make = make
        self._memory = memory or []
        self._watcher: Watcher | None = None
        self._paused = False
        self._stopped = False

    @property
    def memory(self) -> list[Instance]:
        return self._memory if self._watcher is None else self._watcher.memory

    def start(self) -> None:
        if self._stopped:
            return
        try:
            self._watcher = self._make()
        except Exception:  # the first attempt was reported
            self._loop.call_later(RETRY, self.start)
            return
        self._watcher.start()
        if self._paused:
            self._watcher.pause()

    def pause(self) -> None:
        self._paused = True
        if self._watcher is not None:
            self._watcher.pause()

    def resume(self) -> None:
        self._paused = False
        if self._watcher is not None:
            self._watcher.resume()

    def stop(self) -> None:
        self._stopped = True
        if self._watcher is not None:
            self._watcher.stop()


class Discovery:
    """Opens the catalogue off the loop, once the application runs; nothing is imported for it before.

    If its modules cannot be imported, because memory is exhausted or the archive is damaged, the catalogue counts as
    unreachable: no call raises.
    """

    def __init__(
        self,
        settings: ConsulSettings | EtcdSettings | DirectorySettings,
        loop: Loop,
        log: Log,
        random: Callable[[], float],
        facts: CatalogFacts,
        observe: Observe | None = None,
        resolver: SharedResolver | None = None,
    ) -> None:
        """`facts` receives what the catalogue answers, and has the calls under way; `observe` receives each call to it,
        on the thread that made it."""
        self._settings = settings
        self._loop = loop
        self._log = log
        self._random = random
        self._facts = facts
        self._observe = observe
        self._resolver = resolver or SharedResolver()
        self._guard = allocate_lock()
        self._unusable: Seen | None = None  # what no client can use; made when the first client needs it
        self._registrar: Registrar | None = None
        self._started = False
        self._failure = ""  # why the modules could not be imported, last
        self._shared: Failures | None = None  # of all who use the catalogue; made when the first of them is
        self._informed = ""  # the latest choice that a client reported; all clients choose the same

    def start(self) -> None:
        self._started = True
        if self._registrar is not None:
            self._registrar.start()
        else:
            self._opened()

    def register(self, service: Service, status: Status, output: str = "", *, age: float = 0.0) -> None:
        """Without a registrar, the next check that passes is the next attempt."""
        if (registrar := self._opened()) is not None:
            registrar.register(service, status, output, age)

    def deregister(self, service: Service, done: Callable[[], None]) -> None:
        """Without a registrar, nothing was registered."""
        if (registrar := self._opened()) is not None:
            registrar.deregister(service, done)
        else:
            self._loop.call_soon(done)

    def watch(self, watch: Watch, report: Report, memory: list[Instance] | None) -> Watcher | PostponedWatcher:
        def make() -> Watcher:
            from cp.catalog.watcher import Watcher

            return Watcher(
                watch,
                lambda: self._open(watch.source),
                self._loop,
                self._log,
                report,
                listener=self._facts,
                memory=memory,
                random=self._random,
                shared=self._failures(),
            )

        try:
            return make()
        except Exception as error:  # as in `_opened`
            self._failed(watch.source, error)
            return PostponedWatcher(self._loop, make, memory)

    def stop(self) -> None:
        if self._registrar is not None:
            self._registrar.stop()

    def _opened(self) -> Registrar | None:
        if self._registrar is not None:
            return self._registrar
        try:
            from cp.catalog.registrar import Registrar

            registrar = Registrar(
                lambda: self._open(REGISTRATION),
                self._loop,
                self._log,
                listener=self._facts,
                random=self._random,
                clock=self._loop.elapsed,
                shared=self._failures(),
            )
        except Exception as error:  # an import can fail in every way, and the move of a job must go on
            self._failed(REGISTRATION, error)
            return None
        self._registrar, self._failure = registrar, ""
        if self._started:
            registrar.start()
        return registrar

    def _failed(self, who: str, error: Exception) -> None:
        """The modules of the catalogue cannot be imported now."""
        why = str(error) or type(error).__name__
        self._facts.failed(who, why, answered=False)
        if why != self._failure:
            self._failure = why
            self._log.error(f"cannot use the catalogue: {why}")

    def _failures(self) -> Failures:
        from cp.catalog.outage import Failures

        if self._shared is None:
            self._shared = Failures()
        return self._shared

    def _open(self, who: str) -> Catalog:
        from cp.catalog.factory import open_catalog
        from cp.catalog.instrumented import InstrumentedCatalog
        from cp.catalog.unusable_entries import Seen

        with self._guard:
            unusable = self._unusable = self._unusable or Seen()
        catalog = open_catalog(
            self._settings,
            warn=lambda text: self._loop.post(self._log.warning, text),
            inform=lambda text: self._loop.post(self._inform, text),
            resolver=None if isinstance(self._settings, DirectorySettings) else self._resolver.get(),
            unusable=unusable,
        )
        return InstrumentedCatalog(catalog, self._observe, self._facts.awaited, who)

    def _inform(self, text: str) -> None:
        if text != self._informed:
            self._informed = text
            self._log.info(text)
