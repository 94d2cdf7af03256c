"""A job's health in every view: the views agree, and show the reason if it is not healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.system.jobs.configs import advertised, app, config, job, once
from tests.system.scripts import daemon, forever, service, sh

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.telemetry.scraping import Port

CHECK = {"exec": "true", "interval": 1, "ttl": 5}


class Views:
    """All views of the health of jobs."""

    def __init__(self, started: Pilot, port: Port) -> None:
        self.started = started
        self.port = port
        port.wait_until_served(started)

    def row(self, name: str) -> list[str]:
        """Its line in the table of jobs."""
        table = self.started.run("-jobs").stdout.splitlines()
        return next(line.split(maxsplit=6) for line in table if line.startswith(f"{name} "))

    def details(self, name: str) -> dict[str, str]:
        """The output of `-job`."""
        return dict(line.split(": ", 1) for line in self.started.run("-job", name).stdout.splitlines())

    def of(self, name: str) -> set[str]:
        """The statuses of a job: one, if all views agree; `-` in views without a status, and in place of
        the `unknown` of ContainerPilot 3.8."""
        status = self.port.ask("/status").json
        [reported] = [
            each["Status"] for each in [*(status["Jobs"] or ()), *(status["Services"] or ())] if each["Name"] == name
        ]
        shown = self.started.jobs()[name]["health"]
        described = "-" if shown is None else shown["status"]
        found = {described, self.row(name)[5], self.details(name).get("health", "-").partition(" ")[0]}
        found.add("-" if found == {"-"} and reported == "unknown" else reported)
        metric = self.port.value(f'containerpilot_job_health{{job="{name}"}}')
        return found if metric in ("", str(int(reported == "healthy"))) else {*found, f"metric {metric}"}

    def wait_for(self, name: str, status: str) -> None:
        self.started.wait_for(lambda: self.of(name) == {status}, what=f"{name} {status} in all views: {self.of(name)}")


@pytest.mark.smoke
@pytest.mark.parametrize("event", ["stopped", "stopping"])
def test_a_job_that_ended_in_a_stop_is_unknown_in_every_view(pilot: StartPilot, port: Port, event: str) -> None:
    hook = sh("mark hook\nuntil test -e go; do sleep 0.05; done")
    command = sh("mark app\nuntil test -e end; do sleep 0.05; done")
    plan = config(
        advertised("app", command, main=True, health=CHECK),
        job("hook", hook, when=once(event, "app")),
        directory="shelf",
        telemetry=port.config(),
    )
    views = Views(pilot(plan), port)
    views.wait_for("app", "healthy")

    views.started.signal("TERM")
    views.started.wait_for_mark("hook")
    (views.started.folder / "end").touch()
    views.started.wait_for(lambda: views.started.jobs()["app"]["pid"] is None, what="the end of its process")

    assert views.of("app") == {"unknown"}
    ready = port.ask("/readyz")
    assert (ready.status, ready.text) == (503, "stopping\n")
    (views.started.folder / "go").touch()
    views.started.wait_exit()


def test_a_job_that_ended_in_a_stop_is_unknown_while_its_output_is_open(pilot: StartPilot, port: Port) -> None:
    command = daemon(on_term="deaf", then="signal.pause()")
    plan = config(advertised("app", command, main=True, health=CHECK), directory="shelf", telemetry=port.config())
    views = Views(pilot({**plan, "stopTimeout": 6}), port)
    views.wait_for("app", "healthy")

    views.started.signal("TERM")
    views.started.wait_for(lambda: views.started.jobs()["app"]["pid"] is None, what="the end of its process")

    assert (views.started.jobs()["app"]["state"], views.of("app")) == ("terminating", {"unknown"})


@pytest.mark.parametrize("dialect", ["services", "jobs"])
def test_a_service_without_a_check_is_the_same_in_every_view(pilot: StartPilot, port: Port, dialect: str) -> None:
    if dialect == "services":
        plan: dict[str, Any] = {**config(), "dialect": dialect, "services": [service("web")]}
        del plan["jobs"]
    else:
        plan = config(advertised("web", forever("web"), health={"interval": 1, "ttl": 8}))
    started = pilot(
        {**plan, "directory": "shelf", "telemetry": port.config()}, forever() if dialect == "services" else ()
    )
    views = Views(started, port)
    started.wait_for(lambda: started.jobs()["web"]["service"]["registered"] == "passing", what="a heartbeat")

    # What ContainerPilot 3.8 says of it is kept in its dialect.
    assert views.of("web") == {"healthy" if dialect == "services" else "unknown"}
    details = views.details("web")
    assert (details["last check"], details["its output"]) == ("-", "-"), "there was none"
    assert port.ask("/readyz").status == 200
    assert started.run("-maintenance", "enable").code == 0
    assert views.of("web") == {"maintenance"}


def test_maintenance_is_shown_of_the_same_jobs_in_every_view(pilot: StartPilot, port: Port) -> None:
    plan = config(app(health=CHECK), app("plain"), job("done", "true"), telemetry=port.config())
    views = Views(pilot(plan), port)
    views.wait_for("app", "healthy")
    views.started.wait_for_state("done", "complete")
    assert (views.of("plain"), views.of("done")) == ({"-"}, {"-"})

    assert views.started.run("-maintenance", "enable").code == 0

    assert (views.of("app"), views.of("plain"), views.of("done")) == ({"maintenance"}, {"maintenance"}, {"-"})
    assert [views.row(name)[1] for name in ("app", "plain", "done")] == ["running", "running", "complete"]
    assert views.started.run("-jobs").stdout.startswith("in maintenance\nNAME ")


def test_readiness_says_why_not(pilot: StartPilot, port: Port) -> None:
    plan = config(
        job("aa", sh("exit 3"), health=CHECK),
        job("bb", sh("kill -KILL $$"), health=CHECK),
        job("cc", "no-such-program", health=CHECK),
        app("dd", health={**CHECK, "exec": sh("echo a word of the check; exit 1")}),
        app("ee", health=CHECK, when=once("healthy", "dd")),
        app("ff", health=CHECK),
        telemetry=port.config(),
    )
    started = pilot(plan)
    port.wait_until_served(started)
    started.wait_for(lambda: "ff is" not in port.ask("/readyz").text, what="the check of ff")
    started.wait_for(lambda: "dd is unhealthy" in port.ask("/readyz").text, what="a failed check of dd")

    ready = port.ask("/readyz")

    assert ready.status == 503
    lines = ready.text.splitlines()
    assert lines[:3] == [
        "aa is unknown: exited 3",
        "bb is unknown: killed by signal 9",
        "cc is unknown: could not be started",
    ]
    assert lines[3].startswith("dd is unhealthy: ")
    assert "failed" in lines[3]
    assert lines[4:] == ["ee is unknown: waits for healthy of dd"]
