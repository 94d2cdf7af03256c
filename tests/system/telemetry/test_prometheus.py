"""A real Prometheus scrapes a pilot and answers queries.

The program is the one that the variable PROMETHEUS names, or what scripts/fetch-prometheus.py fetched, or `prometheus`
on PATH.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.limits import DEADLINE
from tests.system.jobs.configs import app, config
from tests.system.pilot import wait_for
from tests.system.servers import find_server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.pilot_fixtures import StartPilot
    from tests.system.telemetry.scraping import Port

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


# Successful scrapes that the test waits for; with an environment that asks for more it goes on for as long.
SCRAPES = int(os.environ.get("SCRAPES", "3"))


class Prometheus:
    """Scrapes one target every 200 ms."""

    def __init__(self, folder: Path, target: int) -> None:
        self.port = free_port()
        folder.mkdir()
        scrape = f"  - {{job_name: pilot, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}\n"
        (folder / "prometheus.yml").write_text(f"global: {{scrape_interval: 200ms}}\nscrape_configs:\n{scrape}")
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    find_server("prometheus"),
                    "--config.file=prometheus.yml",
                    "--storage.tsdb.path=data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                cwd=folder,
                stdout=log,
                stderr=log,
            )

    def query(self, text: str) -> dict[str, str]:
        """Values by their labels, as text; nothing as long as it does not answer."""
        url = f"http://127.0.0.1:{self.port}/api/v1/query?query={urllib.parse.quote(text)}"
        try:
            with _direct.open(url, timeout=DEADLINE) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:
            return {}
        return {json.dumps(_own(each["metric"])): each["value"][1] for each in found}

    def wait_for(self, text: str, value: str, timeout: float = 30) -> None:
        wait_for(lambda: value in self.query(text).values(), timeout, f"{text} to be {value}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def _own(labels: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in labels.items() if key not in ("instance", "__name__")}


@pytest.fixture
def prometheus(tmp_path: Path, port: Port) -> Iterator[Prometheus]:
    started = Prometheus(tmp_path / "prometheus", port.number)
    try:
        yield started
    finally:
        started.close()


def test_prometheus_scrapes_and_dashboards_find_their_metrics(
    pilot: StartPilot, port: Port, prometheus: Prometheus
) -> None:
    metrics = [
        {"name": "orders", "help": "orders taken", "type": "counter"},
        {"name": "orders_total", "help": "orders taken, by another name", "type": "counter"},
        {"name": "size", "help": "sizes", "type": "histogram"},
        {"name": "wait", "help": "waits", "type": "summary"},
    ]
    # It asks for OpenMetrics, where a name like orders_total would clash with one like orders.
    started = pilot(config(app(), telemetry=port.config(metrics=[*metrics[:1], *metrics[2:]])))
    port.wait_until_served(started)

    assert started.run("-putmetric", "orders=42").code == 0
    assert started.run("-putmetric", "size=3").code == 0
    assert started.run("-putmetric", "wait=0.5").code == 0

    prometheus.wait_for("orders", "42")
    prometheus.wait_for('up{job="pilot"}', "1")
    prometheus.wait_for('size_bucket{le="5.0"} or size_bucket{le="5"}', "1")
    prometheus.wait_for('wait{quantile="0.9"}', "0.5")
    prometheus.wait_for('containerpilot_events{code="Startup"}', "1")
    prometheus.wait_for('containerpilot_job_starts{exported_job="app"}', "1")
    prometheus.wait_for(f'sum_over_time(up{{job="pilot"}}[1h]) >= bool {SCRAPES}', "1", 30 + 2 * SCRAPES)

    started.configure(config(app(), telemetry=port.config(metrics=metrics)))
    assert started.run("-reload").code == 0  # only the old format is offered now
    assert started.run("-putmetric", "orders_total=7").code == 0
    prometheus.wait_for("orders_total", "7")
    prometheus.wait_for("orders", "42")
    assert started.stop() == 0
    prometheus.wait_for('up{job="pilot"}', "0")
