"""Ten thousand failures of a catalogue, in a process of their own: what it holds before and after them, as JSON.

    python -m tests.integration.catalog.enduring registrar v2 http://127.0.0.1:1

A process of their own, because threads of other tests, which end when they find the time, may have something open at
the moment of looking. The arguments: who fails, the API, and the server's URL.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from cp.catalog.factory import open_catalog
from cp.catalog.protocol import CatalogUnreachable
from cp.catalog.registrar import Registrar
from cp.catalog.watcher import Watcher
from cp.plan import ConsulSettings, EtcdSettings
from tests.integration.catalog.test_threads import LONG, LiveLoop
from tests.unit.catalog.fakes import Clock, Deaf, FakeLog, FakeLoop, service, watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.protocol import Catalog, Instance
    from cp.plan import Service, Status, Watch

FAILURES = int(os.environ.get("FAILURES", "10000"))
WARM_UP = FAILURES // 10


class Leaping(Clock):
    """So much time passes between two looks that every pause is over."""

    def __call__(self) -> float:
        self.time += 20
        return self.time


def usage() -> dict[str, Any]:
    """The resources of this process."""
    gc.collect()
    descriptors = []
    for name in os.listdir("/proc/self/fd"):
        try:
            descriptors.append(os.readlink(f"/proc/self/fd/{name}").partition("[")[0])
        except FileNotFoundError:
            continue  # that of the listing itself
    return {
        "threads": len(os.listdir("/proc/self/task")),
        "descriptors": sorted(descriptors),
        "objects": len(gc.get_objects()),
    }


def opener(api: str, url: str) -> Callable[[], Catalog]:
    settings: ConsulSettings | EtcdSettings
    if api == "consul":
        settings = ConsulSettings(address=url.removeprefix("http://"))
    else:
        settings = EtcdSettings(endpoints=(url,), api=api)
    return lambda: open_catalog(settings, environ={})


class Counting:
    """A catalogue that registers only when the test lets it, and signals when it has tried."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.may_try = threading.Semaphore(0)
        self.tried = threading.Semaphore(0)
        self.heartbeat, self.deregister = catalog.heartbeat, catalog.deregister
        self.instances, self.wait_for_change = catalog.instances, catalog.wait_for_change
        self.interrupt, self.close = catalog.interrupt, catalog.close

    def entry(self, one: Service) -> None:
        """Nobody else is registered."""

    def register(self, one: Service, status: Status) -> None:
        self.may_try.acquire()  # and nothing is open while it waits here
        try:
            self.catalog.register(one, status)
        finally:
            self.tried.release()


def fail_to_register(open: Callable[[], Catalog]) -> dict[str, Any]:
    loop, log, catalog = LiveLoop(), FakeLog(), Counting(open())
    registrar = Registrar(lambda: catalog, loop, log, listener=Deaf(), random=lambda: 0.5, clock=Leaping())
    services = [service(name, ttl=1000) for name in ("a", "b")]
    before: dict[str, Any] = {}
    for failed in range(FAILURES + WARM_UP):
        if failed == WARM_UP:
            before = usage()
        registrar.register(services[failed % 2], "passing")
        catalog.may_try.release()
        assert catalog.tried.acquire(timeout=LONG)
        loop.turn()
    after = usage()
    registrar.stop()
    catalog.may_try.release()
    return {"before": before, "after": after, "log": log.lines}


class Broken:
    """A catalogue that can be read once after each failure to listen, and never else."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.register, self.heartbeat, self.deregister = catalog.register, catalog.heartbeat, catalog.deregister
        self.interrupt, self.close, self.entry = catalog.interrupt, catalog.close, catalog.entry
        self.turn = 0

    def instances(self, watch: Watch) -> tuple[list[Instance], object]:
        self.turn += 1
        if self.turn % 2:
            return [], 5
        return self.catalog.instances(watch)

    def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        found = self.catalog.wait_for_change(watch, cursor, max_wait)
        raise CatalogUnreachable(f"it failed to fail: {found}")


def fail_to_ask(open: Callable[[], Catalog]) -> dict[str, Any]:
    catalog, clock = Broken(open()), Leaping()
    loop, log = FakeLoop(clock), FakeLog()
    watcher = Watcher(
        watch(), lambda: catalog, loop, log, lambda *lists: None, listener=Deaf(), random=lambda: 0.5, clock=clock
    )
    before: dict[str, Any] = {}
    for failed in range(FAILURES + WARM_UP):
        if failed == WARM_UP:
            before = usage()
        watcher.step()
        loop.turn()
    after = usage()
    watcher.stop()
    return {"before": before, "after": after, "log": log.lines}


if __name__ == "__main__":
    who, api, url = sys.argv[1:]
    scene = fail_to_register if who == "registrar" else fail_to_ask
    json.dump(scene(opener(api, url)), sys.stdout)
