"""Processes that jobs leave in the background, in sessions of their own: daemons."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.system import proc
from tests.system.jobs.configs import Job, app, config, job, once
from tests.system.pilot import now, settle
from tests.system.scripts import Command, daemon, forever, mark, sh, until_term

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

EVERYWHERE = pytest.mark.parametrize("init", [False, True], ids=["ordinary", "PID 1"])

# A root that may neither signal the processes of others nor look at their descriptors, as in a container that drops all
# capabilities; and a job that becomes another user.
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
NOBODY = 65534


def without(*capabilities: str) -> list[str]:
    """The beginning of a command that may do less than root."""
    lost = ",".join(f"-{capability}" for capability in capabilities)
    return ["setpriv", f"--bounding-set={lost}", f"--inh-caps={lost}"]


def as_nobody(command: Command) -> Command:
    """Another user, who can still write into the folder of the test."""
    writes = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *writes, *command]


def daemonized(command: Command, **more: Any) -> Job:
    """The job `d` with this command, which most of the time leaves a daemon."""
    return job("d", command, **more)


def supervised(pilot: StartPilot, d: Job, *others: Job, init: bool = False, **more: Any) -> Pilot:
    """ContainerPilot with `d`, and a job that goes on."""
    prefix = more.pop("prefix", ())
    jobs = config(d, app("other"), *others, **more)
    return pilot(jobs, init=init, prefix=prefix)


def wait_until_gone(started: Pilot, pid: int) -> None:
    started.wait_for(lambda: not proc.alive(pid), what=f"the end of {pid}")


def daemons(started: Pilot) -> list[int]:
    """The living processes that a daemon's script runs in."""
    return [pid for pid in started.family() if "os.setsid" in proc.command_line(pid)]


def the_daemon(started: Pilot) -> int:
    """The only one, once who started it has gone."""
    return started.wait_for(lambda: daemons(started) if len(daemons(started)) == 1 else [])[0]


# --- on request


@EVERYWHERE
@pytest.mark.parametrize("on_term", ["dies", "says"])
def test_daemon_of_a_job_is_terminated_with_it_and_never_runs_twice(
    pilot: StartPilot, init: bool, on_term: str
) -> None:
    started = supervised(pilot, daemonized(daemon(on_term=on_term)), init=init)
    started.wait_for_mark("daemon")
    first = the_daemon(started)

    assert started.run("-restart", "d").code == 0
    started.wait_for_mark("daemon", 2)
    assert not proc.alive(first)

    assert started.run("-stop", "d").code == 0
    assert daemons(started) == []
    assert started.count("daemon-term") == (2 if on_term == "says" else 0)
    assert started.jobs()["d"]["state"] == "held"


def test_daemon_that_ignores_sigterm_is_killed_when_the_budget_is_spent(pilot: StartPilot) -> None:
    started = supervised(pilot, daemonized(daemon(on_term="deaf")), stopTimeout=1)
    started.wait_for_mark("daemon")
    since = now()

    assert started.run("-stop", "d").code == 0
    assert now() - since > 0.9
    assert daemons(started) == []


def test_daemon_of_a_running_leader_is_terminated_after_it(pilot: StartPilot) -> None:
    """The leader forks it and goes on, and dies of SIGTERM first."""
    started = supervised(pilot, daemonized(daemon(on_term="says", then="signal.pause()")))
    started.wait_for_mark("daemon")

    assert started.run("-stop", "d").code == 0
    assert started.words()[-1] == "daemon-term"
    assert daemons(started) == []


def test_daemon_below_a_daemon_is_found_when_it_is_reparented(pilot: StartPilot) -> None:
    inner = "setsid sh -c 'echo 0 inner >>$MARKS; exec sleep 1000' & exec sleep 1001"
    started = supervised(pilot, daemonized(sh(f'(setsid sh -c "{inner}" &)')), stopTimeout=10)
    started.wait_for_mark("inner")

    assert started.run("-stop", "d").code == 0
    assert [each for each in started.leftovers() if each in ("sleep 1000", "sleep 1001")] == ["sleep 1000"], "other"


