"""All metrics together: those that the configuration defines, ContainerPilot's own, and requests for them."""

from __future__ import annotations

import gzip
import math
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from cp.encoding.prometheus import COUNTER, GAUGE, HISTOGRAM, KINDS, SUMMARY
from cp.telemetry.metrics.definition import Definition, MetricError, check_definition
from cp.telemetry.metrics.negotiate import OPENMETRICS, TEXT
from cp.telemetry.metrics.own import CONTROL_REQUESTS, EVENTS, JOB_HEALTH, JOB_RUN_SECONDS, OWN, WATCH_INSTANCES
from cp.telemetry.metrics.process import CPU_SECONDS, PROCESS
from cp.telemetry.metrics.registry import Metrics
from tests.unit.telemetry.metrics.parsers import expose, read_openmetrics, read_text

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def metrics(*definitions: Definition, clock: Clock | None = None) -> Metrics:
    """Metrics with these definitions of the user, and without metrics of the process."""
    made = Metrics(clock or Clock(), list)
    assert made.swap(definitions, keep_unchanged=False) == []
    return made


def user(name: str, kind: str, help_text: str = "h", *lookups: str) -> Definition:
    return Metrics.user(name, kind, help_text, lookups)


def refusal(take: Callable[..., None], *arguments: object) -> str:
    """Why it is refused; empty if it is not."""
    try:
        take(*arguments)
    except MetricError as error:
        return str(error)
    return ""


def text_of(shown: Metrics) -> str:
    return expose(shown)[2].decode()


def value_of(shown: Metrics, sample: str) -> str:
    """The value after the name of the sample in the text."""
    (line,) = (line for line in text_of(shown).splitlines() if line.rpartition(" ")[0] == sample)
    return line.rpartition(" ")[2]


# Definitions.


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_metrics_of_four_types(kind: str) -> None:
    check_definition("zed", kind, "help")


@pytest.mark.parametrize(
    ("name", "kind", "help_text", "reason"),
    [
        ("zed", "nonsense", "h", "invalid metric type: nonsense"),
        ("Test.Sensor.Bad.Name", "counter", "h", '"Test.Sensor.Bad.Name" is not a valid metric name'),
        ("9lives", "gauge", "h", "is not a valid metric name"),
        ("", "gauge", "h", "is not a valid metric name"),
        ("é", "gauge", "h", "is not a valid metric name"),
        ("zed", "gauge", "", "empty help string"),
        ("zed", "gauge", " \n", "empty help string"),
    ],
)
def test_a_bad_definition_is_refused_with_a_reason(name: str, kind: str, help_text: str, reason: str) -> None:
    assert reason in refusal(check_definition, name, kind, help_text)
    shown = metrics()
    (messages,) = shown.swap([user(name, kind, help_text)], keep_unchanged=False)
    assert reason in messages
    assert text_of(shown) == text_of(metrics())


def test_a_value_may_come_under_the_exposed_name_or_the_old_joined_one() -> None:
    shown = metrics(user("free_memory", COUNTER, "h", "__free_memory"))
    shown.record("free_memory", "1")
    shown.record("__free_memory", "2")
    assert value_of(shown, "free_memory") == "3"


def test_an_exposed_name_is_never_the_old_name_of_another() -> None:
    shown = metrics(user("a_b", GAUGE, "h", "a__b"), user("a__b", GAUGE))
    shown.record("a__b", "1")
    assert (value_of(shown, "a_b"), value_of(shown, "a__b")) == ("0", "1")


def test_the_later_of_two_definitions_counts() -> None:
    shown = metrics()
    (messages,) = shown.swap([user("x", COUNTER, "first"), user("x", GAUGE, "second")], keep_unchanged=False)
    assert messages == "the metric x is defined more than once: the last definition counts"
    assert "# HELP x second\n# TYPE x gauge\nx 0\n" in text_of(shown)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("containerpilot_events", COUNTER),
        ("process_open_fds", GAUGE),
        ("containerpilot_job_run_seconds_count", GAUGE),
        ("sizes_sum", GAUGE),
    ],
)
def test_a_metric_that_would_write_into_another_is_refused(name: str, kind: str) -> None:
    shown = metrics()
    (messages,) = shown.swap([user("sizes", HISTOGRAM), user(name, kind)], keep_unchanged=False)
    assert messages.startswith(f"cannot define the metric {name}: ")
    shown.record("sizes", "1")
    assert "there is no metric" in refusal(shown.record, name, "1")


