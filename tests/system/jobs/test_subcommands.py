"""The flags that ask a running ContainerPilot, as an operator types them, in both dialects."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.limits import DEADLINE
from tests.system.control import SOCKET
from tests.system.jobs.configs import app, config, job, once
from tests.system.pilot import PATH, archive, interpreter, now
from tests.system.scripts import mark, sh, until_term

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

# PID 1 has a mount namespace of its own. There /run is made empty and ours, so that the usual place of the socket is.
PRIVATE_RUN = ("/bin/sh", "-c", 'mount -t tmpfs run /run && exec "$@"', "sh")

DIALECTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "jobs": (config(job("app", until_term()), job("task", mark("task"), when={"interval": "1h"})), []),
    "services": (
        {
            "dialect": "services",
            "control": {"socket": SOCKET},
            "tasks": [{"name": "task", "command": mark("task"), "frequency": "1h"}],
        },
        until_term(),
    ),
}
STACK = ("/bin/sh", "-c", 'ulimit -Ss 1024; exec "$@"', "sh")
in_both_dialects = pytest.mark.parametrize("dialect", DIALECTS)


def start(pilot: StartPilot, dialect: str, **more: Any) -> Pilot:
    plan, command = DIALECTS[dialect]
    started = pilot({**plan, **more}, command)
    started.wait_for_mark("app")
    started.wait_for(lambda: (started.folder / SOCKET).is_socket())
    return started


@pytest.mark.smoke
@in_both_dialects
def test_ping_reload_maintenance_and_environment(pilot: StartPilot, dialect: str) -> None:
    started = start(pilot, dialect)

    assert started.run("-ping") == (0, "ok\n", "")
    for flags in (["-reload"], ["-maintenance", "enable"], ["-maintenance", "disable"], ["-putenv", "A=b=c"]):
        assert started.run(*flags) == (0, "", ""), flags

    assert started.count("app") == 1
    assert started.stop() == 0
    assert not (started.folder / SOCKET).exists()


def test_maintenance_during_a_stop_is_refused(pilot: StartPilot) -> None:
    slow = sh("trap 'mark term' TERM\nmark app\nwhile [ ! -e end ]; do sleep 0.05; done")
    started = pilot(config(job("app", slow), stopTimeout=60))
    started.wait_for_mark("app")
    started.ask("GET", "/v3/ping")
    started.signal("TERM")
    started.wait_for_mark("term")

    done = started.run("-maintenance", "enable")

    why = "cannot enter maintenance: ContainerPilot is stopping"
    assert done == (1, "", f"-maintenance: failed to run subcommand: {why}\n")
    (started.folder / "end").touch()
    assert started.wait_exit() == 0


def test_thousands_of_jobs_are_listed(pilot: StartPilot) -> None:
    names = [f"job-{number}" for number in range(4000)]
    started = pilot(config(app(), *(job(name) for name in names)))
    started.wait_for_mark("app")

    data = started.run("-jobs", "-json")
    table = started.run("-jobs")

    assert (data.code, table.code) == (0, 0), data.stderr + table.stderr
    assert len(data.stdout) > 1 << 20
    assert [each["name"] for each in json.loads(data.stdout)["jobs"]] == ["app", *names]
    assert len(table.stdout.splitlines()) == 1 + 1 + len(names)


@in_both_dialects
def test_jobs_are_listed(pilot: StartPilot, dialect: str) -> None:
    started = start(pilot, dialect)

    table = started.run("-jobs")
    data = json.loads(started.run("-jobs", "-json").stdout)

    assert (table.code, table.stderr) == (0, "")
    assert table.stdout.split("\n")[0].split() == ["NAME", "STATE", "PID", "SINCE", "RESTARTS", "HEALTH", "ABOUT"]
    assert len(table.stdout.splitlines()) == 1 + len(data["jobs"])
    running = [each for each in data["jobs"] if each["state"] == "running"]
    assert [each["pid"] for each in running] == [started.children()[0]]


def test_putenv_keeps_the_text_after_the_first_equals_sign(pilot: StartPilot) -> None:
    shown = sh('mark "$A/${B-unset}/$LATE"')
    started = pilot(config(app(), job("shown", shown, when={"source": "SIGUSR2"})), env={"B": "given", "LATE": "1"})
    started.wait_for_mark("app")

    assert started.run("-putenv", "A=x=y=z", "-putenv", "B", "-putenv", "LATE=1", "-putenv", "LATE=2").code == 0
    started.signal("USR2")

    started.wait_for_mark("x=y=z/unset/2")


def test_environment_with_which_nothing_could_be_started_is_refused(pilot: StartPilot) -> None:
    """As a whole and one by one; with a stack of 1 MiB there are 256 KiB for all."""
    started = pilot(config(app(), job("shown", sh('mark "${#V0}"'), when={"source": "SIGUSR2"})), prefix=STACK)
    started.wait_for_mark("app")

    answer = started.ask("POST", "/v3/environ", {"SMALL": "1", "BIG": "x" * 200_000})
    assert answer.status == 422
    assert "no process could be started any more: BIG and its value have 200003 bytes" in answer.json["error"]
    values = [f"V{index}={'x' * 60_000}" for index in range(6)]
    codes = [started.run("-putenv", value).code for value in values]
    assert codes == [0, 0, 0, 0, 1, 1]
    refused = started.run("-putenv", values[-1])
    assert "Unprocessable Entity: no process could be started any more: all variables have " in refused.stderr

    assert started.run("-restart", "app").code == 0
    started.wait_for_mark("app", 2)
    started.signal("USR2")
    started.wait_for_mark("60000")
    assert started.run("-putenv", "V3").code == 0
    assert started.run("-putenv", values[-1]).code == 0


def test_reload_after_which_something_could_not_be_started_is_refused(pilot: StartPilot) -> None:
    started = pilot(config(app(), job("other", "sleep 1000")), prefix=STACK)
    started.wait_for_mark("app")
    started.wait_for_state("other", "running")
    pid = started.jobs()["app"]["pid"]

    started.configure(config(app(), job("other", ["echo", "x" * 131_072])))
    refused = started.run("-reload")
    assert refused.code == 1
    assert re.search(r"config\.json:1:\d+: jobs\[1\]\.exec: .*\[1\] has 131072 bytes: an argument has", refused.stderr)
    started.configure(config(app(), job("other", ["echo", "x" * 100_000, "y" * 100_000, "z" * 100_000])))
    refused = started.run("-reload")
    assert refused.code == 1
    why = (
        r"config\.json: all variables have \d+ bytes and the command of other 300040: together the kernel takes 262144$"
    )
    assert re.search(why, refused.stderr, re.M)

    assert started.jobs()["app"]["pid"] == pid
    assert started.jobs()["other"]["state"] == "running"


def test_environment_that_was_set_is_that_of_the_next_reload(pilot: StartPilot) -> None:
    started = pilot(config(app(), app("worker-{{ .VERSION }}")), env={"VERSION": "1"})
    started.wait_for_mark("worker-1")

    started.run("-putenv", "VERSION=2")
    assert started.run("-reload").code == 0

    started.wait_for_mark("worker-2")
    assert list(started.jobs()) == ["app", "worker-2"]


def test_a_start_that_fails_is_not_a_success(pilot: StartPilot) -> None:
    tool = pilot.folder() / "tool"
    tool.write_text("#!/bin/sh\nexec sleep 1000\n")
    tool.chmod(0o755)
    started = pilot(config(app(), job("tool", str(tool))))
    started.wait_for_mark("app")
    started.wait_for_state("tool", "running")
    tool.unlink()

    reason = f"tool cannot be started: fork/exec {tool}: no such file or directory\n"
    for flag in ("-restart", "-start", "-restart"):
        assert started.run(flag, "tool") == (1, "", f"{flag}: failed to run subcommand: {reason}")
    assert started.ask("POST", "/v3/jobs/tool/start").status == 409

    started.configure(config(app(), job("other", "/no/such/file"), job("fine", "sleep 1000")))
    reloaded = started.run("-reload")
    assert (reloaded.code, reloaded.stdout) == (1, "")
    assert "the new configuration is in use, but other cannot be started: fork/exec /no/such/file" in reloaded.stderr
    assert started.jobs()["fine"]["state"] == "running"
    assert started.count("app") == 1


def test_a_main_job_that_cannot_be_restarted_is_logged_before_the_end(pilot: StartPilot) -> None:
    tool = pilot.folder() / "tool"
    tool.write_text("#!/bin/sh\nexec sleep 1000\n")
    tool.chmod(0o755)
    started = pilot(config(job("tool", str(tool), main=True)))
    started.wait_for_state("tool", "running")
    tool.unlink()

    restarted = started.run("-restart", "tool")

    assert restarted.code == 1
    assert "tool cannot be started: " in restarted.stderr
    assert started.wait_exit() == 127


def test_a_job_is_stopped_started_restarted_and_signalled(pilot: StartPilot) -> None:
    hup = sh("trap 'mark hup' HUP\ntrap 'mark term; exit' TERM\nmark worker\nwhile :; do sleep 0.02; done")
    pre = job("pre", mark("pre"), when=once("stopping", "my worker/1"))
    started = pilot(config(app(), job("my worker/1", hup), pre))
    started.wait_for_mark("worker")

    assert started.run("-signal", "my worker/1=HUP") == (0, "", "")
    started.wait_for_mark("hup")
    assert started.run("-stop", "my worker/1") == (0, "", "")
    assert started.words()[-2:] == ["pre", "term"]
    assert started.jobs()["my worker/1"]["state"] == "held"
    assert started.run("-start", "my worker/1") == (0, "", "")
    started.wait_for_mark("worker", 2)
    assert started.run("-restart", "my worker/1") == (0, "", "")
    started.wait_for_mark("worker", 3)

    assert started.count("app") == 1
    details = started.run("-job", "my worker/1").stdout
    assert "name: my worker/1\n" in details
    assert re.search(r"^pid: \d+$", details, re.MULTILINE)


def test_table_shows_running_waiting_and_failed_jobs(pilot: StartPilot) -> None:
    ill = {"exec": ["sh", "-c", "echo too ill; exit 1"], "interval": 1, "ttl": 5}
    started = pilot(
        config(
            app(),
            app("sick", health=ill),
            job("failed", ["sh", "-c", "exit 3"]),
            job("missing", "no-such-program"),
            job("waiting", "true", when=once("exitSuccess", "app")),
            job("skipped", "true", when=once("exitSuccess", "failed")),
            job("periodic", "true", when={"interval": "1h"}),
            job("hook", "true", when=once("stopping", "app")),
        )
    )
    started.wait_for(lambda: started.jobs()["sick"]["health"]["status"] == "unhealthy", what="a failed check")

    table = started.run("-jobs").stdout
    rows = {line.split()[0]: line for line in table.splitlines()[1:]}

    for name, *wanted in (
        ("app", "running", str(started.jobs()["app"]["pid"]), "runs"),
        ("sick", "running", "unhealthy", "check: too ill"),
        ("failed", "complete", "exited 3 (exit status 3)"),
        ("missing", "complete", 'exited 127 (exec: "no-such-program": executable file not found in $PATH)'),
        ("waiting", "waiting", "waits for exitSuccess of app"),
        ("skipped", "skipped", "waits for exitSuccess of failed, which has ended (exit status 3)"),
        ("periodic", "scheduled", "runs every 3600 s"),
        ("hook", "waiting", "waits for stopping of app"),
    ):
        for text in wanted:
            assert text in rows[name], rows[name]


def test_events_are_printed_and_followed(pilot: StartPilot) -> None:
    started = pilot(config(app(), job("first", "true")))
    started.wait_for_state("first", "complete")

    lines = started.run("-events").stdout.splitlines()
    columns = [line.split()[1:] for line in lines]
    assert columns[0] == ["startup", "global"]
    assert ["exitSuccess", "first"] in columns

    follower = subprocess.Popen(
        [interpreter(), str(archive()), "-config", "config.json", "-events", "-follow", "-json"],
        cwd=started.folder, env={"PATH": PATH}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert follower.stdout is not None
    with follower.stdout:
        seen = [json.loads(follower.stdout.readline()) for _ in lines]
        started.signal("USR2")
        seen.append(json.loads(follower.stdout.readline()))
        assert started.stop() == 0
        seen += [json.loads(line) for line in follower.stdout]
    assert follower.wait(DEADLINE) == 0

    assert [each["number"] for each in seen] == list(range(1, len(seen) + 1))
    assert (seen[len(lines)]["code"], seen[len(lines)]["source"]) == ("signal", "SIGUSR2")
    assert ("shutdown", "global") in [(each["code"], each["source"]) for each in seen]


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["-job", "ap"], "there is no job 'ap' (did you mean 'app'?)"),
        (["-start", "nobody"], "there is no job 'nobody'"),
        (["-signal", "done=HUP"], "done has no process: it is complete"),
        (["-signal", "app=NOPE"], "there is no signal NOPE"),
        (["-putenv", "=x"], ""),
        (["-putmetric", "a=b"], "the value of a must be a number"),
        (["-maintenance", "on"], "enable"),
    ],
)
def test_a_refusal_is_reported_and_the_exit_code_is_not_0(pilot: StartPilot, flags: list[str], complaint: str) -> None:
    started = pilot(config(app(), job("done", "true")))
    started.wait_for_state("done", "complete")

    done = started.run(*flags)

    assert done.code in (1, 2)
    assert done.stdout == ""
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert started.is_running()


def test_a_missing_server_is_reported_with_the_place(pilot: StartPilot) -> None:
    done = pilot.run("-config", '{"control": {"socket": "none.socket"}, "jobs": []}', "-ping")

    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("-ping: failed: cannot connect to none.socket: ")


def test_frozen_one_keeps_its_operator_waiting_only_up_to_a_limit(pilot: StartPilot) -> None:
    started = pilot(config(app()))
    started.wait_for_mark("app")
    started.ask("GET", "/v3/ping")
    started.signal("STOP")
    requested_at = now()

    done = started.run("-ping")

    started.signal("CONT")
    assert done.code == 1
    assert "no answer at " in done.stderr
    assert now() - requested_at > 9
    assert started.run("-ping").stdout == "ok\n"


@in_both_dialects
def test_usual_place_needs_no_configuration(pilot: StartPilot, dialect: str) -> None:
    """As in a container: nothing is configured, and the subcommands run beside the application."""
    program = shlex.join([interpreter(), str(archive())])
    ask = (
        f"until {program} -ping; do sleep 0.1; done >ping\n{program} -jobs -json >jobs; ls /run >places\n"
        "mark asked\nexec sleep 1000"
    )
    plan = {"jobs": [job("app", sh(ask))]} if dialect == "jobs" else {}
    started = pilot(plan, sh(ask) if dialect == "services" else [], init=True, prefix=PRIVATE_RUN)
    started.wait_for_mark("asked")

    assert (started.folder / "ping").read_text() == "ok\n"
    assert (started.folder / "places").read_text() == "containerpilot.socket\n"
    assert [each["state"] for each in json.loads((started.folder / "jobs").read_text())["jobs"]] == ["running"]
    assert started.stop() in (0, 143)
