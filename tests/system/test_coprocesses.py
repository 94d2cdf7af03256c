"""Coprocesses: run beside the application, started again as often as they may."""

from __future__ import annotations

import os
import resource
import signal
from typing import TYPE_CHECKING

import pytest

from tests.system import proc
from tests.system.pilot import now, settle
from tests.system.scripts import deaf, forever, mark, sh, until_term

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot


def test_coprocess_runs_one_time_more_than_its_restarts(pilot: StartPilot) -> None:
    wanted = {"three": 3, "one": "1", "float": 1.1, "never": "never", "zero": 0, "absent": None}
    coprocesses = [
        {"name": name, "command": mark(name)} | ({} if restarts is None else {"restarts": restarts})
        for name, restarts in wanted.items()
    ]
    runs = {"three": 4, "one": 2, "float": 2, "never": 1, "zero": 1, "absent": 1}
    started = pilot({"coprocesses": coprocesses}, forever())

    for name, count in runs.items():
        started.wait_for_mark(name, count)
    settle(0.5)

    assert {name: started.count(name) for name in runs} == runs
    assert started.is_running()


@pytest.mark.timing
@pytest.mark.parametrize("script", ["exit 0", "exit 1", "kill -KILL $$"])
def test_unlimited_coprocess_comes_back_at_once_and_then_without_a_storm(pilot: StartPilot, script: str) -> None:
    started = pilot({"coprocesses": [{"command": sh(f"mark co\n{script}"), "restarts": "unlimited"}]}, forever())
    first = started.wait_for_mark("co").at

    assert started.wait_for_mark("co", 2).at - first < 1.0
    fifth = started.wait_for_mark("co", 5).at

    # 0, then 0.1, 0.2 and 0.4 seconds of rest, each ten per cent more or less.
    assert fifth - first > 0.6


def test_coprocess_that_cannot_start_uses_up_its_restarts(pilot: StartPilot) -> None:
    started = pilot({"coprocesses": [{"name": "co", "command": "no-such-program", "restarts": 2}]}, forever())

    started.wait_for(lambda: started.output().count("executable file not found") >= 3)
    settle(0.5)

    assert started.output().count("unable to start coprocess[co]") == 3
    assert started.is_running()


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("exit 3", r"coprocess\[co\] exited \(3\): exit status 3$"),
        ("kill -KILL $$", r"coprocess\[co\] exited \(-1\): signal: killed$"),
    ],
)
def test_failure_of_a_coprocess_is_logged(pilot: StartPilot, script: str, line: str) -> None:
    started = pilot({"coprocesses": [{"name": "co", "command": sh(script)}]}, forever())

    started.wait_for_line(line)


def test_clean_exit_of_a_coprocess_is_not_logged(pilot: StartPilot) -> None:
    started = pilot({"coprocesses": [{"name": "co", "command": mark("co")}]}, forever())
    started.wait_for_mark("co")

    started.stop()

    assert "exited" not in started.output().replace("APP exited", "")


def test_name_of_a_coprocess_defaults_to_its_command(pilot: StartPilot) -> None:
    started = pilot({"coprocesses": [{"command": ["sh", "-c", "exit 4"]}]}, forever())

    started.wait_for_line(r"coprocess\[sh -c exit 4\] exited \(4\)")


def test_output_of_a_coprocess_is_logged_line_by_line(pilot: StartPilot) -> None:
    script = "echo '  to stdout'; echo 'to stderr' >&2; printf 'no end'; exit 0"
    config = {"logging": {"format": "text"}, "coprocesses": [{"name": "co", "command": sh(script)}]}
    started = pilot(config, forever())

    for text in ("  to stdout", "to stderr", "no end"):
        started.wait_for_line(rf'level=info msg="{text}" coprocess=co process=coprocess\s*$')