# Values.


def test_untouched_metrics_are_shown_as_zero() -> None:
    shown = metrics(user("c", COUNTER), user("g", GAUGE), user("s", SUMMARY))
    assert (value_of(shown, "c"), value_of(shown, "g"), value_of(shown, "s_count")) == ("0", "0", "0")
    assert value_of(shown, 's{quantile="0.5"}') == "NaN"


def test_a_gauge_stays_as_it_is_when_a_value_is_refused() -> None:
    shown = metrics(user("zed", GAUGE))
    shown.record("zed", "30")
    assert refusal(shown.record, "other", "5") == "there is no metric 'other': there are zed"
    assert (
        refusal(shown.record, "zed", "xxx")
        == "cannot record a value of zed: metric produced non-numeric value: xxx: invalid syntax"
    )
    assert "it is empty" in refusal(shown.record, "zed", "")
    assert value_of(shown, "zed") == "30"


def test_a_counter_adds() -> None:
    shown = metrics(user("zed", COUNTER))
    shown.record("zed", "1")
    assert value_of(shown, "zed") == "1"
    shown.record("zed", "2")
    assert value_of(shown, "zed") == "3"


def test_a_gauge_is_set() -> None:
    shown = metrics(user("zed", GAUGE))
    shown.record("zed", "1.2")
    shown.record("zed", "2.3")
    assert value_of(shown, "zed") == "2.3"


def test_a_histogram_counts_by_size() -> None:
    shown = metrics(user("zed", HISTOGRAM))
    rows = []
    for value in ("1.2", "1.2", "4.5"):
        shown.record("zed", value)
        rows.append([value_of(shown, f'zed_bucket{{le="{bound}"}}') for bound in ("1", "2.5", "5", "10", "+Inf")])
    assert rows == [["0", "1", "1", "1", "1"], ["0", "2", "2", "2", "2"], ["0", "2", "3", "3", "3"]]


def test_a_value_on_a_bound_belongs_to_its_bucket() -> None:
    shown = metrics(user("zed", HISTOGRAM))
    shown.record("zed", "0.005")
    assert value_of(shown, 'zed_bucket{le="0.005"}') == "1"


def test_a_summary_has_quantiles() -> None:
    shown = metrics(user("zed", SUMMARY))
    shown.record_all([("zed", str(number)) for number in range(1, 11)])
    assert [value_of(shown, f'zed{{quantile="{q}"}}') for q in ("0.5", "0.9", "0.99")] == ["5", "9", "10"]
    shown.record_all([("zed", str(number)) for number in range(1, 6)])
    assert [value_of(shown, f'zed{{quantile="{q}"}}') for q in ("0.5", "0.9", "0.99")] == ["4", "9", "10"]


def test_a_summary_can_have_the_quantiles_of_the_services_dialect() -> None:
    shown = metrics(Metrics.user("zed", SUMMARY, "h", rounds_up=False))
    shown.record_all([("zed", str(number)) for number in range(1, 11)])
    assert [value_of(shown, f'zed{{quantile="{q}"}}') for q in ("0.5", "0.9", "0.99")] == ["5", "9", "9"]


def test_quantiles_are_of_ten_minutes_and_the_sum_of_all_time() -> None:
    clock = Clock()
    shown = metrics(user("zed", SUMMARY), clock=clock)
    shown.record("zed", "7")
    clock.now = 599.0
    assert value_of(shown, 'zed{quantile="0.5"}') == "7"
    clock.now = 601.0
    assert value_of(shown, 'zed{quantile="0.5"}') == "NaN"
    assert (value_of(shown, "zed_sum"), value_of(shown, "zed_count")) == ("7", "1")


@pytest.mark.parametrize("value", ["-1", "-inf", "nan"])
def test_a_counter_never_goes_down(value: str) -> None:
    shown = metrics(user("zed", COUNTER))
    shown.record("zed", "5")
    assert refusal(shown.record, "zed", value).startswith(f"cannot record {value} for zed: a counter ")
    assert value_of(shown, "zed") == "5"


@pytest.mark.parametrize(("kind", "taken"), [(COUNTER, False), (GAUGE, True), (HISTOGRAM, False), (SUMMARY, False)])
def test_nan_is_for_gauges_alone(kind: str, taken: bool) -> None:
    shown = metrics(user("zed", kind))
    assert (refusal(shown.record, "zed", "NaN") == "") is taken


