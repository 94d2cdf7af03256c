"""Reload in the jobs dialect: unchanged jobs go on, the others end with their hooks and start again."""

from __future__ import annotations

from typing import Any

import pytest

from cp.catalog.protocol import Instance
from cp.plan import DirectorySettings, Job, Service, When
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, each, every, job, once, watch
from tests.unit.engine.world import FakeDiscovery

DONE = [""]


def changed(name: str, *when: When, **changes: Any) -> Job:
    """The same job with another command."""
    return job(name, *when, command=(f"new-{name}",), **changes)


def test_unchanged_jobs_keep_their_process_and_state() -> None:
    waiting = (job("late", once("healthy", "db")), job("idle", each("a", "b")))
    jobs = (job("app"), job("task", every(5), restarts=None), *waiting)
    world = JobsWorld(*jobs).start()
    world.advance(1)
    pids = {name: world.pid(name) for name in ("app", "task")}
    kept = {name: world.engine.jobs[name] for name in ("app", "late", "task", "idle")}
    world.reload(*jobs)
    assert world.outcomes == DONE
    assert all(world.engine.jobs[name] is was for name, was in kept.items())
    assert {name: world.pid(name) for name in ("app", "task")} == pids
    assert world.story("SIG") == []


def test_changed_job_ends_with_its_hooks_and_then_starts() -> None:
    hooks = (job("pre", once("stopping", "app")), job("post", once("stopped", "app")))
    world = JobsWorld(job("app"), *hooks).start()
    world.reload(changed("app"), *hooks)
    assert world.outcomes == []
    world.exit("pre")
    world.exit("post")
    assert world.outcomes == DONE
    assert world.happened[2:] == ["start pre", "SIGTERM app", "start post", "start new-app"]
    world.terminate()
    assert world.starts()[-1] == "pre"  # the hooks have come again
    world.exit("pre")
    world.exit("post")
    assert world.over


def test_removed_job_ends_and_an_added_one_starts() -> None:
    world = JobsWorld(job("app"), job("old")).start()
    world.reload(job("app"), job("new"))
    assert world.happened[-2:] == ["SIGTERM old", "start new"]
    assert world.outcomes == DONE
    assert world.admin.job("old") is None


def test_changed_hook_alone_neither_runs_nor_disturbs_its_job() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app"))).start()
    world.reload(job("app"), changed("pre", once("stopping", "app")))
    assert world.outcomes == DONE
    assert world.starts() == ["app"]
    world.terminate()
    assert world.starts() == ["app", "new-pre"]


def test_end_of_a_replaced_hook_does_not_start_the_new_hook_on_it() -> None:
    after = job("after", once("stopped", "pre"))
    world = JobsWorld(job("app"), job("pre", once("stopping", "app")), after).start()
    world.reload(job("app"), changed("pre", once("stopping", "app")), after)
    assert world.starts() == ["app"]
    assert world.state("after") == "waiting"
    world.terminate()
    world.exit("new-pre")
    world.exit("after")
    assert world.over


def test_undelivered_end_of_the_old_job_is_not_that_of_the_new_job() -> None:
    post = job("post", once("stopped", "app"))
    world = JobsWorld(job("app"), post, job("other")).start()
    world.loop.call_soon(world.processes.running("app")[0].on_exit, 0)
    world.next_plan = world.plan.replace(jobs=(changed("app"), post, job("other")))
    world.loop.call_soon(world.engine.changes.reload, world.outcomes.append)
    world.loop.settle()
    for process in world.processes.running("post"):
        process.exit(0)
    assert world.outcomes == DONE
    assert world.state("app") == "running"
    assert world.state("post") == "waiting"


def test_completed_job_does_not_run_again_unless_it_changed() -> None:
    world = JobsWorld(job("setup"), job("app", once("exitSuccess", "setup"))).start()
    world.exit("setup")
    world.reload(job("setup"), job("app", once("exitSuccess", "setup")))
    assert world.starts() == ["setup", "app"]
    world.reload(changed("setup"), job("app", once("exitSuccess", "setup")))
    assert world.starts() == ["setup", "app", "new-setup"]


def test_restart_budgets_are_renewed() -> None:
    world = JobsWorld(job("app", restarts=1), job("other")).start()
    world.exit("app")
    world.advance(0)
    assert world.engine.jobs["app"].restarts.left(world.loop.time) == 0
    world.reload(job("app", restarts=1), job("other"))
    world.exit("app")
    world.advance(1)
    assert len(world.processes.running("app")) == 1


