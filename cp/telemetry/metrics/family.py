"""A metric with its series: one for each combination of label values."""

from __future__ import annotations

from cp.encoding.prometheus import GAUGE
from cp.telemetry.metrics.definition import Definition, MetricError
from cp.telemetry.metrics.kinds import new_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from itertools import islice
    from operator import itemgetter

    from cp.telemetry.metrics.kinds import Counter, Gauge, Histogram, Shown, Summary

else:
    from _operator import itemgetter  # the C type alone
    from itertools import islice

LIMIT = 1000  # series of one family
LONGEST_LABEL = 256  # characters; what is longer is cut
OTHER = "_other"  # all labels of the series that takes what comes after the limit


class Family:
    """Series come to be with their first value; a metric without labels is there at once.

    Once there are LIMIT series, values for new label values go to one series whose labels are all `_other`, so that
    sums stay right. New ones of a gauge are dropped: the last of many unrelated values would mean nothing.
    """

    __slots__ = ("_clock", "_series", "definition")

    def __init__(self, definition: Definition, clock: Callable[[], float]) -> None:
        self.definition = definition
        self._clock = clock
        self._series: dict[tuple[str, ...], Counter | Gauge | Histogram | Summary] = {}
        if not definition.labels:
            self._series[()] = new_kind(definition, clock)

    def take(self, value: float, labels: tuple[str, ...] = ()) -> None:
        """Add, set or observe a value.

        A value that the metric cannot take is left out without an error: counting must not disturb what is counted.
        """
        series = self._series.get(labels) or self._new(labels)
        if series is None:
            return
        try:
            series.check(value)
        except MetricError:
            return
        series.take(value)

    def check(self, value: float) -> None:
        """MetricError if a metric without labels cannot take that value."""
        self._series[()].check(value)

    def forget(self, labels: tuple[str, ...]) -> None:
        self._series.pop(tuple(_clean(label) for label in labels), None)

    def show(self, values: Iterable[tuple[str, float]]) -> None:
        """Have these series, by the value of the one label, and no others: a gauge whose values are all known now."""
        self._series = {}
        for label, value in islice(values, LIMIT):
            self.take(value, (label,))

    def snapshot(self) -> list[tuple[tuple[str, ...], Shown]]:
        """Label values and what they have at this moment, in the order of the values."""
        return [(labels, series.snapshot()) for labels, series in sorted(self._series.items(), key=itemgetter(0))]

    def _new(self, labels: tuple[str, ...]) -> Counter | Gauge | Histogram | Summary | None:
        if len(labels) != len(self.definition.labels):
            raise ValueError(f"{self.definition.name} has the labels {self.definition.labels}, not {len(labels)}")
        labels = tuple(_clean(label) for label in labels)
        if labels not in self._series and len(self._series) >= LIMIT:
            if self.definition.kind == GAUGE:
                return None
            labels = (OTHER,) * len(labels)
        if labels not in self._series:
            self._series[labels] = new_kind(self.definition, self._clock)
        return self._series[labels]


def _clean(label: str) -> str:
    """As it can be shown: of a length that fits, and without what is no character (bytes of an odd file name)."""
    if len(label) > LONGEST_LABEL:
        label = label[: LONGEST_LABEL - 1] + "…"
    return label if label.isascii() else label.encode("utf-8", "replace").decode()
