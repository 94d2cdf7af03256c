"""Masks given texts in bytes: plain, as JSON and URLs encode them, and line by line. Pure.

The time is linear in the number of bytes for any input: a child knows the secrets, and could try to slow down the log.
"""

from __future__ import annotations

from cp import plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cp.encoding.percent import Pieces

    Span = tuple[int, int]  # start and end

SHORTEST = 8  # bytes; a shorter line of a text with several lines is not masked on its own
MASK = plan.MASK.encode()
LONGEST_ESCAPE = 8  # bytes of one escaped byte: \\u0041 inside of a JSON string, %5Cu0041 in a URL
DEPTH = 2  # levels of encoding: JSON in JSON, JSON in a URL

# A few texts are searched one by one. For many, a sieve first finds out which of them may be present.
_SIEVE_FROM = 400  # the number of searches that a sieve must save for each byte of a step
_WINDOWS = 20_000  # windows of a sieve, at about 80 bytes of memory each
_LONG = 32  # bytes; texts from this length on get their own sieve

_ALPHANUMERIC = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TO_BLANKS = bytes(code if code in _ALPHANUMERIC else 0x20 for code in range(256))
_ANCHOR = 4  # letters and digits in a row that a text needs, so that they show whether it may be present encoded


class Matcher:
    """Masks texts anywhere in bytes.

    A text of several lines, such as a key in PEM, is also masked line by line: a line of SHORTEST bytes or more
    anywhere, a shorter one only after the line that it follows in the text.
    """

    __slots__ = ("_anchors", "_finder", "_followers", "_with_blanks", "overlap")

    def __init__(self, texts: Iterable[bytes]) -> None:
        """`texts` has no empty text, and none of only white space."""
        needles: dict[bytes, None] = {}
        self._followers: dict[bytes, tuple[bytes, ...]] = {}
        for text in texts:
            needles.update(dict.fromkeys(_needles(text, self._followers)))
        self._finder = _Finder(needles)
        # Encoders do not change letters and digits. For a text without any, everything with escapes must be decoded.
        anchors = [max(needle.translate(_TO_BLANKS).split(), key=len, default=b"") for needle in needles]
        self._anchors = _Finder(dict.fromkeys(anchors)) if all(len(each) >= _ANCHOR for each in anchors) else None
        self._with_blanks = any(b" " in needle for needle in needles)
        # The bytes after a position that must be known, to know whether a text crosses the position.
        self.overlap = LONGEST_ESCAPE * max(map(len, needles), default=0)

    def masked(self, data: bytes) -> bytes:
        """Replace each text by `plan.MASK`. Line ends stay."""
        return _replaced(data, self.spans(data))

    def masked_lines(self, data: bytes, expected: tuple[bytes, ...] = ()) -> tuple[bytes, tuple[bytes, ...]]:
        """Do the same for whole lines of a stream. `expected` is the second result of the call for the lines before."""
        spans = self.spans(data)
        if self._followers and (spans or expected):
            more, expected = self._following(data, expected)
            spans = _merged(spans + more)
        return _replaced(data, spans), expected

    def cut(self, data: bytes, limit: int) -> int:
        """The end of a first piece of about `limit` bytes, so that no text crosses it. The line continues after `data`.
        0 if more of the line must be known."""
        if len(data) < limit + self.overlap:
            return 0
        for start, end in self.spans(data):
            if start < limit < end:
                # The next text may begin within this one, and continue after the data.
                is_known = len(data) >= min(end, limit + 2 * self.overlap) + self.overlap
                return start or (end if is_known else 0)
        return limit

    def spans(self, data: bytes) -> list[Span]:
        """The positions of the texts, in order."""
        # No text contains a zero byte, so none is found across the end of a line, except across an escaped one.
        if b"\n" in data:
            data = data.replace(b"\n", b"\0")
        spans = self._finder.find(data)
        if b"\\" in data or b"%" in data or (self._with_blanks and b"+" in data):
            spans += self._encoded(data)
        return _merged(spans) if len(spans) > 1 else spans

    def _encoded(self, data: bytes) -> list[Span]:
        """The positions of texts that are found after decoding, in all combinations of encodings that occur."""
        from cp.encoding import percent
        from cp.log import decoding

        if self._anchors is not None and not self._anchors.find(data) and not decoding.is_odd(data):
            return []
        spans: list[Span] = []
        views: list[tuple[bytes, tuple[Pieces, ...]]] = [(data, ())]
        for _ in range(DEPTH):
            decoded: list[tuple[bytes, tuple[Pieces, ...]]] = []
            for view, ways in views:
                if b"\\" in view:
                    decoded.append(_decoded(decoding.without_escapes(view), ways))
                if b"%" in view:
                    decoded.append(_decoded(percent.pieces(view), ways))
                if self._with_blanks and b"+" in view:  # a form encodes a blank like this
                    decoded.append(_decoded(percent.pieces(view.replace(b"+", b" ")), ways))
            for view, ways in decoded:
                found = self._finder.find(view)
                for way in reversed(ways) if found else ():
                    found = decoding.original_spans(found, way)
                spans += found
            views = decoded
        return spans

    def _following(self, data: bytes, expected: tuple[bytes, ...]) -> tuple[list[Span], tuple[bytes, ...]]:
        """The positions of short lines that follow the same line as in their text, and the lines that may be next."""
        spans: list[Span] = []
        end = -1
        for line in data.split(b"\n"):
            start, end = end + 1, end + 1 + len(line)
            words = line.rsplit(None, 1)
            last = words[-1] if words else b""
            if expected and last == expected[0]:
                at = start + line.rindex(last)
                spans.append((at, at + len(last)))
                expected = expected[1:]
            else:
                expected = self._followers.get(line.strip()) or self._followers.get(last, ())
        return spans, expected


