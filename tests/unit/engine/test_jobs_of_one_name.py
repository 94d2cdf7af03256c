"""Jobs that share the source of their events: each has a process and a state of its own."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import Job, When
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import STARTUP, advertised, check, each, job, once

DONE = [""]


def twin(number: int = 2, when: When = STARTUP, **changes: Any) -> Job:
    """The second job called `web`, or a later one."""
    name = f"web#{number}"
    variables = ("CONTAINERPILOT_WEB_PID",)
    return job(name, when, **{"source": "web", "label": "web", "pid_variables": variables, **changes})


def idle() -> Job:
    return job("idle", command=None)


def states(world: JobsWorld, *names: str) -> list[str]:
    return [world.state(name) for name in names]


# --- events


def test_both_run_and_their_events_have_one_source() -> None:
    world = JobsWorld(job("web"), twin()).start()
    assert world.starts() == ["web", "web#2"]
    world.exit("web#2", 1)
    assert states(world, "web", "web#2") == ["running", "complete"]
    assert world.count("exitFailed web") == world.count("stopped web") == 1
    world.exit("web")
    assert world.over
    assert world.count("exitSuccess web") == 1
    assert world.count("stopped web") == 2


@pytest.mark.parametrize("first", ["web", "web#2"])
def test_the_first_event_of_either_starts_its_dependents_once(first: str) -> None:
    world = JobsWorld(job("web"), twin(), job("after", once("exitSuccess", "web")), idle()).start()
    world.exit(first)
    assert world.starts("after") == ["after"]
    world.exit("after")
    world.exit("web" if first == "web#2" else "web#2")
    assert world.starts("after") == ["after"]


def test_each_event_of_either_starts_jobs_that_wait_for_each() -> None:
    world = JobsWorld(job("web"), twin(), job("after", each("exitSuccess", "web")), idle()).start()
    for name in ("web", "web#2"):
        world.exit(name)
        world.exit("after")
    assert world.starts("after") == ["after"] * 2


def test_health_of_either_starts_its_dependents() -> None:
    health = check("web", command="bad"), check("web", command="good")
    world = JobsWorld(job("web", health=health[0]), twin(health=health[1]), job("after", once("healthy", "web")))
    world.processes.termination.update(bad=(0.1, 1), good=(0.2, 0))
    world.start().advance(1.1)
    assert world.starts("after") == []
    world.advance(0.2)
    assert world.starts("after") == ["after"]
    assert world.seen("web")["health"]["status"] == "unhealthy"
    assert world.seen("web#2")["health"]["status"] == "healthy"


def test_the_exit_of_a_job_of_the_same_name_does_not_start_a_job() -> None:
    world = JobsWorld(job("web"), twin(when=once("exitSuccess", "web")), idle()).start()
    world.exit("web")
    assert world.starts() == ["web"]


def test_the_main_job_may_share_its_name() -> None:
    world = JobsWorld(job("web"), twin(main=True)).start()
    world.exit("web", 3)
    assert not world.over
    world.exit("web#2", 7)
    assert world.over
    assert world.engine.exit_code == 7


# --- what can no longer come


def test_a_dependent_of_one_of_them_is_skipped_when_all_have_ended() -> None:
    world = JobsWorld(job("web"), twin(), job("after", once("exitSuccess", "web"), main=True)).start()
    world.exit("web", 4)
    assert world.state("after") == "waiting"
    world.exit("web#2", 5)
    assert world.over
    assert world.engine.exit_code == 4


# --- hooks


def test_a_hook_on_the_first_stopping_delays_both() -> None:
    world = JobsWorld(job("web"), twin(), job("pre", once("stopping", "web"))).start()
    world.terminate()
    assert states(world, "web", "web#2", "pre") == ["stopping", "stopping", "running"]
    world.exit("pre")
    assert world.over
    assert world.starts("pre") == ["pre"]
    assert world.story("SIGTERM") == ["SIGTERM web", "SIGTERM web#2"]


@pytest.mark.parametrize("number", [2, 3])
def test_a_hook_on_each_stopping_runs_again_before_they_get_their_signals(number: int) -> None:
    """Events that come while it runs are remembered as one."""
    twins = [twin(each_) for each_ in range(2, number + 1)]
    world = JobsWorld(job("web"), *twins, job("pre", each("stopping", "web"))).start()
    world.terminate()
    world.exit("pre")
    assert world.story("SIGTERM") == []
    world.exit("pre")
    assert world.over
    assert world.starts("pre") == ["pre"] * 2


def test_a_hook_on_each_stopping_does_not_delay_one_until_the_other_ends() -> None:
    world = JobsWorld(job("web"), twin(), job("pre", each("stopping", "web"))).start()
    world.exit("web")
    assert states(world, "web", "pre") == ["stopping", "running"]
    world.exit("pre")
    assert states(world, "web", "web#2", "pre") == ["complete", "running", "waiting"]
    world.terminate()
    assert states(world, "web#2", "pre") == ["stopping", "running"]
    world.exit("pre")
    assert world.over


def test_a_hook_on_each_stopping_of_one_job_is_complete_before_the_job_gets_its_signal() -> None:
    world = JobsWorld(job("web"), job("pre", each("stopping", "web")), job("post", once("stopped", "pre"))).start()
    world.terminate()
    world.exit("pre")
    assert world.events.index("stopped pre") < world.events.index("exitFailed web")
    world.exit("post")
    assert world.over


def test_a_hook_on_each_stopped_runs_for_each() -> None:
    world = JobsWorld(job("web"), twin(), job("post", each("stopped", "web"))).start()
    world.exit("web")
    world.exit("post")
    assert states(world, "web#2", "post") == ["running", "waiting"]
    world.exit("web#2")
    world.exit("post")
    assert world.over
    assert world.starts("post") == ["post"] * 2


def test_a_hook_that_has_run_for_all_of_them_is_complete() -> None:
    world = JobsWorld(job("web"), twin(), job("post", each("stopped", "web")), idle()).start()
    for name in ("web", "web#2"):
        world.exit(name)
        world.exit("post")
    assert world.state("post") == "complete"


def test_a_hook_that_cannot_be_started_delays_nothing() -> None:
    world = JobsWorld(job("web"), twin(), job("pre", each("stopping", "web")))
    world.processes.missing.add("pre")
    world.start()
    world.exit("web")
    world.advance(1)
    assert world.state("web") == "complete"
    world.terminate()
    assert world.over


def test_hooks_in_a_chain_behind_jobs_of_the_same_name_run_in_a_stop() -> None:
    hooks = (job("pre", once("stopping", "web")), job("post", once("stopped", "pre")))
    world = JobsWorld(job("web"), twin(), *hooks).start()
    world.terminate()
    world.exit("pre")
    world.exit("post")
    assert world.over


def test_a_stop_ends_though_a_hook_and_a_job_of_the_same_name_wait_for_each_other() -> None:
    circle = (job("pre", each("stopping", "web")), twin(when=each("stopping", "pre")))
    world = JobsWorld(job("web"), *circle).start()
    world.terminate()
    world.exit("pre")
    world.exit("web#2")
    assert world.over
    assert world.story("start", "SIG") == ["start web", "start pre", "SIGTERM web", "start web#2"]


# --- requests


def test_restart_of_one_leaves_the_other_alone_and_runs_the_hooks() -> None:
    world = JobsWorld(job("web"), twin(), job("pre", each("stopping", "web"))).start()
    pid = world.pid("web")
    outcomes = world.ask("restart", "web#2")
    world.exit("pre")
    assert outcomes == DONE
    assert world.pid("web") == pid
    assert world.starts("web#2") == ["web#2"] * 2
    world.terminate()
    for _ in range(2):
        world.exit("pre")
    assert world.over


def test_stop_of_one_holds_it_alone() -> None:
    world = JobsWorld(job("web"), twin(), job("post", each("stopped", "web"))).start()
    outcomes = world.ask("stop", "web")
    world.exit("post")
    assert outcomes == DONE
    assert states(world, "web", "web#2", "post") == ["held", "running", "waiting"]
    world.exit("web#2")
    assert world.state("post") == "running"


def test_a_hook_that_runs_for_one_is_not_cut_off_by_a_restart_of_the_other() -> None:
    world = JobsWorld(job("web"), twin(), job("pre", each("stopping", "web"))).start()
    world.exit("web")
    outcomes = world.ask("restart", "web#2")
    assert world.story("SIGTERM") == []
    world.exit("pre")
    world.exit("pre")
    assert outcomes == DONE
    assert states(world, "web", "web#2", "pre") == ["complete", "running", "waiting"]


# --- reload


def test_unchanged_jobs_of_the_same_name_go_on_and_a_changed_one_is_replaced() -> None:
    world = JobsWorld(job("web"), twin()).start()
    pid = world.pid("web")
    world.reload(job("web"), twin())
    assert world.starts() == ["web", "web#2"]
    world.reload(job("web"), twin(command=("new",)))
    assert world.starts() == ["web", "web#2", "new"]
    assert world.pid("web") == pid
    world.reload(job("web"))
    assert world.story("SIGTERM") == ["SIGTERM web#2", "SIGTERM new"]
    assert world.pid("web") == pid


def test_a_new_job_gets_an_event_that_one_of_them_sent() -> None:
    world = JobsWorld(job("web"), twin()).start()
    world.exit("web#2")
    world.reload(job("web"), twin(), job("after", once("exitSuccess", "web")))
    assert world.starts("after") == ["after"]


@pytest.mark.parametrize("code", ["exitSuccess", "stopped"])
def test_events_of_one_of_them_are_remembered_when_the_other_is_replaced(code: str) -> None:
    world = JobsWorld(job("web"), twin()).start()
    world.exit("web")
    world.ask("restart", "web#2")
    world.reload(job("web"), twin(), job("after", once(code, "web")))
    assert world.starts("after") == ["after"]


@pytest.mark.parametrize("code", ["exitSuccess", "stopped"])
def test_events_of_only_the_replaced_one_are_forgotten(code: str) -> None:
    world = JobsWorld(job("web"), twin()).start()
    world.exit("web#2")
    world.ask("start", "web#2")
    world.reload(job("web"), twin(), job("after", once(code, "web")))
    assert world.starts("after") == []


def test_success_of_the_replaced_one_is_forgotten_although_the_other_has_failed() -> None:
    world = JobsWorld(job("web"), twin(), idle()).start()
    world.exit("web", 1)
    world.exit("web#2")
    world.ask("start", "web#2")
    good, bad = job("good", once("exitSuccess", "web")), job("bad", once("exitFailed", "web"))
    world.reload(job("web"), twin(), idle(), good, bad)
    assert world.starts("good", "bad") == ["bad"]


# --- the rest


def test_services_of_one_name_are_registered_apart() -> None:
    second = advertised("web").replace(id="web-host-2")
    jobs = (
        job("web", health=check("web"), service=advertised("web")),
        twin(health=check("web"), service=second),
    )
    world = JobsWorld(*jobs)
    world.processes.termination["check"] = (0.1, 0)
    world.start().advance(1.5)
    assert world.story("passing") == ["passing web"] * 2
    world.exit("web")
    assert world.story("deregister") == ["deregister web"]
    assert world.state("web#2") == "running"


def test_the_variable_is_that_of_the_one_that_started_last_until_it_ends() -> None:
    world = JobsWorld(job("web"), twin(), idle()).start()
    environment = world.context.environment

    assert environment.get()["CONTAINERPILOT_WEB_PID"] == str(world.pid("web#2"))
    world.exit("web")
    assert environment.get()["CONTAINERPILOT_WEB_PID"] == str(world.pid("web#2"))
    world.exit("web#2")
    assert "CONTAINERPILOT_WEB_PID" not in environment.get()
