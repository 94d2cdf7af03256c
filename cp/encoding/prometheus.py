"""The kinds of metrics in Prometheus, and the rule for their names. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"
SUMMARY: Final = "summary"
KINDS: Final = (COUNTER, GAUGE, HISTOGRAM, SUMMARY)

NAME_RULE = "letters, digits, _ and :, and no digit at its start"  # the rule of `is_metric_name`, for messages
_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_REST = _START | frozenset("0123456789:")


def is_metric_name(name: str) -> bool:
    return name[:1] in _START and _REST.issuperset(name)
