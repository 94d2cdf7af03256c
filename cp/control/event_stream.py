"""`/v3/events`: the last events as a list, or events as they happen as a stream (server-sent events)."""

from __future__ import annotations

from collections import deque
from itertools import islice

from cp.http.messages import EVENT_STREAM, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cp.control.ports import History, HistoryEntry
    from cp.engine.loop import Loop, Timer
    from cp.http.exchange import ResponseStream
    from cp.http.messages import Request

KEEP_ALIVE = 15.0  # seconds between comments, by which each side notices that the other is gone
COMMENT = b":\n\n"
MOST_WAITING = 10_000  # events that are kept for slow readers
BATCH, BATCH_SIZE = 64, 1 << 14  # events, and about how many bytes, one reader gets before others have their turn


def shape(entry: HistoryEntry) -> dict[str, object]:
    """An event as JSON."""
    return {"number": entry.number, "at": entry.at, "code": entry.code, "source": entry.source}


def of_query(request: Request, key: str) -> str:
    """The value of a key of the query, still percent-encoded; empty without the key."""
    pairs = (each.partition("=") for each in request.query.split("&"))
    return next((value for name, _, value in pairs if name == key), "")


def wants_stream(request: Request) -> bool:
    if of_query(request, "follow") == "1":
        return True
    accepted = request.headers.get("accept", "").split(",")
    return any(each.partition(";")[0].strip().lower() == EVENT_STREAM for each in accepted)


def kept_after(history: History, last_id: str, name: str) -> list[HistoryEntry]:
    """The events after `last_id`; all events if that number is not from this history."""
    entries = list(history.entries(name))
    seen = int(last_id) if last_id.isascii() and last_id.isdecimal() and len(last_id) < 20 else 0
    if seen > history.number:  # a number of an earlier run
        return entries
    return [entry for entry in entries if entry.number > seen]


class Item:
    """An event on its way, formatted once."""

    __slots__ = ("entry", "text")

    def __init__(self, entry: HistoryEntry) -> None:
        self.entry = entry
        self.text = b""