def test_infinity_is_a_value() -> None:
    shown = metrics(user("g", GAUGE), user("h", HISTOGRAM))
    shown.record_all([("g", "-inf"), ("h", "inf"), ("h", "-inf")])
    assert value_of(shown, "g") == "-Inf"
    assert value_of(shown, 'h_bucket{le="0.005"}') == "1"
    assert value_of(shown, 'h_bucket{le="+Inf"}') == "2"
    assert value_of(shown, "h_sum") == "NaN"
    assert read_openmetrics(expose(shown, OPENMETRICS)[2].decode())


def test_all_of_many_values_are_recorded_or_none() -> None:
    shown = metrics(user("a", COUNTER), user("b", COUNTER))
    assert "there is no metric 'c'" in refusal(shown.record_all, [("a", "1"), ("c", "2")])
    assert "non-numeric" in refusal(shown.record_all, [("a", "1"), ("b", "x")])
    assert "never decreases" in refusal(shown.record_all, [("a", "1"), ("b", "-2")])
    assert (value_of(shown, "a"), value_of(shown, "b")) == ("0", "0")
    shown.record_all([("a", "1"), ("b", "2")])
    assert (value_of(shown, "a"), value_of(shown, "b")) == ("1", "2")


def test_a_reason_does_not_repeat_a_megabyte() -> None:
    shown = metrics(user("zed", GAUGE))
    assert len(refusal(shown.record, "zed", "x" * 1_000_000)) < 300
    assert len(refusal(shown.record, "x" * 1_000_000, "1")) < 300


# A reload.


def test_a_reload_resets_the_metrics_of_the_user_and_keeps_those_of_containerpilot() -> None:
    shown = metrics(user("zed", COUNTER), user("gone", COUNTER))
    shown.record("zed", "5")
    shown.count(EVENTS, "Startup", "global")
    shown.swap([user("zed", COUNTER)], keep_unchanged=False)
    assert value_of(shown, "zed") == "0"
    assert "gone" not in text_of(shown)
    assert value_of(shown, 'containerpilot_events{code="Startup",source="global"}') == "1"


def test_a_reload_can_keep_unchanged_jobs() -> None:
    shown = metrics(user("same", COUNTER), user("changed", COUNTER, "old help"))
    shown.record_all([("same", "5"), ("changed", "5")])
    shown.swap([user("same", COUNTER), user("changed", COUNTER, "new help")], keep_unchanged=True)
    assert (value_of(shown, "same"), value_of(shown, "changed")) == ("5", "0")
    assert "# HELP changed new help" in text_of(shown)
    shown.record("same", "1")
    assert value_of(shown, "same") == "6"


# Our own.


def test_our_own_metrics_have_the_names_that_dashboards_know() -> None:
    shown = metrics()
    shown.count(EVENTS, "ExitSuccess", "app")
    shown.count(EVENTS, "StatusHealthy", "app")
    shown.count(CONTROL_REQUESTS, "200", "/v3/ping")
    shown.show(WATCH_INSTANCES, [("backend", 3)])
    text = text_of(shown)
    assert 'containerpilot_events{code="ExitSuccess",source="app"} 1\n' in text
    assert 'containerpilot_events{code="StatusHealthy",source="app"} 1\n' in text
    assert 'containerpilot_control_http_requests{code="200",path="/v3/ping"} 1\n' in text
    assert 'containerpilot_watch_instances{service="backend"} 3\n' in text


def test_a_label_of_containerpilot_appears_first_with_a_value() -> None:
    shown = metrics()
    assert "containerpilot_events" not in text_of(shown)
    assert "containerpilot_loop_lag_seconds_count 0\n" in text_of(shown)


def test_a_job_that_is_gone_is_forgotten() -> None:
    shown = metrics()
    shown.show(JOB_HEALTH, [("app", 1), ("other", 0)])
    shown.show(JOB_HEALTH, [("other", 1)])
    assert 'containerpilot_job_health{job="app"}' not in text_of(shown)
    assert value_of(shown, 'containerpilot_job_health{job="other"}') == "1"


def test_our_own_metrics_are_well_defined() -> None:
    for definition in (*OWN, *PROCESS):
        check_definition(definition.name, definition.kind, definition.help)
        assert list(definition.buckets) == sorted(set(definition.buckets))
    assert len({definition.name for definition in (*OWN, *PROCESS)}) == len(OWN) + len(PROCESS)


