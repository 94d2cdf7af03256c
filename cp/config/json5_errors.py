"""What is wrong with a JSON5 text, and where: the report that people read."""

from __future__ import annotations

EXCERPT = 200  # characters of a line that are shown

_ENDS = " \t\r\n\"',/:"  # characters that neither a name nor a password in a URL has


class JsonError(Exception):
    """The text is not JSON5, from offset `at` on. `str()` has the reason, an excerpt with a pointer, and hints, on
    several lines."""

    def __init__(self, text: str, at: int, reason: str, hints: tuple[str, ...] = ()) -> None:
        self.at = at
        self.line, self.column = place(text, at)
        self.reason = reason
        self.hints = hints
        super().__init__(self.report(text, hints))

    def report(self, text: str, hints: tuple[str, ...]) -> str:
        """What `str()` has, with other hints, and an excerpt of the text in which secrets may be starred out."""
        lines = [f"Parse error at line:col [{self.line}:{self.column}]: {self.reason}"]
        source = _without_secrets(text).split("\n")
        shown = range(max(self.line - 1, 1), self.line + 1)
        # Of a long line only what is around the place.
        start = max(0, self.column - EXCERPT // 2) if len(source[self.line - 1]) > EXCERPT else 0
        lines += [f"{number:5d}: {source[number - 1].rstrip()[start : start + EXCERPT]}" for number in shown]
        lines.append("-" * (7 + self.column - start - 1) + "^")
        return "\n".join((*lines, *hints))


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column of an offset, both counted from 1, in characters; offset -1 (nothing there at all) is 1:0."""
    if at < 0:
        return 1, 0
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def quoted(character: str) -> str:
    """A character as error messages show it: in single quotes, escaped if it cannot be printed."""
    if character == "'":
        return "'\\''"
    if character.isprintable():
        return f"'{character}'"
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    return f"'{short}'" if short else f"'\\u{ord(character):04x}'"


def _without_secrets(text: str) -> str:
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