def test_the_process_that_keeps_the_output_of_a_job_open_is_shown(pilot: StartPilot) -> None:
    started = supervised(pilot, daemonized(daemon()))
    started.wait_for_mark("daemon")
    pid = the_daemon(started)

    words = f"its process has exited; process {pid} has its output open"
    started.wait_for(lambda: started.jobs()["d"]["about"] == words, what=words)
    assert f"state: running ({words})" in started.run("-job", "d").stdout


def test_changed_job_with_a_daemon_begins_when_that_has_ended(pilot: StartPilot) -> None:
    started = supervised(pilot, daemonized(daemon("old", on_term="says")))
    started.wait_for_mark("old")

    started.configure(config(daemonized(daemon("new")), app("other")))
    assert started.run("-reload").code == 0

    started.wait_for_mark("new")
    assert [word for word in started.words() if word != "other"] == ["old", "old-term", "new"]


def test_timeout_of_a_job_kills_its_daemon(pilot: StartPilot) -> None:
    started = supervised(pilot, daemonized(daemon(on_term="deaf"), timeout="1500ms"))
    started.wait_for_mark("daemon")

    started.wait_for_state("d", "complete")

    assert daemons(started) == []
    assert "d timeout after 1500ms" in started.output()


def test_hook_that_daemonizes_is_waited_for_and_ended_by_its_timeout(pilot: StartPilot) -> None:
    """Its time limit kills it, and the stop that waits for it does not make a SIGTERM of that."""
    hook = job("hook", daemon(on_term="deaf"), when=once("stopping", "d"), timeout="1500ms")
    started = supervised(pilot, daemonized(until_term("d")), hook)
    started.wait_for_mark("d")
    since = now()

    assert started.run("-stop", "d").code == 0
    assert now() - since > 1.4
    assert [word for word in started.words() if word != "other"][-2:] == ["daemon", "d-term"]
    assert daemons(started) == []


def test_daemon_of_a_check_ends_with_the_check_when_its_job_is_stopped(pilot: StartPilot) -> None:
    check = {"exec": daemon(on_term="says", then="signal.pause()"), "interval": 1, "ttl": 50, "timeout": "50s"}
    started = supervised(pilot, daemonized(forever("d"), health=check))
    started.wait_for_mark("daemon")

    assert started.run("-stop", "d").code == 0
    started.wait_for_mark("daemon-term")


def test_timeout_of_a_check_kills_its_daemon(pilot: StartPilot) -> None:
    command = daemon(on_term="deaf", then="signal.pause()")
    check = {"exec": command, "interval": 1, "ttl": 50, "timeout": "1500ms"}
    started = supervised(pilot, daemonized(forever("d"), health=check))
    started.wait_for_mark("daemon")
    (first,) = daemons_only(started)

    wait_until_gone(started, first)


def daemons_only(started: Pilot) -> list[int]:
    """Those of the daemons that lead a session, without who started them."""
    return [pid for pid in daemons(started) if os.getsid(pid) != os.getsid(started.pid)]


def test_daemon_of_a_raw_job_is_not_known_to_be_its_own_until_the_end(pilot: StartPilot) -> None:
    started = supervised(pilot, daemonized(daemon(on_term="says"), logging={"raw": True}))
    started.wait_for_state("d", "complete")

    assert started.run("-stop", "d").code == 0
    assert len(daemons(started)) == 1

    assert started.stop() == 0
    assert started.words()[-1] == "daemon-term"


# --- at the end of everything


@EVERYWHERE
@pytest.mark.parametrize("keeps_output", [True, False], ids=["with output", "without output"])
def test_daemons_get_sigterm_at_the_end(pilot: StartPilot, init: bool, keeps_output: bool) -> None:
    started = supervised(pilot, daemonized(daemon(on_term="says", keeps_output=keeps_output)), init=init)
    started.wait_for_mark("daemon")

    assert started.stop() == 0
    assert started.words()[-1] == "daemon-term"
    started.assert_nothing_is_left()


