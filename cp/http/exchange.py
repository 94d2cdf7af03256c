"""The handler's side of a request: it answers through an `Exchange`, at once, later, or with a stream."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from cp.http.messages import Response

    class ResponseWriter(Protocol):
        """The connection, as the exchange sees it."""

        def answer(self, response: Response) -> None: ...
        def begin_stream(self, status: int, content_type: str) -> bool: ...
        def send_piece(self, data: bytes) -> bool: ...
        def end_stream(self) -> None: ...
        @property
        def unsent(self) -> int: ...
        def close(self) -> None: ...


class ResponseStream:
    """An answer of unknown length. `on_close` is called once when it ends, on either side.

    `on_wind_up` is called before the server ends it, which is the last moment to send something. `on_drain` is called
    when the client has read everything after it had not for a while.
    """

    __slots__ = ("_connection", "on_close", "on_drain", "on_wind_up")

    def __init__(self, connection: ResponseWriter | None) -> None:
        self._connection = connection
        self.on_close: Callable[[], object] | None = None
        self.on_wind_up: Callable[[], object] | None = None
        self.on_drain: Callable[[], object] | None = None

    @property
    def unread(self) -> int:
        """How many bytes wait until the client reads."""
        return 0 if self._connection is None else self._connection.unsent

    def send(self, data: bytes) -> bool:
        """Send it now, or when the client reads. False if the stream has ended, even because the client was slow."""
        return self._connection is not None and self._connection.send_piece(data)

    def close(self) -> None:
        """End the answer; what was sent before is still delivered."""
        if self._connection is not None:
            self._connection.end_stream()

    def cut_off(self) -> None:
        """Close the connection without ending the answer, so that the client sees that a part is missing."""
        if self._connection is not None:
            self._connection.close()

    def ended(self) -> None:
        """Called by the connection when the stream is over."""
        self._connection = None
        callback, self.on_close, self.on_wind_up, self.on_drain = self.on_close, None, None, None
        if callback is not None:
            callback()


class Exchange:
    """The pending answer to one request. Call `reply` or `stream` exactly once, at any time.

    `on_gone` is called if the client disconnects first; a later answer is dropped.
    """

    __slots__ = ("_answered", "_connection", "_stream", "on_gone")

    def __init__(self, connection: ResponseWriter) -> None:
        self._connection: ResponseWriter | None = connection
        self._stream: ResponseStream | None = None
        self._answered = False
        self.on_gone: Callable[[], object] | None = None

    def reply(self, response: Response) -> None:
        connection = self._claim()
        if connection is not None:
            connection.answer(response)

    def stream(self, status: int, content_type: str) -> ResponseStream:
        """Begin an answer of unknown length. For HEAD it ends at once."""
        connection = self._claim()
        if connection is None or not connection.begin_stream(status, content_type):
            return ResponseStream(None)
        self._stream = ResponseStream(connection)
        return self._stream

    @property
    def answered(self) -> bool:
        return self._answered

    def _claim(self) -> ResponseWriter | None:
        if self._answered:
            raise RuntimeError("a request was answered twice")
        self._answered = True
        return self._connection

    def wind_up(self) -> None:
        """The server is about to end the answer."""
        if self._stream is not None and self._stream.on_wind_up is not None:
            self._stream.on_wind_up()

    def drained(self) -> None:
        """Called by the connection: the client has read all of a stream."""
        if self._stream is not None and self._stream.on_drain is not None:
            self._stream.on_drain()

    def ended(self) -> None:
        """Called by the connection: the answer is on its way, or the client has disconnected."""
        self._connection = None
        callback, self.on_gone = self.on_gone, None
        if self._stream is not None:
            self._stream.ended()
        elif not self._answered and callback is not None:
            callback()
