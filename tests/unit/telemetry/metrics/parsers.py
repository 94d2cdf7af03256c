"""The whole exposition, and the parsers of Prometheus's own Python library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from cp.telemetry.metrics import exposition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from cp.telemetry.metrics.family import Family
    from cp.telemetry.metrics.registry import Metrics


def expose(metrics: Metrics, accept: str = "", accept_encoding: str = "") -> tuple[str, str, bytes]:
    """A page as a client of these headers wants it: content type, content encoding or "", and body."""
    content_type, encoding = metrics.form(accept, accept_encoding)
    return content_type, encoding, b"".join(metrics.page(content_type, encoding))


def prometheus_text(families: Iterable[Family]) -> str:
    return "".join(exposition.prometheus_text(families))


def openmetrics_text(families: Iterable[Family]) -> str:
    return "".join(exposition.openmetrics_text(families))


def read_text(text: str) -> list[Metric]:
    """The families of a document in format 0.0.4; ValueError if it is none."""
    return list(text_string_to_metric_families(text))


def read_openmetrics(text: str) -> list[Metric]:
    """The families of a document in OpenMetrics 1.0; ValueError if it is none."""
    return list(openmetrics.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
