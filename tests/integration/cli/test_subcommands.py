"""Requests, output and exit codes of the subcommands, against a server with the answers of the test."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cp.cli import main
from tests.integration.cli.control_server import ControlServer, answer, server
from tests.limits import DEADLINE

__all__ = ["server"]

ROOT = Path(__file__).resolve().parents[3]

JOB: dict[str, Any] = {
    "name": "app",
    "main": False,
    "state": "running",
    "about": "its process runs",
    "waitsFor": None,
    "blockedBy": [],
    "pid": 123,
    "since": "2026-11-22T16:50:00.123Z",
    "seconds": 192.7,
    "starts": 2,
    "restarts": 1,
    "restartsLeft": None,
    "lastExit": None,
    "health": None,
    "service": None,
}
KILLED = {"code": -9, "text": "signal: killed", "at": "2026-11-22T16:50:00.000Z"}
EXIT = {"code": 1, "text": "exit status 1", "at": "2026-11-22T16:50:00.000Z"}


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A subcommand takes signals as a plain program does; the tests' own handler comes back afterwards."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


class Pilot:
    """Runs subcommands with a configuration that names the server's socket."""

    def __init__(self, server: ControlServer, config: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.server = server
        self.config = config
        self._capture = capture

    def __call__(self, *flags: str) -> Result:
        return self.bare("-config", str(self.config), *flags)

    def bare(self, *flags: str) -> Result:
        code = main.main(list(flags))
        shown = self._capture.readouterr()
        return Result(code, shown.out, shown.err)

    def about(self, *jobs: dict[str, Any], **state: Any) -> list[str]:
        """The lines of -jobs."""
        overview = {"maintenance": False, "stopping": False, "reloading": False, **state, "jobs": jobs}
        self.server.says = (answer(200, overview),)
        done = self("-jobs")
        assert (done.code, done.err) == (0, "")
        return done.out.splitlines()


@pytest.fixture
def pilot(
    server: ControlServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Pilot:
    monkeypatch.delenv("CONTAINERPILOT", raising=False)
    config = tmp_path / "config.json5"
    config.write_text(f"{{control: {{socket: '{server.path}'}}, jobs: [{{name: 'app', nonsense: 1}}]}}")
    return Pilot(server, config, capfd)


# --- requests


@pytest.mark.parametrize(
    ("flags", "method", "target", "body"),
    [
        (["-reload"], "POST", "/v3/reload", None),
        (["-maintenance", "enable"], "POST", "/v3/maintenance/enable", None),
        (["-maintenance=disable"], "POST", "/v3/maintenance/disable", None),
        (["-putenv", "A=1", "-putenv", "B"], "POST", "/v3/environ", {"A": "1", "B": None}),
        (["-putenv", 'C="\\é\n'], "POST", "/v3/environ", {"C": '"\\é\n'}),
        (["-putmetric", "a=1", "-putmetric", "b=x"], "POST", "/v3/metric", {"a": "1", "b": "x"}),
        (["-start", "app"], "POST", "/v3/jobs/app/start", None),
        (["-stop", "a b/c?é"], "POST", "/v3/jobs/a%20b%2Fc%3F%C3%A9/stop", None),
        (["-restart", "app"], "POST", "/v3/jobs/app/restart", None),
        (["-signal", "app=HUP"], "POST", "/v3/jobs/app/signal", {"signal": "HUP"}),
        (["-signal", "app=1"], "POST", "/v3/jobs/app/signal", {"signal": 1}),
        (["-signal", "app=RTMIN+3"], "POST", "/v3/jobs/app/signal", {"signal": "RTMIN+3"}),
        (["-signal", "app=" + "9" * 5000], "POST", "/v3/jobs/app/signal", {"signal": "9" * 5000}),
        (["-signal", "app=٩"], "POST", "/v3/jobs/app/signal", {"signal": "٩"}),
    ],
)  # fmt: skip
def test_request_of_a_subcommand_that_prints_nothing(
    pilot: Pilot, flags: list[str], method: str, target: str, body: object
) -> None:
    done = pilot(*flags)

    assert (done.code, done.out, done.err) == (0, "", "")
    assert pilot.server.requests[0][:2] == (method, target)
    assert pilot.server.requests[0][2] == b"" if body is None else pilot.server.json_of() == body


def test_jobs_without_number_are_listed(pilot: Pilot) -> None:
    """An answer as long as a server gives one."""
    overview = b'{"maintenance": false, "jobs": [' + b" " * (63 << 20) + b"]}\n"
    pilot.server.says = (answer(200, overview),)

    done = pilot("-jobs", "-json")

    assert (done.code, done.err, len(done.out)) == (0, "", len(overview))


def test_ping(pilot: Pilot) -> None:
    done = pilot("-ping")

    assert (done.code, done.out, done.err) == (0, "ok\n", "")
    assert pilot.server.requests == [("GET", "/v3/ping", b"")]


@pytest.mark.parametrize(
    "flag",
    [["-reload"], ["-maintenance", "enable"], ["-putenv", "A=1"], ["-putmetric", "a=1"], ["-jobs"], ["-start", "x"]],
)
def test_refusal_is_reported_in_the_words_of_the_server(pilot: Pilot, flag: list[str]) -> None:
    pilot.server.says = (answer(422, {"error": "config.json5:1:1: first\nconfig.json5:2:1: second \x1b[31m\n"}),)

    done = pilot(*flag)

    assert (done.code, done.out) == (1, "")
    words = "config.json5:1:1: first\nconfig.json5:2:1: second \\x1b[31m\n"
    assert done.err == f"{flag[0]}: failed to run subcommand: {words}"


def test_refusal_of_a_ping(pilot: Pilot) -> None:
    pilot.server.says = (answer(503, {"error": "stopping"}),)

    assert pilot("-ping").err == "-ping: failed: stopping\n"


def test_refusal_with_an_unknown_text(pilot: Pilot) -> None:
    pilot.server.says = (answer(405, b"Method Not Allowed\n"),)

    assert pilot("-reload").err == "-reload: failed to run subcommand: HTTP status 405: Method Not Allowed\n"


def test_refusal_whose_words_are_cut_tears_no_character(pilot: Pilot) -> None:
    pilot.server.says = (answer(500, f"x{'é' * 5000}".encode()),)

    assert pilot("-reload").err == f"-reload: failed to run subcommand: HTTP status 500: x{'é' * 4095}\n"


@pytest.mark.parametrize(
    ("flags", "body", "words"),
    [
        (["-reload"], {"state": "waiting for job app"}, "waiting for job app"),
        (["-stop", "app"], {**JOB, "about": "its process has got SIGTERM"}, "its process has got SIGTERM"),
        (["-stop", "app"], b"x", "it takes longer than the server lets a client wait"),
    ],
)
def test_an_unfinished_change_is_reported(pilot: Pilot, flags: list[str], body: object, words: str) -> None:
    pilot.server.says = (answer(202, body),)

    done = pilot(*flags)

    assert (done.code, done.out, done.err) == (0, "", f"{flags[0]}: still going on: {words}\n")


# --- where the socket is


def test_a_missing_server_is_an_error(pilot: Pilot) -> None:
    pilot.server.close()
    pilot.server.path.unlink()

    done = pilot("-ping")

    assert done.code == 1
    assert done.err == (
        f"-ping: failed: cannot connect to {pilot.server.path}: no such file: "
        "is ContainerPilot running, and does -config name its configuration?\n"
    )


def test_configuration_in_the_environment_with_a_template(pilot: Pilot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", str(pilot.server.path))
    monkeypatch.setenv("CONTAINERPILOT", "{control: {socket: '{{ .WHERE }}'}}")

    assert pilot.bare("-ping").out == "ok\n"


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("/no/such/file", "open /no/such/file: no such file or directory"),
        ("{", "<config>:1:1: "),
        ("[]", "must be an object"),
        ("{ {{ .X ", "Could not apply template to config"),
        ('{"control": {"socket": ""}}', "control server not loading due to missing config"),
        ('{"control": {"sokcet": "/x"}}', "unknown key (did you mean 'socket'?)"),
        ('{"control": {"socket": ["/x"]}}', "control.socket"),
        ('{"control": "/x"}', "must be an object"),
    ],
)
def test_configuration_of_no_clear_dialect_is_refused(
    pilot: Pilot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, complaint: str
) -> None:
    # Another ContainerPilot of this machine may be in the usual places.
    monkeypatch.setattr("cp.control.socket_paths.USUAL", str(tmp_path / "usual"))
    monkeypatch.setattr("cp.control.socket_paths.folders", lambda environ: [str(tmp_path)])

    done = pilot.bare("-config", config, "-reload")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("-reload: failed to run subcommand: ")
    assert complaint in done.err

    assert "-config '{control: {socket: \"PATH\"}}'" in done.err


@pytest.mark.parametrize(
    "text", [None, "", "{", "// nothing", "jobs: {", "{ {{ .X }", "{jobs: [}", '{control: "/x"}', "{control: {"]
)
def test_usual_places_where_the_configuration_cannot_be_used(
    pilot: Pilot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.setattr("cp.control.socket_paths.USUAL", str(tmp_path / "usual"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / f"containerpilot-{os.getuid()}.socket").symlink_to(pilot.server.path)
    pilot.config.unlink()
    if text is not None:
        pilot.config.write_text(text)

    done = pilot("-reload")

    assert (done.code, done.out, len(pilot.server.requests)) == (0, "", 1)
    [line] = done.err.splitlines()
    assert line.startswith("warning: cannot use the configuration: ")
    assert str(pilot.config) in line
    assert f"{tmp_path}/containerpilot-{os.getuid()}.socket" in line


@pytest.mark.parametrize(
    "text",
    [
        "{control: {socket: 'PATH'}, jobs: [",
        '{"jobs": [{"a": 1}], "control": {"socket": "PATH"}, }}',
        "{control: {socket: 'PATH'}, jobs: [{{ .X ]}",
        "{control: {socket: '{{ .WHERE }}'}, jobs: [",
        "{control: {socket: 'PATH'}} and more",
    ],
)
def test_control_socket_that_is_configured_before_the_error(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("cp.cli.broken_configuration.paths_for_clients", lambda environ: pytest.fail("it is named"))
    monkeypatch.setenv("WHERE", str(pilot.server.path))
    pilot.config.write_text(text.replace("PATH", str(pilot.server.path)))

    done = pilot("-ping")

    assert (done.code, done.out) == (0, "ok\n")
    assert f"; its valid part names the control socket {pilot.server.path}\n" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "text",
    [
        "{ // {{ if .NO }}\n control: {socket: 'PATH'}, jobs: [{{ .X ",
        "{control: {socket: 'PATH{{ .X '}}",
        "{control: {socket: 'PATH'",
    ],
)
def test_control_socket_that_is_not_certain_is_not_used(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("cp.cli.broken_configuration.paths_for_clients", lambda environ: ["/no/such/socket"])
    pilot.config.write_text(text.replace("PATH", str(pilot.server.path)))

    done = pilot("-ping")

    assert (done.code, done.out, pilot.server.requests) == (1, "", [])
    assert "cannot connect to /no/such/socket: no such file" in done.err


@pytest.mark.parametrize("flags", [[], ["-config", "{}"], ["-config", "{control: null}"], ["-config", "{control: {}}"]])
def test_usual_places_where_no_configuration_names_another(
    pilot: Pilot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    monkeypatch.setattr("cp.control.socket_paths.USUAL", str(tmp_path / "usual"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / f"containerpilot-{os.getuid()}.socket").symlink_to(pilot.server.path)

    assert pilot.bare(*flags, "-ping").out == "ok\n"


def test_all_usual_places_are_named_if_no_server_is_there(
    pilot: Pilot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "cp.control.socket_paths.paths_for_clients", lambda environ: [f"{tmp_path}/one", f"{tmp_path}/two"]
    )
    monkeypatch.setattr("cp.control.socket_paths.folders", lambda environ: [str(tmp_path / "no folder")])

    assert pilot.bare("-ping").err == (
        f"-ping: failed: cannot connect to {tmp_path}/one: no such file, nor to {tmp_path}/two: no such file: "
        "is ContainerPilot running? If it has a control.socket, name its -config\n"
    )


# --- tables


def test_jobs_at_a_glance(pilot: Pilot) -> None:
    unhealthy = {"status": "unhealthy", "output": "no\tanswer \x1b]0;x\x07", "failures": 2, "at": None}
    lines = pilot.about(
        {**JOB, "pid": 7, "health": {"status": "healthy", "output": "", "failures": 0, "at": None}},
        {**JOB, "name": "web", "health": unhealthy, "restarts": 12},
        {**JOB, "name": "late", "state": "waiting", "about": "waits for `healthy` of db", "pid": None, "seconds": 3},
        {**JOB, "name": "done\n", "state": "complete", "about": "done; only a reload starts it again", "pid": None},
    )

    assert lines == [
        "NAME    STATE     PID  SINCE  RESTARTS  HEALTH     ABOUT",
        "app     running     7  3m12s         1  healthy    its process runs",
        "web     running   123  3m12s        12  unhealthy  check: no\\tanswer \\x1b]0;x\\x07",
        "late    waiting     -     3s         1  -          waits for healthy of db",
        "done\\n  complete    -  3m12s         1  -          done; only a reload starts it again",
    ]


@pytest.mark.parametrize(
    ("job", "about"),
    [
        ({"state": "complete", "lastExit": EXIT}, r"exited 1 \(exit status 1\) \d+\w+ ago"),
        ({"state": "complete", "lastExit": {**EXIT, "code": 0}}, "about it"),
        ({"state": "complete", "lastExit": {**KILLED, "at": "?"}}, r"killed by signal 9 \(signal: killed\)"),
        ({"state": "pausing", "lastExit": {**EXIT, "at": None}}, r"about it; exited 1 \(exit status 1\)"),
    ],
)  # fmt: skip
def test_failed_jobs_and_their_reasons(pilot: Pilot, job: dict[str, Any], about: str) -> None:
    row = pilot.about({**JOB, "about": "about it", **job})[1]

    assert re.fullmatch(about, row.split("  -  ")[-1].strip()), row


def test_state_of_the_whole_is_at_the_top(pilot: Pilot) -> None:
    assert pilot.about(JOB, maintenance=True, reloading=True)[0] == "in maintenance, reloading"
    assert pilot.about(stopping=True) == ["stopping", "no jobs"]


WATCH = {"name": "db", "tag": "", "datacenter": "", "instances": 2, "seconds": 192.5, "about": "up to date"}
CATALOG = {"kind": "consul", "address": "127.0.0.1:8500", "reachable": True, "about": "reachable"}


def test_watches_and_the_catalogue_are_at_the_bottom(pilot: Pilot) -> None:
    odd = {**WATCH, "name": "web", "tag": "blue", "datacenter": "dc2", "instances": None, "seconds": None}
    away = {**odd, "tag": "", "about": "no answer since 2026-11-22T16:50:00Z: x\x1by"}

    assert pilot.about(JOB, watches=[WATCH, odd, away], catalogue=CATALOG)[2:] == [
        "",
        "WATCH          INSTANCES  SINCE  ABOUT",
        "db                     2  3m12s  up to date",
        "web[blue]@dc2          -      -  up to date",
        "web@dc2                -      -  no answer since 2026-11-22T16:50:00Z: x\\x1by",
        "",
        "catalogue: consul at 127.0.0.1:8500, reachable",
    ]
    assert pilot.about(JOB, watches=[], catalogue=None) == pilot.about(JOB)


@pytest.mark.parametrize("strange", [3, "x", [3], [{"name": 3}], {"kind": []}])
def test_strange_watches_and_catalogues_give_no_traceback(pilot: Pilot, strange: object) -> None:
    pilot.server.says = (answer(200, {"jobs": [JOB], "watches": strange, "catalogue": strange}),)

    done = pilot("-jobs")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("NAME ")


def test_one_job(pilot: Pilot) -> None:
    pilot.server.says = (
        answer(
            200,
            {
                **JOB,
                "blockedBy": ["a", "b"],
                "restartsLeft": 3,
                "lastExit": {**EXIT, "at": "then"},
                "health": {
                    "status": "unhealthy",
                    "output": "no answer",
                    "failures": 2,
                    "at": "then",
                    "since": "before",
                },
                "service": {"name": "app", "id": "app-x", "address": "10.0.0.1", "port": 80, "registered": "passing"},
            },
        ),
    )

    done = pilot("-job", "app")

    assert pilot.server.requests == [("GET", "/v3/jobs/app", b"")]
    assert done.out.splitlines() == [
        "name: app",
        "state: running (its process runs)",
        "since: 2026-11-22T16:50:00.123Z (3m12s)",
        "main: no",
        "pid: 123",
        "blocked by: a, b",
        "starts: 2",
        "restarts: 1 (3 left)",
        "last exit: exited 1 (exit status 1) (then)",
        "health: unhealthy (2 failures in a row)",
        "health since: before",
        "last check: then",
        "its output: no answer",
        "service: app at 10.0.0.1:80 (id app-x)",
        "registered: passing",
    ]


def test_events(pilot: Pilot) -> None:
    at = "2026-11-22T16:50:00.123Z"
    event = {"number": 1, "at": at, "code": "healthy", "source": "db"}
    pilot.server.says = (answer(200, {"events": [event, {**event, "code": "exitSuccess", "source": "a\x1b"}]}),)

    assert pilot("-events").out == f"{at}  healthy           db\n{at}  exitSuccess       a\\x1b\n"


@pytest.mark.parametrize("flags", [["-jobs"], ["-job", "app"], ["-events"]])
def test_json_is_printed_as_it_came(pilot: Pilot, flags: list[str]) -> None:
    pilot.server.says = (answer(200, b'{"a" :  1}\n'),)

    assert pilot(*flags, "-json").out == '{"a" :  1}\n'


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'"jobs"'])
@pytest.mark.parametrize("flags", [["-jobs"], ["-job", "app"], ["-events"]])
def test_answer_that_is_nothing_of_the_kind(pilot: Pilot, flags: list[str], body: bytes) -> None:
    pilot.server.says = (answer(200, body),)

    done = pilot(*flags)

    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(rf"{flags[0]}: failed to run subcommand: cannot read its answer: it is not.*\n", done.err)


@pytest.mark.parametrize("strange", [None, 1, "x", [], {}, [1], {"code": [], "at": 1, "output": {}, "status": 5}])
def test_strange_jobs_give_no_traceback(pilot: Pilot, strange: object) -> None:
    assert len(pilot.about(*[{**JOB, key: strange} for key in JOB])) == len(JOB) + 1
    for body in (
        {"jobs": strange},
        {"jobs": [strange]},
        {"events": strange},
        {"events": [strange]},
        dict.fromkeys(JOB, strange),
    ):
        pilot.server.says = (answer(200, body),)
        for flags in (["-jobs"], ["-job", "app"], ["-events"]):
            assert pilot(*flags).code == 0


def test_output_that_cannot_be_written_is_an_error(pilot: Pilot) -> None:
    with open("/dev/full", "wb") as full:
        done = run(pilot, "-ping", stdout=full.fileno())

    assert (done.wait(DEADLINE), read(done.stderr)) == (
        1,
        "containerpilot: cannot write to standard output: no space left on device\n",
    )


@pytest.mark.parametrize(
    "flags", [["-ping"], ["-jobs"], ["-events", "-follow"], ["-version"], ["-help"], ["-template"]]
)
def test_output_that_is_closed_is_an_error(pilot: Pilot, flags: list[str]) -> None:
    pilot.server.says = (answer(200, {"jobs": []}),)
    if "-follow" in flags:
        pilot.server.says = (answer(200, event(1), "Content-Type: text/event-stream"),)
    command = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "cp", "-config", str(pilot.config), *flags]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True, check=False, timeout=DEADLINE
    )

    assert (done.returncode, done.stderr) == (1, "containerpilot: cannot write to standard output: it is closed\n")


def test_closed_output_of_a_silent_subcommand_is_not_an_error(pilot: Pilot) -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "cp", "-config", str(pilot.config), "-reload"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True, check=False, timeout=DEADLINE
    )

    assert (done.returncode, done.stderr) == (0, "")


# --- on a terminal


def run_on_terminal(pilot: Pilot, *, columns: int, **environ: str) -> str:
    """The output of -jobs on a terminal of this width."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = run(pilot, "-jobs", stdout=theirs, env={"TERM": "xterm", **environ})
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:
        pass  # the other end is closed
    os.close(ours)
    assert read(process.stderr) == ""
    assert process.wait(DEADLINE) == 0
    return seen.decode().replace("\r\n", "\n")


def test_last_column_is_shortened_to_the_width_of_a_terminal(pilot: Pilot) -> None:
    pilot.server.says = (answer(200, {"jobs": [{**JOB, "about": "x" * 100}]}),)

    lines = run_on_terminal(pilot, columns=70, NO_COLOR="1").splitlines()

    assert lines[1].endswith("x…")
    assert len(lines[1]) == 70


def test_failed_jobs_are_red_on_a_terminal(pilot: Pilot) -> None:
    pilot.server.says = (answer(200, {"jobs": [{**JOB, "lastExit": EXIT}, JOB]}),)

    lines = run_on_terminal(pilot, columns=200).splitlines()

    assert lines[1].startswith("\033[31mapp")
    assert lines[1].endswith("\033[0m")
    assert lines[2].startswith("app")
    assert "\033" not in run_on_terminal(pilot, columns=200, NO_COLOR="1")


def test_a_catalogue_that_does_not_answer_is_red_on_a_terminal_and_cut(pilot: Pilot) -> None:
    away = {**WATCH, "about": f"no answer since 2026-11-22T16:50:00Z: {'x' * 100}"}
    perhaps = {**WATCH, "about": "perhaps out of date; catalogue: unreachable since 2026-11-22T16:50:00Z"}
    catalog = {**CATALOG, "reachable": False, "about": f"unreachable since 2026-11-22T16:50:00Z: {'x' * 100}"}
    pilot.server.says = (answer(200, {"jobs": [JOB], "watches": [WATCH, perhaps, away], "catalogue": catalog}),)

    lines = run_on_terminal(pilot, columns=70).splitlines()

    assert [line.startswith("\033[31m") for line in lines[3:]] == [False, False, True, True, False, True]
    assert [len(lines[6]), len(lines[8])] == [70 + len("\033[31m\033[0m")] * 2


# --- events as they come


def run(
    pilot: Pilot, *flags: str, stdout: int = subprocess.PIPE, env: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cp", "-config", str(pilot.config), *flags]
    environ = {"PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.Popen(command, env=environ, stdout=stdout, stderr=subprocess.PIPE, text=True)


def read(stream: Any) -> str:
    with stream:
        return str(stream.read())


def event(number: int) -> bytes:
    data = {"number": number, "at": "2026-11-22T16:50:00.123Z", "code": "healthy", "source": f"job{number}"}
    return f"id: {number}\nevent: healthy\ndata: {json.dumps(data)}\n\n".encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def test_events_are_followed_until_the_server_ends(pilot: Pilot) -> None:
    pieces = (b":\n\n" + event(1) + event(2)[:20], event(2)[20:], b":\n\n", b"data: {}\r\n\r\n")
    pilot.server.says = (STREAM + b"Transfer-Encoding: chunked\r\n\r\n", *map(chunk, pieces), b"0\r\n\r\n")

    done = pilot("-events", "-follow")

    assert (done.code, done.err) == (0, "")
    assert [line.split()[1:] for line in done.out.splitlines()] == [
        ["healthy", "job1"],
        ["healthy", "job2"],
        ["-", "-"],
    ]
    assert "Accept: text/event-stream" in pilot.server.heads[0]


def test_followed_events_as_json(pilot: Pilot) -> None:
    pilot.server.says = (STREAM + b"\r\n", event(1), event(2))

    assert [json.loads(line)["number"] for line in pilot("-events", "-follow", "-json").out.splitlines()] == [1, 2]


def test_stream_that_breaks_off_is_an_error(pilot: Pilot) -> None:
    pilot.server.says = (STREAM + b"Transfer-Encoding: chunked\r\n\r\n", chunk(event(1)))

    done = pilot("-events", "-follow")

    assert (done.code, done.out.count("\n")) == (1, 1)
    assert "was cut off" in done.err


def stream(*numbers: int, ends: bool = True) -> tuple[bytes, ...]:
    head = STREAM + b"Transfer-Encoding: chunked\r\n\r\n"
    return (head, *(chunk(event(number)) for number in numbers), *[b"0\r\n\r\n"] * ends)


def test_following_goes_on_where_a_stream_broke_off(pilot: Pilot) -> None:
    """The server lets go of a reader that lags behind."""
    pilot.server.says, pilot.server.later = stream(1, 2, ends=False), [stream(3, 4, ends=False), stream(5)]

    done = pilot("-events", "-follow", "-json")

    assert (done.code, done.err) == (0, "")
    assert [json.loads(line)["number"] for line in done.out.splitlines()] == [1, 2, 3, 4, 5]
    seen = [line for head in pilot.server.heads for line in head.split("\r\n") if line.startswith("Last-Event-ID")]
    assert seen == ["Last-Event-ID: 2", "Last-Event-ID: 4"]


def test_following_reports_missed_events(pilot: Pilot) -> None:
    pilot.server.says, pilot.server.later = stream(1, 5, ends=False), [stream(9, 10, 12)]

    done = pilot("-events", "-follow")

    assert [line.split()[-1] for line in done.out.splitlines()] == ["job1", "job5", "job9", "job10", "job12"]
    assert done.err.splitlines() == [
        "-events: 3 events are missing here: they happened faster than they were read",
        "-events: 1 event is missing here: they happened faster than they were read",
    ]


def test_following_the_events_of_a_job_has_gaps(pilot: Pilot) -> None:
    pilot.server.says, pilot.server.later = stream(1, ends=False), [stream(9)]

    done = pilot("-events", "-job", "a b", "-follow")

    assert (done.code, done.err, done.out.count("\n")) == (0, "", 2)
    assert [target for _, target, _ in pilot.server.requests] == ["/v3/events?job=a%20b"] * 2


def test_following_does_not_go_on_with_another_containerpilot(pilot: Pilot) -> None:
    pilot.server.says, pilot.server.later = stream(7, ends=False), [stream(1, 2)]

    done = pilot("-events", "-follow")

    assert (done.code, done.out.count("\n")) == (1, 1)
    assert "was cut off" in done.err


@pytest.mark.parametrize(
    "flags", [["-events", "-job", "app"], ["-job=app", "-events"], ["-job", "app", "-events=true"]]
)
def test_events_of_a_job(pilot: Pilot, flags: list[str]) -> None:
    pilot.server.says = (answer(200, {"events": [json.loads(event(3).split(b"data: ")[1])]}),)

    done = pilot(*flags)

    assert (done.code, done.out.split()[1:]) == (0, ["healthy", "job3"])
    assert pilot.server.requests == [("GET", "/v3/events?job=app", b"")]


def test_an_invalid_stream(pilot: Pilot) -> None:
    pilot.server.says = (STREAM + b"\r\n", b"x" * (1 << 22))

    assert "as a stream of events" in pilot("-events", "-follow").err


def test_refusal_of_a_stream(pilot: Pilot) -> None:
    pilot.server.says = (answer(404, {"error": "there is no such thing"}),)

    done = pilot("-events", "-follow")

    assert (done.code, done.err) == (1, "-events: failed to run subcommand: there is no such thing\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_following_ends_well_when_interrupted(pilot: Pilot, number: signal.Signals) -> None:
    pilot.server.says, pilot.server.stays_open = (STREAM + b"\r\n", event(1)), True
    started = run(pilot, "-events", "-follow")
    assert started.stdout is not None
    assert "job1" in started.stdout.readline()

    started.send_signal(number)

    assert (started.wait(DEADLINE), read(started.stdout), read(started.stderr)) == (0, "", "")


def test_following_ends_with_0_when_its_reader_has_gone(pilot: Pilot) -> None:
    """As with `containerpilot -events -follow | head -n 1`: no other event need come for that."""
    pilot.server.says, pilot.server.stays_open = (STREAM + b"\r\n", event(1)), True
    started = run(pilot, "-events", "-follow")
    assert started.stdout is not None
    assert "job1" in started.stdout.readline()

    started.stdout.close()

    assert (started.wait(DEADLINE), read(started.stderr)) == (0, "")
