"""The effect of each signal to ContainerPilot, at any time."""

from __future__ import annotations

import signal

import pytest

from tests.system import proc
from tests.system.pilot import settle
from tests.system.pilot_fixtures import StartPilot
from tests.system.scripts import forever, mark, python, sh, until_term

OURS = {"SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"}
IMPOSSIBLE = {"SIGKILL", "SIGSTOP", "SIGCHLD"}
FAULTS = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS", "SIGABRT"}  # are about ContainerPilot itself
OF_A_BACKGROUND_JOB = {"SIGPIPE", "SIGXFSZ", "SIGTTIN", "SIGTTOU", "SIGTSTP"}

LISTENER = (
    "numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGTERM}\n"
    "for number in numbers:\n"
    "    signal.signal(number, lambda number, frame: mark(f'got {number}'))\n"
    "mark('app')\n"
    "while True:\n"
    "    signal.pause()\n"
)


@pytest.mark.smoke
def test_every_signal_without_another_meaning_reaches_the_app(pilot: StartPilot) -> None:
    started = pilot({}, python(LISTENER))
    started.wait_for_mark("app")
    kept = {getattr(signal, name) for name in OURS | IMPOSSIBLE | FAULTS | OF_A_BACKGROUND_JOB}

    for number in sorted(signal.valid_signals() - kept):
        started.send(number)
        started.wait_for_mark(f"got {int(number)}")

    assert started.stop() == 143


@pytest.mark.parametrize("name", sorted(OF_A_BACKGROUND_JOB))
def test_signals_of_terminals_and_pipes_do_nothing(pilot: StartPilot, name: str) -> None:
    started = pilot({}, python(LISTENER))
    started.wait_for_mark("app")

    started.signal(name.removeprefix("SIG"))
    started.signal("USR2")
    started.wait_for_mark(f"got {int(signal.SIGUSR2)}")

    assert started.words() == ["app", f"got {int(signal.SIGUSR2)}"]
    assert proc.state(started.pid) not in ("T", "Z")


def test_signals_without_an_app_do_no_harm(pilot: StartPilot) -> None:
    started = pilot({"preStart": mark("preStart")})
    started.wait_for_mark("preStart")
    started.wait_for_line("received zero-length argument")

    for name in ("USR1", "CHLD", "USR2", "WINCH"):
        started.signal(name)
    started.reload()

    assert started.stop() == 0
    assert "internal error" not in started.output()


def test_burst_of_signals_reaches_the_app_and_does_no_harm(pilot: StartPilot) -> None:
    started = pilot({}, python(LISTENER))
    started.wait_for_mark("app")

    for _ in range(1000):
        started.signal("USR2")
    started.wait_for_mark(f"got {int(signal.SIGUSR2)}")

    assert started.stop() == 143
    assert started.errors() == ""


def test_sigterm_during_pre_start_ends_without_starting_the_app(pilot: StartPilot) -> None:
    config = {"preStart": until_term("preStart"), "coprocesses": [{"command": mark("co")}]}
    started = pilot(config, mark("app"))
    started.wait_for_mark("preStart")

    started.stop()

    assert started.words() == ["preStart", "preStart-term"]


def test_sigterm_during_pre_start_is_not_taken_for_a_success(pilot: StartPilot) -> None:
    started = pilot({"preStart": forever("preStart")}, mark("app"))
    started.wait_for_mark("preStart")

    assert started.stop() == 143


def test_pre_start_that_ignores_sigterm_is_killed_after_stop_timeout(pilot: StartPilot) -> None:
    deaf = sh("trap '' TERM\nmark preStart\nexec sleep 1000")
    started = pilot({"preStart": deaf, "stopTimeout": 1}, mark("app"))
    started.wait_for_mark("preStart")

    started.stop()

    assert started.words() == ["preStart"]
    started.assert_nothing_is_left()


@pytest.mark.smoke
def test_sigterm_in_the_first_moment_is_not_lost(pilot: StartPilot) -> None:
    started = pilot({}, forever(), blocked=[signal.SIGTERM])

    started.signal("TERM")  # blocked since before the program was executed, so it waits

    assert started.wait_exit() == 143
    started.assert_nothing_is_left()


def test_signals_are_blocked_until_their_handlers_are_set(pilot: StartPilot) -> None:
    started = pilot({}, forever())
    term = 1 << (signal.SIGTERM - 1)

    def blocked() -> bool:
        return bool(int(proc.status(started.pid).get("SigBlk", "0"), 16) & term)

    def ready() -> bool:
        return bool(int(proc.status(started.pid).get("SigCgt", "0"), 16) & term) and not blocked()

    started.wait_for(lambda: blocked() or ready())
    started.signal("TERM")

    assert started.wait_exit() == 143


def test_signals_that_our_parent_ignores_work(pilot: StartPilot) -> None:
    started = pilot({}, until_term(), prefix=["/bin/sh", "-c", "trap '' HUP TERM INT USR1 CHLD; exec \"$@\"", "sh"])
    started.wait_for_mark("app")

    started.reload()

    assert started.stop() == 0
    assert started.words() == ["app", "app-term"]


def test_reload_during_a_stop_is_not_begun(pilot: StartPilot) -> None:
    started = pilot({"preStop": sh("mark preStop; sleep 0.3")}, until_term())
    started.wait_for_mark("app")
    started.signal("TERM")
    started.wait_for_mark("preStop")

    started.signal("HUP")
    started.signal("USR1")

    assert started.wait_exit() == 0
    assert "Reloading" not in started.output()
    assert started.words() == ["app", "preStop", "app-term"]


def test_signal_to_an_app_that_is_gone_is_not_sent_to_a_stranger(pilot: StartPilot) -> None:
    started = pilot({"postStop": sh("mark postStop; sleep 0.3")}, sh("exit 3"))
    started.wait_for_mark("postStop")

    started.signal("USR2")
    settle(0.05)

    assert started.wait_exit() == 3
