"""One cell of the table of faults: a catalogue's server that lies about one kind of request, for a while.

A real registrar or watcher, with its threads and sockets, meets the server; the test's thread is the loop of the
program, which has to go on turning. Time limits are short here.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from tests.limits import DEADLINE
from tests.system.catalog.live import Party, consul_at, etcd_at, service, watch
from tests.system.faults import lies
from tests.system.faults.lying import DEREGISTER, HEARTBEAT, LOOK, READ, REGISTER, VERBS, WATCH, LyingServer
from tests.system.faults.lying_consul import LyingAgent
from tests.system.faults.lying_etcd import LyingEtcd2, LyingEtcd3

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.plan import ConsulSettings, EtcdSettings
    from tests.system.faults.lying import Exchange, Lie

SERVERS = {"consul": LyingAgent, "etcd2": LyingEtcd2, "etcd3": LyingEtcd3}
LIMIT = 0.4  # seconds for each call, and for each connection
LASTS = 0.8  # seconds of a fault, at least
BEAT = 0.2  # seconds between two checks of the service, and two polls of the watch
HEALS = 5.0  # seconds, at most
LONGEST_TURN = 0.5  # seconds; of the loop
SERVICE = service("app", separate_check=True)
WATCHED = "web"

BEGINS = re.compile(r"registration failed: |Failed to write heartbeat: |Deregistering failed: |Failed to query web: ")
ENDS = re.compile(r"Catalogue reachable again after |works again: app|Service deregistered: app|web can be queried ")

# What a catalogue says when it has lost its leader.
LEADERLESS = {
    "consul": lies.says(500, b"rpc error making call: No cluster leader"),
    "etcd2": lies.says(500, b'{"errorCode":300,"message":"Raft Internal Error","cause":"etcdserver: no leader"}'),
    "etcd3": lies.says(503, b'{"error":"etcdserver: no leader","code":14,"message":"etcdserver: no leader"}'),
}
AGAIN_IN = ("Retry-After", "1")


class Fault(NamedTuple):
    """`lie` is None if the server refuses connections. `blind`: requests cannot be distinguished."""

    lie: Lie | None
    blind: bool = False


def faults(catalog: str) -> dict[str, Fault]:
    """The faults by name, in the order of the table."""
    stream = lies.cuts_a_line_short if catalog != "consul" else lies.cuts_short
    answers = {
        f"{status}": Fault(lies.says(status, b"no"))
        for status in (204, 301, 400, 401, 403, 404, 409, 429, 500, 502, 503)
    }
    return {
        "connection refused": Fault(None, blind=True),
        "accepted, never read": Fault(lies.is_deaf, blind=True),
        "closed at once": Fault(lies.drops_unread, blind=True),
        "never answered": Fault(lies.is_silent),
        "dropped": Fault(lies.drops),
        "done, and the answer dropped": Fault(lies.does_and_drops),
        "dropped in the answer": Fault(lies.breaks_off),
        "truncated": Fault(lies.cuts_short),
        "truncated line": Fault(stream),
        "garbled": Fault(lies.does_but_says(200, b"<html>\x00\xff welcome")),
        "not HTTP": Fault(lies.speaks_no_http),
        "endless body": Fault(lies.drips),
        "endless flood": Fault(lies.floods),
        "endless lines": Fault(lies.floods_with_lines),
        "endless headers": Fault(lies.drips_headers),
        "huge header": Fault(lies.has_a_huge_header),
        "too late": Fault(lies.delays(2 * LIMIT)),
        "100 first": Fault(lies.says_first(100)),
        "103 first": Fault(lies.says_first(103)),
        **answers,
        "429, Retry-After": Fault(lies.says(429, b"no", AGAIN_IN)),
        "503, Retry-After": Fault(lies.says(503, b"no", AGAIN_IN)),
        "no leader": Fault(LEADERLESS[catalog]),
        "wrong content type": Fault(lies.is_mistyped),
        "forgets": Fault(lies.forgets),
        "old index": Fault(lies.is_old),
        "compacted": Fault(lies.is_compacted),
    }


class Outcome(NamedTuple):
    """Times in seconds. `healed`: from the end of the fault until all was as it should be."""

    catalog: str
    fault: str
    verb: str
    healed: float
    requests: int  # while it lasted
    lasted: float
    longest_turn: float
    log: list[str]
    begins: int
    ends: int


class Broken(NamedTuple):
    catalog: str
    fault: str
    verb: str
    why: str


class Cell:
    def __init__(self, catalog: str, fault: str, verb: str) -> None:
        self.catalog, self.fault, self.verb = catalog, fault, verb
        self._lie, self._blind = faults(catalog)[fault]
        self._lied = 0
        self._longest_turn = 0.0
        self._server: LyingServer = SERVERS[catalog]()
        self._party = Party()
        self._live = self._party.live

    def run(self) -> Outcome:
        """AssertionError if it does not heal."""
        try:
            return {
                LOOK: self._register,
                REGISTER: self._register,
                HEARTBEAT: self._heartbeat,
                DEREGISTER: self._deregister,
            }.get(self.verb, self._follow)()
        finally:
            self._party.close()
            self._server.close()

    # --- the scenes

    def _register(self) -> Outcome:
        self._begin()
        self._beat_for_ever()
        return self._lasts(lambda: self._server.passing(SERVICE.id))

    def _heartbeat(self) -> Outcome:
        self._beat_for_ever()
        self._until(lambda: self._server.passing(SERVICE.id) and any("registered: app" in x for x in self._live.lines))
        self._begin()
        return self._lasts(lambda: self._server.passing(SERVICE.id), before_end=self._server.forget)

    def _deregister(self) -> Outcome:
        registrar = self._party.registrar(self._settings())
        registrar.register(SERVICE, "passing")
        self._until(lambda: any("registered: app" in line for line in self._live.lines))
        self._begin()
        requested_at = time.monotonic()
        done: list[float] = []
        registrar.deregister(SERVICE, lambda: done.append(time.monotonic() - requested_at))
        self._until(lambda: done)
        assert done[0] < 1.0, f"a stop would have waited {done[0]:.1f} s"
        return self._lasts(lambda: not self._server.knows(SERVICE.id))

    def _follow(self) -> Outcome:
        self._server.enter(WATCHED, 1)
        if self.verb == READ:
            self._begin()
        _, reports = self._party.watcher(self._settings(), watch(WATCHED, interval=BEAT))
        if self.verb == WATCH:
            self._until(lambda: reports.last == [1] and self._is_queried(WATCH))
            self._begin()

        def truthful() -> bool:
            assert self.fault == "forgets" or all(ports == [1] for ports in reports.ports), f"reported {reports.ports}"
            return True

        return self._lasts(
            lambda: reports.last == [2],
            meanwhile=truthful,
            before_end=lambda: self._server.enter(WATCHED, 2),
        )

    # --- their parts

    def _settings(self) -> ConsulSettings | EtcdSettings:
        limits = {"connect_timeout": LIMIT, "read_timeout": LIMIT}
        if self.catalog == "consul":
            return consul_at(self._server.address, **limits)
        return etcd_at(f"http://{self._server.address}", api="v2" if self.catalog == "etcd2" else "v3", **limits)

    def _is_queried(self, verb: str) -> bool:
        return any(self._server.verb(call) == verb for call in self._server.calls)

    def _beat_for_ever(self) -> None:
        registrar = self._party.registrar(self._settings())

        def beat() -> None:
            registrar.register(SERVICE, "passing")
            self._live.call_later(BEAT, beat)

        beat()

    def _begin(self) -> None:
        self._began_at, self._requests_before = time.monotonic(), len(self._server.calls)
        if self._lie is None:
            self._server.refuse()
        else:
            self._server.lie(self._counted if self._blind else lies.only(self.verb, self._counted))

    def _counted(self, exchange: Exchange) -> None:
        self._lied += 1
        assert self._lie is not None
        self._lie(exchange)

    def _lasts(
        self,
        healed: Callable[[], bool],
        *,
        meanwhile: Callable[[], bool] = lambda: True,
        before_end: Callable[[], object] = lambda: None,
    ) -> Outcome:
        """Runs while the fault lasts, and then until all is well."""

        def lasted() -> bool:
            meanwhile()
            met = self._lied > 0 or self._lie is None
            return met and self._has_reported_enough() and time.monotonic() - self._began_at >= LASTS

        self._until(lasted)
        before_end()
        end = time.monotonic()
        requests = len(self._server.calls) - self._requests_before
        assert self._count(ENDS) == 0, "an end was logged before it"
        if self._lie is None:
            self._server.accept()
        else:
            self._server.tell_truth()
        self._until(healed, HEALS)
        at = time.monotonic()
        self._until(lambda: self._count(ENDS) >= self._count(BEGINS), HEALS)
        return Outcome(
            self.catalog, self.fault, self.verb, at - end, requests, end - self._began_at, self._longest_turn,
            self._live.lines, self._count(BEGINS), self._count(ENDS),
        )  # fmt: skip

    def _has_reported_enough(self) -> bool:
        return self._count(BEGINS) > 0 or not is_logged(self.catalog, self.fault, self.verb)

    def _count(self, what: re.Pattern[str]) -> int:
        return sum(what.search(line) is not None for line in self._live.lines)

    def _until(self, condition: Callable[[], object], timeout: float = DEADLINE) -> None:
        last = time.monotonic()

        def turned() -> object:
            nonlocal last
            self._longest_turn = max(self._longest_turn, time.monotonic() - last)
            last = time.monotonic()
            return condition()

        self._live.until(turned, timeout)


# --- what is to be expected

BLIND = ("connection refused", "accepted, never read", "closed at once")
HARMLESS = ("100 first", "wrong content type", "forgets", "old index", "compacted")
SLOW = ("accepted, never read", "never answered", "endless body", "endless headers", "too late")


def exists(catalog: str, fault: str, verb: str) -> bool:
    """Is there such a thing at all?"""
    if fault == "compacted":
        return verb == WATCH and catalog != "consul"
    if fault == "old index":
        return verb in (READ, WATCH)
    if fault == "truncated line":
        return verb == WATCH and catalog != "consul"
    return True


def is_logged(catalog: str, fault: str, verb: str) -> bool:
    """Is it worth a line in the log, at its begin and at its end? Half a second after it has begun, that is."""
    if verb == LOOK:
        return fault in BLIND  # else the registration goes on without it
    if fault in HARMLESS:
        return (fault, verb) == ("forgets", REGISTER)
    if fault == "garbled" and verb != READ:
        # An answer to a write needs no content, except the lease of v3.
        return catalog == "etcd3" and verb != WATCH
    if verb != WATCH:
        return True
    if catalog == "consul":
        # A question that waits for a change has no reason to mistrust a server that says nothing for minutes.
        return fault not in SLOW
    # If watching is not possible, it is queried each interval instead.
    return fault in BLIND or "Retry-After" in fault


def names_of_cells(catalog: str) -> list[tuple[str, str]]:
    """Fault and verb of all there are."""
    return [(fault, verb) for fault in faults(catalog) for verb in VERBS if exists(catalog, fault, verb)]


def run_all(catalog: str, names: list[tuple[str, str]], at_once: int) -> list[Outcome | Broken]:
    """The cells of these faults and verbs, so many beside each other."""
    waiting = iter(names)
    guard = threading.Lock()
    outcomes: list[Outcome | Broken] = []

    def work() -> None:
        while True:
            with guard:
                fault, verb = next(waiting, (None, ""))
            if fault is None:
                return
            try:
                outcomes.append(Cell(catalog, fault, verb).run())
            except AssertionError as error:
                outcomes.append(Broken(catalog, fault, verb, str(error)))

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
