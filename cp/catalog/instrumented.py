"""Wraps a catalogue: knows the calls under way, and measures those that have ended."""

from __future__ import annotations

import time

from cp.catalog.protocol import CatalogClosed, CatalogForgotten, CatalogRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from cp.catalog.protocol import Catalog, CatalogEntry, Instance
    from cp.engine.ports import PendingCalls
    from cp.plan import Service, Status, Watch

    T = TypeVar("T")
    # Gets each call that has ended, on the calling thread: its verb, its seconds, and whether it failed.
    Observe = Callable[[str, float, bool], object]

# A catalogue may wait longer than requested: Consul adds up to a sixteenth.
LONGER = 17 / 16


class InstrumentedCatalog:
    """Passes every call on to `catalog`, see `cp.catalog.protocol`. `awaited` records each call of `who`."""

    def __init__(self, catalog: Catalog, observe: Observe | None, awaited: PendingCalls, who: str) -> None:
        self._catalog = catalog
        self._observe = observe
        self._awaited = awaited
        self._who = who
        self.interrupt = catalog.interrupt
        self.close = catalog.close

    def register(self, service: Service, status: Status) -> None:
        self._call("register", lambda: self._catalog.register(service, status))

    def heartbeat(self, service: Service, status: Status, output: str) -> None:
        self._call("heartbeat", lambda: self._catalog.heartbeat(service, status, output))

    def deregister(self, service: Service) -> None:
        self._call("deregister", lambda: self._catalog.deregister(service))

    def entry(self, service: Service) -> CatalogEntry | None:
        return self._call("entry", lambda: self._catalog.entry(service))

    def instances(self, watch: Watch) -> tuple[list[Instance], object]:
        return self._call("instances", lambda: self._catalog.instances(watch))

    def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        return self._call("wait", lambda: self._catalog.wait_for_change(watch, cursor, max_wait), max_wait * LONGER)

    def _call(self, verb: str, call: Callable[[], T], wait: float = 0.0) -> T:
        awaited = self._awaited.begin(self._who, wait)
        began = time.monotonic()
        failed, answered = True, False
        try:
            result = call()
            failed, answered = False, True
        except CatalogClosed:  # by this program: nothing failed
            failed = False
            raise
        except (CatalogForgotten, CatalogRefused):
            answered = True
            raise
        finally:
            self._awaited.end(awaited, answered=answered)
            if self._observe is not None:
                self._observe(verb, time.monotonic() - began, failed)
        return result
