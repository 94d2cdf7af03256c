"""Slow calls of one service do not delay others: real threads, and a catalogue whose calls a test ends."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from cp.catalog.protocol import CatalogClosed
from cp.catalog.registrar import MOST_WORKERS, Registrar
from tests.integration.catalog.test_threads import LONG, LiveLoop
from tests.unit.catalog.fakes import Deaf, FakeCatalog, FakeLog, service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


SLOW = 0.2  # seconds; a call that lasts longer is slow


class Server:
    """The server of all clients: calls of services named slow last until `release`."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.released = False
        self.hanging: list[str] = []
        self.known: dict[str, str] = {}
        self.clients: list[Client] = []
        self.running = 0

    def open(self) -> Client:
        client = Client(self)
        with self.changed:
            self.clients.append(client)
        return client

    def call(self, client: Client, text: str) -> None:
        with self.changed:
            client.interrupted = 0
            if "slow" in text and not self.released:
                self.hanging.append(text)
                self.changed.notify_all()
                self.changed.wait_for(lambda: self.released or client.interrupted or client.closed)
                self.hanging.remove(text)
            self.changed.notify_all()
            if client.interrupted or client.closed:
                raise CatalogClosed("broken off")

    def release(self) -> None:
        with self.changed:
            self.released = True
            self.changed.notify_all()


class Client(FakeCatalog):
    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.known = server.known
        self.on_call = lambda text: server.call(self, text)

    def interrupt(self) -> None:
        with self.server.changed:
            super().interrupt()
            self.server.changed.notify_all()

    def close(self) -> None:
        with self.server.changed:
            super().close()
            self.server.changed.notify_all()


class Clocked(LiveLoop):
    """Its clock is the real one, so that timers come due; `until` runs it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = time.monotonic
        self._clock = time.monotonic  # type: ignore[assignment]

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + LONG
        while not condition():
            assert time.monotonic() < deadline, "it did not come true"
            self._news.wait(0.02)
            self._news.clear()
            self.turn()


class World:
    def __init__(self) -> None:
        self.loop = Clocked()
        self.server = Server()
        self.log = FakeLog()
        self.threads = 0
        self._lock = threading.Lock()
        self.registrar = Registrar(
            self.server.open,
            self.loop,
            self.log,
            listener=Deaf(),
            random=lambda: 0.5,
            start_thread=self.start_thread,
            idle=0.3,
        )

    def start_thread(self, run: Callable[[], None], arguments: tuple[()]) -> None:
        def counted() -> None:
            with self._lock:
                self.threads += 1
            run()
            with self._lock:
                self.threads -= 1

        threading.Thread(target=counted, daemon=True).start()

    def hangs(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.server.hanging) == count


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("cp.catalog.registrar.SLOW", SLOW)
    world = World()
    yield world
    world.server.release()
    world.registrar.stop()
    world.loop.until(lambda: world.threads == 0)


@pytest.mark.timing
def test_two_slow_services_starve_neither_one_another_nor_a_third(world: World) -> None:
    began_at = time.monotonic()
    for name in ("slow1", "slow2", "quick"):
        world.registrar.register(service(name), "passing")
    world.loop.until(lambda: world.server.known == {"quick-box": "passing"})
    assert sorted(world.server.hanging) == ["register slow1-box passing", "register slow2-box passing"]
    assert time.monotonic() - began_at < 4 * SLOW
    world.server.release()
    world.loop.until(lambda: len(world.server.known) == 3)


def test_threads_are_bounded_and_end_when_there_is_nothing_to_do(world: World) -> None:
    for number in range(10):
        world.registrar.register(service(f"slow{number}", ttl=60), "passing")
    world.loop.until(world.hangs(MOST_WORKERS))
    assert world.threads == MOST_WORKERS
    world.server.release()
    world.loop.until(lambda: set(world.server.known.values()) == {"passing"} and len(world.server.known) == 10)
    world.loop.until(lambda: world.threads == 1)
    assert [client.closed for client in world.server.clients].count(False) == 1


def test_threads_end_also_while_quick_heartbeats_go_on(world: World) -> None:
    """A container has heartbeats as long as it lives: one slow hour must not leave it with more threads."""
    for number in range(3):
        world.registrar.register(service(f"slow{number}", ttl=60), "passing")
    world.loop.until(world.hangs(3))
    world.server.release()

    def beat_on() -> bool:
        for number in range(3):
            world.registrar.register(service(f"slow{number}", ttl=60), "passing")
        return world.threads == 1

    world.loop.until(beat_on)
    assert [client.closed for client in world.server.clients].count(False) == 1


def test_a_single_service_never_has_a_second_thread(world: World) -> None:
    world.registrar.register(service("slow"), "passing")
    world.loop.until(world.hangs(1))
    for _ in range(3):
        world.registrar.register(service("slow"), "passing")
    assert world.loop._timers == []
    assert world.threads == 1


def test_one_service_has_never_two_calls_at_once(world: World) -> None:
    world.registrar.register(service("slow"), "passing")
    world.registrar.register(service("quick"), "passing")
    world.loop.until(lambda: world.server.known == {"quick-box": "passing"})
    for _ in range(5):
        world.registrar.register(service("slow"), "passing")
        world.registrar.register(service("quick"), "passing")
    world.loop.until(lambda: sum(len(client.calls) for client in world.server.clients) >= 3)
    assert world.server.hanging == ["register slow-box passing"]


@pytest.mark.timing
def test_removals_of_many_services_interrupt_hanging_calls(world: World) -> None:
    """The stop of a program whose catalogue has become slow: each removal is sent within the second that is left."""
    for number in range(3):
        world.registrar.register(service(f"slow{number}", ttl=60), "passing")
    world.loop.until(world.hangs(3))
    began_at = time.monotonic()
    for number in range(3):
        world.registrar.deregister(service(f"slow{number}", ttl=60))
    world.loop.until(lambda: sorted(world.server.hanging) == [f"deregister slow{number}-box" for number in range(3)])
    assert time.monotonic() - began_at < 1


@pytest.mark.timing
def test_a_stop_ends_all_threads_in_the_middle_of_their_calls(world: World) -> None:
    for number in range(3):
        world.registrar.register(service(f"slow{number}", ttl=60), "passing")
    world.loop.until(world.hangs(3))
    began_at = time.monotonic()
    world.registrar.stop()
    assert time.monotonic() - began_at < 0.5
    world.loop.until(lambda: world.threads == 0)
