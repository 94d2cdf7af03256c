"""Removes secrets from a JSON5 text before an excerpt of it is shown. Imported for a syntax error."""

from __future__ import annotations

_ENDS = " \t\r\n\"',/:"  # characters that are not in the user or the password of a URL


def without_secrets(text: str) -> str:
    """Replace the values of tokens and passwords by stars of the same length, because excerpts go into logs."""
    lower = text.lower()
    if len(lower) != len(text):  # the lower case of a few letters has another length, which would shift offsets
        lower = text
    pieces: list[str] = []
    done = 0
    for start, end in sorted(_secrets(lower)):
        if start >= done:
            pieces += (text[done:start], "*" * (end - start))
            done = end
    return "".join(pieces) + text[done:]


def _secrets(text: str) -> list[tuple[int, int]]:
    """The offsets of the values of `token: …`, `"password": "…"`, `token=…`, and of the password in
    `user:pw@host`."""
    found: list[tuple[int, int]] = []
    offset = text.find("@")
    while offset >= 0:
        start = end = offset
        while start and text[start - 1] not in _ENDS:
            start -= 1
        while end < len(text) and text[end] not in _ENDS:
            end += 1
        last = text.rfind("@", start, end)  # a password may contain @
        if start < last and text[start - 1 : start] == ":" and text[start - 2 : start - 1] not in ("", " ", '"', "'"):
            found.append((start, last))
        offset = text.find("@", end)
    for word in ("token", "password", "passwd", "secret", "api_key", "private_key"):
        offset = text.find(word)
        while offset >= 0:
            start = offset = offset + len(word)
            while start < len(text) and text[start] in " \t\r\n\"':=":
                start += 1
            if ":" in text[offset:start] or "=" in text[offset:start]:
                quote = text[start - 1]
                stops = quote + "\n" if quote in "\"'" else " ,\"'}]\n"
                end = start
                while end < len(text) and text[end] not in stops:
                    end += 1
                found.append((start, end))
                offset = end
            offset = text.find(word, offset)
    return found
