"""After ten thousand failures everything is as it was before: threads, descriptors, memory."""

from __future__ import annotations

import gc
import os
import socket
import threading
from typing import TYPE_CHECKING

from cp.catalog.consul import Consul
from cp.catalog.registrar import Registrar
from cp.catalog.watcher import Watcher
from cp.plan import ConsulSettings
from tests.unit.catalog.fakes import Clock, FakeLog, FakeLoop, service, watch
from tests.unit.catalog.test_threads import LONG, LiveLoop

if TYPE_CHECKING:
    from cp.catalog import Catalog

FAILURES = 10_000


class Usage:
    """What this process holds."""

    def __init__(self) -> None:
        gc.collect()
        self.threads = len(os.listdir("/proc/self/task"))
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.objects = len(gc.get_objects())


class Leaping(Clock):
    """So much time passes between two looks that every pause is over."""

    def __call__(self) -> float:
        self.time += 20
        return self.time


def refusing() -> ConsulSettings:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return ConsulSettings(address=f"127.0.0.1:{listener.getsockname()[1]}")


def test_ten_thousand_failed_registrations_leave_nothing_behind() -> None:
    settings, loop, log = refusing(), LiveLoop(), FakeLog()
    failed, may_try, tried = 0, threading.Semaphore(0), threading.Semaphore(0)

    class Counting(Consul):
        def register(self, one: object, status: str) -> None:
            may_try.acquire()  # and nothing is open while it waits here
            try:
                super().register(one, status)  # type: ignore[arg-type]
            finally:
                tried.release()

    def open() -> Catalog:
        return Counting(settings, {})

    registrar = Registrar(open, loop, log, random=lambda: 0.5, clock=Leaping())
    services = [service(name, ttl=1000) for name in ("a", "b")]
    before: Usage | None = None
    while failed < FAILURES:
        registrar.want(services[failed % 2], "passing")
        may_try.release()
        assert tried.acquire(timeout=LONG)
        failed += 1
        loop.turn()
        if failed == FAILURES // 10:
            before = Usage()
    after = Usage()
    registrar.stop()
    may_try.release()

    assert before is not None
    assert (after.threads, after.descriptors) == (before.threads, before.descriptors)
    assert after.objects - before.objects < 500, f"{after.objects} objects, and {before.objects} before"
    assert len(log.lines) == 1


def test_ten_thousand_failed_questions_leave_nothing_behind() -> None:
    settings, clock = refusing(), Leaping()
    loop, log = FakeLoop(clock), FakeLog()
    watcher = Watcher(
        watch(), lambda: Consul(settings, {}), loop, log, lambda *lists: None, random=lambda: 0.5, clock=clock
    )
    for _ in range(FAILURES // 10):
        watcher.step()
    before = Usage()
    for _ in range(FAILURES):
        watcher.step()
    after = Usage()
    watcher.stop()
    loop.turn()

    assert (after.threads, after.descriptors) == (before.threads, before.descriptors)
    assert after.objects - before.objects < 500, f"{after.objects} objects, and {before.objects} before"
    assert len(log.lines) == 1
