"""Which modules each kind of start imports, and in which order: found by running it from the sources with recorder.py.

The runs are the same on every machine. They have a folder, an environment and a catalogue of their own, and leave
nothing behind. Of the machine they need the commands `sh`, `sleep` and `true`, and a loopback address.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build import ROOT, BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RECORDER = ROOT / "build" / "recorder.py"
RUN_TIMEOUT = 60  # seconds; a run takes less than one
STEP_TIMEOUT = 20  # seconds of the steps of a run, so that it ends by itself where nobody is left to end it
END_TIMEOUT = 10  # seconds from SIGTERM to SIGKILL
QUOTED = 2000  # characters of the output of a run that failed
LOOPBACK = "127.0.0.1"
# The path of a socket may have 107 bytes, whatever that of the folder has: it is the working directory of all runs.
CATALOGUE = "unix:///proc/self/cwd/catalogue"
CONTROL = "/proc/self/cwd/control"
WATCHED = "watched"  # the service that the catalogue has an instance of


@dataclass(frozen=True)
class Starts:
    """The names of modules. The first two lists are in the order of execution: each module after those that it imports.
    The others are sorted, since threads import what is in them."""

    subcommand: tuple[str, ...]  # what clients of the control socket import
    application: tuple[str, ...]  # what an ordinary start imports before it starts the application
    others: tuple[str, ...]  # what a start with more features imports, until soon after that
    all: tuple[str, ...]  # what any of them imports until it ends


@dataclass(frozen=True)
class Notes:
    """What recorder.py noted."""

    executed: tuple[str, ...]
    sought: tuple[str, ...]
    processes: tuple[int, ...]  # for each process that was started, how many modules had been executed by then

    def before(self, process: int) -> tuple[str, ...]:
        """The modules that were executed before a process was started; they are counted from 0. BuildError."""
        if process >= len(self.processes):
            raise BuildError(f"a start from the sources has started {len(self.processes)} processes, not {process + 1}")
        return self.executed[: self.processes[process]]


def find_starts(sources: Path) -> Starts:
    """Run the kinds of start. `sources` is the file with all sources that goes into the archive. BuildError."""
    with tempfile.TemporaryDirectory(prefix="containerpilot-") as folder, serve_catalogue(folder):
        application = run_ordinary(sources, Path(folder))
        others, subcommand = run_with_features(sources, Path(folder))
    return Starts(
        subcommand=subcommand.executed,
        application=application.before(0),
        others=tuple(sorted(others.before(2))),
        all=tuple(sorted({*application.sought, *others.sought, *subcommand.sought})),
    )


def service(**more: object) -> dict[str, object]:
    # Any start with a name of an interface reads the machine's addresses, also where the loopback interface is down.
    return {"name": "app", "port": 80, "interfaces": ["lo:inet", f"static:{LOOPBACK}"], **more}


def run_ordinary(sources: Path, folder: Path) -> Notes:
    config = {"consul": CATALOGUE, "services": [service(health="true", poll=1, ttl=5)]}
    # Without -allow-second it would matter what PID 1 is.
    return run(sources, folder / "application", ["-allow-second", "-config", json.dumps(config), "true"])


def run_with_features(sources: Path, folder: Path) -> tuple[Notes, Notes]:
    """The jobs dialect, a secret, a control socket, a hidden PID 1, a change of a watch; then clients and telemetry.
    Notes of the supervisor, and of its clients.

    Telemetry comes with a reload: if its modules lay with those of the other starts, these would be 1 % slower, and one
    with telemetry no faster.
    """
    config, clients = folder / "config.json", folder / "clients"
    with_telemetry = folder / "with-telemetry.json"
    client = shlex.join([*recorded(sources, clients), "-config", str(config)])
    ask = f"{client} -ping && mv {shlex.quote(str(with_telemetry))} {shlex.quote(str(config))} && {client} -reload"
    # No check runs in the time that this takes: it would be counted among the processes.
    never = {"exec": "true", "interval": 2 * RUN_TIMEOUT, "ttl": 3 * RUN_TIMEOUT}
    plan = {
        "consul": {"address": CATALOGUE, "token": "a secret"},
        "control": {"socket": CONTROL},
        "jobs": [
            service(exec=["sleep", str(2 * RUN_TIMEOUT)], initial_status="passing", health=never),
            {"name": "change", "exec": "true", "when": {"source": f"watch.{WATCHED}", "once": "changed"}},
            {
                "name": "clients",
                "exec": ["sh", "-c", ask],
                "when": {"source": "change", "once": "exitSuccess", "timeout": f"{STEP_TIMEOUT}s"},
                "timeout": f"{STEP_TIMEOUT}s",
                "main": True,
            },
        ],
        "watches": [{"name": WATCHED, "interval": 1}],
    }
    config.write_text(json.dumps(plan))
    telemetry = {"port": free_port(), "interfaces": f"static:{LOOPBACK}"}
    with_telemetry.write_text(json.dumps({**plan, "telemetry": telemetry}))
    return run(sources, folder / "others", ["-config", str(config)]), read(clients)


def recorded(sources: Path, notes: Path) -> list[str]:
    """The command that runs the program from the sources."""
    return [sys.executable, "-S", "-s", "-E", "-B", str(RECORDER), str(sources), str(notes)]


def run(sources: Path, notes: Path, arguments: Sequence[str]) -> Notes:
    """Run the program to its end. BuildError where it fails."""
    process = subprocess.Popen(
        [*recorded(sources, notes), *arguments],
        env={"PATH": os.environ.get("PATH") or os.defpath},
        cwd=notes.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        output, _ = process.communicate(timeout=RUN_TIMEOUT)
        failure = f"it exits with {process.returncode}" if process.returncode else ""
    except subprocess.TimeoutExpired:
        output, failure = end(process), f"it runs for more than {RUN_TIMEOUT} s"
    except BaseException:
        end(process)
        raise
    if failure:
        raise BuildError(f"cannot find out what a start imports: {failure}:\n{output[-QUOTED:]}")
    return read(notes)


def end(process: subprocess.Popen[str]) -> str:
    """End a run and all that it has started; its output."""
    process.terminate()
    try:
        return process.communicate(timeout=END_TIMEOUT)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def read(notes: Path) -> Notes:
    """BuildError where the execution of a module failed."""
    executed: dict[str, None] = {}
    sought: dict[str, None] = {}
    processes = []
    for line in notes.read_text().splitlines():
        event, _, rest = line.partition(" ")
        if event == "sought":
            sought[rest] = None
        elif event == "executed":
            executed[rest] = None
        elif event == "failed":
            raise BuildError(f"cannot find out what a start imports: it cannot import {rest}")
        else:
            processes.append(len(executed))
    return Notes(tuple(executed), tuple(sought), tuple(processes))


def free_port() -> int:
    """A port of the loopback address that nobody uses now. BuildError if there is no such address."""
    try:
        with socket.create_server((LOOPBACK, 0)) as server:
            return int(server.getsockname()[1])
    except OSError as error:
        raise BuildError(
            f"cannot find out what a start with telemetry imports: cannot listen on {LOOPBACK}: {error.strerror}; "
            "`ip link set lo up` gives a network namespace this address"
        ) from error


@contextmanager
def serve_catalogue(folder: str) -> Iterator[None]:
    """A Consul at CATALOGUE that accepts every registration and has one instance of one service."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with Catalogue(f"/proc/self/fd/{descriptor}/{Path(CATALOGUE).name}", Agent) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield
            finally:
                server.closing.set()
                server.shutdown()
                thread.join()
    finally:
        os.close(descriptor)


class Catalogue(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.closing = threading.Event()


class Agent(BaseHTTPRequestHandler):
    """Answers like the API of a Consul agent."""

    protocol_version = "HTTP/1.1"
    server: Catalogue

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(200, {})

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if not path.startswith("/v1/health/service/"):
            self._answer(404, {"AggregatedStatus": "critical", "Service": None})
            return
        if "index=" in query:
            self.server.closing.wait()  # nothing changes any more
            self.close_connection = True
            return
        self._answer(200, [{"Node": {}, "Service": {"ID": "1", "Service": WATCHED, "Address": LOOPBACK, "Port": 80}}])

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Consul-Index", "1")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing that it could say is for the output of the build."""
