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

    from cp.telemetry.metrics.kinds import Counter, Gauge, Histogram, SeriesSnapshot, Summary

else:
    from _operator import itemgetter  # the C type alone
    from itertools import islice

LIMIT = 1000  # series of one family
LONGEST_LABEL = 256  # characters; longer values are cut
OTHER = "_other"  # the label values of the series that gets all values after the limit


class Family:
    """The series of a metric. Each is created with its first value; a metric without labels has its series at once.

    After LIMIT series, values with new label values go to one series whose labels are all `_other`, so that sums stay
    right. A gauge drops them: the last of many unrelated values has no meaning.
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

        A value that the metric cannot take is dropped without an error: counting must not fail for its caller.
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
        """Check a value for a metric without labels. Raises MetricError."""
        self._series[()].check(value)

    def forget(self, labels: tuple[str, ...]) -> None:
        """Drop the record of these labels."""
        self._series.pop(tuple(_clean(label) for label in labels), None)

    def show(self, values: Iterable[tuple[str, float]]) -> None:
        """Replace all series of a gauge by these, given as pairs of the value of its one label and its number."""
        self._series = {}
        for label, value in islice(values, LIMIT):
            self.take(value, (label,))

    def snapshot(self) -> list[tuple[tuple[str, ...], SeriesSnapshot]]:
        """The label values and the current state of each series, ordered by label values."""
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
    """Make a label value printable: cut it to LONGEST_LABEL, and replace undecodable bytes of a file name."""
    if len(label) > LONGEST_LABEL:
        label = label[: LONGEST_LABEL - 1] + "…"
    return label if label.isascii() else label.encode("utf-8", "replace").decode()