class _Finder:
    """Finds any of several byte strings in bytes."""

    __slots__ = ("_few", "_sieves")

    def __init__(self, needles: Iterable[bytes]) -> None:
        self._few: list[bytes] = []
        self._sieves: list[_Sieve] = []
        short: list[bytes] = []
        long: list[bytes] = []
        for needle in needles:
            (long if len(needle) >= _LONG else short).append(needle)
        for group, width in ((short, SHORTEST), (long, 2 * SHORTEST)):
            shortest = min(map(len, group), default=0)
            step = min(shortest - width + 1, _WINDOWS // len(group)) if group else 0
            if step > 0 and len(group) * step >= _SIEVE_FROM:
                self._sieves.append(_Sieve(group, width, step))
            else:
                self._few += group

    def find(self, data: bytes) -> list[Span]:
        spans: list[Span] = []
        for needle in self._few:
            start = data.find(needle)
            while start >= 0:
                end = start + len(needle)
                spans.append((start, end))
                start = data.find(needle, end)
        for sieve in self._sieves:
            for needle in sieve.candidates(data):
                start = data.find(needle)
                while start >= 0:
                    end = start + len(needle)
                    spans.append((start, end))
                    start = data.find(needle, end)
        return spans


class _Sieve:
    """Finds out which byte strings may be in bytes: it looks up a window of the bytes at every `step` bytes.

    A byte string of at least `width + step - 1` bytes covers one of these windows completely, wherever it is, and that
    is one of its own first `step` windows.
    """

    __slots__ = ("_step", "_width", "_windows")

    def __init__(self, needles: Iterable[bytes], width: int, step: int) -> None:
        self._width = width
        self._step = step
        self._windows: dict[bytes, list[bytes]] = {}
        for needle in needles:
            for at in range(step):
                self._windows.setdefault(needle[at : at + width], []).append(needle)

    def candidates(self, data: bytes) -> Iterable[bytes]:
        width, windows = self._width, self._windows
        found = windows.keys() & {data[at : at + width] for at in range(0, len(data) - width + 1, self._step)}
        return {needle for window in found for needle in windows[window]} if found else ()


def _needles(text: bytes, followers: dict[bytes, tuple[bytes, ...]]) -> list[bytes]:
    """The byte strings to search for one text. Adds its short lines that follow long ones to `followers`."""
    text = text.replace(b"\0", b"\n").strip()
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    if len(lines) < 2:
        return [text]
    unix = text.replace(b"\r\n", b"\n")
    needles = [unix, unix.replace(b"\n", b"\r\n")]
    for index, line in enumerate(lines):
        if len(line) < SHORTEST or _is_boundary(line):
            continue
        needles.append(line)
        short: list[bytes] = []
        for follower in lines[index + 1 :]:
            if len(follower) >= SHORTEST:
                break
            short.append(follower)
        if short:
            followers[line] = tuple(short)
            needles += (between.join((line, *short)) for between in (b"", b" ", b"\n", b"\r\n"))
    return needles


def _is_boundary(line: bytes) -> bool:
    """Whether it is the first or the last line of a PEM, which is not secret."""
    return line.startswith(b"-----") and line.endswith(b"-----")


def _decoded(way: Pieces, ways: tuple[Pieces, ...]) -> tuple[bytes, tuple[Pieces, ...]]:
    return b"".join(way[0]), (*ways, way)


def _merged(spans: list[Span]) -> list[Span]:
    """Sort spans, and join those that overlap."""
    spans.sort()
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def _replaced(data: bytes, spans: list[Span]) -> bytes:
    if not spans:
        return data
    pieces: list[bytes] = []
    done = 0
    for start, end in spans:
        pieces += (data[done:start], MASK)
        done = end
    pieces.append(data[done:])
    return b"".join(pieces)
