"""The four kinds of metrics: what they make of a value, and what they show of it.

`fault(value)` says why a value cannot be taken, empty if it can; `take(value)` takes it: a counter adds it, a gauge is
set to it, a histogram and a summary observe it. NaN is for gauges alone: it would spoil all else for good.
"""

from __future__ import annotations

from cp.metrics.definition import COUNTER, GAUGE, HISTOGRAM, Definition
from cp.metrics.quantiles import Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bisect import bisect_left
    from collections.abc import Callable, Iterator
else:
    from _bisect import bisect_left  # the C function alone

QUANTILES = (0.5, 0.9, 0.99)


class Sample:
    """One line: what is added to the name of the family, the label that is added, and the value; ints are counts."""

    __slots__ = ("bound", "label", "suffix", "value")

    def __init__(self, value: float | int, suffix: str = "", label: str = "", bound: float = 0.0) -> None:
        self.value = value
        self.suffix = suffix
        self.label = label  # "le", "quantile" or ""
        self.bound = bound  # its value


class Counter:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def fault(self, value: float) -> str:
        if value < 0:
            return "a counter never goes down: make the metric a gauge, or send only what is to be added"
        return _nan_fault(value, "a counter")

    def take(self, value: float) -> None:
        self.value += value

    def samples(self, *, strict: bool) -> Iterator[Sample]:
        yield Sample(self.value)


class Gauge:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def fault(self, value: float) -> str:
        return ""

    def take(self, value: float) -> None:
        self.value = float(value)

    def samples(self, *, strict: bool) -> Iterator[Sample]:
        yield Sample(self.value)


class Histogram:
    """Counts values by the first of its bounds that they do not exceed."""

    __slots__ = ("_bounds", "_counts", "_negative", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._negative = False

    def fault(self, value: float) -> str:
        return _nan_fault(value, "a histogram")

    def take(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value
        self._negative |= value < 0

    def samples(self, *, strict: bool) -> Iterator[Sample]:
        """`strict`: as OpenMetrics wants it, where a sum to which something negative was added must not be shown,
        and no count without a sum (the bucket of +Inf has the same number).
        """
        count = 0
        for bound, number in zip((*self._bounds, float("inf")), self._counts, strict=True):
            count += number
            yield Sample(count, "_bucket", "le", bound)
        if not (strict and self._negative):
            yield Sample(self._sum, "_sum")
            yield Sample(count, "_count")


class Summary:
    """Quantiles of the last ten minutes; sum and count since ever."""

    __slots__ = ("_clock", "_count", "_negative", "_rounds_up", "_sum", "_window")

    def __init__(self, clock: Callable[[], float], *, rounds_up: bool) -> None:
        self._clock = clock
        self._rounds_up = rounds_up
        self._window = Window(clock())
        self._sum = 0.0
        self._count = 0
        self._negative = False

    def fault(self, value: float) -> str:
        return _nan_fault(value, "a summary")

    def take(self, value: float) -> None:
        self._window.add(value, self._clock())
        self._sum += value
        self._count += 1
        self._negative |= value < 0

    def samples(self, *, strict: bool) -> Iterator[Sample]:
        """`strict`: as OpenMetrics wants it, without what is or may be negative."""
        values = self._window.quantiles(QUANTILES, self._clock(), rounds_up=self._rounds_up)
        for quantile, value in zip(QUANTILES, values, strict=True):
            if not (strict and value < 0):
                yield Sample(value, "", "quantile", quantile)
        if not (strict and self._negative):
            yield Sample(self._sum, "_sum")
        yield Sample(self._count, "_count")


def _nan_fault(value: float, what: str) -> str:
    return f"{what} takes no NaN" if value != value else ""


def new_kind(definition: Definition, clock: Callable[[], float]) -> Counter | Gauge | Histogram | Summary:
    if definition.kind == COUNTER:
        return Counter()
    if definition.kind == GAUGE:
        return Gauge()
    if definition.kind == HISTOGRAM:
        return Histogram(definition.buckets)
    return Summary(clock, rounds_up=definition.rounds_up)
