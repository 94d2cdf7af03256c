"""What the connections need of their server. For the type checker only: nothing here exists at run time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import select
    from collections.abc import Callable
    from typing import Protocol

    from cp.http.exchange import Exchange
    from cp.http.messages import Limits, Request

    class Client(Protocol):
        """One connected client, as the server sees it."""

        fd: int

    class ConnectionOwner(Protocol):
        """The server, as its connections see it. All methods are for the loop's thread."""

        limits: Limits
        now: Callable[[], float]
        poller: select.epoll
        closing: bool

        @property
        def handle(self) -> Callable[[Request, Exchange], object]: ...
        def unread(self, more: tuple[bytes, ...]) -> int:
            """The bytes of answers that are kept until their clients have read them, with these sent to one more."""

        def forget(self, connection: Client) -> None:
            """Drop the record of a connection that is closed."""

        def report(self, error: BaseException) -> None:
            """A handler failed."""

        def note_deadline(self, deadline: float) -> None:
            """Call `expire` of the connection not before this time, on the loop's clock."""

        def import_http(self) -> None:
            """A pending connection waits until h11 is imported."""
