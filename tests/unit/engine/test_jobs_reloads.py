"""Reloads that meet each other, a stop, an operator, or jobs that will not end."""

from __future__ import annotations

from itertools import pairwise
from signal import SIGTERM
from typing import Any

import pytest

from cp.plan import Job, When
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import check, every, job, once

DONE = [""]


def changed(name: str, *when: When, **changes: Any) -> Job:
    """The same job with another command."""
    return job(name, *when, command=(f"new-{name}",), **changes)


def test_reload_to_nothing_and_back() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app"))).start()
    world.reload()
    world.exit("pre")
    assert world.outcomes == DONE
    assert world.engine.jobs == {}
    world.advance(3600)
    assert not world.over
    world.reload(job("app"), job("pre", once("stopping", "app")))
    assert world.starts() == ["app", "pre", "app"]
    world.reload()
    world.exit("pre")
    world.terminate()
    assert world.over


def test_reload_during_a_reload_waits_its_turn_and_those_that_wait_share_one() -> None:
    world = JobsWorld(job("app"))
    world.processes.stubborn.add("app")
    world.start().reload(job("app", command=("second",)))
    world.reload(job("app", command=("third",)))
    world.reload(job("app", command=("fourth",)))
    assert world.outcomes == []
    world.exit("app")
    assert world.outcomes == DONE * 3
    assert world.starts() == ["app", "second", "fourth"]


def test_reload_that_waited_and_is_refused_says_so() -> None:
    world = JobsWorld(job("app"))
    world.processes.stubborn.add("app")
    world.start().reload(changed("app"))
    world.next_plan = None
    world.engine.changes.reload(world.outcomes.append)
    world.exit("app")
    assert world.outcomes == ["", "the configuration does not load"]


def test_stop_wins_over_a_reload_and_those_that_wait() -> None:
    world = JobsWorld(job("app"), job("post", once("stopped", "app")))
    world.processes.stubborn.add("app")
    world.start().reload(changed("app"), job("post", once("stopped", "app")))
    world.reload(job("app"))
    world.terminate()
    assert world.outcomes == ["ContainerPilot is stopping"] * 2
    world.exit("app")
    world.exit("post")
    assert world.over
    assert world.starts() == ["app", "post"]
    assert len(world.outcomes) == 2


def test_stop_right_after_a_reload_ends_everything() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app"))).start()
    world.next_plan = world.plan.replace(jobs=(changed("app"), job("pre", once("stopping", "app"))))
    world.engine.changes.reload(world.outcomes.append)
    world.terminate()
    world.exit("pre")
    assert world.over
    assert world.starts() == ["app", "pre"]
    assert world.outcomes == ["ContainerPilot is stopping"]


def test_two_hundred_reloads_leave_one_process_and_no_timers_behind() -> None:
    def jobs(number: int) -> tuple[Job, ...]:
        hooks = (job("pre", once("stopping", "app")), job("task", every(60), restarts=None, timeout=60))
        return (job("app", command=(f"app{number}",), health=check("app")), *hooks)

    world = JobsWorld(*jobs(0))
    world.processes.termination["pre"] = (0.01, 0)
    world.start()
    for number in range(1, 201):
        world.reload(*jobs(number))
        world.advance(0.1)
    assert world.outcomes == DONE * 200
    assert sorted(process.command[0] for process in world.processes.all if not process.reaped) == ["app200", "task"]
    assert len(world.context.runs) == 2
    world.terminate()
    world.advance(0.1)
    assert world.over


def test_two_hundred_reloads_at_once() -> None:
    world = JobsWorld(job("app"), job("other")).start()
    for number in range(200):
        world.next_plan = world.plan.replace(jobs=(job("app", command=(f"app{number}",)), job("other")))
        world.engine.changes.reload(world.outcomes.append)
    world.loop.settle()
    assert world.outcomes == DONE * 200
    assert world.starts()[-1] == "app199"
    assert len(world.processes.running("other")) == 1


def test_held_job_stays_held_until_a_reload_changes_it() -> None:
    world = JobsWorld(job("app"), job("other")).start()
    world.ask("stop", "app")
    world.reload(job("app"), job("other"), job("third"))
    assert world.state("app") == "held"
    world.reload(changed("app"), job("other"), job("third"))
    assert world.starts()[-1] == "new-app"


def test_reload_while_a_job_is_restarted_by_an_operator_waits_for_it() -> None:
    pre = job("pre", once("stopping", "app"))
    world = JobsWorld(job("app"), pre).start()
    restarted = world.ask("restart", "app")
    world.reload(changed("app"), pre)
    world.exit("pre")
    assert restarted == DONE
    assert world.starts() == ["app", "pre", "app", "pre"]
    world.exit("pre")
    assert world.starts()[-1] == "new-app"
    assert world.outcomes == DONE


