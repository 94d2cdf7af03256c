"""The parsers of Prometheus's own Python library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from prometheus_client import Metric


def read_text(text: str) -> list[Metric]:
    """The families of a document in format 0.0.4; ValueError if it is none."""
    return list(text_string_to_metric_families(text))


def read_openmetrics(text: str) -> list[Metric]:
    """The families of a document in OpenMetrics 1.0; ValueError if it is none."""
    return list(openmetrics.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
