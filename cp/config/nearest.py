"""The word that was probably meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str]) -> str:
    """The candidate that looks most like the word, upper and lower case being alike; empty if none is near."""
    word = word.lower()
    best, best_distance = "", len(word)
    for candidate in candidates:
        lower = candidate.lower()
        # `onChangeCommand` is many letters away from `onChange`, and yet means it.
        shares_start = len(word) > 2 and len(lower) > 2 and (lower.startswith(word) or word.startswith(lower))
        distance = 1 if shares_start and word != lower else _distance(word, lower)
        if distance < best_distance and distance <= max(1, min(len(word), len(lower)) // 3):
            best, best_distance = candidate, distance
    return best


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """` (did you mean 'poll'?)`, or nothing."""
    candidate = nearest(word, candidates)
    return f" (did you mean '{candidate}'?)" if candidate else ""


def _distance(one: str, other: str) -> int:
    """How many letters to insert, drop, change, or swap with their neighbour."""
    if abs(len(one) - len(other)) > 8:  # far apart, however far
        return 9
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, above, row = row, before, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]