class Feed:
    """Sends events to all readers, in the time that the loop has for clients: no event waits for a reader.

    Each event is formatted once, and readers at the same event get the same bytes. A reader that is more than
    MOST_WAITING events behind is disconnected, and may continue with `Last-Event-ID`.
    """

    __slots__ = (
        *("_first", "_followers", "_formatted", "_history", "_is_pumping", "_last_batch", "_loop", "_timer"),
        *("_unfollow", "_waiting"),
    )

    def __init__(self, loop: Loop, history: History) -> None:
        self._loop = loop
        self._history = history
        self._followers: dict[Follower, None] = {}
        self._waiting: deque[Item] = deque()  # events that not all readers have got yet
        self._formatted = 0  # the number of them that are formatted
        self._first = 0  # the number of the first of them
        self._last_batch = (0, 0, b"")  # the number of its first event and of the one after its last, and its text
        self._is_pumping = False
        self._timer: Timer | None = None
        self._unfollow: Callable[[], None] | None = None

    @property
    def end(self) -> int:
        """The number of the event that comes next."""
        return self._first + len(self._waiting)

    def add(self, open_stream: Callable[[], ResponseStream], last_id: str, name: str) -> None:
        """Send a new reader the events after `last_id`, then those to come; with `name` only those about it."""
        if self._unfollow is None:
            self._first = self._history.number + 1
            self._unfollow = self._history.follow(self._happened)
            self._timer = self._loop.call_later(KEEP_ALIVE, self._keep_alive)
        follower = Follower(self, name)
        self._followers[follower] = None
        self._loop.add_pieces(self._begin(follower, open_stream, kept_after(self._history, last_id, name)))

    def remove(self, follower: Follower) -> None:
        self._followers.pop(follower, None)
        if not self._followers and self._unfollow is not None:
            self._unfollow()
            self._unfollow = None
            self._waiting.clear()
            self._formatted = 0
            if self._timer is not None:
                self._timer.cancel()

    def _begin(
        self, follower: Follower, open_stream: Callable[[], ResponseStream], kept: list[HistoryEntry]
    ) -> Iterator[None]:
        # In one piece, so that the reader learns at once that it is connected, and has all earlier events.
        parts = [COMMENT]
        for entry in kept:
            parts.append(_event(entry))
            yield
        follower.begin(open_stream(), b"".join(parts))
        self._wake()

    def _happened(self, entry: HistoryEntry) -> None:
        self._waiting.append(Item(entry))
        if len(self._waiting) > MOST_WAITING:
            self._drop_first()
        self._wake()

    def _keep_alive(self) -> None:
        self._timer = self._loop.call_later(KEEP_ALIVE, self._keep_alive)
        for follower in self._followers:
            follower.owes_comment = True
        self._wake()

    def _wake(self) -> None:
        if not self._is_pumping:
            self._is_pumping = True
            self._loop.add_pieces(self._pump())

    def _pump(self) -> Iterator[None]:
        """Run until all readers have all events; each step formats one event or serves one reader."""
        while behind := [each for each in self._followers if each.is_behind]:
            while self._formatted < len(self._waiting):
                item = self._waiting[self._formatted]
                self._formatted += 1
                item.text = _event(item.entry)
                yield
            for follower in behind:
                if follower in self._followers:
                    follower.catch_up(self._first)
                    yield
            needed = min((each.next for each in self._followers), default=self.end)
            while self._waiting and self._first < needed:
                self._drop_first()
        self._is_pumping = False

    def finish(self, follower: Follower) -> None:
        """Send a reader all that happened: the server closes, and the clients' time is over."""
        for item in islice(self._waiting, self._formatted, None):
            item.text = _event(item.entry)
        self._formatted = len(self._waiting)
        follower.finish(self._first, self._waiting)

    def _drop_first(self) -> None:
        self._waiting.popleft()
        self._first += 1
        self._formatted = max(0, self._formatted - 1)

    def after(self, number: int, name: str) -> tuple[int, bytes]:
        """A batch of events from `number` on as text, and the number of the event after the batch."""
        begin, end, text = self._last_batch
        if not name and begin == number < end:
            return end, text
        parts, size, end = [], 0, number
        for item in islice(self._waiting, number - self._first, max(number - self._first, self._formatted)):
            end += 1
            if not name or item.entry.concerns(name):
                parts.append(item.text)
                size += len(item.text)
            if size > BATCH_SIZE or end - number == BATCH:
                break
        text = b"".join(parts)
        if not name:
            self._last_batch = (number, end, text)
        return end, text


class Follower:
    """One reader of a feed. `next` is the number of its next event."""

    __slots__ = ("_feed", "_name", "_stream", "next", "owes_comment")

    def __init__(self, feed: Feed, name: str) -> None:
        self._feed = feed
        self._name = name
        self._stream: ResponseStream | None = None
        self.next = feed.end
        self.owes_comment = False

    def begin(self, stream: ResponseStream, first: bytes) -> None:
        self._stream = stream
        stream.on_close = self._ended
        stream.on_wind_up = lambda: self._feed.finish(self)
        if not stream.send(first):
            self._ended()

    @property
    def is_behind(self) -> bool:
        return self._stream is not None and (self.next < self._feed.end or self.owes_comment)

    def catch_up(self, first: int) -> None:
        """Send the next batch. `first` is the first event that is still kept."""
        if self._stream is None:
            return
        if self.next < first:
            self._stream.cut_off()
            return
        self.next, text = self._feed.after(self.next, self._name)
        if not text and self.owes_comment:
            text = COMMENT
        self.owes_comment = False
        self._stream.send(text)

    def finish(self, first: int, waiting: deque[Item]) -> None:
        """Send all of what waits, in one piece: a stream of a server that closes takes no second one."""
        if self._stream is None or not self.is_behind:
            return
        if self.next < first:
            self._stream.cut_off()
            return
        rest = islice(waiting, self.next - first, None)
        self.next = self._feed.end
        self._stream.send(b"".join(item.text for item in rest if not self._name or item.entry.concerns(self._name)))

    def _ended(self) -> None:
        self._feed.remove(self)


def _event(entry: HistoryEntry) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (entry.number, entry.code.encode(), encode(shape(entry)))
