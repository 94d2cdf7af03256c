"""Answers that may be long: made in small steps of the clients' time, and once for all that ask for the same.

Whoever asks while a page is being made gets the next one, which is about a moment after the question. So however many
ask, and however often, at most one page of a name is made at a time, and each is sent to everybody who waits for it.

Imported when the first client says something.
"""

from __future__ import annotations

from collections.abc import Iterator
from json import JSONEncoder

from cp.http.messages import Response, refusal, utf_8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from cp.engine.loop import Loop

    Reply = Callable[[Response], object]
    Make = Callable[[], Generator[None, None, Response]]

PIECE = 1 << 17  # bytes, about, of which a long answer is put together: what is joined in one go


class LongAnswers:
    """The pages of one server. All methods are for the loop's thread.

    `make()` yields between steps of at most 0.1 ms, and returns the answer. Each reply gets it when it is complete:
    an error on the way is an error to the client, never half an answer.
    """

    __slots__ = ("_in_work", "_loop", "_waiting")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: dict[str, list[Reply]] = {}  # who gets the next page, by its name
        self._in_work: set[str] = set()

    def ask(self, name: str, make: Make, reply: Reply) -> None:
        self._waiting.setdefault(name, []).append(reply)
        if name not in self._in_work:
            self._in_work.add(name)
            self._loop.add_pieces(self._work(name, make))

    def _work(self, name: str, make: Make) -> Iterator[None]:
        while replies := self._waiting.pop(name, None):
            try:
                response = yield from make()
            except Exception as error:  # a fault of ours: the clients are not left waiting
                report(self._loop, error)
                response = refusal(500, "internal error: see the log")
            for reply in replies:
                reply(response)
                yield
        self._in_work.discard(name)


def gathered(parts: Iterable[bytes], limit: int) -> Generator[None, None, tuple[bytes, ...]]:
    """A long body of small parts, one part a step, in pieces that are neither small nor large. It ends soon after
    `limit` bytes: a longer one is refused in any case."""
    pieces: list[bytes] = []
    size = kept = 0
    waiting: list[bytes] = []
    for part in parts:
        waiting.append(part)
        kept += len(part)
        if kept >= PIECE:
            pieces.append(b"".join(waiting))
            waiting.clear()
            size += kept
            kept = 0
            if size > limit:
                break
        yield
    return (*pieces, b"".join(waiting))


def json_parts(value: dict[str, object], separators: tuple[str, str] = (", ", ": ")) -> Iterator[bytes]:
    """A JSON object as text, part by part: what is a list or an iterator in it, one element at a time.

    The elements of an iterator are made only when their turn comes. Of one that has none, nothing is there to tell that
    it was to be a list: `[]` is written.
    """
    comma, colon = separators
    encode = JSONEncoder(ensure_ascii=False, separators=separators).encode
    before = "{"
    for key, member in value.items():
        start = f"{before}{encode(key)}{colon}"
        before = comma
        if not isinstance(member, (list, Iterator)):
            yield utf_8(start + encode(member))
            continue
        yield utf_8(start + "[")
        between = ""
        for element in member:
            yield utf_8(between + encode(element))
            between = comma
        yield b"]"
    yield b"}\n" if value else b"{}\n"


def report(loop: Loop, error: Exception) -> None:
    """Let the loop report a fault of ours, as of any callback that fails."""
    loop.call_soon(_raise, error)


def _raise(error: Exception) -> None:
    raise error