@pytest.mark.parametrize("code", ["exitSuccess", "stopped"])
def test_new_job_is_started_by_earlier_events(code: str) -> None:
    world = JobsWorld(job("setup"), job("app")).start()
    world.exit("setup")
    world.reload(job("setup"), job("app"), job("late", once(code, "setup")))
    assert world.starts()[-1] == "late"


def test_new_job_on_a_failure_is_started_by_one_that_happened_before_it_came() -> None:
    world = JobsWorld(job("setup"), job("app")).start()
    world.exit("setup", 1)
    late = (job("bad", once("exitFailed", "setup")), job("good", once("exitSuccess", "setup")))
    world.reload(job("setup"), job("app"), *late)
    assert world.starts() == ["setup", "app", "bad"]


def test_new_job_on_a_healthy_one_starts_at_once_and_not_on_one_that_was_healthy() -> None:
    app = job("app", health=check("app"))
    world = JobsWorld(app)
    world.processes.termination["check"] = (0.1, 0)
    world.start().advance(1.2)
    world.reload(app, job("late", once("healthy", "app")))
    assert world.starts("late") == ["late"]
    world.maintenance(True)
    world.reload(app, job("later", once("healthy", "app")))
    assert world.starts("later") == []


def test_new_job_on_a_ready_one_starts_at_once_and_the_ready_one_goes_on() -> None:
    """With the first job that waits for it, the plan of a job says that it publishes `ready`."""
    world = JobsWorld(job("app"), job("starting", health=check("starting"))).start()
    announcing = (job("app", announces_ready=True), job("starting", health=check("starting"), announces_ready=True))
    waiting = (job("late", once("ready", "app")), job("later", once("ready", "starting")))
    world.reload(*announcing, *waiting)
    assert world.starts() == ["app", "starting", "late"]
    world.processes.termination["check"] = (0.1, 0)
    world.advance(1.5)
    assert world.starts("later") == ["later"], "it publishes `ready` from now on"


@pytest.mark.parametrize(("code", "instances"), [("changed", 1), ("healthy", 1), ("unhealthy", 0)])
def test_new_job_on_a_watch_is_started_by_its_last_report(code: str, instances: int) -> None:
    db = watch("db")
    world = JobsWorld(job("app"), watches=(db,)).start()
    world.report("db", *[Instance(id="db-1", address="10.0.0.1", port=1)] * instances)
    world.reload(job("app"), job("late", each(code, "watch.db")), watches=(db,))
    assert world.starts() == ["app", "late"]


def test_unchanged_watch_goes_on_and_a_changed_one_begins_again() -> None:
    world = JobsWorld(job("app"), watches=(watch("db"), watch("old"))).start()
    world.happened.clear()
    world.reload(job("app"), watches=(watch("db"), watch("new")))
    assert world.happened == ["stop watch old", "watch new"]
    world.reload(job("app"), watches=(watch("db", tag="x"), watch("new")))
    assert world.happened[2:] == ["stop watch db", "watch db"]


def test_running_job_on_a_replaced_job_runs_on_if_it_is_not_a_hook() -> None:
    world = JobsWorld(job("db"), job("app", once("exitFailed", "db")), job("web")).start()
    world.exit("db", 1)
    pid = world.pid("app")
    world.reload(changed("db"), job("app", once("exitFailed", "db")), job("web"))
    assert world.pid("app") == pid


def test_configuration_that_does_not_load_changes_nothing() -> None:
    world = JobsWorld(job("app", restarts=1), job("other")).start()
    world.exit("app")
    world.advance(0)
    world.happened.clear()
    world.next_plan = None
    world.engine.changes.reload(world.outcomes.append)
    world.loop.settle()
    assert world.outcomes == ["the configuration does not load"]
    assert world.happened == []
    assert world.engine.jobs["app"].restarts.left(world.loop.time) == 0
    assert not world.engine.changes.current


def test_service_of_a_changed_job_is_deregistered_and_comes_back() -> None:
    app = job("app", health=check("app", None), service=advertised("app"))
    world = JobsWorld(app, job("other")).start()
    world.advance(1.1)
    world.happened.clear()
    world.reload(app.replace(timeout=60.0), job("other"))
    world.advance(1.1)
    assert world.happened == ["deregister app", "SIGTERM app", "start app", "passing app"]


def test_service_of_an_unchanged_job_is_left_alone() -> None:
    app = job("app", health=check("app", None), service=advertised("app", "warning"))
    world = JobsWorld(app).start()
    world.advance(1.1)
    world.happened.clear()
    world.reload(app, job("new"))
    assert world.happened == ["start new"]


