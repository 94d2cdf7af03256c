"""From the start to the exit code, in the services dialect."""

from __future__ import annotations

import signal

import pytest

from cp.engine.shutdown import SAME_REQUEST
from cp.plan import Job
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import (
    AFTER_PRESTART,
    STARTUP,
    app,
    coprocess,
    post_stop,
    pre_start,
    pre_stop,
    service,
    task,
)
from tests.unit.engine.world import World


def test_the_exit_code_of_the_app_is_that_of_containerpilot() -> None:
    world = World(app()).start()
    world.exit("app", 7)
    assert world.over
    assert world.engine.exit_code == 7


def test_app_killed_by_a_signal_gives_128_plus_its_number() -> None:
    world = World(app()).start()
    world.exit("app", -9)
    assert world.engine.exit_code == 137


def test_app_that_cannot_be_started_gives_127() -> None:
    world = World(app())
    world.processes.missing.add("app")
    world.start()
    assert world.over
    assert world.engine.exit_code == 127
    assert any('exec: "app": executable file not found' in line for line in world.log.lines)


def test_app_waits_for_pre_start() -> None:
    world = World(pre_start(), app(AFTER_PRESTART)).start()
    assert world.happened == ["start preStart", "catalogue opened"]
    world.exit("preStart", 0)
    assert world.story("start") == ["start preStart", "start app"]


def test_failed_pre_start_ends_everything_with_its_code() -> None:
    world = World(pre_start(), app(AFTER_PRESTART), pre_stop(), post_stop(), coprocess(AFTER_PRESTART)).start()
    world.exit("preStart", 5)
    assert world.over
    assert world.engine.exit_code == 5
    assert world.story("start") == ["start preStart"]


@pytest.mark.parametrize("first", ["preStart", "app"])
def test_app_that_was_started_by_hand_gives_the_exit_code_although_pre_start_fails(first: str) -> None:
    world = World(pre_start(), app(AFTER_PRESTART)).start()
    world.engine.changes.start("APP", world.outcomes.append)
    world.loop.settle()
    for name in sorted(("preStart", "app"), key=first.__ne__):
        (process,) = world.processes.running(name)
        process.reaped = True
        world.loop.call_soon(process.on_exit, -11)  # both in the same instant
    world.loop.settle()
    assert world.outcomes == [""]
    assert world.over
    assert world.engine.exit_code == 139


def test_app_that_was_started_by_hand_has_ended_when_pre_start_fails() -> None:
    world = World(pre_start(), app(AFTER_PRESTART), service("check")).start()
    world.discovery.delay = 0.5
    world.engine.changes.start("APP", world.outcomes.append)
    world.loop.settle()
    world.advance(1)
    world.exit("check")  # registered: the stop waits for its removal before it ends preStart
    world.exit("app", 7)
    world.exit("preStart", 3)
    world.advance(1)
    assert world.over
    assert world.engine.exit_code == 7


def test_app_that_was_started_by_hand_ends_to_be_restarted_when_pre_start_fails() -> None:
    world = JobsWorld(pre_start(), app(AFTER_PRESTART)).start()
    world.ask("start", "APP")
    world.loop.call_soon(world.admin.restart_job, "APP", world.outcomes.append)
    world.exit("preStart", 4)  # in the same instant
    assert world.outcomes == ["ContainerPilot is stopping"]
    assert world.over
    assert world.engine.exit_code == 143


def test_pre_start_killed_by_a_signal_gives_255() -> None:
    world = World(pre_start(), app(AFTER_PRESTART)).start()
    world.exit("preStart", -9)
    assert world.engine.exit_code == 255


def test_post_stop_runs_when_the_app_has_ended_and_pre_stop_does_not() -> None:
    world = World(app(), pre_stop(), post_stop()).start()
    world.exit("app", 3)
    assert world.story("start") == ["start app", "start postStop"]
    assert not world.over
    world.exit("postStop", 0)
    assert world.over
    assert world.engine.exit_code == 3


