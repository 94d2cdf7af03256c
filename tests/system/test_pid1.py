"""As PID 1 of a namespace of its own, as in a container."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.system import proc
from tests.system.pilot import now
from tests.system.scripts import UNTIL_ORPHANS_ARE_OURS, deaf, forever, mark, python, service, sh, until_term

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

ORPHANS = 2000


@pytest.mark.smoke
def test_app_exit_code_is_that_of_the_container(pilot: StartPilot) -> None:
    assert pilot({}, sh("exit 7"), init=True).wait_exit() == 7


def test_app_killed_by_a_signal_gives_128_plus_its_number(pilot: StartPilot) -> None:
    assert pilot({}, sh("kill -SEGV $$"), init=True).wait_exit() == 139


def test_configuration_that_is_refused_gives_1(pilot: StartPilot) -> None:
    assert pilot({"no such key": 1}, sh("exit 0"), init=True).wait_exit() == 1


def test_there_is_one_process_and_it_is_number_1(pilot: StartPilot) -> None:
    started = pilot(
        {},
        sh("mark pid:$CONTAINERPILOT_PID; mark parent:$PPID; mark processes:$(ls -d /proc/[0-9]* | wc -l)"),
        init=True,
    )

    assert started.wait_exit() == 0
    # Ourselves, the shell, and the subshell with the pipe's two ends.
    assert started.words()[:2] == ["pid:1", "parent:1"]
    assert int(started.words()[2].partition(":")[2]) <= 5


@pytest.mark.smoke
def test_docker_stop_ends_the_app_in_order(pilot: StartPilot) -> None:
    started = pilot({"preStop": mark("preStop"), "postStop": mark("postStop")}, until_term(code=2), init=True)
    started.wait_for_mark("app")

    assert started.stop() == 2
    assert started.words() == ["app", "preStop", "app-term", "postStop"]


def test_docker_stop_kills_an_app_that_will_not_end(pilot: StartPilot) -> None:
    started = pilot({"stopTimeout": 1, "postStop": mark("postStop")}, deaf(), init=True)
    started.wait_for_mark("app")
    requested_at = now()

    assert started.stop() == 137

    assert now() - requested_at > 0.9
    assert started.words() == ["app", "postStop"]


def test_catalogue_that_cannot_be_reached_and_no_command_do_no_harm(pilot: StartPilot) -> None:
    config = {
        "consul": "127.0.0.1:1",
        "services": [service(health=mark("check"))],
        "backends": [{"name": "nginx", "poll": 1, "onChange": mark("changed")}],
        "preStop": mark("preStop"),
    }
    started = pilot(config, init=True)
    started.wait_for_mark("check", 2)

    assert started.stop() == 0
    assert started.words()[-1] == "preStop"
    assert "Traceback" not in started.output() + started.errors()


def test_docker_stop_in_the_first_moment_is_not_lost(pilot: StartPilot) -> None:
    # The kernel drops a signal that reaches PID 1 while it has no handler, unless it is blocked.
    started = pilot({}, forever(), init=True, blocked=[signal.SIGTERM])

    started.signal("TERM")

    assert started.wait_exit() == 143


def test_docker_stop_between_the_first_statement_and_the_handlers_is_not_lost(pilot: StartPilot) -> None:
    started = pilot({}, forever(), init=True)
    term = 1 << (signal.SIGTERM - 1)

    started.wait_for(
        lambda: any(int(proc.status(started.pid).get(key, "0"), 16) & term for key in ("SigBlk", "SigCgt"))
    )
    started.signal("TERM")

    assert started.wait_exit() == 143


@pytest.mark.smoke
def test_thousands_of_orphans_are_reaped(pilot: StartPilot) -> None:
    started = pilot({}, python(family_of_orphans(ORPHANS)), init=True)
    started.wait_for_mark("released")

    started.wait_for(lambda: len(started.children()) == 1, what="only the app as a child")
    assert started.stop() == 143


def test_orphans_do_not_keep_the_exit_of_the_app_waiting(pilot: StartPilot) -> None:
    started = pilot({}, python(family_of_orphans(500, then="os._exit(7)")), init=True)

    assert started.wait_exit() == 7


@pytest.mark.timing
def test_zombies_do_not_pile_up(pilot: StartPilot) -> None:
    zombie_maker = {"command": sh("mark task\nsleep 0.05 &\nexec sleep 0.1"), "frequency": "150ms", "timeout": "5s"}
    started = pilot({"tasks": [zombie_maker]}, forever(), init=True)

    for run in range(1, 9):
        started.wait_for_mark("task", run)
        started.wait_for(lambda: len(started.zombies()) <= 1, what="at most one zombie")

    assert longest_zombie(started, while_true=lambda: started.count("task") < 12) < 1.0


def test_zombies_of_a_health_check_do_not_pile_up(pilot: StartPilot) -> None:
    checked = service(health=sh("mark check\nsleep 0.1 &\nexec sleep 0.2"))
    started = pilot({"directory": "catalogue", "services": [checked]}, forever(), init=True)
    started.wait_for_mark("check", 2)

    started.wait_for(lambda: started.zombies() == [] and len(started.children()) == 1, what="the end of the zombies")


def test_orphans_are_reaped_also_if_containerpilot_is_not_pid_1(pilot: StartPilot) -> None:
    started = pilot({}, sh(UNTIL_ORPHANS_ARE_OURS + "(sleep 0.3 & mark orphan:$!)\nexec sleep 1000"))
    started.wait_for(lambda: any(word.startswith("orphan:") for word in started.words()))
    orphan = int(started.words()[-1].partition(":")[2])

    started.wait_for(lambda: proc.state(orphan) == "", what="the end of the orphan")

    assert started.zombies() == []


def test_signals_go_on_to_the_app(pilot: StartPilot) -> None:
    started = pilot({}, sh("trap 'mark usr2' USR2\nmark app\nwhile :; do sleep 0.05; done"), init=True)
    started.wait_for_mark("app")

    started.signal("USR2")

    started.wait_for_mark("usr2")


def longest_zombie(started: Pilot, while_true: object) -> float:
    """How long, in seconds, any one zombie has been seen as one."""
    assert callable(while_true)
    first_seen: dict[int, float] = {}
    longest = 0.0

    def look() -> bool:
        nonlocal longest
        zombies = started.zombies()
        for pid in set(first_seen) - set(zombies):
            del first_seen[pid]
        for pid in zombies:
            longest = max(longest, now() - first_seen.setdefault(pid, now()))
        return not while_true()

    started.wait_for(look)
    return longest


def family_of_orphans(count: int, then: str = "time.sleep(1000)") -> str:
    """A script: an intermediate makes many children and leaves them alone; they all exit at once."""
    return (
        "readable, writable = os.pipe()\n"
        "made, making = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.close(writable)\n"
        f"    for _ in range({count}):\n"
        "        if os.fork() == 0:\n"
        "            os.read(readable, 1)\n"
        "            os._exit(0)\n"
        "    os.write(making, b'1')\n"
        "    os._exit(0)\n"
        "os.read(made, 1)\n"
        "os.wait()\n"
        "os.close(writable)\n"
        "mark('released')\n"
        f"{then}\n"
    )
