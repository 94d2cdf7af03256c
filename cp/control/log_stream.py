"""`/v3/logs`: the last lines that jobs printed, as a list, or as a stream that goes on (server-sent events).

Everything is made in the time that the loop has for clients, in small steps.
"""

from __future__ import annotations

from collections import deque
from heapq import merge
from itertools import islice
from json.encoder import encode_basestring

from cp.encoding import percent
from cp.engine.history import moment_text
from cp.http.messages import encode, utf_8
from cp.platform.text import from_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from cp.engine.job_output import Block, JobLines, JobOutput
    from cp.engine.loop import Loop, Timer
    from cp.http.exchange import ResponseStream
    from cp.http.messages import Request

    Note = dict[str, object]
    Kept = list[tuple[int, bytes]]  # lines as JSON, each with its number among those of all jobs

USUAL_LINES = 100  # the number of lines that a client gets if it names none
ALL = "all"
KEEP_ALIVE = 15.0  # seconds between comments, by which each side notices that the other is gone
COMMENT = b":\n\n"
WAITING_LIMIT = 1 << 20  # bytes of lines that are kept for slow readers; the oldest are dropped
PACE = 1 << 16  # bytes that a reader has not read; until it has, it gets no more
STEP = 64  # lines that are formatted in one step
BATCH_SIZE = 1 << 14  # bytes, about, that one reader gets before others have their turn


class BadQuery(Exception):
    """The query of a request is not valid; the text says why."""


class LogQuery:
    """What a client wants: `jobs` in the order of the query, none for all; `lines` is how many, None: all of them."""

    __slots__ = ("jobs", "lines")

    def __init__(self, request: Request) -> None:
        """Raises BadQuery."""
        self.jobs: list[str] = []
        self.lines: int | None = USUAL_LINES
        for each in request.query.split("&"):
            key, _, value = each.partition("=")
            value = from_bytes(percent.decoded(value.encode("latin-1")))
            if key == "job" and value:
                self.jobs.append(value)
            elif key == "lines" and value != ALL:
                if not (value.isascii() and value.isdecimal() and len(value) < 10):
                    raise BadQuery(f"lines is '{value[:40]}': it must be a number, or '{ALL}'")
                self.lines = int(value)
            elif key == "lines":
                self.lines = None

    @property
    def key(self) -> str:
        """The same for queries with the same answer."""
        return repr((self.jobs, self.lines))


def collect(selected: list[JobLines], limit: int | None, after: int, until: int) -> Generator[None, None, Kept]:
    """The last `limit` lines of these jobs, merged in their order: those after the line with the number `after`, up to
    `until`."""
    queues: list[list[tuple[int, JobLines, Block]]] = []
    for job in selected:
        queues.append([(-block[0], job, block) for block in reversed(job.blocks)])
        yield
    found: Kept = []  # the newest first
    for _, job, block in merge(*queues, key=_first):
        if (limit is not None and len(found) >= limit) or block[0] + block[2] <= after + 1:
            break
        for place, (number, text) in enumerate(_formatted(job, block, newest_first=True), 1):
            if after < number <= until:
                found.append((number, text))
            if place % STEP == 0:
                yield
        yield
    if limit is not None:
        del found[limit:]
    found.reverse()
    return found


def _first(entry: tuple[int, JobLines, Block]) -> int:
    return entry[0]


def _formatted(job: JobLines, block: Block, *, newest_first: bool = False) -> Iterator[tuple[int, bytes]]:
    """Each line of a block as JSON, and its number among those of all jobs."""
    start, end = f'{{"job": {encode_basestring(job.name)}, "number": ', f', "at": "{moment_text(block[3])}", "text": '
    lines = job.lines(block)
    for line in reversed(lines) if newest_first else lines:
        yield line.number, utf_8(f"{start}{line.own}{end}{encode_basestring(line.text)}}}")


def listed(output: JobOutput | None, query: LogQuery, jobs: list[str], notes: list[Note]) -> Iterator[bytes]:
    """The parts of the list of these jobs. A note says where the output of a job goes if it is not kept."""
    yield b'{"notes": %b, "lines": [' % encode(notes)
    if output is not None:
        making = collect(output.select(jobs), query.lines, 0, output.number)
        kept: Kept = []
        while True:
            try:
                next(making)
            except StopIteration as end:
                kept = end.value
                break
            yield b""
        for place, (_, line) in enumerate(kept):
            yield b", " + line if place else line
    yield b"]}\n"


class Item:
    """A block of lines on its way to readers, which is formatted once: `text` is complete when `is_made`."""

    __slots__ = ("_making", "is_made", "job", "size", "text")

    def __init__(self, job: JobLines, block: Block) -> None:
        self.job = job.name
        self.size = len(block[4])
        self.text = b""
        self.is_made = False
        self._making = self._make(job, block)

    def step(self) -> None:
        """Format some of its lines."""
        next(self._making, None)

    def complete(self) -> bytes:
        for _ in self._making:
            pass
        return self.text

    def _make(self, job: JobLines, block: Block) -> Iterator[None]:
        parts: list[bytes] = []
        for place, (number, line) in enumerate(_formatted(job, block), 1):
            parts.append(_event(number, line))
            if place % STEP == 0:
                yield
        self.text = b"".join(parts)
        self.is_made = True


