"""Metrics: what is counted, and how it is shown to those who scrape it.

Pure: no loop, no sockets; the clock is an argument. All of it belongs to one thread, that of the loop.
"""

from __future__ import annotations

from cp.metrics.definition import COUNTER, GAUGE, HISTOGRAM, SUMMARY, Definition
from cp.metrics.registry import Metrics

__all__ = ["COUNTER", "GAUGE", "HISTOGRAM", "SUMMARY", "Definition", "Metrics"]