def test_failed_post_stop_decides_the_code() -> None:
    world = World(app(), post_stop()).start()
    world.exit("app", 0)
    world.exit("postStop", 9)
    assert world.engine.exit_code == 9


def test_missing_post_stop_gives_127() -> None:
    world = World(app(), post_stop())
    world.processes.missing.add("postStop")
    world.start().exit("app", 0)
    assert world.over
    assert world.engine.exit_code == 127


def test_stop_deregisters_then_runs_pre_stop_then_terminates_then_runs_post_stop() -> None:
    world = World(app(), pre_stop(), post_stop(), service()).start()
    world.discovery.delay = 0.3
    world.terminate()
    world.advance(0.2)
    assert world.story("start preStop", "SIGTERM") == []
    world.advance(0.2)
    assert world.story("deregister", "start", "SIGTERM") == ["start app", "deregister web", "start preStop"]
    world.advance(3600)  # a drain may take an hour
    assert world.story("SIGTERM") == []
    world.exit("preStop", 1)  # its result is ignored
    world.exit("postStop", 0)
    assert world.story("start", "SIGTERM") == ["start app", "start preStop", "SIGTERM app", "start postStop"]
    assert world.over
    assert world.engine.exit_code == 143


def test_sigterm_goes_to_the_app_alone_and_sigkill_to_its_group() -> None:
    world = World(app(), stop_timeout=1.0)
    world.processes.stubborn.add("app")
    world.start().terminate()
    (process,) = world.processes.running("app")
    world.advance(0.9)
    assert process.signals == [("SIGTERM", False)]
    world.advance(0.2)
    assert process.signals == [("SIGTERM", False), ("SIGKILL", True)]
    assert world.over
    assert world.engine.exit_code == 137


def test_a_dead_catalogue_takes_no_more_than_a_quarter_of_the_budget() -> None:
    world = World(app(), service(), stop_timeout=2.0)
    world.discovery.delay = None
    world.processes.stubborn.add("app")
    world.start().terminate()
    world.advance(0.49)
    assert world.story("SIGTERM") == []
    world.advance(0.02)
    assert world.story("SIGTERM") == ["SIGTERM app"]
    world.advance(1.4)
    assert not world.over
    world.advance(0.1)
    assert world.over


def test_a_catalogue_that_never_answers_delays_a_stop_by_a_second_at_most() -> None:
    world = World(app(), service())
    world.discovery.delay = None
    world.start().terminate()
    world.advance(1.01)
    assert world.over


def test_app_that_ends_before_the_first_check_waits_for_no_catalogue() -> None:
    world = World(app(), service())
    world.discovery.delay = None
    world.start().exit("app", 3)
    assert world.over
    assert world.story("deregister") == []


def test_app_that_ends_by_itself_leaves_no_registration_behind() -> None:
    world = World(app(), service()).start()
    world.advance(1.5)
    world.exit("app", 3)
    world.advance(0)
    assert world.story("deregister") == ["deregister web"]
    assert world.over


def test_negative_stop_timeout_kills_without_sigterm() -> None:
    world = World(app(), service(), stop_timeout=-1.0).start()
    world.terminate()
    world.advance(0.1)
    assert world.story("SIG") == ["SIGKILL app"]
    assert world.engine.exit_code == 137


def test_sigterm_during_pre_start_ends_it_and_the_app_is_not_started() -> None:
    world = World(pre_start(), app(AFTER_PRESTART), pre_stop(), post_stop()).start()
    world.terminate()
    assert world.over
    assert world.story("start") == ["start preStart"]
    assert world.engine.exit_code == 143


def test_second_sigterm_ends_a_running_hook_and_the_stop_goes_on() -> None:
    world = World(app(), pre_stop(), post_stop()).start()
    world.terminate()
    assert world.processes.running("preStop")
    world.terminate()
    assert not world.processes.running("preStop")
    world.exit("postStop", 0)
    assert world.over
    assert world.engine.exit_code == 143


