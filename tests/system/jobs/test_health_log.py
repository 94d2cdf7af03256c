"""Log lines of health checks, in each format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.jobs.configs import app, config
from tests.system.scripts import forever, service, sh

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

ILL = sh("test -e well || { echo no database; exit 3; }")


def checked(check: Any = ILL, **more: Any) -> dict[str, Any]:
    return app(health={"exec": check, "interval": 1, "ttl": 5, **more})


def be_well(started: Pilot) -> None:
    (started.folder / "well").touch()


def test_a_failing_check_is_an_error_and_names_itself(pilot: StartPilot) -> None:
    """TritonDataCenter/containerpilot#267: a service never appears, and nothing says that its check fails."""
    started = pilot(config(checked(), logging={"level": "ERROR"}))

    started.wait_for(lambda: started.output().count(" check.app exited with error: exit status 3\n") >= 2)
    assert "healthy" not in started.output()


@pytest.mark.parametrize("format", ["default", "text"])
def test_changes_of_health_are_logged_in_lines(pilot: StartPilot, format: str) -> None:
    started = pilot(config(checked(), logging={"format": format}))
    quote, fields = ('"', r" check=check\.app pid=\d+") if format == "text" else ("", "")

    started.wait_for_line(rf"{quote}check\.app exited with error: exit status 3{quote}{fields}$")
    started.wait_for_line(rf"{quote}check\.app: app is unhealthy: no database{quote}{fields}$")
    be_well(started)
    started.wait_for_line(rf"{quote}check\.app: app is healthy again after \d\.\d s and \d failures?{quote}{fields}$")
    assert started.output().count("is unhealthy") == 1


def test_changes_of_health_are_logged_in_json(pilot: StartPilot) -> None:
    started = pilot(config(checked(), logging={"format": "json"}))
    started.wait_for_line("is unhealthy")
    be_well(started)
    started.wait_for_line("is healthy again")

    records = [json.loads(line) for line in started.output().splitlines()]
    seen = [(record["level"], record["msg"].partition(" after ")[0]) for record in records if "check" in record]
    assert seen[:3] == [
        ("info", "no database"),
        ("error", "check.app exited with error: exit status 3"),
        ("warning", "check.app: app is unhealthy: no database"),
    ]
    assert seen[-1] == ("info", "check.app: app is healthy again")
    assert all(record["check"] == "check.app" and record["pid"] > 1 for record in records if "check" in record)


def test_a_check_that_runs_too_long_is_a_failure(pilot: StartPilot) -> None:
    started = pilot(config(checked(forever("check"), timeout="200ms")))

    started.wait_for_line(r"check\.app timeout after 200ms: ")
    started.wait_for_line(r"check\.app exited with error: signal: killed$")
    started.wait_for_line(r"check\.app: app is unhealthy: timeout$")


def test_a_check_that_cannot_be_started_is_a_failure(pilot: StartPilot) -> None:
    started = pilot(config(checked(["/no/such/check"])))

    started.wait_for_line(r"unable to start check\.app: fork/exec /no/such/check: no such file or directory$")
    started.wait_for_line(r"check\.app: app is unhealthy: fork/exec /no/such/check: no such file or directory$")


def test_a_process_that_a_stop_ends_has_not_failed(pilot: StartPilot) -> None:
    started = pilot(config(checked(forever("check"), timeout="1h")))
    started.wait_for_mark("check")

    assert started.stop() == 0
    assert "check.app" not in started.output()


def test_the_services_dialect_logs_a_failing_check_at_level_debug(pilot: StartPilot) -> None:
    def configured(level: str) -> dict[str, Any]:
        return {"directory": "catalogue", "logging": {"level": level}, "services": [service("web", health=ILL)]}

    quiet = pilot(configured("INFO"), forever())
    loud = pilot(configured("DEBUG"), forever())

    loud.wait_for_line(r"web\.health exited with error: exit status 3$")
    loud.wait_for_line(r"web\.health: web is unhealthy: no database$")
    quiet.wait_for(lambda: quiet.output().count("no database") >= 2)
    assert "exited" not in quiet.output()
    assert "healthy" not in quiet.output()
