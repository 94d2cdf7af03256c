"""Telemetry of the services dialect."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.scripts import forever, python, sh

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import Consul
    from tests.system.telemetry.scraping import Port


def sensor(check: Any, name: str = "value", kind: str = "gauge", **more: Any) -> dict[str, Any]:
    return {"name": name, "help": "help text", "type": kind, "poll": 1, "check": check, **more}


def start(pilot: StartPilot, port: Port, *sensors: dict[str, Any], **more: Any) -> Pilot:
    started = pilot({"telemetry": port.config(sensors=list(sensors)), **more}, forever())
    port.wait_until_served(started)
    return started


@pytest.mark.smoke
def test_a_sensor_feeds_a_counter_and_the_service_containerpilot_is_registered(
    pilot: StartPilot, consul: Consul, port: Port
) -> None:
    name = f"pilot-{uuid.uuid4().hex[:8]}"
    counter = sensor(["printf", "42"], "some_counter", "counter", namespace="containerpilot", subsystem="app")
    started = pilot(
        {"consul": consul.address, "telemetry": port.config(sensors=[counter], servicename=name, poll=1)}, forever()
    )

    port.wait_for_value(started, "containerpilot_app_some_counter", "42")
    port.wait_for_value(started, "containerpilot_app_some_counter", "84", "126")
    (entry,) = consul.wait_until_passing(name)
    assert (entry["ID"], entry["Port"]) == (f"{name}-{os.uname().nodename}", port.number)
    assert f"telemetry: Listening on 127.0.0.1:{port.number}" in started.output()

    started.stop()
    assert consul.passing(name) == []


@pytest.mark.parametrize(
    ("printed", "value"),
    [("  1.5\\n\\n", "1.5"), ("1e3", "1000"), ("+Inf", "+Inf"), ("nan", "NaN"), ("-0.25\\r\\n", "-0.25")],
)
def test_a_sensor_prints_a_number_as_go_reads_it(pilot: StartPilot, port: Port, printed: str, value: str) -> None:
    started = start(pilot, port, sensor(["printf", printed]))

    port.wait_for_value(started, "value", value)


@pytest.mark.parametrize(
    ("check", "complaint"),
    [
        (["printf", "a\\nb"], "value.sensor: cannot record a value of value: metric produced non-numeric value: a"),
        (["printf", "1_000"], "non-numeric value: 1_000: invalid syntax"),
        (["printf", "0x10"], "non-numeric value: 0x10: invalid syntax"),
        (["true"], "non-numeric value: : it is empty"),
        (sh("echo 5; exit 3"), "value.sensor exited (3): exit status 3"),
        (["/missing/program"], "unable to start value.sensor: fork/exec /missing/program: no such file or directory"),
    ],
)
def test_output_that_is_not_a_number_is_one_error_and_nothing_is_recorded(
    pilot: StartPilot, port: Port, check: list[str], complaint: str
) -> None:
    started = start(pilot, port, sensor(check, poll=300), sensor(["printf", "1"], "other", "counter"))
    started.configure({"telemetry": port.config(sensors=[sensor(check), sensor(["printf", "1"], "other", "counter")])})
    started.signal("HUP")

    started.wait_for(lambda: complaint in started.output(), what=complaint)
    lines = [line for line in started.output().splitlines() if "value" in line and "Loaded" not in line]
    assert complaint in lines[0]
    port.wait_for_value(started, "other", "3", "4")
    assert len([line for line in started.output().splitlines() if "value" in line]) <= 5
    assert port.value("value") == "0"
    assert started.is_running()


def test_a_counter_never_goes_down(pilot: StartPilot, port: Port) -> None:
    started = start(pilot, port, sensor(["printf", "%s", "-1"], kind="counter"))

    started.wait_for(lambda: "cannot record -1 for value: a counter never decreases" in started.output())
    assert port.value("value") == "0"


def test_a_sensor_that_prints_without_limit_is_read_and_forgotten(pilot: StartPilot, port: Port) -> None:
    flood = python("sys.stdout.write('7' * 5_000_000); mark('printed')")
    started = start(pilot, port, sensor(flood), sensor(sh("yes 1"), "endless", timeout="500ms"))

    started.wait_for_mark("printed")
    started.wait_for(lambda: "non-numeric value: 777" in started.output())
    started.wait_for(lambda: "endless.sensor timeout after 500ms" in started.output())
    assert max(map(len, started.output().splitlines())) < 300
    resident = float(port.value("process_resident_memory_bytes"))
    assert resident < 60e6
    assert port.value("value") == "0"


def test_standard_error_of_a_sensor_is_logged(pilot: StartPilot, port: Port) -> None:
    started = start(pilot, port, sensor(sh("echo 3; echo oh >&2")))

    port.wait_for_value(started, "value", "3")
    assert "oh\n" in started.errors()
    assert "oh" not in started.output()


def test_histograms_and_summaries(pilot: StartPilot, port: Port) -> None:
    # The summary has the difference of two values of the counter.
    numbers = sh("n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); echo $n >n; [ $n -le 4 ] && echo $n")
    started = start(pilot, port, sensor(numbers, "sizes", "summary"))

    port.wait_for_value(started, "sizes_count", "4")
    assert [port.value(f'sizes{{quantile="{quantile}"}}') for quantile in ("0.5", "0.9", "0.99")] == ["2", "3", "3"]
    assert port.value("sizes_sum") == "10"


def test_maintenance_pauses_sensors(pilot: StartPilot, port: Port) -> None:
    started = start(pilot, port, sensor(sh("mark measured; echo 1"), kind="counter"))
    started.wait_for_mark("measured")

    started.signal("USR1")
    port.wait_for_value(started, 'containerpilot_events{code="EnterMaintenance",source="global"}', "1")
    seen = started.count("measured")
    assert port.ask("/readyz").text == "in maintenance\n"
    started.signal("USR1")
    started.wait_for_mark("measured", seen + 1)


def test_a_reload_begins_at_zero_and_may_change_everything(pilot: StartPilot, port: Port) -> None:
    started = start(pilot, port, sensor(["printf", "5"], kind="counter"))
    port.wait_for_value(started, "value", "5", "10")

    started.reload({"telemetry": port.config(sensors=[sensor(["printf", "5"], kind="counter", poll=300)], url="/m")})

    started.wait_for(lambda: port.ask("/m").status == 200)
    assert "\nvalue 0\n" in port.ask("/m").text
    assert port.ask("/metrics").status == 404
    assert port.ask("/status").json["Services"][0]["Name"] == "containerpilot"


def test_a_refused_reload_leaves_metrics_as_they_are(pilot: StartPilot, port: Port) -> None:
    started = start(pilot, port, sensor(["printf", "5"], kind="counter"))
    port.wait_for_value(started, "value", "5", "10")

    started.configure({"telemetry": port.config(sensors=[sensor("x", kind="nonsense")])})
    started.signal("HUP")

    started.wait_for_line("invalid sensor type 'nonsense'")
    assert int(port.value("value")) >= 5