class LogFeed:
    """Sends new lines to all readers. No job waits for a reader: lines that come faster than a reader takes them are
    dropped for this reader, which sees it by their numbers."""

    __slots__ = ("_bytes", "_first", "_followers", "_is_pumping", "_loop", "_output", "_timer", "_unfollow", "_waiting")

    def __init__(self, loop: Loop, output: Callable[[], JobOutput]) -> None:
        """`output` is called when the first reader comes."""
        self._loop = loop
        self._output = output
        self._followers: dict[LogFollower, None] = {}
        self._waiting: deque[Item] = deque()  # blocks that not all readers have got yet
        self._bytes = 0  # of these
        self._first = 0  # the number of the first of them
        self._is_pumping = False
        self._timer: Timer | None = None
        self._unfollow: Callable[[], None] | None = None

    @property
    def end(self) -> int:
        """The number of the block that comes next."""
        return self._first + len(self._waiting)

    def add(
        self,
        open_stream: Callable[[], ResponseStream],
        query: LogQuery,
        jobs: list[str],
        notes: list[Note],
        last_id: str,
    ) -> None:
        """Send a new reader the last lines, then those to come. `last_id` is the number of the last line that it has:
        then it gets all lines that are kept after that one."""
        output = self._output()
        if self._unfollow is None:
            self._unfollow = output.follow(self._printed)
            self._timer = self._loop.call_later(KEEP_ALIVE, self._keep_alive)
        seen = int(last_id) if last_id.isascii() and last_id.isdecimal() and len(last_id) < 20 else 0
        limit = query.lines
        if 0 < seen <= output.number:
            limit, notes = None, []
        else:
            seen = 0  # of an earlier run
        follower = LogFollower(self, frozenset(query.jobs))
        self._followers[follower] = None
        making = collect(output.select(jobs), limit, seen, output.number)
        self._loop.add_pieces(self._begin(follower, open_stream, making, notes))

    def remove(self, follower: LogFollower) -> None:
        self._followers.pop(follower, None)
        if not self._followers and self._unfollow is not None:
            self._unfollow()
            self._unfollow = None
            self._first += len(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            if self._timer is not None:
                self._timer.cancel()

    def _begin(
        self,
        follower: LogFollower,
        open_stream: Callable[[], ResponseStream],
        making: Generator[None, None, Kept],
        notes: list[Note],
    ) -> Iterator[None]:
        lines = yield from making
        parts = [COMMENT, *(b"event: note\ndata: %b\n\n" % encode(note) for note in notes)]
        for number, line in lines:
            parts.append(_event(number, line))
            yield
        follower.begin(open_stream(), b"".join(parts))
        self._wake()

    def _printed(self, job: JobLines, block: Block) -> None:
        self._waiting.append(Item(job, block))
        self._bytes += len(block[4])
        while self._bytes > WAITING_LIMIT:
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
        """Run until every reader has all lines, or must read first. Each step formats some lines or serves a reader."""
        while behind := [each for each in self._followers if each.takes_more]:
            for follower in behind:
                yield from self._serve(follower)
            needed = min((each.next for each in self._followers), default=self.end)
            while self._waiting and self._first < needed:
                self._drop_first()
        self._is_pumping = False

    def _serve(self, follower: LogFollower) -> Iterator[None]:
        """Send one reader its next batch of lines."""
        parts: list[bytes] = []
        size = 0
        while size < BATCH_SIZE and (number := max(follower.next, self._first)) < self.end:
            item = self._waiting[number - self._first]
            if follower.wants(item.job):
                while not item.is_made:
                    item.step()
                    yield
                parts.append(item.text)
                size += len(item.text)
            follower.next = number + 1
            if not number % STEP:
                yield
        if follower in self._followers:
            follower.send(b"".join(parts))
        yield

    def finish(self, follower: LogFollower) -> None:
        """Send a reader all that was printed: the server closes, and the clients' time is over."""
        rest = islice(self._waiting, max(0, follower.next - self._first), None)
        follower.next = self.end
        follower.send(b"".join(item.complete() for item in rest if follower.wants(item.job)))

    def drained(self) -> None:
        """A reader has read what it had got."""
        self._wake()

    def _drop_first(self) -> None:
        self._bytes -= self._waiting.popleft().size
        self._first += 1


class LogFollower:
    """One reader of a feed. `next` is the number of its next block."""

    __slots__ = ("_feed", "_jobs", "_stream", "next", "owes_comment")

    def __init__(self, feed: LogFeed, jobs: frozenset[str]) -> None:
        """`jobs`: their names; none for all."""
        self._feed = feed
        self._jobs = jobs
        self._stream: ResponseStream | None = None
        self.next = feed.end
        self.owes_comment = False

    def begin(self, stream: ResponseStream, first: bytes) -> None:
        self._stream = stream
        stream.on_close = self._ended
        stream.on_wind_up = lambda: self._feed.finish(self)
        stream.on_drain = self._feed.drained
        if not stream.send(first):
            self._ended()

    def wants(self, job: str) -> bool:
        return not self._jobs or job in self._jobs

    @property
    def takes_more(self) -> bool:
        """Whether there is something to send, and it has read most of what it got."""
        if self._stream is None or self._stream.unread > PACE:
            return False
        return self.next < self._feed.end or self.owes_comment

    def send(self, text: bytes) -> None:
        if not text and self.owes_comment:
            text = COMMENT
        self.owes_comment = False
        if text and self._stream is not None:
            self._stream.send(text)

    def _ended(self) -> None:
        self._feed.remove(self)


def _event(number: int, line: bytes) -> bytes:
    return b"id: %d\nevent: line\ndata: %b\n\n" % (number, line)
