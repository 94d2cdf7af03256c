"""Decodes the escapes of JSON and of programming languages in bytes, and maps positions back. Pure.

Imported when a text with escapes is to be masked.
"""

from __future__ import annotations

from _bisect import bisect_right

from cp.encoding.percent import HEX_DIGITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.encoding.percent import Pieces

_SHORT_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"a": b"\a"}
_HEX_ESCAPES = {b"u": 4, b"x": 2, b"U": 8}  # digits after the letter
_OCTAL_DIGITS = b"01234567"

# Escapes of letters and digits, which no encoder needs, and escapes of characters that begin another encoding.
_PAIRS = {bytes((a, b)) for a in HEX_DIGITS for b in HEX_DIGITS}
_ODD_PAIRS = {pair for pair in _PAIRS if bytes((int(pair, 16),)).isalnum() or int(pair, 16) in b"\\%"}
_ODD_ESCAPES = {prefix + pair for pair in _ODD_PAIRS for prefix in (b"x", b"u00")}


def is_odd(data: bytes) -> bool:
    """Whether it contains escapes of letters or digits, or escaped escapes."""
    return (
        (b"%" in data and not _ODD_PAIRS.isdisjoint([part[:2] for part in data.split(b"%")]))
        or b"\\U" in data
        or (b"\\u00" in data and not _ODD_ESCAPES.isdisjoint([part[:5] for part in data.split(b"\\")]))
        or (b"\\x" in data and not _ODD_ESCAPES.isdisjoint([part[:3] for part in data.split(b"\\")]))
    )


def without_escapes(data: bytes) -> Pieces:
    r"""Decode `\n`, `\/` and `\u0026` as JSON, JavaScript, Python and shells do."""
    first, *parts = data.split(b"\\")
    pieces, sizes = [first], [len(first)]
    index, count = 0, len(parts)
    while index < count:
        part = parts[index]
        index += 1
        if not part:
            if index < count:  # two backslashes
                pieces += (b"\\", parts[index])
                sizes += (2, len(parts[index]))
                index += 1
            else:
                pieces.append(b"\\")
                sizes.append(1)
            continue
        letter = part[:1]
        used = 1
        decoded = _SHORT_ESCAPES.get(letter, b"\\" + letter if letter.isalnum() else letter)
        digits = _HEX_ESCAPES.get(letter)
        if digits is not None and (code := _hexadecimal(part[1 : 1 + digits], digits)) >= 0:
            used += digits
            low = -1
            if 0xD800 <= code < 0xDC00 and len(part) == used and index < count and parts[index][:1] == b"u":
                low = _hexadecimal(parts[index][1:5], 4)
            if 0xDC00 <= low < 0xE000:
                code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00
                part = b"\\".join((part, parts[index]))
                used += 6
                index += 1
            decoded = _utf8(code)
        elif letter in _OCTAL_DIGITS and not part[:3].strip(_OCTAL_DIGITS) and len(part) > 2 and letter < b"4":
            used, decoded = 3, bytes((int(part[:3], 8),))
        pieces += (decoded, part[used:])
        sizes += (1 + used, len(part) - used)
    return pieces, sizes


def _hexadecimal(digits: bytes, count: int) -> int:
    """The value of exactly `count` digits; -1 for anything else."""
    if len(digits) != count or digits.strip(HEX_DIGITS):
        return -1
    return int(digits, 16)


def _utf8(code: int) -> bytes:
    if 0xDC80 <= code <= 0xDCFF:  # Python's surrogate escape of a byte that is not UTF-8
        return bytes((code - 0xDC00,))
    return chr(code).encode(errors="replace") if code < 0x110000 else b"?"


def original_spans(spans: list[tuple[int, int]], decoded: Pieces) -> list[tuple[int, int]]:
    """Map spans of decoded bytes to spans of the encoded bytes."""
    pieces, sizes = decoded
    starts: list[int] = []  # of the pieces, decoded and encoded
    origins: list[int] = []
    start = origin = 0
    for piece, size in zip(pieces, sizes, strict=True):
        starts.append(start)
        origins.append(origin)
        start += len(piece)
        origin += size

    def place(offset: int, *, is_end: bool) -> int:
        index = bisect_right(starts, offset - is_end) - 1
        if len(pieces[index]) == sizes[index]:
            return origins[index] + offset - starts[index]
        return origins[index] + (sizes[index] if is_end else 0)

    return [(place(start, is_end=False), place(end, is_end=True)) for start, end in spans]
