"""Metrics with labels: series come with their first value, and cannot grow without limit."""

from __future__ import annotations

import pytest

from cp.encoding.prometheus import COUNTER, GAUGE, HISTOGRAM
from cp.telemetry.metrics.definition import Definition
from cp.telemetry.metrics.family import LIMIT, LONGEST_LABEL, OTHER, Family
from tests.unit.telemetry.metrics.parsers import prometheus_text


def family(kind: str, *labels: str) -> Family:
    return Family(Definition(name="x", kind=kind, help="h", labels=labels), lambda: 0.0)


def test_a_metric_with_labels_appears_with_its_first_value() -> None:
    events = family(COUNTER, "code", "source")
    assert prometheus_text([events]) == ""
    events.take(1, ("ExitSuccess", "app"))
    events.take(1, ("ExitSuccess", "app"))
    assert 'x{code="ExitSuccess",source="app"} 2\n' in prometheus_text([events])


def test_a_metric_without_labels_appears_at_once() -> None:
    assert prometheus_text([family(COUNTER)]) == "# HELP x h\n# TYPE x counter\nx 0\n"


def test_series_are_in_the_order_of_their_labels() -> None:
    jobs = family(GAUGE, "job")
    for name in ("web", "app", "db"):
        jobs.take(1, (name,))
    assert [labels for labels, _ in jobs.snapshot()] == [("app",), ("db",), ("web",)]


def test_values_after_the_limit_are_counted_as_other() -> None:
    requests = family(COUNTER, "code", "path")
    for number in range(LIMIT + 500):
        requests.take(1, ("404", f"/{number}"))
    requests.take(1, ("404", "/0"))  # a known one is counted still
    lines = prometheus_text([requests]).splitlines()
    assert len(lines) == 2 + LIMIT + 1
    assert f'x{{code="{OTHER}",path="{OTHER}"}} 500' in lines
    assert 'x{code="404",path="/0"} 2' in lines


def test_a_gauge_has_no_other() -> None:
    instances = family(GAUGE, "service")
    for number in range(LIMIT):
        instances.take(1, (str(number),))
    instances.take(1, ("one too many",))
    instances.take(5, ("0",))
    assert len(instances.snapshot()) == LIMIT


def test_a_series_that_is_forgotten_makes_room() -> None:
    instances = family(GAUGE, "service")
    for number in range(LIMIT):
        instances.take(1, (str(number),))
    instances.forget(("7",))
    instances.forget(("never there",))
    instances.take(1, ("new",))
    assert ("7",) not in [labels for labels, _ in instances.snapshot()]


def test_a_long_label_is_cut() -> None:
    requests = family(COUNTER, "path")
    requests.take(1, ("/" * 100_000,))
    requests.take(1, ("/" * 100_001,))
    ((labels, _),) = requests.snapshot()
    assert len(labels[0]) == LONGEST_LABEL
    assert labels[0].endswith("/…")


def test_a_label_that_is_not_text_is_shown_with_question_marks() -> None:
    jobs = family(HISTOGRAM, "job")
    jobs.take(1, (b"caf\xe9".decode("utf-8", "surrogateescape"),))
    assert 'job="caf?"' in prometheus_text([jobs])
    jobs.forget((b"caf\xe9".decode("utf-8", "surrogateescape"),))
    assert jobs.snapshot() == []


def test_labels_must_be_as_many_as_defined() -> None:
    with pytest.raises(ValueError, match="has the labels"):
        family(COUNTER, "code", "source").take(1, ("ExitSuccess",))
