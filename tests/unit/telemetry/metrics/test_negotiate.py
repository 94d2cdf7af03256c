"""Which format and encoding a client gets for its headers."""

from __future__ import annotations

import pytest

from cp.telemetry.metrics.negotiate import OPENMETRICS, TEXT, accepts_gzip, content_type

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
OLD_PROMETHEUS = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
)
FORMATS = [
    (PROMETHEUS_2, OPENMETRICS),
    (PROMETHEUS_3, OPENMETRICS),
    (OLD_PROMETHEUS, TEXT),
    ("", TEXT),
    ("*/*", TEXT),
    ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
    ("application/openmetrics-text", OPENMETRICS),
    ('Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8', OPENMETRICS),
    ("application/openmetrics-text;version=0.0.1", TEXT),
    ("application/openmetrics-text;version=0.0.1, application/openmetrics-text;q=0.1", OPENMETRICS),
    ("text/plain;q=0.5, application/openmetrics-text;q=0.4", TEXT),
    ("text/plain;q=0.5, application/openmetrics-text;q=0.6", OPENMETRICS),
    ("text/plain, application/openmetrics-text", TEXT),
    ("application/openmetrics-text, text/plain", OPENMETRICS),
    ("*/*, application/openmetrics-text", OPENMETRICS),
    ("application/openmetrics-text;q=0, */*", TEXT),
    ("text/plain;q=0, */*;q=0.1", OPENMETRICS),
    ("text/*;q=0.2, application/*;q=0.3", OPENMETRICS),
    ("image/png", TEXT),
    ("application/openmetrics-text;q=0", TEXT),
    ("application/openmetrics-text;q=high", OPENMETRICS),
    (",;,=;q, ;;", TEXT),
    ("a/b," * 100_000, TEXT),
]


@pytest.mark.parametrize(("accept", "served"), FORMATS)
def test_the_format_that_the_client_likes_best(accept: str, served: str) -> None:
    assert content_type(accept) == served


@pytest.mark.parametrize(
    ("accept_encoding", "packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.3, br", True),
        ("*", True),
        ("*;q=0.1, identity;q=0", True),
        ("", False),
        ("identity", False),
        ("br, zstd", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("gzipped", False),
    ],
)
def test_gzip_for_clients_that_accept_it(accept_encoding: str, packed: bool) -> None:
    assert accepts_gzip(accept_encoding) is packed
