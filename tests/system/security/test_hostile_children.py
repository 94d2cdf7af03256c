"""A child that means ill: what it cannot do to ContainerPilot at PID 1, as another user and as the same one."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.system import proc
from tests.system.jobs.configs import app, config, job
from tests.system.scripts import python, sh
from tests.system.security.users import STRANGER, become, only_root

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot


# What the attacks have: `pilot`, the number of ContainerPilot.
PRELUDE = "pilot = int(os.environ['CONTAINERPILOT_PID'])\nmark('attack')\n"
DONE = "\nmark('done')\ntime.sleep(1000)\n"

# All that can be sent and does not mean "stop": SIGTERM and SIGINT are for whoever is root, or the same user.
EVERY_SIGNAL = """
ours = {signal.SIGTERM, signal.SIGINT}
for _ in range(100):
    for number in set(signal.valid_signals()) - ours:
        os.kill(pilot, number)
"""

# Its pipes can be opened through /proc by who has its rights: its wake-ups, and what other children print.
INTO_ITS_PIPES = """
junk = os.urandom(4096) + bytes(4096) + b'\\xff' * 4096
for name in os.listdir(f'/proc/{pilot}/fd'):
    path = f'/proc/{pilot}/fd/{name}'
    try:
        if not os.readlink(path).startswith('pipe:'):
            continue
        for flags in (os.O_WRONLY, os.O_RDONLY, os.O_RDWR):
            fd = os.open(path, flags | os.O_NONBLOCK)
            for _ in range(100):
                try:
                    os.write(fd, junk)
                except OSError:
                    pass
                try:
                    os.read(fd, 4096)
                except OSError:
                    pass
            os.close(fd)
    except OSError:
        pass
"""

# Orphans, zombies, groups and sessions of their own, and nothing left open.
A_CROWD = """
os.closerange(0, 1000)
for _ in range(200):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if os.fork() == 0:
                os._exit(3)
            os._exit(2)
        os._exit(1)
for _ in range(200):
    os.wait()
"""

# One that stops itself and its relatives, and makes its group that of another.
STOPPED = """
for _ in range(20):
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
os.killpg(os.getpgrp(), signal.SIGTTIN)
"""

# Priorities and limits that it may change only for itself.
LIMITS = """
import resource
for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_AS):
    try:
        resource.prlimit(pilot, limit, (0, 0))
        mark('limited')
    except (OSError, ValueError):
        pass
try:
    os.sched_setscheduler(pilot, os.SCHED_IDLE, os.sched_param(0))
    mark('idle')
except OSError:
    pass
for name in ('mem', 'environ', 'maps'):
    try:
        open(f'/proc/{pilot}/{name}', 'rb').read(1)
        mark('read ' + name)
    except OSError:
        pass
for name in ('fd/0', 'fd/1', 'fd/3', 'cwd', 'root', 'exe'):
    try:
        os.readlink(f'/proc/{pilot}/{name}')
        mark('followed ' + name)
    except OSError:
        pass
for number in set(signal.valid_signals()) - {signal.SIGCONT}:  # which anybody may send within a session
    try:
        os.kill(pilot, number)
        mark('signalled')
    except OSError:
        pass
"""

ATTACKS = {
    "every signal": EVERY_SIGNAL,
    "into its pipes": INTO_ITS_PIPES,
    "a crowd": A_CROWD,
    "stopped": STOPPED,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_child_with_the_same_rights_does_not_take_the_container_down(pilot: StartPilot, attack: str) -> None:
    stays = "\nmark('done')\nif True:\n    time.sleep(1000)\n" if attack != "stopped" else ""
    evil = job("evil", python(PRELUDE + ATTACKS[attack] + stays))
    started = pilot(config(app(), evil, job("idle", "sleep 1000"), stopTimeout=1), init=True)
    started.wait_for_mark("attack")
    if stays:
        started.wait_for_mark("done")

    assert_all_is_well(started)
    assert started.stop() == 0
    started.assert_nothing_is_left()
    assert "internal error" not in started.output()


def assert_all_is_well(started: Pilot) -> None:
    jobs = started.jobs()
    assert jobs["app"]["state"] == "running"
    assert proc.state(started.pid) not in ("T", "Z", "")
    assert started.ask("POST", "/v3/jobs/idle/restart").status == 200
    started.wait_for(lambda: not started.zombies(), what="the end of all zombies")


@only_root
def test_a_child_of_another_user_cannot_even_try(pilot: StartPilot) -> None:
    """No access to signals, memory, environment, descriptors and limits; nor to orders (test_peers.py)."""
    folder = pilot.folder()
    (folder / "marks").touch(0o666)
    (folder / "marks").chmod(0o666)
    attack = python(PRELUDE + LIMITS + DONE)
    started = pilot(config(app(), job("evil", [*become(STRANGER), *attack])), init=True)

    started.wait_for_mark("done")

    assert set(started.words()) == {"app", "attack", "done"}
    assert started.jobs()["app"]["state"] == "running"
    assert started.stop() == 0


def test_sigkill_of_the_whole_container_by_a_child_spares_number_1(pilot: StartPilot) -> None:
    """`kill -9 -1`: all but the sender and PID 1. What is to run again runs again."""
    shot = sh('until grep app "$MARKS" && grep kept "$MARKS"; do sleep 0.05; done; kill -KILL -1; mark survived')
    started = pilot(config(app(), app("kept", restarts="unlimited"), job("evil", shot)), init=True)
    started.wait_for_mark("survived")

    started.wait_for(lambda: started.jobs()["kept"]["restarts"] == 1, what="the restart")
    assert started.jobs()["app"]["lastExit"]["code"] == -signal.SIGKILL
    assert started.stop() == 0
