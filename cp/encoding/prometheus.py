"""What Prometheus takes: the kinds of metrics, and their names. Pure."""

from __future__ import annotations

COUNTER, GAUGE, HISTOGRAM, SUMMARY = "counter", "gauge", "histogram", "summary"
KINDS = (COUNTER, GAUGE, HISTOGRAM, SUMMARY)

NAME_RULE = "letters, digits, _ and :, and no digit at its start"  # of `is_metric_name`, for messages
_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_REST = _START | frozenset("0123456789:")


def is_metric_name(name: str) -> bool:
    return name[:1] in _START and _REST.issuperset(name)
