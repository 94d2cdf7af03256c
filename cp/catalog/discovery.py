"""The catalogue as the engine sees it: one registrar, and a watcher for each watch."""

from __future__ import annotations

import sys
from _thread import allocate_lock

from cp.plan import DirectorySettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.http.resolver import Resolver
    from cp.catalog.instrumented import Observe
    from cp.catalog.outage import Failures
    from cp.catalog.protocol import Catalog
    from cp.catalog.registrar import Registrar
    from cp.catalog.unusable_entries import Seen
    from cp.catalog.watcher import Watcher
    from cp.engine.loop import Loop
    from cp.engine.ports import CatalogFacts, Instance, Log, Report
    from cp.plan import ConsulSettings, EtcdSettings, Service, Status, Watch


# Modules that the clients of Consul and etcd import later, and that a minimal Python may lack.
HTTP_MODULES = ("http", "json", "queue")


def missing_for(settings: ConsulSettings | EtcdSettings | DirectorySettings) -> str | None:
    """Why this Python can never use the catalogue; None if it has all modules. Imports none of them."""
    if isinstance(settings, DirectorySettings):
        return None
    for name in HTTP_MODULES:
        if name not in sys.modules and not any(finder.find_spec(name, None) for finder in sys.meta_path):
            from cp.catalog.http.urllib3_subset import missing_module

            return missing_module(name)
    return None


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
                from cp.catalog.http.resolver import Resolver

                self._resolver = Resolver()
            return self._resolver


class Discovery:
    """Opens the catalogue off the loop, once the application runs; nothing is imported for it before."""

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
        self._shared: Failures | None = None  # of all who use the catalogue; made when the first of them is
        self._informed = ""  # the latest choice that a client reported; all clients choose the same

    def start(self) -> None:
        self._opened().start()

    def register(self, service: Service, status: Status, output: str = "", *, age: float = 0.0) -> None:
        self._opened().register(service, status, output, age)

    def deregister(self, service: Service, done: Callable[[], None]) -> None:
        self._opened().deregister(service, done)

    def watch(self, watch: Watch, report: Report, memory: list[Instance] | None) -> Watcher:
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

    def stop(self) -> None:
        if self._registrar is not None:
            self._registrar.stop()

    def _opened(self) -> Registrar:
        if self._registrar is None:
            from cp.catalog.registrar import Registrar
            from cp.plan import REGISTRATION

            self._registrar = Registrar(
                lambda: self._open(REGISTRATION),
                self._loop,
                self._log,
                listener=self._facts,
                random=self._random,
                clock=self._loop.elapsed,
                shared=self._failures(),
            )
        return self._registrar

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
