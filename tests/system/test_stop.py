"""A stop: what happens in which order, and that it always ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cp.engine.shutdown import SAME_REQUEST
from tests.system.pilot import now, settle
from tests.system.scripts import UNTIL_ORPHANS_ARE_OURS, deaf, forever, mark, python, service, sh, until_term

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

HOOKS = {"preStop": mark("preStop"), "postStop": mark("postStop")}


@pytest.mark.smoke
@pytest.mark.parametrize("signal", ["TERM", "INT"])
def test_a_stop_runs_the_hooks_around_the_end_of_the_app(pilot: StartPilot, signal: str) -> None:
    started = pilot(HOOKS, until_term(code=3))
    started.wait_for_mark("app")

    started.signal(signal)

    assert started.wait_exit() == 3
    assert started.words() == ["app", "preStop", "app-term", "postStop"]


def test_a_stop_ends_the_moment_the_app_is_gone(pilot: StartPilot) -> None:
    started = pilot({"stopTimeout": 600, **HOOKS}, until_term())
    started.wait_for_mark("app")

    started.stop()


def test_services_are_deregistered_before_pre_stop_and_the_app(pilot: StartPilot, tmp_path: Path) -> None:
    catalog = tmp_path / "catalogue"
    look = sh(f"mark preStop:$(ls {catalog} | wc -l)\nsleep 0.3\nmark preStop-ends")
    config = {"directory": str(catalog), "services": [service()], "preStop": look, "stopTimeout": 5}
    started = pilot(config, until_term())
    started.wait_for(lambda: any(catalog.rglob("*app*")), what="the registration")

    started.stop()

    assert started.words() == ["app", "preStop:0", "preStop-ends", "app-term"]


def test_only_registered_services_are_deregistered_in_the_log(pilot: StartPilot) -> None:
    sick = [service(name, health=mark(f"check-{name}", "exit 1")) for name in ("one", "two")]
    started = pilot({"directory": "catalogue", "services": [service("well"), *sick]}, until_term())
    started.wait_for_line("Service registered: well")
    for name in ("one", "two"):
        started.wait_for_mark(f"check-{name}")

    started.stop()

    deregistered = [
        line.partition("Deregistering ")[2] for line in started.output().splitlines() if "Deregistering" in line
    ]
    assert deregistered == ["service: well"]


def test_app_that_ignores_sigterm_is_killed_after_stop_timeout(pilot: StartPilot) -> None:
    started = pilot({"stopTimeout": 1, **HOOKS}, deaf())
    started.wait_for_mark("app")
    requested_at = now()

    assert started.stop() == 137

    assert started.wait_for_mark("postStop").at - requested_at > 0.9
    assert "Killing Process" in started.output()
    assert started.words() == ["app", "preStop", "postStop"]


def test_app_that_was_stopped_by_a_signal_is_woken_to_end(pilot: StartPilot) -> None:
    started = pilot({"stopTimeout": 20}, sh("mark app\nkill -STOP $$"))
    started.wait_for_mark("app")

    assert started.stop() == 143


def test_negative_stop_timeout_kills_without_a_sigterm(pilot: StartPilot) -> None:
    started = pilot({"stopTimeout": -1, **HOOKS}, until_term())
    started.wait_for_mark("app")

    assert started.stop() == 137
    assert started.words() == ["app", "preStop", "postStop"]


def test_time_of_pre_stop_is_not_taken_from_the_app(pilot: StartPilot) -> None:
    slow_end = sh("trap 'sleep 0.3; mark app-term; exit 0' TERM\nmark app\nsleep 1000 &\nwait")
    started = pilot({"stopTimeout": 1, "preStop": sh("sleep 1.3; mark preStop")}, slow_end)
    started.wait_for_mark("app")

    assert started.stop() == 0
    assert started.words() == ["app", "preStop", "app-term"]


def test_sigterm_goes_to_the_app_alone_and_not_to_its_children(pilot: StartPilot) -> None:
    started = pilot({}, sh(f"{in_background('child')}\ntrap 'sleep 0.2; mark app-term; exit 0' TERM\nmark app\nwait"))
    started.wait_for_mark("app")
    started.wait_for_mark("child")

    assert started.stop() == 0
    assert "child-term" not in started.words()[: started.words().index("app-term")]


def test_kill_after_stop_timeout_takes_the_children_of_the_app_along(pilot: StartPilot) -> None:
    started = pilot({"stopTimeout": 1}, sh("trap '' TERM\nsleep 1000 &\nsleep 1000 &\nmark app\nwait"))
    started.wait_for_mark("app")

    assert started.stop() == 137
    started.assert_nothing_is_left()


@pytest.mark.parametrize("detached", [False, True])
def test_processes_of_a_dead_leader_are_named_when_they_are_killed(pilot: StartPilot, detached: bool) -> None:
    daemon = f"{'setsid ' if detached else ''}sh -c 'trap \"\" TERM; exec sleep 1000' &"
    script = f"{daemon}\nmark daemon:$!\nmark leader:$$\nsleep 0.2"
    coprocess = {"name": "server", "command": sh(script), "restarts": 0}
    started = pilot({"stopTimeout": 1, "coprocesses": [coprocess]}, until_term())
    started.wait_for_mark("app")
    started.wait_for(lambda: len(started.marks()) == 3, what="the daemon")
    pids = dict(word.split(":") for word in started.words() if ":" in word)
    started.wait_for(lambda: not Path(f"/proc/{pids['leader']}").exists(), what="the end of the leader")

    started.stop()

    [line] = [line for line in started.output().splitlines() if "Killing" in line]
    assert pids["leader"] not in line
    assert "did not end within stopTimeout" in line
    started.assert_nothing_is_left()
    assert pids["daemon"] in line


def test_processes_that_the_app_leaves_in_its_group_do_not_survive(pilot: StartPilot) -> None:
    started = pilot({}, sh(UNTIL_ORPHANS_ARE_OURS + "(trap '' TERM; exec sleep 1000) &\nexit 5"))

    assert started.wait_exit() == 5
    started.assert_nothing_is_left()


def test_app_that_ends_first_does_not_cut_pre_stop_off(pilot: StartPilot) -> None:
    config = {"preStop": sh("kill $CONTAINERPILOT_APP_PID; sleep 0.3; mark preStop"), "postStop": mark("postStop")}
    started = pilot(config, until_term(code=4))
    started.wait_for_mark("app")

    assert started.stop() == 4
    assert started.words() == ["app", "app-term", "preStop", "postStop"]


def ask_again(started: Pilot) -> None:
    """A signal that comes at once still belongs to the request before."""
    settle(SAME_REQUEST)
    started.signal("TERM")


def test_second_sigterm_ends_a_hanging_pre_stop_and_goes_on(pilot: StartPilot) -> None:
    started = pilot({"preStop": forever("preStop"), "postStop": mark("postStop")}, until_term())
    started.wait_for_mark("app")
    started.signal("TERM")
    started.wait_for_mark("preStop")

    ask_again(started)

    assert started.wait_exit() == 0
    assert started.words() == ["app", "preStop", "app-term", "postStop"]


def test_second_sigterm_ends_a_hanging_post_stop(pilot: StartPilot) -> None:
    started = pilot({"postStop": forever("postStop")}, forever())
    started.wait_for_mark("app")
    started.signal("TERM")
    started.wait_for_mark("postStop")

    ask_again(started)

    assert started.wait_exit() == 143
    started.assert_nothing_is_left()


def test_third_sigterm_kills_everything_and_leaves(pilot: StartPilot) -> None:
    stubborn = sh("trap 'mark preStop-term' TERM\nmark preStop\nwhile :; do sleep 0.05; done")
    started = pilot({"stopTimeout": 600, "preStop": stubborn, "coprocesses": [{"command": deaf("co")}]}, deaf())
    started.wait_for_mark("app")
    started.wait_for_mark("co")
    started.signal("TERM")
    started.wait_for_mark("preStop")
    ask_again(started)
    started.wait_for_mark("preStop-term")

    ask_again(started)

    started.wait_exit()
    started.assert_nothing_is_left()


def test_second_sigterm_while_the_app_ends_does_not_run_pre_stop_again(pilot: StartPilot) -> None:
    app = sh("trap 'mark app-term; sleep 0.3; exit 0' TERM\nmark app\nsleep 1000 &\nwait")
    started = pilot(HOOKS, app)
    started.wait_for_mark("app")
    started.signal("TERM")
    started.wait_for_mark("app-term")

    started.signal("TERM")

    assert started.wait_exit() == 0
    assert started.words() == ["app", "preStop", "app-term", "postStop"]


def test_shutdown_timeout_limits_hooks_too(pilot: StartPilot) -> None:
    started = pilot({"shutdownTimeout": 1, "preStop": deaf("preStop")}, forever())
    started.wait_for_mark("app")
    requested_at = now()

    started.stop()

    assert now() - requested_at > 0.9
    started.assert_nothing_is_left()


@pytest.mark.timing
def test_one_budget_is_for_all_that_will_not_end(pilot: StartPilot) -> None:
    config = {
        "stopTimeout": 1,
        "coprocesses": [{"name": f"co{number}", "command": deaf(f"co{number}")} for number in range(3)],
        "tasks": [{"name": "task", "command": deaf("task"), "frequency": "50ms", "timeout": "1h"}],
    }
    started = pilot(config, deaf())
    for word in ("co0", "co1", "co2", "task", "app"):
        started.wait_for_mark(word)
    requested_at = now()

    assert started.stop() == 137

    assert 0.9 < now() - requested_at < 2.8, "each of them had a second of its own"
    started.assert_nothing_is_left()


def test_hanging_health_check_does_not_delay_a_stop(pilot: StartPilot, tmp_path: Path) -> None:
    checked = service(health=sh("mark check; exec sleep 1000"))
    started = pilot({"stopTimeout": 600, "directory": str(tmp_path / "catalogue"), "services": [checked]}, until_term())
    started.wait_for_mark("check")

    assert started.stop() == 0

    started.assert_nothing_is_left()


def test_stop_before_the_first_check_is_a_clean_one(pilot: StartPilot) -> None:
    config = {"directory": "shelf", "services": [service(health=mark("check"))]}
    started = pilot(config, until_term(code=3))
    started.wait_for_mark("app")

    assert started.stop() == 3
    assert started.words() == ["app", "app-term"]


def test_app_ending_by_itself_ends_everything_without_pre_stop(pilot: StartPilot) -> None:
    config = {
        **HOOKS,
        "coprocesses": [{"command": forever("co")}],
        "tasks": [{"command": forever("task"), "frequency": "50ms", "timeout": "1h"}],
    }
    wait_for_others = "until grep -q co $MARKS && grep -q task $MARKS; do sleep 0.05; done\nmark app\nexit 5"

    started = pilot(config, sh(wait_for_others))

    assert started.wait_exit() == 5
    assert set(started.words()) == {"co", "task", "app", "postStop"}
    started.assert_nothing_is_left()


def test_app_with_hundreds_of_children_is_gone_at_once(pilot: StartPilot) -> None:
    children = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "for _ in range(200):\n    if os.fork() == 0:\n        time.sleep(1000)\n"
        "mark('app')\ntime.sleep(1000)\n"
    )
    started = pilot({"stopTimeout": -1}, python(children))
    started.wait_for_mark("app")

    assert started.stop() == 137
    started.assert_nothing_is_left()


def in_background(word: str) -> str:
    """A part of a script: a child that says when it gets a SIGTERM."""
    return f"(trap 'mark {word}-term; exit 0' TERM; mark {word}; while :; do sleep 0.05; done) &"