def test_another_catalogue_gets_the_services_that_stay() -> None:
    kept = job("kept", health=check("kept", None), service=advertised("kept"))
    gone = job("gone", health=check("gone", None), service=advertised("gone"))
    world = JobsWorld(kept, gone, watches=(watch("db"),), catalog=DirectorySettings(path="/old")).start()
    world.advance(1.1)
    world.happened.clear()
    world.discovery = FakeDiscovery(world)
    world.reload(kept, watches=(watch("db"),), catalog=DirectorySettings(path="/new"))
    assert world.outcomes == DONE
    assert world.happened == [
        "deregister gone",
        "SIGTERM gone",
        "stop watch db",
        "deregister kept",
        "passing kept",
        "catalogue opened",
        "watch db",
    ]
    world.happened.clear()
    world.advance(20)
    assert world.story("catalogue") == ["catalogue closed"]
    assert world.processes.running("kept")


def moved(address: str) -> Service:
    found: Service = advertised("app").replace(address=address)
    return found


def at(address: str, **changes: Any) -> Job:
    """The same job, registered with this address."""
    return job("app", **{"health": check("app", None), "service": moved(address), **changes})


def test_another_address_is_registered_and_the_process_goes_on() -> None:
    pre_stop = job("pre", once("stopping", "app"))
    world = JobsWorld(at("10.0.0.1"), pre_stop, catalog=DirectorySettings(path="/old")).start()
    world.advance(1.1)
    pid = world.pid("app")
    world.happened.clear()
    world.reload(at("10.0.0.2"), pre_stop)
    assert world.outcomes == DONE
    assert world.happened == ["passing app"]
    assert world.pid("app") == pid
    assert world.discovery.wanted["app-host"].address == "10.0.0.2"
    assert world.seen("app")["service"]["address"] == "10.0.0.2"
    assert world.seen("app")["service"]["registered"] == "passing"
    assert "info: app: its address is 10.0.0.2 now, it was 10.0.0.1" in world.log.lines
    world.advance(1)
    assert world.discovery.wanted["app-host"].address == "10.0.0.2"


def test_another_address_is_not_registered_for_a_check_that_passed_too_long_ago() -> None:
    health = check("app", "check")
    world = JobsWorld(at("10.0.0.1", health=health), catalog=DirectorySettings(path="/old"))
    world.processes.termination["check"] = (0.1, 0)
    world.start().advance(1.2)
    world.processes.termination["check"] = (0.1, 1)
    world.advance(15)
    world.happened.clear()
    world.reload(at("10.0.0.2", health=health))
    assert world.story("passing", "deregister") == []
    world.processes.termination["check"] = (0.1, 0)
    world.advance(1.2)
    assert world.discovery.wanted["app-host"].address == "10.0.0.2"


def test_another_address_counts_at_once_although_other_jobs_take_long_to_end() -> None:
    old, drain = job("old"), job("drain", once("stopping", "old"))
    world = JobsWorld(at("10.0.0.1"), old, drain, catalog=DirectorySettings(path="/old")).start()
    world.advance(1.1)
    world.reload(at("10.0.0.2"))
    assert world.outcomes == []
    assert world.discovery.wanted["app-host"].address == "10.0.0.2"
    world.exit("drain")
    assert world.outcomes == DONE


def test_another_address_in_maintenance_is_registered_when_that_ends() -> None:
    world = JobsWorld(at("10.0.0.1"), catalog=DirectorySettings(path="/old")).start()
    world.advance(1.1)
    world.maintenance(True)
    world.happened.clear()
    world.reload(at("10.0.0.2"))
    assert world.happened == []
    world.maintenance(False)
    world.advance(1)
    assert world.discovery.wanted["app-host"].address == "10.0.0.2"


@pytest.mark.parametrize("changes", [{"command": ("other",)}, {"service": moved("10.0.0.2").replace(port=81)}])
def test_a_job_that_differs_in_more_than_its_address_is_replaced(changes: dict[str, Any]) -> None:
    world = JobsWorld(at("10.0.0.1"), catalog=DirectorySettings(path="/old")).start()
    world.advance(1.1)
    world.reload(at("10.0.0.2", **changes))
    assert world.outcomes == DONE
    assert "SIGTERM app" in world.happened


def test_another_catalogue_during_maintenance_gets_no_registration_until_it_ends() -> None:
    app = job("app", health=check("app", None), service=advertised("app", "warning"))
    world = JobsWorld(app, catalog=DirectorySettings(path="/old")).start()
    world.advance(1.1)
    world.maintenance(True)
    world.happened.clear()
    world.reload(app, catalog=DirectorySettings(path="/new"))
    world.advance(5)
    assert world.story("passing", " app") == []
    world.maintenance(False)
    assert world.happened[-1] == " app"
