"""Pages for scrapers: both formats, to the byte and through the parsers of Prometheus's own Python library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.encoding.prometheus import COUNTER, GAUGE, HISTOGRAM, KINDS, SUMMARY
from cp.telemetry.metrics.definition import Definition, openmetrics_name
from cp.telemetry.metrics.family import Family
from tests.unit.telemetry.metrics.parsers import openmetrics_text, prometheus_text, read_openmetrics, read_text


def family(name: str, kind: str, values: list[float], *, help_text: str = "h", **labels: str) -> Family:
    definition = Definition(name=name, kind=kind, help=help_text, labels=tuple(labels))
    made = Family(definition, lambda: 0.0)
    for value in values:
        made.take(value, tuple(labels.values()))
    return made


def families() -> list[Family]:
    """The families that Go's client had, whose output is below."""
    counted = family("b", COUNTER, [1.5], x="2", y="a")
    counted.take(1e6, ("é€", 'a\\b"c\nd'))
    return [
        family("a_total", COUNTER, [42.0], help_text='he\\lp "q"\nx'),
        counted,
        family("g", GAUGE, [1234567.0]),
        family("h", HISTOGRAM, [1.2, 1.2, 4.5, 100.0]),
        family("s", SUMMARY, [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        family("se", SUMMARY, []),
    ]


GO_TEXT = r"""# HELP a_total he\\lp "q"\nx
# TYPE a_total counter
a_total 42
# HELP b h
# TYPE b counter
b{x="2",y="a"} 1.5
b{x="é€",y="a\\b\"c\nd"} 1e+06
# HELP g h
# TYPE g gauge
g 1.234567e+06
# HELP h h
# TYPE h histogram
h_bucket{le="0.005"} 0
h_bucket{le="0.01"} 0
h_bucket{le="0.025"} 0
h_bucket{le="0.05"} 0
h_bucket{le="0.1"} 0
h_bucket{le="0.25"} 0
h_bucket{le="0.5"} 0
h_bucket{le="1"} 0
h_bucket{le="2.5"} 2
h_bucket{le="5"} 3
h_bucket{le="10"} 3
h_bucket{le="+Inf"} 4
h_sum 106.9
h_count 4
# HELP s h
# TYPE s summary
s{quantile="0.5"} 5
s{quantile="0.9"} 9
s{quantile="0.99"} 10
s_sum 55
s_count 10
# HELP se h
# TYPE se summary
se{quantile="0.5"} NaN
se{quantile="0.9"} NaN
se{quantile="0.99"} NaN
se_sum 0
se_count 0
"""

OPENMETRICS_TEXT = r"""# HELP a he\\lp \"q\"\nx
# TYPE a counter
a_total 42.0
# HELP b h
# TYPE b unknown
b{x="2",y="a"} 1.5
b{x="é€",y="a\\b\"c\nd"} 1e+06
# HELP g h
# TYPE g gauge
g 1.234567e+06
# HELP h h
# TYPE h histogram
h_bucket{le="0.005"} 0
h_bucket{le="0.01"} 0
h_bucket{le="0.025"} 0
h_bucket{le="0.05"} 0
h_bucket{le="0.1"} 0
h_bucket{le="0.25"} 0
h_bucket{le="0.5"} 0
h_bucket{le="1.0"} 0
h_bucket{le="2.5"} 2
h_bucket{le="5.0"} 3
h_bucket{le="10.0"} 3
h_bucket{le="+Inf"} 4
h_sum 106.9
h_count 4
# HELP s h
# TYPE s summary
s{quantile="0.5"} 5.0
s{quantile="0.9"} 9.0
s{quantile="0.99"} 10.0
s_sum 55.0
s_count 10
# HELP se h
# TYPE se summary
se{quantile="0.5"} NaN
se{quantile="0.9"} NaN
se{quantile="0.99"} NaN
se_sum 0.0
se_count 0
# EOF
"""


def test_the_text_is_that_of_the_go_program() -> None:
    assert prometheus_text(families()) == GO_TEXT


def test_openmetrics_has_counters_in_total_alone_floats_with_a_point_and_an_end() -> None:
    assert openmetrics_text(families()) == OPENMETRICS_TEXT


def test_large_counts_are_integers_in_openmetrics() -> None:
    counts = family("h", HISTOGRAM, [])
    counts._series[()]._counts[3] = 1_234_567  # type: ignore[union-attr]
    assert 'h_bucket{le="0.05"} 1.234567e+06\n' in prometheus_text([counts])
    assert 'h_bucket{le="0.05"} 1234567\n' in openmetrics_text([counts])


def test_nothing_at_all_is_a_document_too() -> None:
    assert prometheus_text([]) == ""
    assert openmetrics_text([]) == "# EOF\n"
    assert read_openmetrics("# EOF\n") == []


@pytest.mark.parametrize("kind", [HISTOGRAM, SUMMARY])
def test_openmetrics_leaves_out_invalid_negative_values(kind: str) -> None:
    shown = family("x", kind, [-5.0, 3.0])
    assert "x_sum -2\n" in prometheus_text([shown])
    samples = {sample.name for each in read_openmetrics(openmetrics_text([shown])) for sample in each.samples}
    assert "x_sum" not in samples
    assert samples & {"x", "x_bucket"}


@pytest.mark.parametrize("kind", KINDS)
@given(
    label=st.text(max_size=50),
    help_text=st.text(min_size=1, max_size=50).filter(str.strip),
    values=st.lists(st.floats(allow_nan=False), max_size=5),
)
def test_parsers_read_back_all_values_and_labels(kind: str, label: str, help_text: str, values: list[float]) -> None:
    shown = family("x_total", kind, values, help_text=help_text, job=label, other="a")
    if not values:
        assert prometheus_text([shown]) == ""
        return
    label = label.encode("utf-8", "replace").decode()
    for text, read in ((prometheus_text([shown]), read_text), (openmetrics_text([shown]), read_openmetrics)):
        (found,) = read(text)
        assert found.type == kind
        assert found.name == openmetrics_name(shown.definition)
        assert found.samples
        assert {sample.labels["job"] for sample in found.samples} == {label}
        assert {sample.labels["other"] for sample in found.samples} == {"a"}
    by_name = {sample.name: sample.value for sample in found.samples}
    if kind == GAUGE:
        assert by_name["x_total"] == values[-1]
    elif kind == COUNTER:
        total = 0.0
        for value in values:  # one after the other, as a counter adds: `sum` rounds less since Python 3.12
            total += max(value, 0.0)
        assert by_name["x_total"] == total
    elif kind == HISTOGRAM:
        assert max(sample.value for sample in found.samples if sample.name == "x_total_bucket") == len(values)
    else:
        assert by_name["x_total_count"] == len(values)


@given(help_text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=80).filter(str.strip))
def test_a_help_text_is_read_back(help_text: str) -> None:
    shown = family("x", GAUGE, [1.0], help_text=help_text)
    (found,) = read_openmetrics(openmetrics_text([shown]))
    assert found.documentation.strip() == help_text.strip()


@pytest.mark.parametrize("name", ["containerpilot_events", "_total", "total"])
def test_a_counter_without_total_keeps_its_name_in_openmetrics(name: str) -> None:
    text = openmetrics_text([family(name, COUNTER, [2.0])])

    (found,) = read_openmetrics(text)
    assert (found.name, found.type) == (name, "unknown")
    assert f"\n{name} 2.0\n" in text
