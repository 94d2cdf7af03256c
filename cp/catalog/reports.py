"""Reports of the catalogue's threads, on their way to the loop."""

from __future__ import annotations

from cp.plan import REGISTRATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cp.engine.ports import CatalogListener, Loop
    from cp.plan import Service, Status

SUCCESS = ("", True)


class Reports:
    """Posts to `listener` what one thread, or several under one lock, report. Repeated reports are not posted."""

    def __init__(self, loop: Loop, listener: CatalogListener, who: str = REGISTRATION) -> None:
        self._loop = loop
        self._listener = listener
        self._who = who
        self._last: tuple[str, bool] | None = None  # error, and whether it was an answer
        self._closed = False

    def confirmed(self, service: Service, status: Status, at: float, id: str) -> None:
        """See `CatalogListener` in engine/ports.py. It also means that the catalogue answers."""
        # Of a service that the catalogue has confirmed before, this is an age that those see who look in. The loop does
        # not wake up for it at each heartbeat.
        post = self._loop.post_lazily if self._last == SUCCESS else self._loop.post
        self._last = SUCCESS
        post(self._deliver, self._listener.confirmed, service, status, at, id)

    def absent(self, service: Service) -> None:
        self._post(self._listener.absent, service)

    def refused(self, service: Service, why: str) -> None:
        self._post(self._listener.refused, service, why)

    def taken(self, service: Service, place: str) -> None:
        self._post(self._listener.taken, service, place)

    def answered(self) -> None:
        if self._last != SUCCESS:
            self._last = SUCCESS
            self._post(self._listener.answered, self._who)

    def failed(self, why: str, *, answered: bool = False) -> None:
        if self._last != (why, answered):
            self._last = (why, answered)
            self._post(self._listener.failed, self._who, why, answered)

    def close(self) -> None:
        """Called on the loop's thread: nothing reaches the listener any more, not even what is on its way."""
        self._closed = True

    def _post(self, receive: Callable[..., object], *facts: Any) -> None:
        self._loop.post(self._deliver, receive, *facts)

    def _deliver(self, receive: Callable[..., object], *facts: Any) -> None:
        if not self._closed:
            receive(*facts)
