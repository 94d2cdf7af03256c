"""The definition of a metric: its name, kind and help, and their validation."""

from __future__ import annotations

from cp.encoding.prometheus import COUNTER, GAUGE, HISTOGRAM, KINDS, NAME_RULE, SUMMARY, is_metric_name

UNKNOWN = "unknown"  # a type that only OpenMetrics has

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # upper bounds; +Inf is implied

#: The suffixes that the kinds add to the name of a metric in the text format.
_SUFFIXES = {COUNTER: ("",), GAUGE: ("",), HISTOGRAM: ("_bucket", "_sum", "_count"), SUMMARY: ("", "_sum", "_count")}
#: The same in OpenMetrics, which also reserves the name of the family, and `_created` even if it is not written.
_OPENMETRICS_SUFFIXES = {
    COUNTER: ("", "_total", "_created"),
    UNKNOWN: ("",),
    GAUGE: ("",),
    HISTOGRAM: ("", "_bucket", "_sum", "_count", "_created"),
    SUMMARY: ("", "_sum", "_count", "_created"),
}


class Definition:
    """One metric, comparable by value. With labels it is a family: one series for each combination of label values.

    `name` is the name in the text format; `kind` is one of KINDS; `buckets` has the bounds of a histogram, ascending;
    `lookups` has other names under which values may arrive. `rounds_up`: a summary rounds the rank of a quantile up (as
    3.8 does), or down (as 2.7 does).
    """

    __slots__ = ("buckets", "help", "kind", "labels", "lookups", "name", "rounds_up")

    def __init__(
        self,
        *,
        name: str,
        kind: str,
        help: str,  # the word of the text format
        labels: tuple[str, ...] = (),
        buckets: tuple[float, ...] = BUCKETS,
        lookups: tuple[str, ...] = (),
        rounds_up: bool = True,
    ) -> None:
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.buckets = buckets
        self.lookups = lookups
        self.rounds_up = rounds_up

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Definition) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, field) for field in self.__slots__)


class MetricError(ValueError):
    """A definition is not valid, or a metric cannot take a value. The text says why."""


def check_definition(name: str, kind: str, help_text: str) -> None:
    """Check the parts of a definition. Raises MetricError."""
    if kind not in KINDS:
        raise MetricError(f"invalid metric type: {kind}: choose one of {', '.join(KINDS)}")
    if not is_metric_name(name):
        raise MetricError(f'"{name}" is not a valid metric name: {NAME_RULE}')
    if not help_text.strip():
        raise MetricError("empty help string: say in a few words what the metric counts")


def sample_names(definition: Definition) -> tuple[str, ...]:
    """The names of its samples in the text format."""
    return tuple(definition.name + suffix for suffix in _SUFFIXES[definition.kind])


def openmetrics_kind(definition: Definition) -> str:
    """Its type in OpenMetrics, which requires counters to end in `_total`.

    A counter without `_total` keeps its name and becomes a metric of unknown type, as in Go's client. Otherwise
    dashboards would go empty when a scraper begins to request OpenMetrics.
    """
    if definition.kind == COUNTER and (not definition.name.endswith("_total") or definition.name == "_total"):
        return UNKNOWN
    return definition.kind


def openmetrics_name(definition: Definition) -> str:
    """The name of its family in OpenMetrics, where only the samples of a counter have `_total`."""
    return definition.name.removesuffix("_total") if openmetrics_kind(definition) == COUNTER else definition.name


def openmetrics_names(definition: Definition) -> tuple[str, ...]:
    """All names that it reserves in OpenMetrics."""
    name = openmetrics_name(definition)
    return tuple(name + suffix for suffix in _OPENMETRICS_SUFFIXES[openmetrics_kind(definition)])
