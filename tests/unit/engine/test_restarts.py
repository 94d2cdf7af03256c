"""Rules for restarts in the engine: windows, failures, what the log and the views say."""

from __future__ import annotations

from typing import Any

import pytest

from cp import plan
from cp.plan import RESTART, Ready, Restarts
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import check, job, once

DELAY = Restarts(per=10, delays=True)


def app(rules: Restarts, restarts: int | None = 2, **changes: Any) -> plan.Job:
    return job("app", restarts=restarts, restart_rules=rules, **changes)


def described(world: JobsWorld) -> dict[str, Any]:
    found = world.admin.job("app")
    assert found is not None
    return found


def fail(world: JobsWorld, times: int, code: int = 1) -> None:
    for _ in range(times):
        world.exit("app", code)
        world.advance(1)


def test_with_delay_the_job_starts_again_when_a_restart_is_left() -> None:
    world = JobsWorld(app(DELAY)).start()
    fail(world, 3)  # at 0 s, 1 s and 2 s
    assert (world.state("app"), len(world.starts("app"))) == ("pausing", 3)
    assert "warning: app starts again in 8 s: 2 restarts in 10 s" in world.log.lines
    view = described(world)
    assert (view["about"], view["restartsLeft"], view["restartsPer"]) == (
        "starts again in 7 s: 2 restarts in 10 s",
        0,
        10,
    )
    assert view["nextStart"] is not None
    world.advance(6.9)
    assert world.state("app") == "pausing"
    world.advance(0.2)
    assert (world.state("app"), len(world.starts("app"))) == ("running", 4)
    assert described(world)["nextStart"] is None


def test_with_fail_the_main_job_ends_everything_with_its_exit_code() -> None:
    world = JobsWorld(app(Restarts(per=10), main=True), job("other")).start()
    fail(world, 2)
    world.exit("app", 7)
    world.advance(1)
    assert world.over
    assert world.engine.exit_code == 7
    assert "warning: app is not started again: 2 restarts in 10 s" in world.log.lines


def test_a_job_that_gave_up_says_so_and_can_be_started_by_hand() -> None:
    world = JobsWorld(app(Restarts(per=10), 1), job("other")).start()
    fail(world, 2)
    assert (world.state("app"), described(world)["about"]) == (
        "complete",
        "is not started again: 1 restart in 10 s",
    )
    assert described(world)["gaveUp"] is True
    assert world.ask("start", "app") == [""]
    assert described(world)["gaveUp"] is False
    assert (world.state("app"), described(world)["restartsLeft"]) == ("running", 1)


def test_with_on_failure_a_success_completes_the_job() -> None:
    world = JobsWorld(app(Restarts(on_failure=True), None), job("other")).start()
    fail(world, 1)
    world.exit("app", 0)
    assert (world.state("app"), described(world)["about"]) == ("complete", "done")


def test_with_on_failure_codes_of_success_are_no_failure() -> None:
    rules = Restarts(on_failure=True)
    world = JobsWorld(app(rules, None, success_codes=(3,)), job("other")).start()
    fail(world, 1, 3)
    assert world.state("app") == "complete"


@pytest.mark.parametrize("code", [0, -15, 7])
@pytest.mark.parametrize(
    "how",
    [
        {"health": check("app", on_unhealthy=RESTART)},
        {"ready": Ready(kind="log", text="never", timeout=1.0, on_timeout=RESTART)},
        {"watchdog": 1.0},
    ],
    ids=["onUnhealthy", "ready", "watchdog"],
)
def test_a_run_that_failed_counts_as_a_failure_whatever_its_code(code: int, how: dict[str, Any]) -> None:
    world = JobsWorld(app(Restarts(on_failure=True), 1, **how), job("other"))
    world.processes.stubborn.add("app")
    world.processes.termination["check"] = (0.01, 1)
    world.start()
    world.advance(1.5)
    world.exit("app", code)
    world.advance(0.1)
    assert world.starts("app") == ["app", "app"]


def test_a_pause_of_the_rules_is_shown() -> None:
    world = JobsWorld(app(Restarts(pause=5), None)).start()
    world.exit("app", 1)
    assert described(world)["about"] == "starts again in 5 s"
    world.advance(4.9)
    assert world.state("app") == "pausing"
    world.advance(0.2)
    assert world.state("app") == "running"


def test_a_reload_leaves_an_unchanged_job_its_window() -> None:
    world = JobsWorld(app(Restarts(per=100)), job("other")).start()
    fail(world, 1)
    world.reload(app(Restarts(per=100)), job("other", label="changed"))
    world.advance(1)
    assert described(world)["restartsLeft"] == 1
    world.reload(app(Restarts(per=100), 3), job("other", label="changed"))
    world.advance(1)
    assert described(world)["restartsLeft"] == 3


def test_a_reload_renews_restarts_for_life() -> None:
    world = JobsWorld(app(Restarts()), job("other")).start()
    fail(world, 2)
    assert described(world)["restartsLeft"] == 0
    world.reload(app(Restarts()), job("other", label="changed"))
    world.advance(1)
    assert described(world)["restartsLeft"] == 2


def test_a_request_starts_a_job_that_waits_for_its_window() -> None:
    world = JobsWorld(app(DELAY, 1)).start()
    fail(world, 2)
    assert world.state("app") == "pausing"
    world.ask("start", "app")
    assert (world.state("app"), len(world.starts("app"))) == ("running", 3)
    world.exit("app", 1)
    world.advance(0.1)
    assert described(world)["about"].startswith("starts again in 10 s")


def test_a_stop_does_not_wait_for_the_window() -> None:
    world = JobsWorld(app(DELAY, 1)).start()
    fail(world, 2)
    world.terminate()
    assert world.over


def test_waiting_for_a_window_is_no_end_for_others() -> None:
    waiting = job("waiting", once("healthy", "app"))
    world = JobsWorld(app(Restarts(per=10), 1, health=check("app")), waiting, job("other")).start()
    fail(world, 1)
    assert world.state("waiting") == "waiting"
    fail(world, 1)
    assert world.state("waiting") == "skipped"


def test_in_maintenance_failed_jobs_start_again_as_before() -> None:
    world = JobsWorld(app(DELAY, 1)).start()
    world.engine.set_maintenance(True)
    fail(world, 2)
    assert world.state("app") == "pausing"
    world.advance(10)
    assert world.state("app") == "running"
