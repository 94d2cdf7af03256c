"""The messages of sd_notify(3): from bytes to assignments; pure."""

from __future__ import annotations

from cp.platform.text import from_bytes, readable, to_bytes

LONGEST_MESSAGE = 4096  # bytes, as systemd accepts them
MOST_LINES = 64  # of one message; more are ignored
LONGEST_STATUS = 256  # bytes of the text of STATUS, in UTF-8


def assignments(message: bytes) -> list[tuple[str, str]]:
    """The names and values of a message, `READY=1` on a line each. Lines without a name or `=` are left out.

    Raises ValueError, with the reason, for a message that is not a text.
    """
    text = message.removesuffix(b"\0")
    if b"\0" in text:
        raise ValueError("not a text: it has a NUL character")
    found: list[tuple[str, str]] = []
    for line in text.split(b"\n", MOST_LINES)[:MOST_LINES]:
        name, sign, value = line.partition(b"=")
        if name and sign:
            found.append((from_bytes(name), from_bytes(value)))
    return found


def status_text(text: str) -> str:
    """A text of STATUS for people: printable, and not too long. Mask secrets before: what is cut is not recognised."""
    data = to_bytes(readable(text.strip()))
    return text_of_beginning(data, LONGEST_STATUS)


def text_of_beginning(data: bytes, limit: int) -> str:
    """The characters that fit into so many bytes, of a valid text in UTF-8."""
    if len(data) > limit:
        while data[limit] & 0xC0 == 0x80:  # the byte after the end continues a character
            limit -= 1
        data = data[:limit]
    return from_bytes(data)
