"""Clients of the control socket and of telemetry, good and bad, all the time, on a thread of their own."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import TYPE_CHECKING

from tests.system.control import SOCKET, Client
from tests.system.jobs.test_hostile_clients import (
    a_huge_body_that_is_announced,
    garbage,
    half_a_request,
    headers_without_an_end,
    questions_whose_answers_nobody_reads,
    reach,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.system.pilot import Pilot

PAUSE = 0.1  # seconds at most between two clients

BAD = (
    half_a_request,
    garbage,
    a_huge_body_that_is_announced,
    headers_without_an_end,
    questions_whose_answers_nobody_reads,
)


class Crowd:
    """`faults`: what a good client did not get."""

    def __init__(self, pilot: Pilot, port: int, random: Random) -> None:
        self._pilot = pilot
        self._port = port
        self._random = random
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join(60)

    def _run(self) -> None:
        kinds: tuple[Callable[[], None], ...] = (self._asks, self._asks, self._scrapes, self._misbehaves, self._knocks)
        while not self._end.wait(self._random.uniform(0, PAUSE)):
            act = self._random.choice(kinds)
            try:
                act()
            except (OSError, AssertionError) as error:
                self.faults.append(f"{act.__name__.strip('_')}: {type(error).__name__}: {error}")

    def _asks(self) -> None:
        target = self._random.choice(["/v3/ping", "/v3/jobs", "/v3/jobs/web", "/v3/events", "/v3/jobs/nobody"])
        with Client(self._pilot.folder / SOCKET) as client:
            for _ in range(self._random.randint(1, 5)):
                status = client.ask("GET", target).status
                self.counts["requests"] += 1
                if status != (404 if target.endswith("nobody") else 200):
                    self.faults.append(f"GET {target}: {status}")

    def _scrapes(self) -> None:
        path = self._random.choice(["/metrics", "/status", "/healthz"])
        client = HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            client.request("GET", path)
            answer = client.getresponse()
            answer.read()
        finally:
            client.close()
        self.counts["scrapes"] += 1
        if answer.status != 200:
            self.faults.append(f"GET {path} of telemetry: {answer.status}")

    def _misbehaves(self) -> None:
        with ExitStack() as stack:
            try:
                self._random.choice(BAD)(self._pilot, stack)
            except (ConnectionError, TimeoutError):
                pass  # it had it coming
        self.counts["bad clients"] += 1

    def _knocks(self) -> None:
        """Connects and leaves, here or there, with half a word or none."""
        with ExitStack() as stack:
            if self._random.random() < 0.5:
                client = reach(self._pilot, stack)
            else:
                client = stack.enter_context(socket.create_connection(("127.0.0.1", self._port), 20))
            if self._random.random() < 0.5:
                client.sendall(b"GET /metr")
        self.counts["bad clients"] += 1
