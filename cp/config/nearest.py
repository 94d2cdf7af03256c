"""Finds the word that the user probably meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


_FARTHEST = 5  # letters


def nearest(word: str, candidates: Iterable[str]) -> str:
    """The candidate that is most similar to the word, ignoring case; empty if none is similar."""
    word = word.lower()
    best, best_distance = "", min(len(word), _FARTHEST + 1)
    for candidate in candidates:
        lower = candidate.lower()
        # `onChangeCommand` differs from `onChange` in many letters, but means it.
        shares_start = len(word) > 2 and len(lower) > 2 and (lower.startswith(word) or word.startswith(lower))
        most = min(best_distance - 1, max(1, min(len(word), len(lower)) // 3))
        distance = 1 if shares_start and word != lower else _distance(word, lower, most)
        if distance <= most:
            best, best_distance = candidate, distance
    return best


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """` (did you mean 'poll'?)`; empty if no candidate is similar."""
    candidate = nearest(word, candidates)
    return f" (did you mean '{candidate}'?)" if candidate else ""


def _distance(one: str, other: str, most: int) -> int:
    """The number of letters to insert, drop, change, or swap with their neighbour; above `most`, any larger number.

    There may be hundreds of candidates while a client of the control socket waits, so far ones are not computed fully.
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    far = [most + 1] * (len(other) + 1)
    before, row = far, list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, above, row = row, before, far.copy()
        first, last = max(i - most, 1), min(i + most, len(other))
        if first == 1:
            row[0] = i
        for j in range(first, last + 1):
            expected = other[j - 1]
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != expected))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == expected:
                cost = min(cost, above[j - 2] + 1)
            row[j] = cost
        if min(row) > most and min(before) > most:
            break
    return row[-1]
