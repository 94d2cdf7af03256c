"""The four kinds of metrics: how each takes a value, and which samples it has.

`check(value)` raises MetricError for a value that cannot be taken. `take(value)` takes it: a counter adds it, a gauge
is set to it, a histogram and a summary observe it. Only a gauge takes NaN, which would make all sums NaN.
`snapshot()` returns the current state, to be formatted later.
"""

from __future__ import annotations

from cp.encoding.prometheus import COUNTER, GAUGE, HISTOGRAM
from cp.telemetry.metrics.definition import Definition, MetricError
from cp.telemetry.metrics.quantiles import Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bisect import bisect_left
    from collections.abc import Callable, Iterator
    from typing import Protocol

    # One line: its value (integers are counts), the suffix of the family's name, and the additional label ("le",
    # "quantile" or "") with its value.
    Sample = tuple[float | int, str, str, float]

    class SeriesSnapshot(Protocol):
        """The state of one series at one moment."""

        def samples(self, *, strict: bool) -> Iterator[Sample]: ...
else:
    from _bisect import bisect_left  # the C function alone

QUANTILES = (0.5, 0.9, 0.99)


class Value:
    """The number of a counter or a gauge."""

    __slots__ = ("_value",)

    def __init__(self, value: float) -> None:
        self._value = value

    def samples(self, *, strict: bool) -> Iterator[Sample]:
        yield self._value, "", "", 0.0


class Counter:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def check(self, value: float) -> None:
        if value < 0:
            raise MetricError("a counter never decreases: make the metric a gauge, or send only the increase")
        _refuse_nan(value, "a counter")

    def take(self, value: float) -> None:
        self.value += value

    def snapshot(self) -> Value:
        return Value(self.value)


class Gauge:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def check(self, value: float) -> None:
        """A gauge takes every value."""

    def take(self, value: float) -> None:
        self.value = float(value)

    def snapshot(self) -> Value:
        return Value(self.value)


class Histogram:
    """Counts values by the smallest bound that they do not exceed."""

    __slots__ = ("_bounds", "_counts", "_negative", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._negative = False

    def check(self, value: float) -> None:
        _refuse_nan(value, "a histogram")

    def take(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value
        self._negative |= value < 0

    def snapshot(self) -> Histogram:
        copy = Histogram(self._bounds)
        copy._counts = self._counts.copy()
        copy._sum, copy._negative = self._sum, self._negative
        return copy

    def samples(self, *, strict: bool) -> Iterator[Sample]:
        """`strict`: as OpenMetrics requires it, without a sum that contains a negative value, and without the count
        that goes with the sum (the bucket of +Inf has the same number).
        """
        count = 0
        for bound, number in zip((*self._bounds, float("inf")), self._counts, strict=True):
            count += number
            yield count, "_bucket", "le", bound
        if not (strict and self._negative):
            yield self._sum, "_sum", "", 0.0
            yield count, "_count", "", 0.0


class Summary:
    """Quantiles of the last ten minutes; the sum and the count of all values."""

    __slots__ = ("_clock", "_count", "_negative", "_rounds_up", "_sum", "_window")

    def __init__(self, clock: Callable[[], float], *, rounds_up: bool) -> None:
        self._clock = clock
        self._rounds_up = rounds_up
        self._window = Window(clock())
        self._sum = 0.0
        self._count = 0
        self._negative = False

    def check(self, value: float) -> None:
        _refuse_nan(value, "a summary")

    def take(self, value: float) -> None:
        self._window.add(value, self._clock())
        self._sum += value
        self._count += 1
        self._negative |= value < 0

    def snapshot(self) -> Quantiles:
        values = self._window.quantiles(QUANTILES, self._clock(), rounds_up=self._rounds_up)
        return Quantiles(values, self._sum, self._count, negative=self._negative)


class Quantiles:
    """The state of a summary at one moment."""

    __slots__ = ("_count", "_negative", "_sum", "_values")

    def __init__(self, values: list[float], total: float, count: int, *, negative: bool) -> None:
        self._values = values
        self._sum = total
        self._count = count
        self._negative = negative

    def samples(self, *, strict: bool) -> Iterator[Sample]:
        """`strict`: as OpenMetrics requires it, without negative quantiles, and without a sum with a negative value."""
        for quantile, value in zip(QUANTILES, self._values, strict=True):
            if not (strict and value < 0):
                yield value, "", "quantile", quantile
        if not (strict and self._negative):
            yield self._sum, "_sum", "", 0.0
        yield self._count, "_count", "", 0.0


def _refuse_nan(value: float, what: str) -> None:
    if value != value:
        raise MetricError(f"{what} does not accept NaN")


def new_kind(definition: Definition, clock: Callable[[], float]) -> Counter | Gauge | Histogram | Summary:
    if definition.kind == COUNTER:
        return Counter()
    if definition.kind == GAUGE:
        return Gauge()
    if definition.kind == HISTOGRAM:
        return Histogram(definition.buckets)
    return Summary(clock, rounds_up=definition.rounds_up)
