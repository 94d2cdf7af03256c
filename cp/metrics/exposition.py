"""Metrics as text: Prometheus's format 0.0.4, and OpenMetrics 1.0."""

from __future__ import annotations

from cp.metrics.definition import COUNTER, openmetrics_kind, openmetrics_name
from cp.metrics.numbers import number_text, openmetrics_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cp.metrics.family import Family

_LABEL_ESCAPES = {ord("\\"): "\\\\", ord("\n"): "\\n", ord('"'): '\\"'}
_HELP_ESCAPES = {ord("\\"): "\\\\", ord("\n"): "\\n"}


def prometheus_text(families: Iterable[Family]) -> str:
    """Format 0.0.4. Families without a series are left out."""
    lines: list[str] = []
    for family in families:
        _add_family(lines, family, openmetrics=False)
    return _joined(lines)


def openmetrics_text(families: Iterable[Family]) -> str:
    """OpenMetrics 1.0: floats have a point, counters without `_total` have no type, and the end is marked."""
    lines: list[str] = []
    for family in families:
        _add_family(lines, family, openmetrics=True)
    lines.append("# EOF")
    return _joined(lines)


def _joined(lines: list[str]) -> str:
    lines.append("")
    return "\n".join(lines)


def _add_family(lines: list[str], family: Family, *, openmetrics: bool) -> None:
    series = family.series()
    if not series:
        return
    definition = family.definition
    number = openmetrics_number if openmetrics else number_text
    name = openmetrics_name(definition) if openmetrics else definition.name
    type_ = openmetrics_kind(definition) if openmetrics else definition.kind
    total = "_total" if openmetrics and type_ == COUNTER else ""
    help_text = definition.help.translate(_LABEL_ESCAPES if openmetrics else _HELP_ESCAPES)
    lines.append(f"# HELP {name} {help_text}")
    lines.append(f"# TYPE {name} {type_}")
    for values, kind in series:
        pairs = [
            f'{label}="{value.translate(_LABEL_ESCAPES)}"'
            for label, value in zip(definition.labels, values, strict=True)
        ]
        labels = ",".join(pairs)
        for sample in kind.samples(strict=openmetrics):
            own = f'{sample.label}="{number(sample.bound)}"' if sample.label else ""
            text = labels + "," + own if labels and own else labels or own
            # Counts are integers in both formats, but large ones have an exponent in the old one.
            value = str(sample.value) if openmetrics and isinstance(sample.value, int) else number(sample.value)
            lines.append(f"{name}{sample.suffix}{total}{'{' + text + '}' if text else ''} {value}")
