"""What a metric is: its name, kind and help, and what is wrong with them."""

from __future__ import annotations

from cp.encoding.prometheus import COUNTER, GAUGE, HISTOGRAM, KINDS, NAME_RULE, SUMMARY, is_metric_name

UNKNOWN = "unknown"  # a type of OpenMetrics alone

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # upper bounds; +Inf follows by itself

#: What the kinds add to the name of a metric, in the text format.
_SUFFIXES = {COUNTER: ("",), GAUGE: ("",), HISTOGRAM: ("_bucket", "_sum", "_count"), SUMMARY: ("", "_sum", "_count")}
#: And in OpenMetrics, where the name of the family is taken as well, and `_created` even if nobody writes it.
_OPENMETRICS_SUFFIXES = {
    COUNTER: ("", "_total", "_created"),
    UNKNOWN: ("",),
    GAUGE: ("",),
    HISTOGRAM: ("", "_bucket", "_sum", "_count", "_created"),
    SUMMARY: ("", "_sum", "_count", "_created"),
}


class Definition:
    """One metric, comparable by value. With labels it is a family: one series for each combination of their values.

    `name` is the one of the text format, `kind` one of KINDS, `buckets` the ascending bounds of a histogram, `lookups`
    the names besides its own that values may come under. `rounds_up`: a summary's rank is the rounded up share of the
    values (as in 3.8), or the rounded down one (2.7).
    """

    __slots__ = ("buckets", "help", "kind", "labels", "lookups", "name", "rounds_up")

    def __init__(
        self,
        *,
        name: str,
        kind: str,
        help: str,  # the format's own word for it
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
    """A metric that cannot be defined, or a value that a metric cannot take. Its text says why."""


def check_definition(name: str, kind: str, help_text: str) -> None:
    """MetricError if a metric cannot be like this."""
    if kind not in KINDS:
        raise MetricError(f"invalid metric type: {kind}: choose one of {', '.join(KINDS)}")
    if not is_metric_name(name):
        raise MetricError(f'"{name}" is not a valid metric name: {NAME_RULE}')
    if not help_text.strip():
        raise MetricError("empty help string: say in a few words what the metric counts")


def sample_names(definition: Definition) -> tuple[str, ...]:
    """The names under which its samples stand in the text format."""
    return tuple(definition.name + suffix for suffix in _SUFFIXES[definition.kind])


def openmetrics_kind(definition: Definition) -> str:
    """Its type in OpenMetrics, where counters must end in `_total`: one that does not keeps its name, as a metric of no
    type (as Go's client does it), so that nobody's dashboards go empty when a scraper begins to ask for OpenMetrics.
    """
    if definition.kind == COUNTER and (not definition.name.endswith("_total") or definition.name == "_total"):
        return UNKNOWN
    return definition.kind


def openmetrics_name(definition: Definition) -> str:
    """The name of its family in OpenMetrics: a counter's `_total` belongs to the samples."""
    return definition.name.removesuffix("_total") if openmetrics_kind(definition) == COUNTER else definition.name


def openmetrics_names(definition: Definition) -> tuple[str, ...]:
    """All names that no other family may use in OpenMetrics."""
    name = openmetrics_name(definition)
    return tuple(name + suffix for suffix in _OPENMETRICS_SUFFIXES[openmetrics_kind(definition)])
