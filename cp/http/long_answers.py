"""Makes long answers in small steps of the clients' time, and one answer for all clients that request the same thing.

A client whose request comes while the answer is being made gets the next one, so that no answer is older than its
request. At most one answer of a name is being made at a time, however many clients request it.

Imported when the first client sends something.
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

PIECE = 1 << 17  # bytes, about, of each piece of a long answer


class LongAnswers:
    """The long answers of one server. Call all methods on the loop's thread.

    `make()` yields between steps of at most 0.1 ms and returns the answer. `reply` is called with the complete answer:
    if `make` fails, the client gets an error, never half an answer.
    """

    __slots__ = ("_in_work", "_loop", "_waiting")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: dict[str, list[Reply]] = {}  # the replies for the next page, by its name
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
            except Exception as error:  # an error in ContainerPilot: the clients must not wait forever
                report(self._loop, error)
                response = refusal(500, "internal error: see the log")
            for reply in replies:
                reply(response)
                yield
        self._in_work.discard(name)


def gathered(parts: Iterable[bytes], limit: int) -> Generator[None, None, tuple[bytes, ...]]:
    """Join the small parts of a long body, one part a step, into pieces of about PIECE bytes.

    It stops soon after `limit` bytes, because the server refuses a longer answer anyway.
    """
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
    """Encode a JSON object part by part: lists and iterators in it, one element a part.

    An iterator is read only when its turn comes, and becomes a list, `[]` if it has no element.
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
    """Let the loop report an error in ContainerPilot, as it does for a callback that fails."""
    loop.call_soon(_raise, error)


def _raise(error: Exception) -> None:
    raise error
