"""Follows the events of a ContainerPilot from the first to the last, whatever happens to the connection."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING

from cp.cli.client import ClientError, ControlConnection, request
from cp.engine.events import CLASSIC

if TYPE_CHECKING:
    from pathlib import Path

PAUSE = 0.05  # seconds before another attempt to connect

Seen = Counter[tuple[str, str]]  # by code and source


def classic(code: str) -> str:
    """The name of an event as metrics write it."""
    return CLASSIC.get(code) or code[:1].upper() + code[1:]


class Follower:
    """Counts on a thread of its own. `gaps`: numbers of events that never came, or came twice, each with its place."""

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)
        self._guard = threading.Lock()
        self._seen: Seen = Counter()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.last = 0
        self.gaps: list[str] = []
        self.connections = 0
        self._thread.start()

    def snapshot(self) -> Seen:
        with self._guard:
            return self._seen.copy()

    def count(self, code: str, source: str) -> int:
        with self._guard:
            return self._seen[code, source]

    def close(self) -> None:
        """Once nobody serves any more."""
        self._end.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self._follow()
            except (ClientError, ValueError):
                pass  # nobody is there yet, or any more, or we lagged behind
            self._end.wait(PAUSE)

    def _follow(self) -> None:
        connection = ControlConnection((self._socket,), None)
        try:
            connection.send(request("GET", "/v3/events?follow=1", headers=f"Last-Event-ID: {self.last}\r\n"))
            status, headers = connection.head()
            if status != 200:
                raise ClientError(f"status {status}")
            self.connections += 1
            unread = b""
            for piece in connection.body(headers):
                *lines, unread = (unread + piece).split(b"\n")
                for line in lines:
                    if line.startswith(b"data: "):
                        self._note(json.loads(line.removeprefix(b"data: ")))
        finally:
            connection.close()

    def _note(self, event: dict[str, object]) -> None:
        number = int(str(event["number"]))
        with self._guard:
            if number != self.last + 1:
                self.gaps.append(f"{number} after {self.last}")
            self.last = number
            self._seen[str(event["code"]), str(event["source"])] += 1
