"""The real threads of registrar and watcher: what is promised about them and no more; the rest needs none."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.protocol import CatalogClosed, Instance
from cp.catalog.registrar import Registrar
from cp.catalog.watcher import Watcher
from tests.limits import DEADLINE
from tests.unit.catalog.fakes import Clock, Deaf, FakeCatalog, FakeLog, FakeLoop, instance, service, watch

if TYPE_CHECKING:
    from cp.plan import Watch

LONG = DEADLINE


class LiveLoop(FakeLoop):
    """Hands over what other threads post, as soon as it comes."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self._news = threading.Event()

    def post(self, callback: Any, *args: Any) -> None:
        super().post(callback, *args)
        self._news.set()

    post_lazily = post

    def next(self) -> None:
        assert self._news.wait(LONG)
        self._news.clear()
        self.turn()


class HangingCatalog(FakeCatalog):
    """Its watches find one instance, and then nothing until the catalogue is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.is_closed = threading.Event()
        self.was_closed_by: list[int] = []

    def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        self.is_closed.wait()
        raise CatalogClosed("closed")

    def close(self) -> None:
        super().close()
        self.was_closed_by.append(threading.get_ident())
        self.is_closed.set()


def test_the_catalogue_is_opened_and_called_on_the_registrars_own_thread() -> None:
    loop, catalog = LiveLoop(), FakeCatalog()
    threads: list[int] = []
    opened = threading.Event()

    def open() -> FakeCatalog:
        threads.append(threading.get_ident())
        opened.set()
        return catalog

    catalog.on_call = lambda verb: threads.append(threading.get_ident())
    registrar = Registrar(open, loop, FakeLog(), listener=Deaf(), random=lambda: 0.5)
    registrar.start()
    assert opened.wait(LONG)  # before there is anything to do
    gone: list[str] = []
    registrar.register(service(), "passing")
    registrar.deregister(service(), lambda: gone.append("web"))
    while not gone:
        loop.next()
    registrar.stop()
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads
    assert catalog.known == {}


def test_the_first_look_of_a_watch_comes_after_its_delay() -> None:
    loop, catalog, reports = LiveLoop(), HangingCatalog(), []
    catalog.found = [instance("a")]
    looked_at: list[float] = []
    catalog.on_call = lambda verb: looked_at.append(time.monotonic())
    watcher = Watcher(
        watch(delay=0.2),
        lambda: catalog,
        loop,
        FakeLog(),
        lambda *lists: reports.append(lists),
        listener=Deaf(),
        random=lambda: 0.5,
    )
    started_at = time.monotonic()
    watcher.start()
    while not reports:
        loop.next()
    watcher.stop()
    assert looked_at[0] - started_at >= 0.2


@pytest.mark.timing
def test_the_stop_of_a_watch_does_not_wait_for_the_question_that_is_open() -> None:
    loop, catalog, reports = LiveLoop(), HangingCatalog(), []
    catalog.found = [instance("a")]
    watcher = Watcher(
        watch(interval=0),
        lambda: catalog,
        loop,
        FakeLog(),
        lambda *lists: reports.append(lists),
        listener=Deaf(),
        random=lambda: 0.5,
    )
    watcher.start()
    while not reports:
        loop.next()
    begin = time.monotonic()
    watcher.stop()
    assert time.monotonic() - begin < 1
    assert catalog.is_closed.wait(LONG)
