"""Faults that the change log of the Go program tells of, and faults that once were in this engine."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from cp.plan import DirectorySettings, Job, When
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, each, every, job, once, watch


def test_another_trigger_does_not_stop_the_running_job() -> None:
    world = JobsWorld(job("react", each("changed", "watch.db")), watches=(watch("db"),)).start()
    world.report("db")
    pid = world.pid("react")
    world.report("db")
    world.advance(10)
    assert world.pid("react") == pid
    assert world.story("SIG") == []


@pytest.mark.parametrize("how", ["stop", "reload", "operator", "timeout of the hook"])
def test_a_job_gets_sigterm_before_it_is_killed(how: str) -> None:
    hook = job("pre", once("stopping", "app"))
    jobs = (job("app", stop_timeout=1.0), hook) if how == "timeout of the hook" else (job("app"), job("x"))
    world = JobsWorld(*jobs).start()
    if how == "reload":
        world.reload(job("x"))
    elif how == "operator":
        world.ask("stop", "app")
    else:
        world.terminate()
    world.advance(1.1)
    assert world.story("SIGTERM app", "SIGKILL app") == ["SIGTERM app"]


def test_timeout_of_a_trigger_ends_neither_its_job_nor_the_chain_behind_it() -> None:
    world = JobsWorld(
        job("first", once("startup", "global", timeout=1)),
        job("second", once("exitSuccess", "first", timeout=5)),
        job("third", once("exitSuccess", "second")),
    ).start()
    world.advance(3)
    world.exit("first")
    world.advance(10)
    assert world.state("second") == "running"
    world.exit("second")
    assert world.state("third") == "running"
    assert not any(event.startswith("timerExpired") for event in world.events)


@pytest.mark.parametrize("code", ["stopping", "stopped"])
@pytest.mark.parametrize("trigger", [once, each])
@pytest.mark.parametrize("by", ["stop", "reload", "itself"])
def test_jobs_on_the_end_of_another_end_themselves(code: str, trigger: Callable[[str, str], When], by: str) -> None:
    when = trigger(code, "app")
    world = JobsWorld(job("app"), job("hook", when), job("other"))
    world.processes.termination["hook"] = (0.5, 0)
    world.start()
    if by == "reload":
        world.reload()
    elif by == "itself":
        world.exit("app")
    else:
        world.terminate()
    world.advance(1)
    assert world.starts("hook") == ["hook"]
    assert world.state("hook") == "complete" if by != "reload" else world.engine.jobs == {}
    world.terminate()
    assert world.over


@pytest.mark.parametrize("by", ["stop", "reload"])
def test_many_jobs_end_together_without_a_deadlock(by: str) -> None:
    jobs = [job(f"job{number}", each("signal", "SIGHUP")) for number in range(400)]
    world = JobsWorld(*jobs).start()
    for _ in range(5):
        world.signal(1, "SIGHUP")
    if by == "reload":
        world.reload()
        assert world.outcomes == [""]
    world.terminate()
    assert world.over
    assert len(world.starts()) == 400


def test_interval_jobs_run_without_limit() -> None:
    world = JobsWorld(job("task", every(1), restarts=None, timeout=1))
    world.processes.termination["task"] = (0.1, 0)
    world.start().advance(999.5)
    assert len(world.starts()) == 1000


def test_no_job_of_an_earlier_configuration_is_kept() -> None:
    world = JobsWorld(job("app", health=check("app")), job("pre", once("stopping", "app")))
    world.processes.termination["pre"] = (0.1, 0)
    world.start().advance(1.5)
    old = weakref.ref(world.engine.jobs["app"])
    world.reload(job("app", health=check("app"), timeout=9.0), job("pre", once("stopping", "app")))
    world.advance(10)
    world.processes.all.clear()  # the fakes, which refer to their subscribers
    gc.collect()
    assert old() is None


def test_both_ends_of_maintenance_start_jobs() -> None:
    jobs = (job("in", once("enterMaintenance", "global")), job("out", once("exitMaintenance", "global")))
    world = JobsWorld(*jobs).start()
    world.maintenance(True)
    assert world.starts() == ["in"]
    world.maintenance(False)
    assert world.starts() == ["in", "out"]


def test_events_to_subscribers_that_left_do_no_harm() -> None:
    world = JobsWorld(job("app"), job("react", each("changed", "watch.db")), watches=(watch("db"),)).start()
    world.report("db")
    watcher = world.discovery.watchers["db"]
    app = world.engine.jobs["app"]
    world.reload()
    watcher.report([])
    app.ended(0)
    app.ticked()
    app.stop()
    world.loop.settle()
    world.terminate()
    assert world.over


def test_neither_reloads_nor_signals_pile_anything_up() -> None:
    def plans(number: int) -> tuple[Job, ...]:
        return (job("app", health=check("app"), timeout=100.0 + number), job("hup", each("signal", "SIGHUP")))

    world = JobsWorld(*plans(0)).start()
    sizes = []
    for number in range(1, 60):
        world.reload(*plans(number))
        world.signal(1, "SIGHUP")
        world.exit("hup")
        world.advance(0.5)
        pending = [timer for timer in world.loop._timers if timer.callback is not None]
        sizes.append(
            (len(pending), len(world.context.runs), len(world.engine.jobs), len(world.context.environment.get()))
        )
    assert set(sizes) == {sizes[0]}


def test_no_health_check_before_the_job_has_started() -> None:
    world = JobsWorld(job("app", once("exitSuccess", "setup"), health=check("app")), job("setup")).start()
    world.advance(10)
    assert "check" not in world.starts()
    world.exit("setup")
    world.advance(1.5)
    assert world.starts()[-1] == "check"


def test_a_reload_leaves_no_deadlock_behind() -> None:
    hooks = (job("pre", each("stopping", "app")), job("post", each("stopped", "app")))
    world = JobsWorld(job("app"), *hooks)
    world.processes.termination |= {"pre": (0.1, 0), "post": (0.1, 0)}
    world.start()
    for number in range(10):
        world.reload(job("app", timeout=100.0 + number), *hooks)
        world.advance(0.3)
    assert world.outcomes == [""] * 10
    world.terminate()
    world.advance(0.3)
    assert world.over


def test_pre_stop_runs_on_sigterm() -> None:
    world = JobsWorld(job("app", main=True), job("pre", once("stopping", "app"))).start()
    world.terminate()
    assert world.happened[-1] == "start pre"
    assert world.story("SIGTERM") == []


def test_environment_values_keep_their_equal_signs() -> None:
    world = JobsWorld(job("app", each("signal", "SIGHUP"))).start()
    world.admin.change_environment({"VALUE": "PART1=PART2"})
    world.signal(1, "SIGHUP")
    assert world.processes.all[0].environ["VALUE"] == "PART1=PART2"


def test_go_479_the_end_does_not_linger() -> None:
    world = JobsWorld(job("app"), job("other", command=None), stop_timeout=60.0).start()
    world.terminate()
    assert world.over
    assert world.loop.time == 0


def test_go_580_a_command_that_fails_at_once_does_not_spin() -> None:
    world = JobsWorld(job("app", restarts=None))
    world.processes.termination["app"] = (0.0, 1)
    world.start().advance(100)
    assert len(world.starts()) < 30


def test_trigger_that_can_never_come_does_not_delay_a_stop() -> None:
    world = JobsWorld(job("app", When(code="", source="")), job("late", once("healthy", "ghost"))).start()
    world.advance(100)
    world.terminate()
    assert world.over


def test_last_event_is_delivered_before_the_end() -> None:
    world = JobsWorld(job("app", once("healthy", "db")), job("pre", once("stopping", "app"))).start()
    world.terminate()
    world.exit("pre")
    assert world.events[-2:] == ["stopped pre", "stopped app"]


def test_service_of_a_held_job_stays_out_of_a_new_catalogue() -> None:
    app = job("app", health=check("app", None), service=advertised("app", "warning"))
    world = JobsWorld(app, job("x")).start()
    world.advance(1.1)
    world.ask("stop", "app")
    world.happened.clear()
    world.reload(app, job("x"), catalog=DirectorySettings(path="/new"))
    world.advance(10)
    assert world.story(" app", "passing", "warning") == []
