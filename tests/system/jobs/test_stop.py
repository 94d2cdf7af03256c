"""How a configuration of jobs comes to its end."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from cp.engine.shutdown import SAME_REQUEST
from tests.system.control import SOCKET, connect
from tests.system.jobs.configs import advertised, app, config, each, job, once
from tests.system.pilot import now, settle
from tests.system.scripts import deaf, forever, mark, sh, until_term

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import StartConsul

HOST = os.uname().nodename
PROMPT = 2.0  # seconds


def test_zero_jobs_end_with_sigterm(pilot: StartPilot) -> None:
    started = pilot(config(stopTimeout=600))
    started.wait_for_line("control: serving at ")

    assert started.stop() == 0


@pytest.mark.timing
def test_one_short_job_ends_the_program_without_lingering(pilot: StartPilot) -> None:
    began = now()
    started = pilot(config(job("app", "true")))

    assert started.wait_exit() == 0
    assert now() - began < PROMPT
    assert not (started.folder / SOCKET).exists()


@pytest.mark.timing
def test_slow_pre_stop_delays_the_app_for_its_stop_timeout_and_no_longer(pilot: StartPilot) -> None:
    started = pilot(
        config(
            job("app", until_term(), stopTimeout="500ms"),
            job("preStop", mark("preStop", "sleep 2; mark preStop-end"), when=once("stopping", "app")),
        )
    )
    started.wait_for_mark("app")

    assert started.stop() == 0

    assert started.words() == ["app", "preStop", "app-term", "preStop-end"]
    at = {mark.word: mark.at for mark in started.marks()}
    assert 0.4 < at["app-term"] - at["preStop"] < 1.5


def test_dependent_on_each_stopping_of_a_job_that_ends_by_itself_does_not_delay_a_stop(pilot: StartPilot) -> None:
    started = pilot(
        config(
            app(),
            job("short", mark("short")),
            job("after", mark("after"), when=each("stopping", "short")),
            stopTimeout=600,
        )
    )
    started.wait_for_mark("app")
    started.wait_for_mark("after")

    assert started.stop() == 0
    assert started.count("after") == 1


def test_stopping_of_an_unknown_job_is_refused_with_its_place(pilot: StartPilot) -> None:
    started = pilot(config(app(), job("hook", "true", when=once("stopping", "ap"))))

    assert started.wait_exit() == 1
    assert "jobs[1].when.source" in started.output()
    assert "there is no source 'ap' (did you mean 'app'?)" in started.output()
    assert started.words() == []


def test_job_that_was_triggered_while_it_ran_does_not_delay_a_stop(pilot: StartPilot) -> None:
    started = pilot(config(job("each", until_term("each"), when={"source": "SIGUSR2"}), stopTimeout=600))
    started.wait_for_line("control: serving at ")
    started.signal("USR2")
    started.wait_for_mark("each")
    started.signal("USR2")
    started.wait_for(lambda: started.ask("GET", "/v3/events").body.count(b'"SIGUSR2"') == 2, what="both signals")

    assert started.stop() == 0
    assert started.words() == ["each", "each-term"]


def test_sigterm_right_after_a_reload_request_stops(pilot: StartPilot) -> None:
    # The reload waits for a job that is slow to end.
    slow = sh("trap 'sleep 0.5; exit' TERM\nmark slow\nwhile :; do sleep 0.05; done")
    started = pilot(config(app(), job("slow", slow)))
    started.wait_for_mark("slow")
    started.configure(config(app(), job("slow", forever("new"))))

    with connect(started.folder / SOCKET) as client:
        client.sendall(b"POST /v3/reload HTTP/1.1\r\nHost: control\r\nContent-Length: 0\r\n\r\n")
        started.wait_for_line("Reloading configuration")
        assert started.stop() == 0
        answer = client.recv(10_000)

    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b"ContainerPilot is stopping" in answer
    assert "new" not in started.words()
    started.assert_nothing_is_left()


@pytest.mark.parametrize("reloads", [1, 20])
def test_reload_and_sigterm_in_one_moment_stop(pilot: StartPilot, reloads: int) -> None:
    # Either of them may come first.
    started = pilot(config(job("app", until_term())))
    started.wait_for_mark("app")

    connections = [connect(started.folder / SOCKET) for _ in range(reloads)]
    for client in connections:
        client.sendall(b"POST /v3/reload HTTP/1.1\r\nHost: control\r\nContent-Length: 0\r\n\r\n")
    code = started.stop()
    for client in connections:
        client.close()

    assert code == 0
    assert started.words() == ["app", "app-term"]


def test_bad_configuration_shows_in_the_exit_code_of_the_container(pilot: StartPilot) -> None:
    started = pilot("{ jobs: [{name: 'app', exec: 'true', restart: 1}] }", init=True)

    assert started.wait_exit() == 1
    assert re.search(r"jobs\[0\].*restart", started.output())


def test_second_sigterm_ends_a_pre_stop_and_the_stop_goes_on(pilot: StartPilot) -> None:
    started = pilot(
        config(
            job("app", until_term()),
            job("preStop", until_term("preStop"), when=once("stopping", "app")),
            job("postStop", mark("postStop"), when=once("stopped", "app")),
        )
    )
    started.wait_for_mark("app")
    started.signal("TERM")
    started.wait_for_mark("preStop")
    settle(SAME_REQUEST)

    assert started.stop() == 0
    assert started.words() == ["app", "preStop", "preStop-term", "app-term", "postStop"]


def test_third_sigterm_ends_everything_at_once(pilot: StartPilot) -> None:
    insists = sh("trap 'mark preStop-term' TERM\nmark preStop\nwhile :; do sleep 0.02; done")
    started = pilot(
        config(
            job("app", deaf()),
            job("preStop", insists, when=once("stopping", "app")),
            stopTimeout=600,
        )
    )
    started.wait_for_mark("app")
    started.signal("TERM")
    started.wait_for_mark("preStop")
    settle(SAME_REQUEST)
    started.signal("TERM")
    started.wait_for_mark("preStop-term")
    settle(SAME_REQUEST)

    assert started.stop() == 0
    started.assert_nothing_is_left()


@pytest.mark.timing
@pytest.mark.parametrize("init", [False, True], ids=["process", "PID 1"])
def test_frozen_consul_does_not_delay_a_stop(pilot: StartPilot, start_consul: StartConsul, init: bool) -> None:
    consul = start_consul()
    started = pilot(
        config(
            advertised("app", until_term()),
            job("preStop", mark("preStop"), when=once("stopping", "app")),
            consul=consul.address,
            watches=[{"name": "upstream", "interval": 1}],
        ),
        init=init,
    )
    consul.wait_until_passing("app")
    consul.freeze()
    requested_at = now()

    code = started.stop()

    consul.thaw()
    assert code == 0
    assert now() - requested_at < 2.5
    assert started.words() == ["app", "preStop", "app-term"]


def test_main_job_ends_everything_with_its_code(pilot: StartPilot) -> None:
    started = pilot(
        config(
            job("main", sh("mark main\nuntil [ -e go ]; do sleep 0.02; done\nexit 7"), main=True),
            job("other", until_term("other"), restarts="unlimited"),
            job("postStop", mark("postStop"), when=once("stopped", "main")),
        )
    )
    started.wait_for_mark("main")
    started.wait_for_mark("other")
    (started.folder / "go").touch()

    assert started.wait_exit() == 7
    assert sorted(started.words()) == ["main", "other", "other-term", "postStop"]


@pytest.mark.timing
def test_a_stop_does_not_wait_until_a_thousand_jobs_have_started(pilot: StartPilot) -> None:
    jobs = [job(f"job-{number}", ["sleep", "1000"]) for number in range(1000)]
    started = pilot(config(job("first", mark("first")), *jobs, logging={"level": "DEBUG"}))
    started.wait_for_mark("first")

    assert started.stop() == 0

    assert 0 < started.output().count("waiting -> running") < 1000
