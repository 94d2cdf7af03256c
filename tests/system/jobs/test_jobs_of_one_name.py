"""Jobs of one name, as users of ContainerPilot 3.8 have them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.system.jobs.configs import advertised, app, config, each, job, once
from tests.system.scripts import forever, mark, until_term
from tests.system.telemetry.scraping import Port

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot


def ids(started: Pilot) -> set[str]:
    """The ids of the services in the folder that is the catalogue."""
    entries = [json.loads(path.read_text()) for path in (started.folder / "catalogue").glob("*.json")]
    return {entry["id"] for entry in entries}


def registered(started: Pilot) -> list[str]:
    return [started.jobs()[name]["service"]["registered"] for name in ("web", "web#2")]


@pytest.mark.smoke
def test_both_run_and_are_registered_under_names_of_their_own(pilot: StartPilot) -> None:
    port = Port()
    started = pilot(
        config(
            advertised("web", until_term("one")),
            advertised("web", until_term("two")),
            directory="catalogue",
            telemetry=port.config(),
        )
    )
    started.wait_for(lambda: registered(started) == ["passing"] * 2, what="both registrations")

    first, second = (started.jobs()[name]["service"]["id"] for name in ("web", "web#2"))
    assert second == f"{first}-2"
    assert ids(started) == {first, second}
    assert "all jobs of a name run" in started.output()
    assert [(one["Name"], one["Status"]) for one in port.ask("/status").json["Services"][:2]] == [
        ("web", "healthy")
    ] * 2
    assert port.value('containerpilot_job_starts{job="web#2"}') == "1"

    pid = started.jobs()["web"]["pid"]
    assert started.run("-restart", "web#2").code == 0
    started.wait_for_mark("two", 2)
    assert started.jobs()["web"]["pid"] == pid
    assert "name: web#2\n" in started.run("-job", "web#2").stdout

    assert started.stop() == 0
    assert ids(started) == set()
    assert started.count("one-term") == 1
    assert started.count("two-term") == 2


def test_events_come_from_either_and_hooks_run_for_each(pilot: StartPilot) -> None:
    started = pilot(
        config(
            job("web", mark("one")),
            app("web"),
            job("after", mark("after"), when=once("exitSuccess", "web")),
            job("drain", mark("drain"), when=each("stopping", "web")),
        )
    )
    started.wait_for_mark("after")
    started.wait_for_state("web", "complete")
    assert started.count("drain") == 1

    assert started.stop() == 0
    assert started.count("drain") == 2
    assert started.count("after") == 1


def test_a_reload_touches_only_the_one_that_changed(pilot: StartPilot) -> None:
    started = pilot(config(job("web", forever("one")), job("web", forever("two"))))
    started.wait_for_mark("two")
    started.configure(config(job("web", forever("one")), job("web", forever("three"))))

    assert started.run("-reload").code == 0

    started.wait_for_mark("three")
    assert started.count("one") == 1
    assert started.stop() == 0