# Requests.

ODD = ['"', "\\", "\n", 'a{b}="c",d', "# EOF", "\r\n\t", "\u2028", "é", "\ud800", "", " ", "x" * 1000, "{", "}", ","]


def everything() -> Metrics:
    shown = Metrics(Clock())
    messages = shown.swap([user(f"user_{kind}", kind, f'of {kind}: "\\\n') for kind in KINDS], keep_unchanged=False)
    assert messages == []
    for kind in KINDS:
        shown.record(f"user_{kind}", "1.5")
    gauges: dict[Definition, list[tuple[str, float]]] = {}
    for definition in OWN:
        for odd in ODD if definition.labels else [""]:
            labels = [odd] * len(definition.labels)
            if definition.kind == COUNTER:
                shown.count(definition, *labels)
            elif definition.kind == GAUGE:
                gauges.setdefault(definition, []).append((odd, math.nan))
            else:
                shown.observe(definition, 0.3, *labels)
    for gauge, values in gauges.items():
        shown.show(gauge, values)
    return shown


def test_parsers_read_the_text_of_everything() -> None:
    kind, encoding, body = expose(everything(), "text/plain")
    assert (kind, encoding) == (TEXT, "")
    found = {family.name: family for family in read_text(body.decode())}
    assert set(found) == {definition.name.removesuffix("_total") for definition in (*OWN, *PROCESS)} | {
        f"user_{kind}" for kind in KINDS
    }
    paths = {sample.labels["path"] for sample in found["containerpilot_control_http_requests"].samples}
    assert paths == {"?" if odd == "\ud800" else odd[:255] + "…" if len(odd) > 256 else odd for odd in ODD}


def test_parsers_read_the_openmetrics_of_everything() -> None:
    kind, encoding, body = expose(everything(), "application/openmetrics-text; version=1.0.0")
    assert (kind, encoding) == (OPENMETRICS, "")
    found = {family.name: family for family in read_openmetrics(body.decode())}
    assert {family.type for family in found.values()} == {*KINDS, "unknown"}
    assert {sample.name for sample in found["containerpilot_events"].samples} == {"containerpilot_events"}
    assert found["process_cpu_seconds"].samples[0].name == CPU_SECONDS.name
    paths = {sample.labels["path"] for sample in found["containerpilot_control_http_requests"].samples}
    assert len(paths) == len(ODD)


def test_families_are_sorted_by_name() -> None:
    names = [line.split()[2] for line in text_of(everything()).splitlines() if line.startswith("# TYPE ")]
    assert names == sorted(names)
    assert len(names) == len(OWN) + len(PROCESS) + len(KINDS)


def test_gzip_for_clients_that_accept_it() -> None:
    shown = metrics(user("zed", COUNTER))
    kind, encoding, body = expose(shown, accept_encoding="gzip, deflate")
    assert (kind, encoding) == (TEXT, "gzip")
    assert gzip.decompress(body) == expose(shown)[2]


def test_names_that_clash_in_openmetrics_are_offered_as_text_only() -> None:
    shown = metrics()
    (messages,) = shown.swap([user("jobs", COUNTER), user("jobs_total", COUNTER)], keep_unchanged=False)
    assert messages == (
        "the metrics jobs and jobs_total both have the name jobs in OpenMetrics: "
        "only Prometheus's text format is offered"
    )
    shown.record_all([("jobs", "1"), ("jobs_total", "2")])
    kind, _, body = expose(shown, "application/openmetrics-text")
    assert kind == TEXT
    assert b"\njobs 1\n" in body
    assert b"\njobs_total 2\n" in body
    shown.swap([user("jobs", COUNTER)], keep_unchanged=True)
    assert expose(shown, "application/openmetrics-text")[0] == OPENMETRICS


def test_many_observations_need_no_more_memory_than_one() -> None:
    """For counters and histograms. Another test does this for summaries, with their quantiles."""
    shown = metrics(user("sizes", HISTOGRAM))

    def observe(number: int) -> None:
        shown.count(EVENTS, "Startup", "global")
        shown.observe(JOB_RUN_SECONDS, number % 100, "app")
        shown.record("sizes", "3")

    observe(1)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            observe(number)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 10_000  # bytes: less than one for each
    assert value_of(shown, "sizes_count") == "20001"
