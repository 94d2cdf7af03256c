"""Quantiles of the values of the last ten minutes, in little memory.

The window is five slots of two minutes, as in Go's client: it covers eight to ten minutes. Each slot keeps its first
CAPACITY values, so that quantiles are exact up to then: the value at the rank `quantile * count`, rounded. After that
it drops some of the smaller values (relative compaction, as in the REQ sketch). In practice the rank of a quantile q is
then wrong by at most a tenth of (1 - q): 0.05, 0.01 and 0.001 of the count for the median, 0.9 and 0.99. Go's client
has the same error targets.

Memory: 4 KiB for each doubling of a slot's count beyond CAPACITY: 20 KiB for up to 512 values in two minutes, and less
than 300 KiB for a million.
"""

from __future__ import annotations

SLOTS = 5
SLOT_SECONDS = 120.0

CAPACITY = 512  # values of one level
_HALF = CAPACITY // 2


class Level:
    """At most CAPACITY values, as C doubles: a list needs four times the memory, and `array` imports `collections`."""

    __slots__ = ("_count", "_values")

    def __init__(self) -> None:
        self._values = memoryview(bytearray(8 * CAPACITY)).cast("d")
        self._count = 0

    def add(self, value: float) -> bool:
        """Add a value. Return whether the level is full now."""
        self._values[self._count] = value
        self._count += 1
        return self._count == CAPACITY

    def values(self) -> list[float]:
        return list(self._values[: self._count])

    def keep(self, values: list[float]) -> None:
        """Replace the values."""
        self._count = 0
        for value in values:
            self.add(value)


class Sketch:
    """The values of one slot. A value at level n represents 2**n values."""

    __slots__ = ("_levels", "_odd")

    def __init__(self) -> None:
        self._levels: list[Level] = []
        self._odd = 0  # bit n: the next compaction of level n passes on the values at odd indices

    def add(self, value: float, level: int = 0) -> None:
        if level == len(self._levels):
            self._levels.append(Level())
        if self._levels[level].add(value):
            self._compact(level)

    def _compact(self, level: int) -> None:
        """Move every second value of the smaller half up a level. The larger half stays, for exact high quantiles."""
        values = sorted(self._levels[level].values())
        # Odd and even indices in turn, so that their errors cancel out.
        passed_on = values[self._odd >> level & 1 : _HALF : 2]
        self._odd ^= 1 << level
        self._levels[level].keep(values[_HALF:])
        for value in passed_on:
            self.add(value, level + 1)

    def weighted(self) -> list[tuple[float, int]]:
        """The kept values, and how many values each of them represents."""
        return [(value, 1 << weight) for weight, level in enumerate(self._levels) for value in level.values()]


class Window:
    """The values of the last ten minutes."""

    __slots__ = ("_ends", "_slots")

    def __init__(self, now: float) -> None:
        self._slots = [Sketch()]
        self._ends = now + SLOT_SECONDS  # of the last slot

    def add(self, value: float, now: float) -> None:
        self._advance(now)
        self._slots[-1].add(value)

    def quantiles(self, shares: tuple[float, ...], now: float, *, rounds_up: bool = True) -> list[float]:
        """The value at each of the ranks; NaN where there are no values."""
        self._advance(now)
        values = sorted(each for slot in self._slots for each in slot.weighted())
        count = sum(weight for _, weight in values)
        return [_at(values, _rank(quantile * count, rounds_up=rounds_up)) for quantile in shares]

    def kept(self) -> int:
        """The number of values in memory."""
        return sum(len(slot.weighted()) for slot in self._slots)

    def _advance(self, now: float) -> None:
        if now <= self._ends:
            return
        passed = -int((self._ends - now) // SLOT_SECONDS)
        self._ends += passed * SLOT_SECONDS
        self._slots.extend(Sketch() for _ in range(min(passed, SLOTS)))
        del self._slots[:-SLOTS]


def _rank(share: float, *, rounds_up: bool) -> int:
    """The rank, from 0, of the value at this share of the count."""
    rank = int(share)
    if rounds_up and rank < share:
        rank += 1
    return max(rank - 1, 0)


def _at(values: list[tuple[float, int]], rank: int) -> float:
    for value, weight in values:
        rank -= weight
        if rank < 0:
            return value
    return float("nan")
