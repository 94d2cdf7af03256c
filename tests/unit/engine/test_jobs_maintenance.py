"""Health and maintenance in the jobs dialect."""

from __future__ import annotations

import pytest

from cp.plan import Job
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, each, every, job, once


def health(world: JobsWorld) -> object:
    """The status of `app` that people are shown."""
    return world.seen("app")["health"]["status"]


def checked(code: int, initial_status: str = "") -> JobsWorld:
    """The job `app` with a check that takes 0.1 s each second."""
    service = advertised("app", initial_status)
    world = JobsWorld(job("app", each("signal", "SIGHUP"), health=check("app"), service=service), job("x"))
    world.processes.termination["check"] = (0.1, code)
    world.start()
    return world


def test_status_is_that_of_the_last_check() -> None:
    world = checked(0)
    assert health(world) == "unknown"
    world.signal(1, "SIGHUP")
    world.advance(1.2)
    assert health(world) == "healthy"
    world.processes.termination["check"] = (0.1, 1)
    world.advance(1)
    assert health(world) == "unhealthy"


def test_each_check_is_an_event_with_its_result() -> None:
    world = checked(0)
    world.signal(1, "SIGHUP")
    world.advance(3.5)
    assert world.count("healthy app") == world.count("exitSuccess check.app") == 3
    world.processes.termination["check"] = (0.1, 1)
    world.advance(1)
    assert world.count("unhealthy app") == world.count("exitFailed check.app") == 1
    assert world.count("error check.app: exit status 1") == 1


def test_no_check_runs_before_the_job_has_started() -> None:
    world = checked(0)
    world.advance(10)
    assert world.starts("check") == []


def test_restart_of_the_process_makes_the_status_unknown_until_the_next_check() -> None:
    world = checked(0)
    world.signal(1, "SIGHUP")
    world.advance(1.2)
    world.exit("app")
    world.signal(1, "SIGHUP")
    assert health(world) == "unknown"
    world.advance(1)
    assert health(world) == "healthy"


@pytest.mark.parametrize("hooks", [(), (job("pre", once("stopping", "app")),)])
@pytest.mark.parametrize("code", [0, 3])
def test_job_that_has_ended_by_itself_is_not_healthy(hooks: tuple[Job, ...], code: int) -> None:
    world = JobsWorld(job("app", health=check("app")), *hooks, job("x"))
    world.processes.termination["check"] = (0.1, 0)
    world.start().advance(1.2)
    assert health(world) == "healthy"
    world.exit("app", code)
    assert health(world) == "unknown"


@pytest.mark.parametrize("ends_first", ["app", "hook"])
def test_job_whose_process_has_ended_in_a_stop_is_not_healthy(ends_first: str) -> None:
    """By itself, while the stop waits for a hook, or because the stop terminates it."""
    hooks = job("hook", once("stopping", "app")), job("last", once("stopped", "app"))
    world = JobsWorld(job("app", main=True, health=check("app")), *hooks)
    world.processes.termination["check"] = (0.1, 0)
    world.start().advance(1.2)
    world.terminate()
    assert (world.state("app"), health(world)) == ("stopping", "healthy")
    world.exit(ends_first)
    assert (world.pid("app"), health(world)) == (0, "unknown")


def crash(world: JobsWorld) -> None:
    """`app` exits until its restart takes a while."""
    while world.state("app") == "running":
        world.exit("app", 1)


def test_job_that_waits_for_its_next_run_after_a_crash_is_not_healthy() -> None:
    world = JobsWorld(job("app", restarts=None, health=check("app", interval=10)), job("x"))
    world.processes.termination["check"] = (0.1, 0)
    world.start().advance(9)
    crash(world)
    world.advance(11.5)
    assert (world.state("app"), health(world)) == ("running", "healthy")
    crash(world)
    assert (world.state("app"), health(world)) == ("pausing", "unknown")


def test_periodic_job_that_finished_its_runs_is_not_healthy() -> None:
    world = JobsWorld(job("app", every(1.5), health=check("app")), job("x"))
    world.processes.termination.update(check=(0.1, 0), app=(0.2, 0))
    world.start().advance(1.2)
    assert health(world) == "healthy"
    world.advance(0.5)
    assert world.state("app") == "complete"
    assert health(world) == "unknown"


def test_maintenance_is_a_status_that_no_check_changes() -> None:
    world = checked(0)
    world.signal(1, "SIGHUP")
    world.advance(1.05)  # a check runs
    assert world.maintenance(True)
    assert health(world) == "maintenance"
    world.advance(5)
    assert health(world) == "maintenance"
    assert world.count("healthy app") == 0
    assert world.starts("check") == ["check"]


def test_end_of_maintenance_leaves_the_status_unknown() -> None:
    world = checked(0)
    world.signal(1, "SIGHUP")
    world.advance(1.2)
    world.maintenance(True)
    world.maintenance(False)
    assert health(world) == "unknown"
    world.advance(1)
    assert health(world) == "healthy"