@EVERYWHERE
def test_daemons_that_ignore_sigterm_are_killed_within_the_budget_of_the_stop(pilot: StartPilot, init: bool) -> None:
    d = daemonized(daemon(on_term="deaf", keeps_output=False))
    started = supervised(pilot, d, init=init, stopTimeout=1)
    started.wait_for_mark("daemon")
    since = now()

    assert started.stop() == 0
    assert now() - since > 0.9
    started.assert_nothing_is_left()


def test_daemons_that_the_first_jobs_leave_at_once_are_found_as_well(pilot: StartPilot) -> None:
    """Each shell has gone less than a millisecond after its start."""
    leaves = [job(f"leaves-{number}", sh(f"setsid sleep {1000 + number} & mark left")) for number in range(8)]
    started = pilot(config(*leaves, app("other")))
    started.wait_for_mark("left", 8)

    assert started.stop() == 0
    started.assert_nothing_is_left()


def test_daemons_of_the_services_dialect_get_sigterm_after_post_stop(pilot: StartPilot) -> None:
    command = daemon(on_term="says", keeps_output=False, then="signal.pause()")
    started = pilot({"preStart": "true", "postStop": mark("postStop")}, command)
    started.wait_for_mark("daemon")
    settle(0.2)

    assert started.stop() == 143, started.report()
    assert started.words()[-2:] == ["postStop", "daemon-term"]


def test_daemon_of_a_coprocess_is_killed_when_the_app_ends_by_itself(pilot: StartPilot) -> None:
    """As the coprocess: it may be a Consul agent behind a script."""
    coprocess = {"name": "co", "command": daemon(on_term="says", then="signal.pause()")}
    settled = sh("until grep -q daemon $MARKS; do sleep 0.05; done; exit 6")
    started = pilot({"preStart": "true", "coprocesses": [coprocess]}, settled)

    assert started.wait_exit() == 6
    assert started.words()[-1] == "daemon"
    started.assert_nothing_is_left()


def test_third_request_kills_daemons_as_well(pilot: StartPilot) -> None:
    hook = job("hook", sh("trap '' TERM; mark hook; while :; do sleep 0.05; done"), when=once("stopping", "d"))
    started = supervised(pilot, daemonized(daemon(on_term="deaf", keeps_output=False, then="signal.pause()")), hook)
    started.wait_for_mark("daemon")
    started.signal("TERM")
    started.wait_for_mark("hook")
    for _ in range(2):
        settle(0.3)
        started.signal("TERM")

    started.wait_exit()
    started.assert_nothing_is_left()


# --- what we may not signal


def forbidden(command: Command) -> Job:
    return daemonized(as_nobody(command))


@as_root
def test_child_that_may_not_be_signalled_is_logged_and_counts_as_running(pilot: StartPilot) -> None:
    d = forbidden(sh("mark d; until [ -e go ]; do sleep 0.05; done; exit 3"))
    started = supervised(pilot, d, stopTimeout=1, prefix=without("kill"))
    started.wait_for_mark("d")
    pid = started.jobs()["d"]["pid"]
    words = f"process {pid} of user {NOBODY} cannot be signalled: operation not permitted"

    stopped = started.run("-stop", "d")
    assert (stopped.code, stopped.stderr) == (1, f"-stop: failed to run subcommand: d still runs: {words}\n")
    assert f"cannot tell d to end: {words}" in started.output()
    assert f"cannot end d: {words}" in started.output()
    assert "signal: killed" not in started.output()

    seen = started.jobs()["d"]
    assert (seen["state"], seen["pid"], seen["lastExit"]) == ("terminating", pid, None)
    assert seen["about"] == f"has got SIGTERM; {words}"
    for request in ("-start", "-restart", "-stop"):
        refused = started.run(request, "d")
        assert (refused.code, words in refused.stderr) == (1, True), refused
    assert words in started.run("-signal", "d=HUP").stderr
    assert started.count("d") == 1

    (started.folder / "go").touch()
    seen = started.wait_for_state("d", "held")
    assert started.run("-start", "d").code == 0
    started.wait_for_mark("d", 2)


