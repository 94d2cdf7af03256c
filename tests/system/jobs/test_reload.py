"""A reload touches what has changed and nothing else, however often it comes."""

from __future__ import annotations

import os
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.system import proc
from tests.system.control import SOCKET
from tests.system.jobs.configs import advertised, app, config, each, job, once
from tests.system.pilot import now
from tests.system.scripts import forever, mark, sh, until_term

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import Consul

HOST = os.uname().nodename
SAMPLING = 0.02  # seconds between two looks at the catalogue
RELOADS = 200


class Sampler:
    """Looks at something again and again, and keeps what it saw, until the end of the `with`."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self.seen: list[Any] = []
        self._look = look
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(SAMPLING):
            try:
                self.seen.append(self._look())
            except OSError as error:
                self.seen.append(error)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.timing
@pytest.mark.smoke
def test_one_of_five_jobs_is_replaced_without_effect_on_the_others(pilot: StartPilot, consul: Consul) -> None:
    tag = uuid.uuid4().hex[:8]
    names = [f"app{number}-{tag}" for number in range(5)]

    def plan(version: str) -> dict[str, Any]:
        jobs = [advertised(name, port=8000 + number) for number, name in enumerate(names)]
        jobs[2]["exec"] = forever(f"changed-{version}")
        return config(*jobs, consul=consul.address)

    def pids() -> list[int]:
        return [started.jobs()[name]["pid"] for name in names]

    def statuses() -> list[str]:
        checks = consul.checks()
        return [checks.get(f"service:{name}-{HOST}", {}).get("Status", "absent") for name in names]

    started = pilot(plan("old"))
    for name in names:
        consul.wait_until_passing(name)
    before = pids()
    started.configure(plan("new"))

    with Sampler(statuses) as sampler, started.client() as client:
        client.ask("GET", "/v3/ping")
        requested_at = now()
        answer = client.ask("POST", "/v3/reload")
        took = now() - requested_at
        started.wait_for_mark("changed-new")
        consul.wait_until_gone(f"{names[2]}-{HOST}")
        consul.wait_until_passing(names[2])
        started.wait_for(lambda: len(sampler.seen) > 10, what="enough looks")

    assert (answer.status, answer.body) == (200, b"\n")
    assert took < 0.1, f"the reload took {took * 1000:.0f} ms"
    after = pids()
    assert after[2] not in (None, before[2])
    assert after[:2] + after[3:] == before[:2] + before[3:]
    untouched = {tuple(seen[:2] + seen[3:]) for seen in sampler.seen}
    assert untouched == {("passing",) * 4}
    assert "critical" not in {seen[2] for seen in sampler.seen}


def test_reload_without_a_change_changes_nothing_and_renews_restarts(pilot: StartPilot) -> None:
    started = pilot(config(app(), job("done", mark("done")), job("task", mark("task"), when={"interval": "1h"})))
    started.wait_for_mark("app")
    started.wait_for_state("done", "complete")
    started.wait_for_state("task", "scheduled")
    before = {name: (each["pid"], each["starts"]) for name, each in started.jobs().items()}

    assert started.run("-reload").code == 0

    assert {name: (each["pid"], each["starts"]) for name, each in started.jobs().items()} == before
    assert sorted(started.words()) == ["app", "done", "task"]


def test_hooks_of_jobs_that_a_reload_ends_run_and_those_of_others_wait(pilot: StartPilot) -> None:
    def plan(version: str) -> dict[str, Any]:
        return config(
            job("a", until_term(f"a-{version}")),
            job("pre-a", mark(f"pre-a-{version}"), when=once("stopping", "a")),
            job("post-a", mark(f"post-a-{version}"), when=each("stopped", "a")),
            job("b", until_term("b")),
            job("pre-b", mark("pre-b"), when=once("stopping", "b")),
        )

    started = pilot(plan("old"))
    started.wait_for_mark("a-old")
    started.wait_for_mark("b")
    started.configure(plan("new"))

    assert started.run("-reload").code == 0
    started.wait_for_mark("a-new")

    assert [word for word in started.words() if word != "b"] == [
        "a-old", "pre-a-old", "a-old-term", "post-a-old", "a-new",
    ]  # fmt: skip
    assert started.stop() == 0
    assert sorted(started.words()[-5:]) == ["a-new-term", "b-term", "post-a-new", "pre-a-new", "pre-b"]


BROKEN = {
    "no JSON5": ("{", "arse error at line:col"),
    "an unknown key": ("{jobs: [{name: 'app', exec: 'true', restart: 1}]}", "restart"),
    "a job without a name": ("{jobs: [{exec: 'true'}]}", "'name' must not be blank"),
    "a source that is not there": (
        "{jobs: [{name: 'app', exec: 'true', when: {once: 'stopped', source: 'b'}}]}", "there is no source 'b'",
    ),
    "a log file that is not available": (
        "{jobs: [{name: 'app', exec: 'true'}], logging: {output: '/no/such/folder/cp.log'}}",
        "Error initializing log file '/no/such/folder/cp.log'",
    ),
    "a socket that is not available": (
        "{jobs: [{name: 'app', exec: 'true'}], control: {socket: '/no/such/folder/cp.socket'}}",
        "cannot serve the control socket /no/such/folder/cp.socket: there is no directory /no/such/folder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_configuration_that_does_not_load_changes_nothing_and_is_reported(pilot: StartPilot, fault: str) -> None:
    text, complaint = BROKEN[fault]
    started = pilot(config(app()))
    started.wait_for_mark("app")
    before = started.jobs()["app"]["pid"]
    started.configure(text)

    answer = started.ask("POST", "/v3/reload")

    assert answer.status == 422
    assert complaint in answer.json["error"]
    started.wait_for(lambda: complaint in started.output(), what="the fault in the log")
    assert started.jobs()["app"]["pid"] == before
    started.configure(config(app(), app("new")))
    assert started.ask("POST", "/v3/reload").status == 200
    started.wait_for_mark("new")
    assert started.count("app") == 1


def test_pipe_in_the_place_of_the_configuration_is_not_waited_for(pilot: StartPilot) -> None:
    started = pilot(config(app()))
    started.wait_for_mark("app")
    path = started.folder / "config.json"
    path.unlink()
    os.mkfifo(path)

    answer = started.ask("POST", "/v3/reload")

    assert answer.status == 422
    assert "config.json: it is not a regular file any more" in answer.json["error"]
    assert started.stop() == 0


def test_reload_reports_the_error_and_exits_with_1(pilot: StartPilot) -> None:
    # The `control` part is valid, so that the client finds the socket.
    started = pilot(config(app()))
    started.wait_for_mark("app")
    started.configure(config(job("app", "true", restart=1)))

    done = started.run("-reload")

    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("-reload: failed to run subcommand: ")
    assert "jobs[0]" in done.stderr
    assert "restart" in done.stderr
    assert started.is_running()


def test_socket_that_is_refused_together_with_its_log_file_is_not_taken(pilot: StartPilot) -> None:
    started = pilot(config(app()))
    started.wait_for_mark("app")
    bad = config(app(), control={"socket": "other.socket"}, logging={"output": "/no/such/folder/cp.log"})
    started.configure(bad)

    assert started.ask("POST", "/v3/reload").status == 422

    assert started.ask("GET", "/v3/ping").status == 200
    assert not (started.folder / "other.socket").exists()


def test_socket_moves_with_a_reload(pilot: StartPilot) -> None:
    started = pilot(config(app()))
    started.wait_for_mark("app")
    with started.client() as client:
        started.configure(config(app(), control={"socket": "other.socket"}))

        assert client.ask("POST", "/v3/reload").status == 200

    assert not (started.folder / SOCKET).exists()
    assert started.run("-ping").stdout == "ok\n"
    assert started.stop() == 0
    assert not (started.folder / "other.socket").exists()


def test_socket_that_somebody_has_removed_is_made_again(pilot: StartPilot) -> None:
    started = pilot(config(app()))
    started.wait_for_mark("app")
    with started.client() as client:
        (started.folder / SOCKET).unlink()
        assert client.ask("POST", "/v3/reload").status == 200

    assert started.run("-ping").stdout == "ok\n"
    assert started.count("app") == 1
    assert started.stop() == 0
    assert not (started.folder / SOCKET).exists()


def test_socket_whose_path_is_written_otherwise_stays(pilot: StartPilot) -> None:
    started = pilot(config(app()))
    started.wait_for_mark("app")
    folder = started.folder.name
    before = (started.folder / SOCKET).stat().st_ino
    started.configure(config(app(), control={"socket": f"../{folder}/{SOCKET}"}))

    reloaded = started.ask("POST", "/v3/reload")

    assert (reloaded.status, reloaded.body) == (200, b"\n")
    assert started.run("-ping").stdout == "ok\n"
    assert (started.folder / SOCKET).stat().st_ino == before
    assert started.stop() == 0
    assert not (started.folder / SOCKET).exists()


def test_socket_is_there_after_every_reload(pilot: StartPilot) -> None:
    started = pilot(config(app()))
    with started.client() as client:
        for _ in range(20):
            assert client.ask("POST", "/v3/reload").status == 200
            assert (started.folder / SOCKET).is_socket()
            assert started.ask("GET", "/v3/ping").status == 200

    assert started.stop() == 0
    assert not (started.folder / SOCKET).exists()


@pytest.mark.smoke
def test_hundreds_of_reloads_under_load_lose_and_leak_nothing(pilot: StartPilot) -> None:
    # The server answers after each reload, and after all of them.
    chatter = "mark {name}\nwhile :; do echo chatter chatter chatter; sleep 0.01; done"

    def plan(number: int) -> dict[str, Any]:
        jobs = [job(f"chatter{each}", sh(chatter.format(name=f"chatter{each}"))) for each in range(4)]
        replaced = job("replaced", forever("replaced"), restarts=number % 2)
        return config(
            *jobs,
            app(health={"exec": "true", "interval": 1, "ttl": 5}),
            replaced,
            job("task", "true", when={"interval": "50ms"}),
        )

    started = pilot(plan(0))
    for number in range(4):
        started.wait_for_mark(f"chatter{number}")
    with started.client() as client:
        reload_often(started, client.ask, plan, 20)
        before = resources(started)

        reload_often(started, client.ask, plan, RELOADS)

        started.wait_for(lambda: no_more_than(before, resources(started)), what=f"no more than {before}")
    assert started.run("-reload") == (0, "", "")
    assert started.count("app") == 1
    assert [started.count(f"chatter{number}") for number in range(4)] == [1, 1, 1, 1]
    assert len(started.jobs()) == 7
    assert started.stop() == 0
    started.assert_nothing_is_left()
    assert "internal error" not in started.output()


def reload_often(started: Pilot, ask: Any, plan: Callable[[int], dict[str, Any]], count: int) -> None:
    """Reloads this number of times, and replaces one job each time."""
    for number in range(1, count + 1):
        started.configure(plan(number))
        answer = ask("POST", "/v3/reload")
        assert (answer.status, answer.body) == (200, b"\n")


def resources(started: Pilot) -> dict[str, int]:
    """The most of some moments: children come and go."""
    seen = [
        {
            "descriptors": len(started.descriptors()),
            "threads": started.threads(),
            "zombies": len(started.zombies()),
            "megabytes": proc.resident_kilobytes(started.pid) // 1024,
        }
        for _ in range(20)
    ]
    return {what: max(each[what] for each in seen) for what in seen[0]}


def no_more_than(before: dict[str, int], after: dict[str, int]) -> bool:
    """A check and a task may run at the moment, with two pipes each; a leak of hundreds of reloads is hundreds."""
    slack = {"descriptors": 4, "threads": 0, "zombies": 2, "megabytes": 3}
    return all(after[what] <= count + slack[what] for what, count in before.items())