def test_only_completed_jobs_left_by_a_reload_end_the_program() -> None:
    world = JobsWorld(job("setup"), job("app")).start()
    world.exit("setup")
    world.reload(job("setup"))
    assert world.over


def test_reload_ends_although_a_hook_restarts_without_limit() -> None:
    server = job("server", once("stopped", "setup"), restarts=None)
    world = JobsWorld(job("setup", command=None), server).start()
    world.reload(changed("setup"), server)
    world.exit("server")
    world.advance(1)
    assert world.outcomes == DONE
    assert world.starts() == ["server", "new-setup"]


def test_changed_setup_terminates_the_server_that_runs_because_it_ended() -> None:
    server = job("server", once("stopped", "setup"))
    world = JobsWorld(job("setup"), server).start()
    world.exit("setup")
    world.reload(changed("setup"), server)
    assert world.story("SIG") == ["SIGTERM server"]
    assert world.outcomes == DONE
    world.exit("new-setup")
    assert world.starts() == ["setup", "server", "new-setup", "server"]


def test_job_that_ignores_the_reload_is_killed_within_the_new_budget() -> None:
    world = JobsWorld(job("app"), stop_timeout=30.0)
    world.processes.stubborn.add("app")
    world.start().reload(changed("app"), stop_timeout=2.0)
    world.advance(2.1)
    assert world.outcomes == DONE


def test_changed_main_job_is_replaced_without_stopping_the_program() -> None:
    world = JobsWorld(job("app", main=True), job("other")).start()
    world.reload(changed("app", main=True), job("other"))
    assert not world.over
    world.exit("new-app", 3)
    assert world.engine.exit_code == 3
    assert world.over


def test_removed_main_job_does_not_stop_the_program() -> None:
    world = JobsWorld(job("app", main=True), job("other")).start()
    world.reload(job("other"))
    assert not world.over
    world.terminate()
    assert world.over
    assert world.engine.exit_code == 0


@pytest.mark.parametrize("code", ["stopping", "stopped"])
def test_hooks_that_wait_in_vain_end_in_the_order_of_the_plan_and_do_not_run(code: str) -> None:
    names = "abcdefgh"
    chain = [job(name, once(code, before)) for before, name in pairwise(names)]
    world = JobsWorld(job("app"), job("a", once("stopped", "app")), *chain).start()
    world.reload(job("app"))
    assert world.outcomes == DONE
    assert world.starts() == ["app"]
    announced = [event for event in world.events if event.startswith("stopping")]
    assert announced == [f"stopping {name}" for name in names]


def loads(world: JobsWorld) -> int:
    return world.log.lines.count("info: Reloading configuration.")


def test_reloads_that_wait_load_once_and_one_that_comes_later_loads_again() -> None:
    world = JobsWorld(job("app"))
    world.processes.stubborn |= {"app", "second"}
    world.start().reload(job("app", command=("second",)))
    world.reload(job("app", command=("third",)))
    world.reload(job("app", command=("third",)))
    assert loads(world) == 1
    world.exit("app")  # the reload that waited has its turn, and waits for `second`
    assert loads(world) == 2
    world.reload(job("app", command=("fourth",)))
    assert (loads(world), world.outcomes) == (2, DONE)
    world.exit("second")
    assert loads(world) == 3
    assert world.outcomes == DONE * 4
    assert world.starts() == ["app", "second", "third", "fourth"]


def test_reload_that_is_requested_in_a_stop_is_refused_although_another_one_waited() -> None:
    world = JobsWorld(job("app"))
    world.processes.stubborn.add("app")
    world.start().reload(changed("app"))
    world.reload(job("app"))
    world.terminate()
    world.reload(job("app"))
    assert world.outcomes == ["ContainerPilot is stopping"] * 3


def test_stop_in_the_instant_in_which_a_change_is_made_lets_no_other_one_begin() -> None:
    world = JobsWorld(job("app"))
    world.processes.stubborn.add("app")
    world.start()
    world.next_plan = world.plan.replace(jobs=(changed("app"),))
    world.engine.changes.reload(lambda outcome: world.engine.request_stop(SIGTERM))
    world.loop.settle()
    world.reload(job("app"))
    world.exit("app")
    assert world.outcomes == ["ContainerPilot is stopping"]
    assert loads(world) == 1
    assert world.over
