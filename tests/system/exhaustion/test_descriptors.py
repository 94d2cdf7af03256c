"""No more file descriptors: at the start, and while it runs."""

from __future__ import annotations

import re
import resource
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.size import CASES, FULL
from tests.system.control import SOCKET, Client
from tests.system.exhaustion.limits import (
    app,
    ends_well,
    files,
    is_registered,
    lowered,
    same_descriptors,
    supervised,
    tick,
    wait_for_two_ticks,
)
from tests.system.jobs.configs import config, job
from tests.system.scripts import forever, sh

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.pilot_fixtures import StartPilot

    Record = Callable[[str, object], None]

AT_ONCE = 4
FROM_US = ".pyz/cp/"  # in a traceback; what Python itself fails of, before we run, is not for us to say
PYTHON_NEEDS = 4  # or more descriptors, to begin at all
NUMBERS = range(3, 65) if FULL else range(PYTHON_NEEDS, 24)
# With so many everything below runs.
ENOUGH = 40


@pytest.mark.parametrize("dialect", ["services", "jobs"])
def test_with_few_it_runs_or_logs_why_not(pilot: StartPilot, record_property: Record, dialect: str) -> None:
    record_property(CASES, len(NUMBERS))
    exits = sh("exit 7")
    given, command = ({}, exits) if dialect == "services" else (config(job("app", exits, main=True)), [])
    for begin in range(NUMBERS.start, NUMBERS.stop, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, NUMBERS.stop))
        running = [pilot(given, command, prefix=files(number)) for number in numbers]
        for number, started in zip(numbers, running, strict=True):
            code = started.wait_exit()
            output = started.output() + started.errors()
            assert code == 7 or re.search("too many open files|Error 24", output, re.I), f"{number}: {code} {output}"
            assert code == 7 or number < ENOUGH, f"{number}: {code} {output}"
            assert code in (1, 7, 126) or number <= PYTHON_NEEDS
            assert FROM_US not in output or number <= PYTHON_NEEDS, f"{number}: {output}"
            assert "internal error" not in output, f"{number}: {output}"
            started.assert_nothing_is_left()


def test_after_a_start_that_failed_the_next_one_works(pilot: StartPilot) -> None:
    for number in range(10, 15):
        started = pilot(config(job("app", sh("exit 7"), main=True)), prefix=files(number))
        code = started.wait_exit()
        again = started.run(env={})

        assert (code in (1, 126), again.code) == (True, 7), started.report()


def test_clients_take_all_of_them(pilot: StartPilot) -> None:
    started = pilot(supervised(), prefix=files(ENOUGH))
    started.wait_for(lambda: is_registered(started), what="the registration")
    assert started.ask("GET", "/v3/jobs").status == 200
    before = started.descriptors()

    with ExitStack() as clients:
        for _ in range(3 * ENOUGH):
            clients.enter_context(Client(started.folder / SOCKET))
        started.wait_for_line("control: cannot accept clients: too many open files; they wait until it can")
        started.wait_for_line("unable to start tick: .*: too many open files")
        started.wait_for_line("unable to start check.app: .*: too many open files")
        assert started.is_running()

    same_descriptors(started, before)
    wait_for_two_ticks(started)
    started.wait_for_mark("check", started.count("check") + 1)
    assert started.ask("GET", "/v3/jobs").status == 200
    assert is_registered(started)
    ends_well(started)


def test_a_stop_comes_through_while_clients_have_all_of_them(pilot: StartPilot) -> None:
    started = pilot(supervised(), prefix=files(ENOUGH))
    started.wait_for(lambda: is_registered(started), what="the registration")
    with ExitStack() as clients:
        for _ in range(3 * ENOUGH):
            clients.enter_context(Client(started.folder / SOCKET))
        started.wait_for_line("control: cannot accept clients: too many open files")

        ends_well(started)
    assert not is_registered(started)


def test_jobs_without_descriptors_start_when_there_are_some(pilot: StartPilot) -> None:
    jobs = 60
    names = [f"job-{number}" for number in range(jobs)]
    started = pilot(supervised(*(job(name, forever(name), restarts="unlimited") for name in names)), prefix=files(64))
    started.wait_for_line("unable to start job-59: cannot make a pipe for its output: too many open files")
    started.wait_for_mark("app")
    running = sum(started.count(name) for name in names)
    assert 0 < running < jobs

    _, hard = resource.prlimit(started.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(started.pid, resource.RLIMIT_NOFILE, (1024, hard))

    started.wait_for(lambda: all(started.count(name) == 1 for name in names), what="all jobs")
    wait_for_two_ticks(started)
    ends_well(started)


def test_lack_of_descriptors_affects_only_calls_that_need_one(pilot: StartPilot) -> None:
    started = pilot(supervised())
    started.wait_for(lambda: is_registered(started), what="the registration")
    assert started.ask("GET", "/v3/jobs").status == 200
    before = started.descriptors()

    with lowered(started, resource.RLIMIT_NOFILE, 3):
        started.wait_for_line("unable to start tick: .*: too many open files")
        started.wait_for_line("unable to start check.app: .*: too many open files")
        assert started.is_running()

    wait_for_two_ticks(started)
    same_descriptors(started, before)
    ends_well(started)


def test_a_stop_without_a_descriptor_left(pilot: StartPilot) -> None:
    started = pilot(supervised(job("hook", sh("mark hook"), when={"source": "app", "once": "stopping"})))
    started.wait_for(lambda: is_registered(started), what="the registration")

    with lowered(started, resource.RLIMIT_NOFILE, 3):
        started.wait_for_line("unable to start tick: .*: too many open files")
        ends_well(started)

    assert "unable to start hook: " in started.output()


def test_a_reload_without_a_descriptor_left_changes_nothing(pilot: StartPilot) -> None:
    started = pilot(config(app(), tick(), directory="catalogue"))
    started.wait_for_mark("tick")
    with started.client() as client:
        assert client.ask("GET", "/v3/jobs").status == 200
        with lowered(started, resource.RLIMIT_NOFILE, 3):
            refused = client.ask("POST", "/v3/reload")

        assert refused.status == 422
        assert b"oo many open files" in refused.body
        assert client.ask("POST", "/v3/reload").status == 200
    wait_for_two_ticks(started)
    ends_well(started)
