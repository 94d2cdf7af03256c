"""What may be shown of a JSON5 text that is wrong. Imported when one is."""

from __future__ import annotations

_ENDS = " \t\r\n\"',/:"  # characters that neither a name nor a password in a URL has


def without_secrets(text: str) -> str:
    """The text with the values of tokens and passwords starred out, as long as before: an excerpt ends up in logs."""
    lower = text.lower()
    if len(lower) != len(text):  # a few letters change length: then places would not fit
        lower = text
    pieces: list[str] = []
    done = 0
    for start, end in sorted(_secrets(lower)):
        if start >= done:
            pieces += (text[done:start], "*" * (end - start))
            done = end
    return "".join(pieces) + text[done:]


def _secrets(text: str) -> list[tuple[int, int]]:
    """Where the values of `token: …`, `"password": "…"`, `token=…` lie, and the password of `user:password@host`."""
    found: list[tuple[int, int]] = []
    at = text.find("@")
    while at >= 0:
        start = end = at
        while start and text[start - 1] not in _ENDS:
            start -= 1
        while end < len(text) and text[end] not in _ENDS:
            end += 1
        last = text.rfind("@", start, end)  # a password may have others in it
        if start < last and text[start - 1 : start] == ":" and text[start - 2 : start - 1] not in ("", " ", '"', "'"):
            found.append((start, last))
        at = text.find("@", end)
    for word in ("token", "password", "passwd", "secret", "api_key", "private_key"):
        at = text.find(word)
        while at >= 0:
            start = at = at + len(word)
            while start < len(text) and text[start] in " \t\r\n\"':=":
                start += 1
            if ":" in text[at:start] or "=" in text[at:start]:
                quote = text[start - 1]
                stops = quote + "\n" if quote in "\"'" else " ,\"'}]\n"
                end = start
                while end < len(text) and text[end] not in stops:
                    end += 1
                found.append((start, end))
                at = end
            at = text.find(word, at)
    return found
