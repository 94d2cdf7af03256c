"""Formats metrics as text: Prometheus's format 0.0.4, and OpenMetrics 1.0.

A page of a thousand jobs has 1 MiB. It is made a few lines at a time, so that one client does not delay the others. All
series of a family are from the same moment.
"""

from __future__ import annotations

from cp.encoding.go_numbers import shortest
from cp.encoding.prometheus import COUNTER
from cp.telemetry.metrics.definition import openmetrics_kind, openmetrics_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cp.telemetry.metrics.definition import Definition
    from cp.telemetry.metrics.family import Family
    from cp.telemetry.metrics.kinds import Sample, SeriesSnapshot

_LABEL_ESCAPES = {ord("\\"): "\\\\", ord("\n"): "\\n", ord('"'): '\\"'}
_HELP_ESCAPES = {ord("\\"): "\\\\", ord("\n"): "\\n"}


def prometheus_text(families: Iterable[Family]) -> Iterator[str]:
    """Yield the lines of format 0.0.4, a few at a time. Families without a series are left out."""
    for family in families:
        yield from _lines_of(family, openmetrics=False)


def openmetrics_text(families: Iterable[Family]) -> Iterator[str]:
    """Yield the lines of OpenMetrics 1.0, a few at a time. Floats have a point, counters without `_total` have no type,
    and the last line marks the end."""
    for family in families:
        yield from _lines_of(family, openmetrics=True)
    yield "# EOF\n"


def _lines_of(family: Family, *, openmetrics: bool) -> Iterator[str]:
    series = family.snapshot()
    if not series:
        return
    definition = family.definition
    name = openmetrics_name(definition) if openmetrics else definition.name
    type_ = openmetrics_kind(definition) if openmetrics else definition.kind
    help_text = definition.help.translate(_LABEL_ESCAPES if openmetrics else _HELP_ESCAPES)
    yield f"# HELP {name} {help_text}\n# TYPE {name} {type_}\n"
    lines = _Lines(definition, name, total=openmetrics and type_ == COUNTER, openmetrics=openmetrics)
    for values, snapshot in series:
        yield lines.of(values, snapshot)


class _Lines:
    """Formats the series of one family."""

    __slots__ = ("_definition", "_kept", "_name", "_number", "_openmetrics", "_total")

    def __init__(self, definition: Definition, name: str, *, total: bool, openmetrics: bool) -> None:
        self._definition = definition
        self._name = name
        self._total = "_total" if total else ""
        self._openmetrics = openmetrics
        self._number = openmetrics_number if openmetrics else shortest
        self._kept: dict[tuple[str, str, float], tuple[str, str]] = {}  # the parts that all series share

    def of(self, values: tuple[str, ...], snapshot: SeriesSnapshot) -> str:
        pairs = zip(self._definition.labels, values, strict=True)
        labels = ",".join([f'{label}="{value.translate(_LABEL_ESCAPES)}"' for label, value in pairs])
        lines = []
        for sample in snapshot.samples(strict=self._openmetrics):
            name, own = self._kept.get(sample[1:]) or self._keep(sample)
            text = f"{labels},{own}" if labels and own else labels or own
            lines.append(
                f"{name}{{{text}}} {self._value(sample[0])}\n" if text else f"{name} {self._value(sample[0])}\n"
            )
        return "".join(lines)

    def _keep(self, sample: Sample) -> tuple[str, str]:
        """The name of a sample, and its own label. Keeps them for the next series."""
        _, suffix, label, bound = sample
        own = f'{label}="{self._number(bound)}"' if label else ""
        kept = self._kept[sample[1:]] = f"{self._name}{suffix}{self._total}", own
        return kept

    def _value(self, value: float | int) -> str:
        # Both formats write counts as integers, but the old one gives large ones an exponent.
        return str(value) if self._openmetrics and isinstance(value, int) else self._number(value)


def openmetrics_number(value: float) -> str:
    """Format a number as Go does, but always write a float with a point: `42.0`."""
    text = shortest(value)
    return text if text[-1] in "Nf" or "." in text or "e" in text else text + ".0"
