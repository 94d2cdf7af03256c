"""The load of a fleet on Consul, simulated with 200 instances: it heals, and its load stays within bounds."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import NamedTuple

import pytest

from tests.system.documents import ROOT

SIZE = 200


class Row(NamedTuple):
    mean: float
    p99: float
    peak: float
    each: float
    end: str
    go_mean: float
    go_p99: float
    go_peak: float
    go_each: float
    go_end: str


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """By scene, without the dots in front."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fleet", "--quick"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
        timeout=100,
    )
    found = {}
    for line in done.stdout.splitlines()[4:]:
        if line.startswith("| "):
            name, rates, each, end, go_rates, go_each, go_end = (cell.strip() for cell in line.strip("|").split("|"))
            mean, p99, peak = map(float, rates.split(", "))
            go_mean, go_p99, go_peak = map(float, go_rates.split(", "))
            found[name.strip("… ")] = Row(
                mean, p99, peak, float(each), end, go_mean, go_p99, go_peak, float(go_each), go_end
            )
    assert len(found) == 8
    return found


def seconds(end: str) -> float:
    match = re.fullmatch(r"([0-9.]+) s", end)
    assert match, f"not all was well: {end}"
    return float(match[1])


@pytest.mark.timing
@pytest.mark.parametrize(
    ("scene", "within"),
    [
        ("all start at the same moment", 6),
        ("all start within 10 s", 16),
        ("a tenth is replaced within a minute", 6),
        ("and is back with its data", 6),
        ("or is back empty", 6),
    ],
)
def test_everything_heals_within_one_poll(rows: dict[str, Row], scene: str, within: float) -> None:
    assert seconds(rows[scene].end) < within


def test_a_calm_fleet_sends_a_quarter_of_the_queries_of_polling(rows: dict[str, Row]) -> None:
    assert rows["the next 20 s"].each == 12
    assert rows["the next 20 s"].go_each == 48


def test_the_return_of_consul_causes_no_stampede(rows: dict[str, Row]) -> None:
    """Its instances were in step when they lost it: were they still, all would be there in one second."""
    polled = rows["the 20 s after the first 20"].go_mean
    for scene in ("and is back with its data", "or is back empty"):
        assert rows[scene].peak < 4 * polled
        assert rows[scene].mean < 2 * polled


def test_an_outage_costs_each_instance_little_more_than_polling(rows: dict[str, Row]) -> None:
    assert rows["Consul is away for a minute"].each < 80


def test_a_deploy_costs_less_than_polling(rows: dict[str, Row]) -> None:
    deploy = rows["a tenth is replaced within a minute"]
    assert deploy.mean < deploy.go_mean


def test_polling_as_3_8_did_never_heals_when_consul_has_lost_everything(rows: dict[str, Row]) -> None:
    assert rows["or is back empty"].go_end == f"{SIZE} missing"
