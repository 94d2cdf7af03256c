"""Flags, and where the configuration comes from."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.box import PROGRAM, Box
from tests.system.pilot import archive, interpreter, wait_for
from tests.system.scripts import forever, mark, service, sh

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot

HELLO = json.dumps({"preStart": "echo hello"})


@pytest.mark.smoke
def test_version(pilot: StartPilot) -> None:
    done = pilot.run("-version", "-config", "/no/such/file")

    assert (done.code, done.stderr) == (0, "")
    version = subprocess.run([interpreter(), "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
    python = rf"{re.escape(version)}t? \((glibc \d+\.\d+|musl), {os.uname().machine}\)"
    assert re.fullmatch(rf"Version: \d\S*\nGitHash: ([0-9a-f]{{12}}(-dirty)?)?\nPython: {python}\n", done.stdout)


@pytest.mark.parametrize(
    "flags", [["-version"], ["-nope"], ["-help"], ["-config", "{"], ["-config", "{}", "-template"]]
)
def test_closed_or_full_streams_give_no_traceback(pilot: StartPilot, flags: list[str]) -> None:
    closed = pilot(None, flags, prefix=["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
    with open("/dev/full", "wb") as full:
        unwritable = pilot(None, flags, stdout=full)
        unheard = pilot(None, flags, stderr=full)

    codes = [started.wait_exit() for started in (closed, unwritable, unheard)]

    assert set(codes) <= {0, 1, 2}
    assert all("Traceback" not in started.output() + started.errors() for started in (closed, unwritable, unheard))


@pytest.mark.parametrize("flag", ["-help", "--help", "-h"])
def test_help(pilot: StartPilot, flag: str) -> None:
    done = pilot.run(flag)

    assert "-config" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["-nope", "true"],
        ["--no\npe=1"],
        ["-config"],
        ["-template=maybe"],
        ["-=x"],
        ["---config", "{}"],
        ["-job", "a", "b"],
        ["-putenv", "A=1", "B=2"],
        ["-stop", "e", "-restart", "m"],
        ["-maintenance", "enable", "disable"],
        ["-jobs", "e"],
        ["-reload", "x"],
        ["-ping", "x"],
        ["-events", "x"],
        ["-out", "x", "true"],
        ["-version", "x"],
        ["-template", "x"],
    ],
)
def test_flag_that_is_not_understood_gives_2_and_one_line(pilot: StartPilot, arguments: list[str]) -> None:
    done = pilot.run(*arguments)

    assert (done.code, done.stdout) == (2, "")
    assert re.fullmatch("containerpilot: [^\n]+; see -help\n", done.stderr)


def test_flag_with_a_typing_error_names_the_nearest_one(pilot: StartPilot) -> None:
    done = pilot.run("-jbos")

    assert done == (2, "", "containerpilot: flag provided but not defined: -jbos (did you mean -jobs?); see -help\n")


@pytest.mark.parametrize("flag", ["-config", "--config"])
@pytest.mark.parametrize("equals", [True, False])
def test_configuration_as_text(pilot: StartPilot, flag: str, equals: bool) -> None:
    flags = [f"{flag}={HELLO}"] if equals else [flag, HELLO]

    assert pilot.run(*flags, "echo", "app").stdout == "hello\napp\n"


@pytest.mark.parametrize("argument", ["{path}", "file://{path}", "config.json", "file://config.json"])
def test_configuration_as_a_file(pilot: StartPilot, argument: str) -> None:
    path = pilot.folder() / "config.json"
    path.write_text(HELLO)

    done = pilot.run("-config", argument.format(path=path), "echo", "app")

    assert (done.code, done.stdout) == (0, "hello\napp\n")


def test_configuration_on_standard_input(pilot: StartPilot) -> None:
    done = pilot.run("-config", "-", "cat", stdin=HELLO)

    assert (done.code, done.stdout) == (0, "hello\n")


@pytest.mark.parametrize("flags", [[], ["-config", ""], ["-config="]])
def test_configuration_in_the_environment(pilot: StartPilot, flags: list[str]) -> None:
    done = pilot.run(*flags, "echo", "app", env={"CONTAINERPILOT": HELLO})

    assert (done.code, done.stdout) == (0, "hello\napp\n")


def test_file_named_in_the_environment(pilot: StartPilot) -> None:
    path = pilot.folder() / "config.json"
    path.write_text(HELLO)

    assert pilot.run("echo", "app", env={"CONTAINERPILOT": f"file://{path}"}).stdout == "hello\napp\n"


def test_flag_wins_over_the_environment(pilot: StartPilot) -> None:
    done = pilot.run("-config", HELLO, "true", env={"CONTAINERPILOT": "{"})

    assert (done.code, done.stdout) == (0, "hello\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "-config flag is required"),
        (["-config", "file:///xxxx"], "Could not read config file: open /xxxx: no such file or directory"),
        (["-config", "/xxxx"], "Could not read config file: open /xxxx: no such file or directory"),
        (["-config", "<>"], "Parse error at line:col [1:1]"),
        (["-config", "[]"], "Could not parse configuration: "),
        (["-config", "{{ .X "], "Could not apply template to config: "),
    ],
)
def test_configuration_that_cannot_be_used_gives_1(pilot: StartPilot, arguments: list[str], complaint: str) -> None:
    done = pilot.run(*arguments, "true")

    assert done.code == 1
    assert done.stdout.count(complaint) == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], ""),
        (["app.json5"], " (did you mean -config app.json5?)"),
        (["no such.JSON", "x"], " (did you mean -config 'no such.JSON'?)"),
        (["settings"], " (did you mean -config settings?)"),
        (["sleep", "1", "-config", "o.json"], " (flags come before the command)"),
        (["sleep", "1", "--config=o.json"], " (flags come before the command)"),
        (["jobs"], " (did you mean -jobs?)"),
        (["help"], " (did you mean -help?)"),
        (["version"], " (did you mean -version?)"),
        (["status"], " (did you mean -status?)"),
        (["sleep", "1"], ""),
        (["/bin/sleep", "1"], ""),
        (["\N{ESCAPE}[31m.json"], r" (did you mean -config '\x1b[31m.json'?)"),
    ],
)
def test_a_start_without_a_configuration_suggests_the_probable_command(
    pilot: StartPilot, arguments: list[str], hint: str
) -> None:
    (pilot.folder() / "settings").write_text("{}")

    done = pilot.run(*arguments)

    message = "-config flag is required: there is no configuration: use -config FILE or set CONTAINERPILOT, see -help"
    assert (done.code, done.stderr) == (1, "")
    assert done.stdout.endswith(f" {message}{hint}\n")
    assert done.stdout.count("\n") == 1


ONE_JOB = '{jobs: [{name: "app", exec: "echo app"}]}'


@pytest.mark.parametrize(
    ("word", "flag"),
    [("jobs", "jobs"), ("Reload", "reload"), ("help", "help"), ("status", "status"), ("start", "start")],
)
def test_a_flag_without_its_dash_starts_no_jobs(pilot: StartPilot, word: str, flag: str) -> None:
    done = pilot.run(word, "x", env={"CONTAINERPILOT": ONE_JOB})

    assert (done.code, done.stderr) == (1, "")
    message = f"cannot start: a command is not run in the jobs dialect: did you mean -{flag}?"
    assert done.stdout.endswith(f" {message}\n")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("word", ["ls", "sleep", "app"])
def test_another_command_in_the_jobs_dialect_is_a_warning(pilot: StartPilot, word: str) -> None:
    done = pilot.run("-config", ONE_JOB, word)

    assert done.code == 0
    assert "the command that follows on the command line is not run" in done.stdout


def test_a_command_of_the_services_dialect_may_be_called_like_a_flag(pilot: StartPilot) -> None:
    done = pilot.run("-config", "{}", "jobs")

    assert (done.code, 'exec: "jobs": executable file not found' in done.stdout) == (127, True)


@pytest.mark.parametrize("flag", ["-template", "-reload", "-jobs", "-ping"])
def test_a_configuration_after_a_flag_is_named_by_another_flag(pilot: StartPilot, flag: str) -> None:
    done = pilot.run(flag, "app.json5")

    assert done.code == 2
    assert "and 'app.json5' would have no effect: did you mean -config app.json5?; see -help" in done.stderr


DIALECTS: dict[str, dict[str, Any]] = {
    "services": {"dialect": "services", "preStart": "true", "control": {"socket": "socket"}},
    "jobs": {"jobs": [{"name": "app", "exec": "sleep 1000"}], "control": {"socket": "socket"}},
}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a key": ({"nonsense": True}, "nonsense: unknown key"),
    "a socket": ({"control": {"socket": "/proc/s"}}, "cannot serve the control socket /proc/s"),
    "a port": ({"telemetry": {"interfaces": "static:192.0.2.1"}}, "Error serving telemetry on 192.0.2.1:9090"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    ("dialect", "output"),
    [
        *(("services", output) for output in ("stdout", "stderr")),
        *(("jobs", output) for output in ("stdout", "stderr", "/proc/self/fd/1", "/dev/stderr", "log")),
    ],
)
def test_each_error_is_logged_once(pilot: StartPilot, dialect: str, output: str, wrong: str) -> None:
    """For readers of the standard streams, such as `docker logs`, and for readers of the log file, if there is one."""
    changes, message = WRONG[wrong]
    started = pilot(
        {**DIALECTS[dialect], "logging": {"output": output}, **changes}, ["true"] if dialect == "services" else []
    )

    assert started.wait_exit() == 1
    assert (started.output() + started.errors()).count(message) == 1
    has_log = wrong != "a key"  # a configuration that does not load has none of its own
    in_log = (started.folder / "log").read_text() if output == "log" and has_log else ""
    assert in_log.count(message) == (output == "log" and has_log)
    assert (message in started.errors()) == (has_log and output not in ("stdout", "/proc/self/fd/1"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_error_of_a_reload_is_logged_once_and_reported_once_to_the_client(pilot: StartPilot, dialect: str) -> None:
    started = pilot(DIALECTS[dialect], ["sleep", "1000"] if dialect == "services" else [])
    started.wait_for(lambda: (started.folder / "socket").is_socket())
    started.configure({**DIALECTS[dialect], "nonsense": True, "stopTimeout": "x"})

    refused = started.run("-reload")

    assert (refused.code, refused.stdout) == (1, "")
    for message in ("nonsense: unknown key", "stopTimeout: must be"):
        assert refused.stderr.count(message) == 1
        assert (started.output() + started.errors()).count(message) == 1


def test_an_error_goes_to_standard_error_if_the_log_goes_nowhere(pilot: StartPilot) -> None:
    with open("/dev/null", "wb") as nowhere:
        refused = pilot(None, ["-config", "file:///xxxx", "true"], stdout=nowhere)
        assert refused.wait_exit() == 1
    assert refused.errors() == "Could not read config file: open /xxxx: no such file or directory\n"
    quiet = pilot({"control": {"socket": "/proc/s"}, "jobs": [], "logging": {"level": "PANIC"}})
    assert quiet.wait_exit() == 1
    assert "cannot serve the control socket /proc/s" in quiet.errors()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{\n    "test": {{ .NO_SUCH_KEY }},\n    "test2": "hello"\n}', "[2:13]"),
        ('{\n    "a": 1,\n    "b": 2,\n    "c": 3,\n    "d" 4\n}', "[5:9]"),
        ("{\n" + "\n" * 10 + '  "preStart": "true" "x"\n' + "\n" * 27 + "}", "[12:22]"),
    ],
)
def test_syntax_error_is_reported_at_its_true_place(pilot: StartPilot, text: str, place: str) -> None:
    done = pilot.run("-config", text, "true")

    assert done.code == 1
    assert f"Parse error at line:col {place}" in done.stdout
    assert re.search(r"^-+\^$", done.stdout, re.MULTILINE), "a caret below the place"


def test_all_faults_are_reported_at_once(pilot: StartPilot) -> None:
    path = pilot.folder() / "config.json"
    path.write_text(
        '{"directory": "/x",\n "services": [{"name": ""}],\n "tasks": [{"frequency": "1s"}],\n "bakends": []}'
    )

    done = pilot.run("-config", str(path), "true")

    assert done.code == 1
    for complaint in ("`name`", "Task did not provide a command", "bakends"):
        assert complaint in done.stdout
    assert re.search(rf"{re.escape(str(path))}:2:\d+: ", done.stdout)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"services": [{"name": "", "port": 1, "poll": 1, "ttl": 1}]}, "`name`"),
        ({"services": [{"name": "a1", "port": 1, "ttl": 1}]}, "`poll`"),
        ({"services": [{"name": "a1", "port": 1, "poll": 1}]}, "`ttl`"),
        ({"services": [{"name": "a1", "poll": 1, "ttl": 1}]}, "`port`"),
        ({"backends": [{"name": "", "poll": 1, "onChange": "true"}]}, "`name`"),
        ({"backends": [{"name": "a1", "onChange": "true"}]}, "`poll`"),
        ({"backends": [{"name": "a1", "poll": 1}]}, "`onChange`"),
        ({"coprocesses": [{"name": "a1"}]}, "Coprocess did not provide a command"),
        ({"coprocesses": [{"command": "true", "restarts": "invalid"}]}, 'positive integers, "unlimited" or "never"'),
        ({"coprocesses": [{"command": "true", "restarts": "-1"}]}, 'positive integers, "unlimited" or "never"'),
        ({"coprocesses": [{"command": "true", "restarts": -1}]}, 'positive integers, "unlimited" or "never"'),
        ({"tasks": [{"frequency": "1s"}]}, "Task did not provide a command"),
        ({"tasks": [{"command": "true", "frequency": "-1ms"}]}, "Frequency -1ms cannot be less that 1ms"),
        ({"tasks": [{"command": "true", "frequency": "1ns"}]}, "Frequency 1ns cannot be less that 1ms"),
        (
            {"tasks": [{"command": "true", "frequency": "1s", "timeout": "-1ms"}]},
            "Timeout -1ms cannot be less that 1ms",
        ),
        ({"tasks": [{"command": "true", "frequency": "1s", "timeout": "1ns"}]}, "Timeout 1ns cannot be less that 1ms"),
        ({"tasks": [{"command": "true", "frequency": "xx"}]}, "invalid duration xx"),
        ({"preStart": 5}, "received zero-length argument"),
    ],
)
def test_missing_and_wrong_values_are_named(pilot: StartPilot, entry: dict[str, object], complaint: str) -> None:
    done = pilot.run("-config", json.dumps({"directory": "/x", **entry}), "true")

    assert done.code == 1
    assert complaint in done.stdout


def test_service_without_a_catalogue_is_refused(pilot: StartPilot) -> None:
    config = {"services": [{"name": "a1", "port": 1, "poll": 1, "ttl": 2}]}

    done = pilot.run("-config", json.dumps(config), "true")

    assert done.code == 1
    assert "No discovery backend defined" in done.stdout


def test_a_command_that_cannot_be_started_is_shown_with_unprintable_characters_escaped(pilot: StartPilot) -> None:
    done = pilot.run("-config", "{}", "/no/s\u00fcch\x1b[31m")

    assert done.code == 127
    assert "fork/exec /no/s\u00fcch\\x1b[31m: no such file or directory" in done.stdout


def test_arguments_of_the_app_are_taken_as_they_are(pilot: StartPilot) -> None:
    done = pilot.run("-config", "{}", "printf", "<%s>", "-config", "a  b", "", "--", "-version", "*")

    assert (done.code, done.stdout) == (0, "<-config><a  b><><--><-version><*>")


def test_two_dashes_end_the_flags(pilot: StartPilot) -> None:
    assert pilot.run("-config", "{}", "--", "echo", "-n", "x").stdout == "x"


def test_arguments_of_the_app_are_templates(pilot: StartPilot) -> None:
    env = {"GREETING": "hello world"}

    done = pilot.run("-config", "{}", "printf", "<%s>", "{{ .GREETING }}", "{{ .UNSET }}", "x{{ 1 }}", env=env)

    assert done.stdout == "<hello world><><x1>"


def test_arguments_of_the_app_see_the_address_of_services(pilot: StartPilot) -> None:
    config = {
        "directory": "shelf",
        "services": [{"name": "my-app", "port": 1, "poll": 1, "ttl": 2, "interfaces": "static:10.1.2.3"}],
    }

    done = pilot.run("-config", json.dumps(config), "printf", "%s", "http://{{ .CONTAINERPILOT_MY_APP_IP }}:80")

    assert done.stdout.startswith("http://10.1.2.3:80")


def test_broken_argument_leaves_all_of_them_as_they_are(pilot: StartPilot) -> None:
    done = pilot.run("-config", "{}", "echo", "{{ .HOME }}", "{{ .HOME }", env={"HOME": "/home/pilot"})

    assert done.code == 0
    assert done.stdout.endswith("{{ .HOME }} {{ .HOME }\n")
    assert "cannot render argument" in done.stdout


def test_our_pid_can_be_used_in_the_configuration(pilot: StartPilot) -> None:
    started = pilot({"preStart": mark("pid:{{ .CONTAINERPILOT_PID }}")}, sh("exit 0"))

    started.wait_exit()

    assert started.words() == [f"pid:{started.pid}"]


def test_archive_may_go_while_the_program_runs(
    pilot: StartPilot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.pyz"
    copy.write_bytes(archive().read_bytes())
    monkeypatch.setenv("CONTAINERPILOT_PYZ", str(copy))
    started = pilot({}, sh("mark app; until [ -e go ]; do sleep 0.02; done; exit 3"))
    started.wait_for_mark("app")
    copy.unlink()

    started.reload({"directory": "shelf", "services": [service()], "postStop": mark("postStop")})
    started.wait_for(lambda: list(started.folder.glob("shelf/app-*.json")), what="the registration")
    (started.folder / "go").touch()

    assert started.wait_exit() == 3
    assert started.words() == ["app", "postStop"]


def test_full_configuration_of_containerpilot_2_loads(pilot: StartPilot) -> None:
    config = {
        "consul": "127.0.0.1:1",
        "preStart": "/bin/echo preStart args",
        "preStop": ["/bin/echo", "preStop"],
        "postStop": ["/bin/true"],
        "stopTimeout": 5,
        "services": [
            service(
                "serviceA", ttl="19", tags=["tag1", "tag2"], health="/bin/true a b", interfaces=["static:10.1.2.3"]
            ),
            service("serviceB", ttl=103, health=["/bin/true", "x"], timeout="5s"),
        ],
        "backends": [
            {"name": "upstreamA", "poll": 11, "onChange": "/bin/true {{.TEST}}", "tag": "dev"},
            {"name": "upstreamB", "poll": 79, "onChange": ["/bin/true"]},
        ],
    }

    done = pilot.run("-config", json.dumps(config), "/bin/echo", "valid1", "--debug", env={"TEST": "HELLO"})

    assert done.code == 0
    assert done.stdout.startswith("preStart args\nvalid1 --debug\n")


USUAL = "/var/run/containerpilot.socket"
# A folder for sockets of its own, so that no other ContainerPilot of this machine is met in the usual place.
ALONE = ["/bin/sh", "-ec", 'mount -t tmpfs none "$(realpath /var/run)"; exec "$@"', "sh"]


@pytest.mark.parametrize(
    ("socket", "broken"),
    [(USUAL, None), (USUAL, ""), ("own.socket", '{"control": {"socket": "own.socket"}, "jobs": [')],
    ids=["none", "empty", "half"],
)
def test_flags_work_while_the_configuration_is_broken(
    tmp_path: Path, built_archive: Path, socket: str, broken: str | None
) -> None:
    """A reload is refused by who runs, and logged there."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"control": {"socket": socket}, "jobs": [{"name": "app", "exec": forever()}]}))
    box = Box(tmp_path, [*ALONE, *PROGRAM])
    try:
        box.wait_for_app()
        wait_for(lambda: box.again("-ping").code == 0, what="the control socket")
        file.unlink()
        if broken is not None:
            file.write_text(broken)

        reload, jobs = box.again("-reload"), box.again("-jobs")

        assert (reload.code, reload.stdout) == (1, "")
        warning, first = reload.stderr.splitlines()[:2]
        assert warning.startswith("warning: cannot use the configuration: ")
        assert warning.endswith(socket)
        assert first.startswith("-reload: failed to run subcommand: ")
        assert str(file) in first
        assert (jobs.code, "app" in jobs.stdout) == (0, True)
        wait_for(lambda: str(file) in box.output(), what="the fault in the log")
    finally:
        box.close()
