"""Jobs that wait for what can no longer come, as the user of a container sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.jobs.configs import app, config, job, once
from tests.system.scripts import mark, sh
from tests.system.telemetry.scraping import Port

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot

AFTER_PREPARE = once("exitSuccess", "prepare")
SUCCEEDS_WITH_A_FILE = sh("test -e ready")


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("command", "code"), [("no-such-program -p site", 127), (sh("exit 3"), 3), (sh("kill -KILL $$"), 137)]
)
def test_a_container_whose_preparation_fails_ends_with_its_code(
    pilot: StartPilot, command: str | list[str], code: int
) -> None:
    started = pilot(
        config(
            job("prepare", command),
            app(main=True, when=AFTER_PREPARE),
            app("agent"),
            job("drain", mark("drain"), when=once("stopping", "app")),
        ),
        init=True,
    )

    assert started.wait_exit() == code
    assert "app is skipped, and ContainerPilot stops: it waits for exitSuccess of prepare, which " in started.output()
    assert started.count("app") == 0
    assert started.count("drain") == 1
    started.assert_nothing_is_left()


def test_without_a_main_job_the_container_lives_and_says_why_until_it_is_mended(pilot: StartPilot) -> None:
    started = pilot(
        config(
            job("prepare", SUCCEEDS_WITH_A_FILE),
            app(when=AFTER_PREPARE),
            app("last", when=once("exitSuccess", "app")),
        )
    )
    reason = "waits for exitSuccess of prepare, which has ended (exit status 1)"
    assert started.wait_for_state("app", "skipped")["about"] == reason
    assert started.jobs()["last"]["about"] == "waits for exitSuccess of app, which is skipped"
    assert f"state: skipped ({reason})\n" in started.run("-job", "app").stdout

    (started.folder / "ready").touch()
    assert started.run("-restart", "prepare").code == 0

    started.wait_for_mark("app")
    assert started.jobs()["last"]["state"] == "waiting"
    assert started.stop() == 0
    assert started.output().count("is skipped: it waits for") == 2


def test_a_skipped_job_is_started_by_hand(pilot: StartPilot) -> None:
    started = pilot(config(job("prepare", SUCCEEDS_WITH_A_FILE), app(when=AFTER_PREPARE)))
    started.wait_for_state("app", "skipped")

    assert started.run("-start", "app").code == 0

    started.wait_for_mark("app")
    assert started.stop() == 0


def test_a_reload_that_fixes_the_preparation_starts_the_jobs_that_waited_for_it(pilot: StartPilot) -> None:
    broken = config(job("prepare", "no-such-program"), app(when=AFTER_PREPARE))
    started = pilot(broken)
    started.wait_for_state("app", "skipped")
    started.configure(config(job("prepare", "true"), app(when=AFTER_PREPARE)))

    assert started.run("-reload").code == 0

    started.wait_for_mark("app")
    assert started.stop() == 0


def test_status_and_readiness_show_the_reason(pilot: StartPilot) -> None:
    port = Port()
    health = {"exec": "true", "interval": 1, "ttl": 5}
    started = pilot(
        config(
            job("prepare", "false"),
            app(when=AFTER_PREPARE, health=health),
            telemetry=port.config(),
        )
    )
    started.wait_for_state("app", "skipped")
    reason = "waits for exitSuccess of prepare, which has ended (exit status 1)"

    ready = port.ask("/readyz")

    assert port.ask("/status").json["Jobs"] == [
        {"Name": "prepare", "Status": "unknown"},
        {"Name": "app", "Status": "unknown", "State": "skipped", "Reason": reason},
    ]
    assert (ready.status, ready.text) == (503, f"app is skipped: it {reason}\n")