def test_coprocess_gets_sigterm_and_is_waited_for_on_a_stop(pilot: StartPilot) -> None:
    slow = sh("trap 'sleep 0.2; mark co-term; exit 0' TERM\nmark co\nsleep 1000 &\nwait")
    started = pilot({"coprocesses": [{"command": slow, "restarts": "unlimited"}]}, until_term())
    started.wait_for_mark("co")
    started.wait_for_mark("app")

    assert started.stop() == 0

    assert sorted(started.words()) == ["app", "app-term", "co", "co-term"]
    started.assert_nothing_is_left()


def test_coprocess_runs_until_the_app_is_gone(pilot: StartPilot) -> None:
    app = sh("trap 'sleep 0.2; mark app-term; exit 0' TERM\nmark app\nsleep 1000 &\nwait")
    started = pilot({"coprocesses": [{"command": until_term("co")}]}, app)
    started.wait_for_mark("co")
    started.wait_for_mark("app")

    started.stop()

    assert started.words()[-2:] == ["app-term", "co-term"]


@pytest.mark.parametrize(("more", "last"), [({}, "postStop"), ({"onExit": "term"}, "co-term")], ids=["kill", "term"])
def test_coprocess_gets_sigkill_when_the_app_ends_by_itself(more: dict[str, str], last: str, pilot: StartPilot) -> None:
    """A SIGTERM would make a Consul agent leave, and its sessions are to outlive a restart of the container."""
    app = sh("until grep -q co $MARKS; do sleep 0.05; done; exit 6")
    started = pilot({"postStop": mark("postStop"), "coprocesses": [{"command": until_term("co"), **more}]}, app)

    assert started.wait_exit() == 6

    assert started.words()[-1] == last
    started.assert_nothing_is_left()


def test_coprocess_that_ignores_sigterm_is_killed_when_the_app_ends_by_itself(pilot: StartPilot) -> None:
    app = sh("until grep -q co $MARKS; do sleep 0.05; done; exit 6")
    started = pilot({"stopTimeout": 1, "coprocesses": [{"command": deaf("co"), "restarts": "unlimited"}]}, app)
    started.wait_for_mark("co")

    assert started.wait_exit() == 6

    started.assert_nothing_is_left()


@pytest.mark.timing
def test_killed_coprocess_is_back_at_once_and_new_after_a_reload(pilot: StartPilot) -> None:
    """The first integration scenario of ContainerPilot 2."""

    def config(argument: str) -> dict[str, object]:
        command = sh(f"mark {argument}\nexec sleep 2000")
        return {"coprocesses": [{"name": "co", "command": command, "restarts": 1}]}

    started = pilot(config("arg1"), forever())
    started.wait_for_mark("arg1")

    killed_at = kill_coprocess(started)
    assert started.wait_for_mark("arg1", 2).at - killed_at < 1

    kill_coprocess(started)
    settle(0.3)
    assert started.count("arg1") == 2, "its only restart was used up"

    started.reload(config("arg2"))
    reloaded_at = now()
    assert started.wait_for_mark("arg2").at - reloaded_at < 1

    kill_coprocess(started)
    started.wait_for_mark("arg2", 2)
    assert started.count("arg1") == 2


def test_running_out_of_descriptors_is_reported_and_survived(pilot: StartPilot) -> None:
    task = {"name": "task", "command": ["echo", "words"], "frequency": "50ms"}
    started = pilot({"tasks": [task]}, until_term(code=3))
    started.wait_for_line(" words$")

    soft, hard = resource.prlimit(started.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(started.pid, resource.RLIMIT_NOFILE, (3, hard))
    started.wait_for_line(r"unable to start task\[task\]: .*[Tt]oo many open files")
    resource.prlimit(started.pid, resource.RLIMIT_NOFILE, (soft, hard))
    seen = started.output().count(" words\n")

    started.wait_for(lambda: started.output().count(" words\n") > seen, what="the task's next run")
    assert started.stop() == 3


def kill_coprocess(started: Pilot) -> float:
    """Kill the running coprocess; when that was."""
    pid = started.child("sleep 2000")
    os.kill(pid, signal.SIGKILL)
    started.wait_for(lambda: not proc.alive(pid))
    return now()
