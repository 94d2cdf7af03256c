"""The registrations of jobs in the catalogue, and their times."""

from __future__ import annotations

import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.jobs.configs import advertised, app, config, job, once
from tests.system.pilot import now, settle
from tests.system.scripts import forever, mark

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import Consul, StartConsul

HOST = os.uname().nodename


@pytest.fixture
def name() -> str:
    """A service name that no other test of the shared Consul has."""
    return f"app-{uuid.uuid4().hex[:8]}"


def checking(word: str = "check", **more: Any) -> dict[str, Any]:
    return {"exec": mark(word), "interval": 1, "ttl": 5, **more}


def test_registration_is_that_of_the_jobs_dialect(pilot: StartPilot, consul: Consul, name: str) -> None:
    # The id of the check is `service:<id>`.
    started = pilot(config(advertised(name, tags=["a", "b"], port=8123), consul=consul.address))
    [entry] = consul.wait_until_passing(name)

    assert (entry["ID"], entry["Address"], entry["Port"], entry["Tags"]) == (
        f"{name}-{HOST}", "127.0.0.1", 8123, ["a", "b"],
    )  # fmt: skip

    def check() -> tuple[str, str, str]:
        found = consul.checks()[f"service:{name}-{HOST}"]
        return found["Status"], found["Output"], found["Notes"]

    started.wait_for(lambda: check() == ("passing", "ok", f"TTL for {name} set by containerpilot"))
    assert started.jobs()[name]["service"]["registered"] == "passing"


def test_service_is_registered_again_after_maintenance(pilot: StartPilot, consul: Consul, name: str) -> None:
    started = pilot(config(advertised(name), consul=consul.address))
    consul.wait_until_passing(name)

    assert started.run("-maintenance", "enable").code == 0
    consul.wait_until_gone(f"{name}-{HOST}")
    assert started.run("-maintenance", "disable").code == 0

    consul.wait_until_passing(name)
    assert started.count(name) == 1


def test_restart_in_maintenance_does_not_end_it(pilot: StartPilot, consul: Consul, name: str) -> None:
    plan = config(advertised(name, health=checking(), restarts="unlimited"), consul=consul.address)
    started = pilot(plan)
    consul.wait_until_passing(name)
    started.run("-maintenance", "enable")
    consul.wait_until_gone(f"{name}-{HOST}")
    checks = started.count("check")

    assert started.run("-signal", f"{name}=KILL").code == 0
    started.wait_for_mark(name, 2)
    settle(1.3)  # more than an interval

    assert started.count("check") == checks
    assert f"{name}-{HOST}" not in consul.services()
    assert started.jobs()[name]["health"]["status"] == "maintenance"


def test_registration_that_consul_lost_is_made_again(pilot: StartPilot, consul: Consul, name: str) -> None:
    started = pilot(config(advertised(name), consul=consul.address))
    consul.wait_until_passing(name)

    consul.put(f"/v1/agent/service/deregister/{name}-{HOST}")

    consul.wait_until_passing(name)
    assert started.is_running()


def test_initial_status_is_sent_when_consul_answers_and_nothing_is_checked(
    pilot: StartPilot, start_consul: StartConsul
) -> None:
    # The event that starts the job never comes.
    consul = start_consul()
    consul.kill()
    waiting = advertised("app", initial_status="critical", health=checking(), when=once("exitSuccess", "other"))
    started = pilot(config(waiting, app("other"), consul=consul.address))
    started.wait_for_mark("other")
    started.wait_for_line("registration failed")

    consul.start()

    def status() -> str:
        return str(consul.checks().get(f"service:app-{HOST}", {}).get("Status", ""))

    started.wait_for(lambda: status() == "critical", what="a registration as critical")
    settle(1.3)  # more than an interval
    assert status() == "critical"
    assert started.words() == ["other"]


def test_initial_status_becomes_passing_with_the_first_passed_check(
    pilot: StartPilot, consul: Consul, name: str
) -> None:
    started = pilot(config(advertised(name, initial_status="warning", health=checking()), consul=consul.address))

    def status() -> str:
        return str(consul.checks().get(f"service:{name}-{HOST}", {}).get("Status", ""))

    started.wait_for(lambda: status() == "warning", what="a registration as warning")
    assert started.count("check") == 0
    started.wait_for(lambda: status() == "passing", what="a passing one")


def test_no_check_before_the_job_was_started(pilot: StartPilot) -> None:
    # The end of maintenance starts no check either.
    started = pilot(config(app("other"), job("app", forever(), when=once("exitSuccess", "other"), health=checking())))
    started.wait_for_mark("other")
    started.run("-maintenance", "enable")
    started.run("-maintenance", "disable")
    settle(1.3)  # more than an interval
    assert started.words() == ["other"]

    began = now()
    started.run("-start", "app")

    assert started.wait_for_mark("check").at - began > 0.8


def test_failures_in_a_row_are_sent_as_critical_with_the_last_line(
    pilot: StartPilot, consul: Consul, name: str
) -> None:
    check = {
        "exec": ["sh", "-c", "[ ! -e ill ] || { echo is ill; exit 1; }"], "interval": 1, "ttl": 60, "failures": 1,
    }  # fmt: skip
    started = pilot(config(advertised(name, health=check), consul=consul.address))
    consul.wait_until_passing(name)

    (started.folder / "ill").touch()

    def is_critical() -> bool:
        check = consul.checks()[f"service:{name}-{HOST}"]
        return bool(check["Status"] == "critical" and "is ill" in check["Output"])

    started.wait_for(is_critical, what="a critical check with its last line")
    (started.folder / "ill").unlink()
    consul.wait_until_passing(name)


def test_watch_gives_its_job_the_instances(pilot: StartPilot, consul: Consul, name: str) -> None:
    watcher = pilot(
        config(
            job(
                "onchange",
                ["sh", "-c", 'echo "0 $CONTAINERPILOT_WATCH:$CONTAINERPILOT_WATCH_INSTANCES" >>"$MARKS"'],
                when={"each": "changed", "source": f"watch.{name}"},
            ),
            consul=consul.address,
            watches=[{"name": name, "interval": 30}],
        )
    )
    watcher.wait_for_line("control: serving at ")
    server = pilot(config(advertised(name), consul=consul.address))

    watcher.wait_for(lambda: watcher.words(), what="a first change")
    assert server.stop() == 0
    watcher.wait_for(lambda: len(watcher.words()) == 2, what="a second change")

    first, second = (word.removeprefix(f"{name}:") for word in watcher.words())
    assert json.loads(first) == [{"id": f"{name}-{HOST}", "address": "127.0.0.1", "port": 8000, "tags": []}]
    assert json.loads(second) == []