def test_restart_of_the_process_does_not_end_maintenance() -> None:
    world = JobsWorld(job("app", restarts=None, health=check("app"), service=advertised("app")))
    world.processes.termination["check"] = (0.1, 0)
    world.start().advance(1.2)
    world.maintenance(True)
    world.happened.clear()
    world.exit("app", 1)
    world.advance(10)
    assert world.happened == ["start app"]
    assert health(world) == "maintenance"
    world.maintenance(False)
    world.advance(1.2)
    assert world.story("passing") == ["passing app"]


def test_second_enable_and_second_disable_change_nothing() -> None:
    world = checked(0)
    changes = [world.maintenance(wanted) for wanted in (False, True, True, False, False)]
    assert changes == [False, True, False, True, False]
    assert world.count("enterMaintenance global") == world.count("exitMaintenance global") == 1


def test_maintenance_deregisters_and_its_end_registers_with_the_next_passing_check() -> None:
    world = checked(0)
    world.signal(1, "SIGHUP")
    world.advance(1.2)
    world.maintenance(True)
    assert world.happened[-1] == "deregister app"
    world.maintenance(False)
    world.advance(1.2)
    assert world.happened[-1] == "passing app"


def test_job_started_during_maintenance_is_checked_only_after_it() -> None:
    world = checked(0)
    world.maintenance(True)
    world.signal(1, "SIGHUP")
    world.advance(5.5)
    assert world.starts("check") == []
    world.maintenance(False)
    world.advance(1)
    assert world.starts("check") == ["check"]


def test_maintenance_before_a_job_has_started_brings_no_checks() -> None:
    world = checked(0)
    world.maintenance(True)
    world.maintenance(False)
    world.advance(10)
    assert world.starts("check") == []


def test_initial_status_is_registered_once_although_the_job_never_starts() -> None:
    world = checked(0, initial_status="critical")
    world.advance(10)
    assert world.story(" app", "passing", "critical") == [" app"]
    assert world.starts("check") == []
    assert world.engine.catalog_status.standing(advertised("app", "critical"), wanted=True).confirmed_at == 0


def test_initial_status_is_taken_back_by_maintenance_and_registered_after_it() -> None:
    world = checked(0, initial_status="critical")
    world.happened.clear()
    world.maintenance(True)
    world.signal(1, "SIGHUP")
    assert world.happened == ["deregister app", "start app"]
    world.maintenance(False)
    assert world.happened[-1] == " app"


def test_service_that_comes_during_maintenance_is_registered_after_it() -> None:
    app = job("app", each("signal", "SIGHUP"), health=check("app"), service=advertised("app", "warning"))
    world = JobsWorld(job("x")).start()
    world.maintenance(True)
    world.reload(job("x"), app)
    assert world.story(" app") == []
    world.maintenance(False)
    assert world.story(" app") == [" app"]


def test_both_ends_of_maintenance_start_jobs() -> None:
    world = JobsWorld(
        job("once-in", once("enterMaintenance", "global")),
        job("in", each("enterMaintenance", "global")),
        job("out", each("exitMaintenance", "global")),
        job("x"),
    ).start()
    for wanted in (True, False, True, False):
        world.maintenance(wanted)
        for name in ("once-in", "in", "out"):
            for process in world.processes.running(name):
                process.exit(0)
    assert world.starts() == ["x", "once-in", "in", "out", "in", "out"]


def test_jobs_go_on_during_maintenance() -> None:
    world = JobsWorld(job("app", restarts=None), job("hup", each("signal", "SIGHUP"))).start()
    world.maintenance(True)
    world.exit("app")
    world.signal(1, "SIGHUP")
    world.advance(1)
    assert sorted(world.starts()) == ["app", "app", "hup"]


def test_run_that_is_due_is_not_lost_when_maintenance_ends() -> None:
    world = JobsWorld(job("task", every(1), restarts=None, timeout=3.0, timeout_text="3s")).start()
    world.advance(1.1)  # the second run is due, and begins when the first one has ended
    world.maintenance(True)
    world.maintenance(False)
    world.exit("task")
    assert world.starts() == ["task"] * 2


def test_stop_during_maintenance_ends_as_usual() -> None:
    world = checked(0)
    world.maintenance(True)
    world.terminate()
    world.advance(1.1)
    assert world.over
    assert not world.maintenance(False)


def test_heartbeat_without_a_check_needs_no_event() -> None:
    world = JobsWorld(job("app", health=check("app", None), service=advertised("app"))).start()
    world.advance(3.5)
    assert world.story("passing") == ["passing app"] * 3
    assert world.count("healthy app") == 0
    assert health(world) == "unknown"


def test_complete_job_is_in_the_catalogue_no_longer() -> None:
    world = JobsWorld(job("app", health=check("app", None), service=advertised("app")), job("x")).start()
    world.advance(1.1)
    world.exit("app")
    world.advance(10)
    assert world.story("passing", "deregister") == ["passing app", "deregister app"]


def test_check_that_outlives_its_job_changes_nothing() -> None:
    world = checked(0)
    world.processes.stubborn.add("check")
    world.signal(1, "SIGHUP")
    world.advance(1.05)
    world.ask("stop", "app")
    world.advance(5)
    assert world.count("healthy app") == 0
    assert world.story("passing") == []
    assert world.state("app") == "held"
