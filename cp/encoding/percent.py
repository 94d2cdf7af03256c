"""Percent-encoding (RFC 3986) and the encoding of forms. Pure.

`urllib.parse` does the same, but does not know the places of what it decodes, and takes longer to import than a whole
subcommand runs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    # The decoded bytes in pieces, and the number of encoded bytes of each piece.
    Pieces = tuple[list[bytes], list[int]]

UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
HEX_DIGITS = b"0123456789abcdefABCDEF"


def encoded(data: bytes, also: bytes = b"") -> str:
    """Encode bytes as a part of a URL: `a/b` becomes `a%2Fb`. The bytes in `also` stay unchanged."""
    keep = UNRESERVED.union(also) if also else UNRESERVED
    if keep.issuperset(data):
        return data.decode("ascii")
    return "".join([chr(byte) if byte in keep else f"%{byte:02X}" for byte in data])


def form_encoded(data: bytes) -> str:
    """Encode a name or a value of a form or a query: as `encoded`, but a blank becomes `+`."""
    return encoded(data, b" ").replace(" ", "+")


def form(fields: Iterable[tuple[str, str | bytes]]) -> str:
    """Encode names and values as the body of a form, or as a query. Raises UnicodeEncodeError for lone surrogates."""
    return "&".join([f"{_of_form(name)}={_of_form(value)}" for name, value in fields])


def _of_form(text: str | bytes) -> str:
    return form_encoded(text if isinstance(text, bytes) else text.encode())


def decoded(data: bytes) -> bytes:
    """Decode `a%2Fb` to `a/b`. Everything that is not an escape stays."""
    return b"".join(pieces(data)[0]) if b"%" in data else data


def pieces(data: bytes) -> Pieces:
    """Decode in pieces, each with the number of its encoded bytes."""
    first, *parts = data.split(b"%")
    found, sizes = [first], [len(first)]
    for part in parts:
        digits = part[:2]
        if len(digits) == 2 and not digits.strip(HEX_DIGITS):
            found += (bytes((int(digits, 16),)), part[2:])
            sizes += (3, len(part) - 2)
        else:
            found.append(b"%" + part)
            sizes.append(1 + len(part))
    return found, sizes