def test_sigterm_that_comes_twice_at_once_is_one_request() -> None:
    """GNU timeout sends it to the process and then to its group."""
    world = World(app(), pre_stop(), post_stop()).start()
    world.terminate()
    world.loop.advance(SAME_REQUEST / 2)
    world.engine.request_stop(signal.SIGTERM)
    world.loop.settle()
    assert world.story("SIGTERM") == []
    world.exit("preStop", 0)
    assert world.story("SIGTERM") == ["SIGTERM app"]


def test_third_sigterm_kills_everything_and_leaves() -> None:
    world = World(app(), pre_stop())
    world.processes.stubborn.update(("app", "preStop"))
    world.start()
    for _ in range(3):
        world.terminate()
    assert world.over
    assert world.story("SIGKILL") != []
    assert world.engine.exit_code == 137


def test_a_stop_has_a_hard_limit_where_one_is_configured() -> None:
    world = World(app(), pre_stop(), post_stop(), coprocess(), shutdown_timeout=30.0)
    world.start().terminate()
    world.advance(29)
    assert not world.over
    world.advance(2)
    assert world.over
    assert world.story("start postStop") == []
    assert world.engine.exit_code == 137
    assert "warning: killing everything: the stop took longer than shutdownTimeout" in world.log.lines


def test_app_that_ends_while_pre_stop_runs_waits_for_it() -> None:
    world = World(app(), pre_stop(), post_stop()).start()
    world.terminate()
    world.exit("app", 4)
    assert not world.over
    assert world.story("start") == ["start app", "start preStop"]
    world.exit("preStop", 0)
    world.exit("postStop", 0)
    assert world.engine.exit_code == 4


def test_without_a_command_it_stays_up_until_sigterm_and_runs_the_hooks() -> None:
    world = World(app(command=None), pre_stop(), post_stop(), service()).start()
    world.advance(3600)
    assert not world.over
    world.terminate()
    world.advance(0)
    world.exit("preStop", 0)
    world.exit("postStop", 0)
    assert world.over
    assert world.engine.exit_code == 0


def test_coprocesses_live_until_post_stop_has_ended() -> None:
    world = World(app(), post_stop(), coprocess()).start()
    world.exit("app", 0)
    assert world.processes.running("coprocess")
    world.exit("postStop", 0)
    assert world.story("SIG") == ["SIGKILL coprocess"]
    assert world.over
    assert not any(line.startswith("error: coprocess exited") for line in world.log.lines)


def test_coprocess_is_killed_at_once_when_the_app_has_ended_even_if_sigterm_comes_in_post_stop() -> None:
    """A SIGTERM makes a Consul agent leave, and its sessions are to outlive a restart of the container."""
    world = World(app(), post_stop(), coprocess()).start()
    world.exit("app", 2)
    world.terminate()
    world.exit("postStop", 0)
    assert world.story("SIG") == ["SIGKILL coprocess"]
    assert (world.over, world.engine.exit_code) == (True, 2)


def test_coprocess_that_is_to_be_terminated_is_when_the_app_has_ended() -> None:
    world = World(app(), coprocess(killed_unasked=False)).start()
    world.exit("app", 0)
    assert world.story("SIG") == ["SIGTERM coprocess"]
    assert world.over


@pytest.mark.parametrize("killed_unasked", [True, False])
def test_coprocess_is_terminated_in_a_requested_stop(killed_unasked: bool) -> None:
    world = World(app(), coprocess(killed_unasked=killed_unasked)).start()
    world.terminate()
    assert world.story("SIG") == ["SIGTERM app", "SIGTERM coprocess"]
    assert world.over


def test_coprocess_is_terminated_by_a_reload() -> None:
    world = World(app(), coprocess()).start()
    world.reload(app(), coprocess())
    assert world.story("SIG") == ["SIGTERM coprocess"]
    assert world.processes.running("coprocess")