@as_root
def test_restart_of_an_unsignallable_job_begins_when_it_has_ended(pilot: StartPilot) -> None:
    d = forbidden(sh("mark d; until [ -e go ]; do sleep 0.05; done; rm go; mark end"))
    started = supervised(pilot, d, stopTimeout=1, prefix=without("kill"))
    started.wait_for_mark("d")
    assert started.run("-restart", "d").code == 1
    assert started.count("d") == 1

    (started.folder / "go").touch()

    started.wait_for_mark("d", 2)
    assert [word for word in started.words() if word in ("d", "end")] == ["d", "end", "d"]


@as_root
def test_reload_replaces_ended_jobs_at_once_and_the_rest_when_they_have_ended(pilot: StartPilot) -> None:
    script = "mark d{0}; until [ -e go ]; do sleep 0.05; done"
    started = supervised(pilot, forbidden(sh(script.format(1))), app("also"), prefix=without("kill"), stopTimeout=1)
    started.wait_for_mark("d1")
    started.wait_for_mark("also")

    new = config(forbidden(sh(script.format(2))), app("other"), job("also", forever("new")), stopTimeout=1)
    started.configure(new)
    reloaded = started.run("-reload")
    assert reloaded.code == 1
    assert "the new configuration is in use, but d still runs: process" in reloaded.stderr
    started.wait_for_mark("new")
    assert "d2" not in started.words()

    (started.folder / "go").touch()
    started.wait_for_mark("d2")


@as_root
def test_stop_goes_on_without_a_main_job_that_may_not_be_signalled(pilot: StartPilot) -> None:
    d = {**forbidden(sh("mark d; until [ -e go ]; do sleep 0.05; done")), "main": True}
    stopped = job("stopped", mark("stopped"), when=once("stopped", "d"))
    started = supervised(pilot, d, stopped, stopTimeout=1, prefix=without("kill"))
    started.wait_for_mark("d")

    assert started.stop() == 1
    assert started.words()[-1] == "stopped"
    assert "signal: killed" not in started.output()
    (started.folder / "go").touch()
    started.assert_nothing_is_left()


@as_root
def test_child_of_a_job_that_may_not_be_signalled_keeps_it_from_being_held(pilot: StartPilot) -> None:
    """The leader dies of the signal, and one of its group does not get it."""
    child = " ".join(as_nobody(["sh", "-c", "'echo 0 child >>$MARKS; until [ -e go ]; do sleep 0.05; done'"]))
    started = supervised(pilot, daemonized(sh(f"{child} &\nwait")), stopTimeout=1, prefix=without("kill"))
    started.wait_for_mark("child")

    stopped = started.run("-stop", "d")
    assert stopped.code == 1
    assert f"of user {NOBODY} cannot be signalled: operation not permitted" in stopped.stderr
    assert started.jobs()["d"]["state"] == "terminating"

    (started.folder / "go").touch()
    started.wait_for_state("d", "held")


@as_root
def test_unreadable_daemon_is_logged(pilot: StartPilot) -> None:
    d = forbidden(daemon())
    started = supervised(pilot, d, stopTimeout=1, prefix=without("sys_ptrace"))
    started.wait_for_mark("daemon")
    pid = the_daemon(started)
    words = f"what it left, perhaps process {pid} of user {NOBODY}, whose descriptors we may not see"

    started.wait_for(lambda: words in started.jobs()["d"]["about"], what=words)
    stopped = started.run("-stop", "d")
    assert stopped.code == 1
    assert f"d still runs: {words}" in stopped.stderr
    assert started.run("-start", "d").code == 1
    assert started.count("daemon") == 1

    os.kill(pid, 15)
    started.wait_for_state("d", "held")


@as_root
def test_unreadable_daemon_is_terminated_at_the_end(pilot: StartPilot) -> None:
    started = supervised(pilot, forbidden(daemon(on_term="says")), prefix=without("sys_ptrace"), stopTimeout=600)
    started.wait_for_mark("daemon")

    assert started.stop() == 0
    assert started.words()[-1] == "daemon-term"
    started.assert_nothing_is_left()
