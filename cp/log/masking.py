"""Finds given texts in bytes and masks them: as they are, as JSON and URLs encode them, and line by line. Pure.

The time is linear in the bytes, whatever they are: a child knows the secrets that it could slow us down with.
"""

from __future__ import annotations

from cp import plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cp.encoding.percent import Pieces

    Span = tuple[int, int]  # where something begins and ends

SHORTEST = 8  # bytes of a line of a longer text, at least, to be masked on its own
MASK = plan.MASK.encode()
LONGEST_ESCAPE = 8  # bytes that stand for one: \\u0041 inside of a JSON string, %5Cu0041 in a URL
DEPTH = 2  # JSON in JSON, JSON in a URL

# A few texts are searched for one by one. Of many, a sieve finds out first which of them may be there.
_SIEVE_FROM = 400  # searches saved per byte of a step
_WINDOWS = 20_000  # of a sieve: its memory, about 80 bytes for each
_LONG = 32  # bytes of a text that is not in a sieve with short ones

_ALPHANUMERIC = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TO_BLANKS = bytes(code if code in _ALPHANUMERIC else 0x20 for code in range(256))
_ANCHOR = 4  # letters and digits in a row, at least, that tell whether a text may be there in some encoding


class Matcher:
    """Masks some texts wherever they stand in bytes.

    A text of several lines, such as a key in PEM, is also masked line by line: lines of SHORTEST bytes and more
    wherever they are, shorter ones after the line that they follow.
    """

    __slots__ = ("_anchors", "_finder", "_followers", "_with_blanks", "overlap")

    def __init__(self, texts: Iterable[bytes]) -> None:
        """The texts are not empty, and neither are they blanks alone."""
        needles: dict[bytes, None] = {}
        self._followers: dict[bytes, tuple[bytes, ...]] = {}
        for text in texts:
            needles.update(dict.fromkeys(_needles(text, self._followers)))
        self._finder = _Finder(needles)
        # Encoders leave letters and digits alone. Without any in a text, all that has escapes must be decoded.
        anchors = [max(needle.translate(_TO_BLANKS).split(), key=len, default=b"") for needle in needles]
        self._anchors = _Finder(dict.fromkeys(anchors)) if all(len(each) >= _ANCHOR for each in anchors) else None
        self._with_blanks = any(b" " in needle for needle in needles)
        # So many bytes after a place tell whether one of the texts goes across it.
        self.overlap = LONGEST_ESCAPE * max(map(len, needles), default=0)

    def masked(self, data: bytes) -> bytes:
        """The bytes with `plan.MASK` in the place of each text. Line ends stay."""
        return _replaced(data, self.spans(data))

    def masked_lines(self, data: bytes, expected: tuple[bytes, ...] = ()) -> tuple[bytes, tuple[bytes, ...]]:
        """The same for whole lines of a stream, of which `expected` is what this said of the lines before."""
        spans = self.spans(data)
        if self._followers and (spans or expected):
            more, expected = self._following(data, expected)
            spans = _merged(spans + more)
        return _replaced(data, spans), expected

    def cut(self, data: bytes, limit: int) -> int:
        """Where a first piece of about `limit` bytes of a line may end so that no text goes across. The line goes on
        after these bytes; 0 if more of it must be known."""
        if len(data) < limit + self.overlap:
            return 0
        for start, end in self.spans(data):
            if start < limit < end:
                # The next text may begin within this one, and go on after the data.
                is_known = len(data) >= min(end, limit + 2 * self.overlap) + self.overlap
                return start or (end if is_known else 0)
        return limit

    def spans(self, data: bytes) -> list[Span]:
        """Where the texts are, in order."""
        # None of the texts has a zero byte: so none is found across the end of a line, only across an escaped one.
        if b"\n" in data:
            data = data.replace(b"\n", b"\0")
        spans = self._finder.find(data)
        if b"\\" in data or b"%" in data or (self._with_blanks and b"+" in data):
            spans += self._encoded(data)
        return _merged(spans) if len(spans) > 1 else spans

    def _encoded(self, data: bytes) -> list[Span]:
        """Where the texts are once the bytes are decoded, in all ways that make sense."""
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
                if self._with_blanks and b"+" in view:  # in forms, it is one
                    decoded.append(_decoded(percent.pieces(view.replace(b"+", b" ")), ways))
            for view, ways in decoded:
                found = self._finder.find(view)
                for way in reversed(ways) if found else ():
                    found = decoding.places_before(found, way)
                spans += found
            views = decoded
        return spans

    def _following(self, data: bytes, expected: tuple[bytes, ...]) -> tuple[list[Span], tuple[bytes, ...]]:
        """Where short lines follow those that they follow in a text, and which are expected next."""
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
    """Finds needles in bytes."""

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
    """Tells which needles may be in bytes by looking at a window of them at every `step` bytes.

    A needle of at least `width + step - 1` bytes covers one of these windows wholly, wherever it stands: one of the
    first `step` windows that it has itself.
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
    """What to look for, for one text; short lines that follow long ones are noted."""
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
    """The first or the last line of a PEM: no secret."""
    return line.startswith(b"-----") and line.endswith(b"-----")


def _decoded(way: Pieces, ways: tuple[Pieces, ...]) -> tuple[bytes, tuple[Pieces, ...]]:
    return b"".join(way[0]), (*ways, way)


def _merged(spans: list[Span]) -> list[Span]:
    """In order; those that overlap are one."""
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
