"""Names of variables of the environment, and patterns for them. Imported only for a job that has some of its own."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ANY = "*"  # any number of any letters, in a pattern


def fits_one(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name is one of these names, or fits one of these patterns."""
    return any(_fits(name, pattern) for pattern in patterns)


def _fits(name: str, pattern: str) -> bool:
    first, *rest = pattern.split(ANY)
    if not rest:
        return name == pattern
    last = rest.pop()
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in rest:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
