"""The configurations in examples/ without a demo of their own do what their comments say."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests.system.pilot import PATH, ROOT, interpreter
from tests.system.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

EXAMPLE = ROOT / "examples" / "jobs" / "app.json5"


@pytest.fixture
def site(pilot: StartPilot, tmp_path: Path) -> Pilot:
    """The example, when its web server is healthy."""
    programs = tmp_path / "bin"
    programs.mkdir()
    python = programs / "python3"
    python.write_text(f'#!/bin/sh\nexec "{interpreter()}" "$@"\n')
    python.chmod(0o755)
    started = pilot(EXAMPLE.read_text(), env={"PATH": f"{programs}:{PATH}", "PORT": str(free_port()), "TZ": "UTC"})
    started.wait_for_line("the site is up$")
    return started


def test_the_example_serves_its_site_and_is_in_the_catalogue(site: Pilot) -> None:
    web = site.jobs()["web"]

    assert (web["state"], web["health"]["status"], web["service"]["registered"]) == ("running", "healthy", "passing")
    assert [job["state"] for job in site.jobs().values()] == [
        *("complete", "running", "running", "complete"),  # prepare, web, agent, announce
        *("waiting", "scheduled", "waiting"),  # reconnect, clean, reread
        *("waiting", "waiting"),  # drain, report
    ]


def test_the_example_finds_a_database(site: Pilot) -> None:
    entry = {
        "id": "database-box1",
        "name": "database",
        "address": "10.0.0.1",
        "port": 5432,
        "tags": [],
        "status": "passing",
        "output": "",
        "ttl": 60,
        "deadline": time.time() + 60,
    }
    beside = site.folder / "database.new"
    beside.write_text(json.dumps(entry))
    shutil.move(beside, site.folder / "catalogue" / "database-box1.json")

    site.wait_for_line(r'databases: \[{"id":"database-box1","address":"10.0.0.1","port":5432,"tags":\[\]}\]$')


def test_the_example_reloads_on_sighup_and_stops_in_order(site: Pilot) -> None:
    site.signal("HUP")
    site.wait_for_line("reading the site again$")

    assert site.stop() == 143

    ends = [line for line in site.output().splitlines() if " drain " in line or " report " in line]
    assert [line.partition(" ")[2].split(" ", 2)[2] for line in ends] == [
        "waiting for the last visitors",
        "the site is down",
    ]
    site.assert_nothing_is_left()
