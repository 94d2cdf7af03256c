"""`/v3/events`: what happened, as a list or as server-sent events that go on."""

from __future__ import annotations

from cp.server.messages import EVENT_STREAM, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.loop import Loop, Timer
    from cp.server.control import Entry, History
    from cp.server.messages import Request
    from cp.server.stream import Stream

KEEP_ALIVE = 15.0  # seconds between comments, by which both sides notice that the other is gone


def shape(entry: Entry) -> dict[str, object]:
    """An event as JSON."""
    return {"number": entry.number, "at": entry.at, "code": entry.code, "source": entry.source}


def of_query(request: Request, key: str) -> str:
    """The value of a key in the query, percent-encoded as it is there; empty without one."""
    pairs = (each.partition("=") for each in request.query.split("&"))
    return next((value for name, _, value in pairs if name == key), "")


def wants_stream(request: Request) -> bool:
    if of_query(request, "follow") == "1":
        return True
    accepted = request.headers.get("accept", "").split(",")
    return any(each.partition(";")[0].strip().lower() == EVENT_STREAM for each in accepted)


def kept_after(history: History, last_id: str, name: str) -> list[Entry]:
    """What a reader that saw `last_id` has not seen; everything, if that number is not of this history."""
    entries = list(history.entries(name))
    seen = int(last_id) if last_id.isascii() and last_id.isdecimal() and len(last_id) < 20 else 0
    if seen > history.number:  # counted by a program that ran before this one
        return entries
    return [entry for entry in entries if entry.number > seen]


class Follower:
    """Passes on the history, or what of it is about one job, to one reader until either side ends it."""

    __slots__ = ("_loop", "_name", "_stream", "_timer", "_unfollow")

    def __init__(self, loop: Loop, history: History, stream: Stream, last_id: str, name: str) -> None:
        self._loop = loop
        self._stream = stream
        self._name = name
        self._timer: Timer | None = None
        self._unfollow: Callable[[], None] | None = None
        stream.on_close = self._end
        # One piece, so that a reader knows at once that it is connected and has everything.
        if stream.send(b":\n\n" + b"".join(map(_event, kept_after(history, last_id, name)))):
            self._unfollow = history.follow(self._pass_on)
            self._timer = loop.call_later(KEEP_ALIVE, self._keep_alive)

    def _pass_on(self, entry: Entry) -> None:
        if not self._name or entry.concerns(self._name):
            self._stream.send(_event(entry))

    def _keep_alive(self) -> None:
        self._timer = self._loop.call_later(KEEP_ALIVE, self._keep_alive)
        self._stream.send(b":\n\n")

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        unfollow, self._unfollow = self._unfollow, None
        if unfollow is not None:
            unfollow()


def _event(entry: Entry) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (entry.number, entry.code.encode(), encode(shape(entry)))
