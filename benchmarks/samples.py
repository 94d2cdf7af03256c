"""What was measured: numbers by measure and candidate, and how they are put into words."""

from __future__ import annotations

from dataclasses import dataclass, field

Key = tuple[str, str]
"""(measure, candidate), such as ("start", "tini")."""


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed, interpolated between neighbours. `values` is not empty."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def median(values: list[float]) -> float:
    return quantile(values, 0.5)


def short(value: float) -> str:
    """Three significant digits, never an exponent: 0.213, 5.61, 28.4, 1197."""
    if value == 0:
        return "0"
    for limit, digits in ((0.0995, 3), (9.995, 2), (99.95, 1)):
        if abs(value) < limit:
            return f"{value:.{digits}f}"
    return f"{value:.0f}"


@dataclass(slots=True)
class Samples:
    """Collects the figures of one run, the reasons why a figure is not there, and what disturbed the run."""

    values: dict[Key, list[float]] = field(default_factory=dict)
    reasons: dict[Key, str] = field(default_factory=dict)
    failures: dict[Key, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, measure: str, candidate: str, value: float | None) -> None:
        """Adds one figure; None stands for a run in which it should have been seen and was not."""
        if value is None:
            self.failures[measure, candidate] = self.failures.get((measure, candidate), 0) + 1
        else:
            self.values.setdefault((measure, candidate), []).append(value)

    def explain(self, measure: str, candidate: str, reason: str) -> None:
        """Says in the table why there is no figure."""
        self.reasons[measure, candidate] = reason

    def median(self, measure: str, candidate: str) -> float | None:
        values = self.values.get((measure, candidate))
        return median(values) if values else None

    def cell(self, measure: str, candidate: str) -> str:
        """`median (min-max)`, or the only figure there is; how many runs failed; or why there is no figure."""
        key = (measure, candidate)
        values = self.values.get(key)
        failed = f" {self.failures[key]} failed!" if key in self.failures else ""
        if not values:
            return failed.strip() or self.reasons.get(key, "-")
        if len(values) == 1:
            return short(values[0]) + failed
        return f"{short(median(values))} ({short(min(values))}-{short(max(values))}){failed}"
