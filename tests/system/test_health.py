"""Health checks that hang, flood, fork and leave, and that nothing of them stays behind."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.system import proc
from tests.system.scripts import forever, service, sh, until_term

if TYPE_CHECKING:
    from typing import Any

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

# A task has the same run, time limit and output as a check, and may come often.
OFTEN = "60ms"
IDLE = {"preStop": "true"}


def checked(health: list[str], **more: Any) -> dict[str, Any]:
    return {"directory": "catalogue", "services": [service(health=health, **more)]}


def often(command: list[str], **more: Any) -> dict[str, Any]:
    return {"tasks": [{"name": "check", "command": command, "frequency": OFTEN, "timeout": "5s", **more}]}


def test_hanging_check_is_killed_with_its_whole_group(pilot: StartPilot) -> None:
    family = ["sh", "-c", 'echo "0 check" >>$MARKS; sleep 60 & sleep 60']
    started = pilot(checked(family, timeout="200ms"), forever())
    started.wait_for_mark("check")
    started.wait_for(lambda: len(started.leftovers()) == 4, what="the app, the check and its two children")

    started.wait_for(lambda: len(started.leftovers()) == 1, what="only the app to be left")

    started.wait_for_line(r"app\.health timeout after 200ms: '\[-c ")
    started.wait_for_line(r"killing command for app\.health")
    started.wait_for_mark("check", 2)


def test_hanging_check_without_a_timeout_hangs_alone(pilot: StartPilot) -> None:
    config = {
        "directory": "catalogue",
        "services": [service("good", health=sh("mark good")), service("bad", health=forever("bad"))],
        "tasks": [{"command": sh("mark task"), "frequency": "100ms"}],
    }
    started = pilot(config, forever())
    started.wait_for_mark("bad")
    seen = started.count("task")

    started.wait_for_mark("good", 2)
    started.wait_for_mark("task", seen + 3)

    assert started.count("bad") == 1


@pytest.mark.timing
def test_check_is_repeated_at_its_interval_and_not_at_once(pilot: StartPilot) -> None:
    started = pilot(checked(sh("mark check")), forever())
    app = started.wait_for_mark("app").at

    first, second = started.wait_for_mark("check").at, started.wait_for_mark("check", 2).at

    assert first - app > 0.8
    assert 0.7 < second - first < 2.5


def test_quick_failure_is_not_a_timeout_and_logs_nothing(pilot: StartPilot) -> None:
    started = pilot(checked(sh("mark check; exit 255"), timeout="500ms"), forever())

    started.wait_for_mark("check", 2)

    assert started.output() == ""


def test_missing_check_is_reported_and_the_app_goes_on(pilot: StartPilot) -> None:
    started = pilot(checked(["/no/such/check"]), forever())

    started.wait_for_line("Unable to start app.health: fork/exec /no/such/check: no such file or directory")

    assert started.is_running()
    assert started.stop() == 143


@pytest.mark.parametrize(
    "flood", ["yes | head -c 4000000 >&2", "head -c 40000000 /dev/zero"], ids=["lines", "one line"]
)
def test_flood_of_output_does_not_fill_the_memory(pilot: StartPilot, flood: str) -> None:
    config = {"logging": {"level": "ERROR"}, **often(sh(f"mark begin\n{flood}\nmark end"), timeout="60s")}
    started = pilot(config, forever())
    started.wait_for_mark("begin")
    before = proc.resident_kilobytes(started.pid)

    started.wait_for_mark("end", timeout=60)

    assert proc.resident_kilobytes(started.pid) - before < 20_000


def test_flood_of_output_delays_nothing_else(pilot: StartPilot) -> None:
    config = {
        "stopTimeout": 600,
        "tasks": [
            {"command": "yes", "frequency": "50ms", "timeout": "1h"},
            {"command": sh("mark task"), "frequency": "50ms"},
        ],
    }
    started = pilot(config, until_term(code=3), stdout=subprocess.DEVNULL)
    started.wait_for_mark("app")
    started.child("yes")

    started.wait_for_mark("task", 10)

    assert started.stop() == 3
    started.assert_nothing_is_left()


def test_check_that_forks_and_leaves_counts_and_the_next_one_comes(pilot: StartPilot) -> None:
    leaver = sh("sleep 1000 &\nmark check")
    started = pilot(checked(leaver), forever())

    started.wait_for_mark("check", 2)

    started.wait_for(lambda: len(started.leftovers()) <= 2, what="the end of what the first check left")


@pytest.mark.parametrize(
    "script",
    [
        "exit 0",
        "exit 3",
        "kill -KILL $$",
        "echo out; echo err >&2; printf unfinished",
        "head -c 200000 /dev/zero",
        "sleep 1000 & exit 0",
        "(sleep 0.05; echo late) & exit 0",
        "exec >&- 2>&-",
    ],
)
def test_nothing_of_many_checks_stays_behind(pilot: StartPilot, script: str) -> None:
    started = pilot(IDLE, forever())
    before = resources(started)

    started.reload({"logging": {"level": "ERROR"}, **often(sh(f"mark check\n{script}"), timeout="300ms")})
    started.wait_for_mark("check", 15)
    started.configure(IDLE)
    started.signal("HUP")

    started.wait_for(lambda: no_more_than(before, resources(started)), what=f"no more than {before}")


@pytest.mark.parametrize("command", [["/no/such/check"], ["/etc"]])
def test_nothing_of_checks_that_cannot_start_stays_behind(pilot: StartPilot, command: list[str]) -> None:
    started = pilot(IDLE, forever())
    before = resources(started)

    started.reload(often(command))
    started.wait_for(lambda: started.output().count("unable to start task") >= 15)
    started.reload(IDLE)

    started.wait_for(lambda: no_more_than(before, resources(started)), what=f"no more than {before}")


def test_nothing_of_killed_checks_stays_behind(pilot: StartPilot) -> None:
    started = pilot(IDLE, forever())
    before = resources(started)

    started.reload(often(sh("sleep 1000 &\nmark check\nexec sleep 1000"), timeout="30ms"))
    started.wait_for_mark("check", 15)
    started.reload(IDLE)

    started.wait_for(lambda: no_more_than(before, resources(started)), what=f"no more than {before}")


def resources(started: Pilot) -> dict[str, int]:
    started.child("sleep 1000")
    # The control socket comes after the application, and after that the poller of its clients.
    started.wait_for(lambda: list(started.descriptors().values()).count("anon_inode:[eventpoll]") == 4)
    return {
        "descriptors": len(started.descriptors()),
        "children": len(started.children()),
        "processes": len(started.leftovers()),
    }


def no_more_than(before: dict[str, int], after: dict[str, int]) -> bool:
    """`before` may have caught a file that the start had open for a moment; a leak of many checks is many."""
    return all(after[what] <= count for what, count in before.items())