def test_coprocess_that_survives_sigkill_is_not_waited_for() -> None:
    world = World(app(), coprocess())
    world.processes.unkillable.add("coprocess")
    world.start().exit("app", 0)
    world.advance(1.9)
    assert not world.over
    world.advance(0.2)
    assert world.over


def test_coprocess_that_ignores_sigterm_is_killed_within_the_budget() -> None:
    world = World(app(), coprocess(), stop_timeout=2.0)
    world.processes.stubborn.add("coprocess")
    world.start().terminate()
    world.advance(1.9)
    assert not world.over
    world.advance(0.2)
    assert world.story("SIG") == ["SIGTERM app", "SIGTERM coprocess", "SIGKILL coprocess"]
    assert world.over


def test_one_budget_for_all_groups_together() -> None:
    world = World(app(), coprocess(), task(10), stop_timeout=3.0)
    world.processes.stubborn.update(("app", "coprocess"))
    world.start().terminate()
    world.advance(3.01)
    assert world.over
    assert world.story("SIG") == ["SIGTERM app", "SIGKILL app", "SIGTERM coprocess", "SIGKILL coprocess"]


def test_a_task_that_ignores_sigterm_during_pre_stop_costs_the_app_none_of_its_time() -> None:
    world = World(app(), pre_stop(), task(1, timeout=None), stop_timeout=5.0)
    world.processes.stubborn.update(("app", "task"))
    world.start().advance(1.5)
    world.terminate()
    world.advance(30)
    assert world.story("SIGKILL") == ["SIGKILL task"]
    world.exit("preStop", 0)
    world.advance(4.9)
    assert world.story("SIGTERM app", "SIGKILL app") == ["SIGTERM app"]
    world.advance(0.2)
    assert world.over


def test_coprocess_runs_again_for_each_restart() -> None:
    for restarts, runs in ((3, 4), (1, 2), (0, 1)):
        world = World(app(), coprocess(restarts=restarts))
        world.processes.termination["coprocess"] = (0.01, 1)
        world.start().advance(60)
        assert len(world.story("start coprocess")) == runs


def test_first_restart_is_immediate_and_later_ones_back_off() -> None:
    world = World(app(), coprocess(restarts=None))
    world.processes.termination["coprocess"] = (0.0, 1)
    world.start().advance(0.05)
    assert len(world.story("start coprocess")) == 2
    world.advance(60)
    assert 8 <= len(world.story("start coprocess")) <= 14


def test_a_long_run_forgets_the_back_off() -> None:
    world = World(app(), coprocess(restarts=None))
    world.processes.termination["coprocess"] = (0.0, 1)
    world.start().advance(60)
    world.processes.termination.clear()
    world.advance(20)
    started = len(world.story("start coprocess"))
    world.exit("coprocess", 1)
    world.advance(0.001)
    assert len(world.story("start coprocess")) == started + 1


def test_coprocess_that_cannot_be_started_uses_up_its_restarts() -> None:
    world = World(app(), coprocess(restarts=2))
    world.processes.missing.add("coprocess")
    world.start().advance(60)
    assert sum("unable to start coprocess" in line for line in world.log.lines) == 3
    assert not world.over


def test_all_jobs_complete_ends_the_program_with_0() -> None:
    world = World(Job(name="once", when=STARTUP, command=("once",), output="inherit")).start()
    world.exit("once", 3)
    assert world.over
    assert world.engine.exit_code == 0


def test_every_stop_ends_although_a_killed_process_does_not_die() -> None:
    world = World(app(), stop_timeout=1.0)
    world.start()
    (process,) = world.processes.running("app")
    process.on_exit = lambda code: None  # nobody will ever report its end
    world.terminate()
    world.advance(1.0)
    assert not world.over
    world.advance(2.1)
    assert world.over
