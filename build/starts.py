"""Finds out which modules each kind of start imports, and in which order: runs it from the sources with recorder.py.

The runs are the same on every machine. They have their own folder, environment and catalogue, and leave no files. They
need the commands `sh`, `sleep` and `true`, and a loopback address.
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
from build.entry._bootstrap.importer import JOBS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RECORDER = ROOT / "build" / "recorder.py"
RUN_TIMEOUT = 60  # seconds; a run takes less than one
STEP_TIMEOUT = 20  # seconds of a step of a run, so that the run ends even if this process is gone
END_TIMEOUT = 10  # seconds from SIGTERM to SIGKILL
QUOTED = 2000  # characters of the output of a failed run in the error
LOOPBACK = "127.0.0.1"
# A socket's path has at most 107 bytes, but the folder may have a longer one: so it is the working directory of all
# runs.
CATALOGUE = "unix:///proc/self/cwd/catalogue"
CONTROL = "/proc/self/cwd/control"
WATCHED = "watched"  # the service of which the catalogue has an instance


@dataclass(frozen=True)
class Starts:
    """Names of modules. The first three lists are in the order of execution: each module comes after its own imports.
    The others are sorted, because threads import their modules."""

    subcommand: tuple[str, ...]  # imported by clients of the control socket
    application: tuple[str, ...]  # imported by an ordinary start before the application starts
    jobs: tuple[str, ...]  # the same, but only those of the jobs dialect's own package
    others: tuple[str, ...]  # imported by a start with more features or another catalogue, until soon after that
    all: tuple[str, ...]  # imported by any of them until it ends, except the one with a directory


@dataclass(frozen=True)
class Notes:
    """The records of recorder.py."""

    executed: tuple[str, ...]
    sought: tuple[str, ...]
    processes: tuple[int, ...]  # for each started process, the number of modules that were executed before it

    def before(self, process: int) -> tuple[str, ...]:
        """The modules that were executed before a process started, counted from 0. Raises BuildError."""
        if process >= len(self.processes):
            raise BuildError(f"a start from the sources has started {len(self.processes)} processes, not {process + 1}")
        return self.executed[: self.processes[process]]


def find_starts(sources: Path) -> Starts:
    """Run the kinds of start. `sources` is the file of all sources for the archive. Raises BuildError."""
    with tempfile.TemporaryDirectory(prefix="containerpilot-") as folder, serve_catalogue(folder):
        application = run_ordinary(sources, Path(folder))
        others, subcommand = run_with_features(sources, Path(folder))
        directory = run_with_directory(sources, Path(folder))
        etcd = run_with_etcd(sources, Path(folder))
    return Starts(
        subcommand=subcommand.executed,
        application=application.before(0),
        jobs=tuple(name for name in others.before(0) if f"{name}.".startswith(f"{JOBS}.")),
        others=tuple(sorted({*others.before(2), *directory.before(1), *etcd.before(0)})),
        all=tuple(sorted({*application.sought, *others.sought, *subcommand.sought})),
    )


def service(**more: object) -> dict[str, object]:
    # With the name of an interface, a start always reads the machine's addresses, even if the loopback interface is
    # down.
    return {"name": "app", "port": 80, "interfaces": ["lo:inet", f"static:{LOOPBACK}"], **more}


def run_ordinary(sources: Path, folder: Path) -> Notes:
    config = {"consul": CATALOGUE, "services": [service(health="true", poll=1, ttl=5)]}
    # Without -allow-second the result would depend on PID 1.
    return run(sources, folder / "application", ["-allow-second", "-config", json.dumps(config), "true"])


def run_with_features(sources: Path, folder: Path) -> tuple[Notes, Notes]:
    """Run the jobs dialect with a secret, a control socket, a hidden PID 1 and a change of a watch; then clients and
    telemetry. Return the records of the supervisor, and of its clients.

    Telemetry comes with a reload: if its modules were in the file of the other starts, those would be 1 % slower, and a
    start with telemetry would not be faster.
    """
    config, clients = folder / "config.json", folder / "clients"
    with_telemetry = folder / "with-telemetry.json"
    program = shlex.join(recorded(sources, clients))
    client = f"{program} -config {shlex.quote(str(config))}"
    reload = f"mv {shlex.quote(str(with_telemetry))} {shlex.quote(str(config))} && {client} -reload"
    ask = f"{program} -version && {client} -ping && {reload}"
    # The interval is longer than the run, because the process of a check would be counted, too.
    never = {"exec": "true", "interval": 2 * RUN_TIMEOUT, "ttl": 3 * RUN_TIMEOUT}
    plan = {
        "consul": {"address": CATALOGUE, "token": "a secret"},
        "control": {"socket": CONTROL},
        "jobs": [
            service(exec=["sleep", str(2 * RUN_TIMEOUT)], initial_status="passing", health=never),
            # What it prints brings the memory of output. Its exit counts when the output is read.
            {"name": "change", "exec": "echo changed", "when": {"source": f"watch.{WATCHED}", "once": "changed"}},
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


def run_with_directory(sources: Path, folder: Path) -> Notes:
    """Run the jobs dialect with a directory as its catalogue, until a watch has found the instance of a job.

    Its modules outside of `cp.catalog` must be in the file of the other starts: for one module in the file of the
    package `cp`, such an application would read all of that file, and keep half a megabyte of memory.
    """
    never = {"exec": "true", "interval": 2 * RUN_TIMEOUT, "ttl": 3 * RUN_TIMEOUT}
    change = {"source": "watch.app", "once": "changed", "timeout": f"{STEP_TIMEOUT}s"}
    config = {
        "directory": "directory",
        "jobs": [
            service(exec=["sleep", str(2 * RUN_TIMEOUT)], initial_status="passing", health=never),
            {"name": "change", "exec": "true", "when": change, "main": True},
        ],
        "watches": [{"name": "app", "interval": 1}],
    }
    arguments = ["-allow-second", "-config", json.dumps(config)]
    return run(sources, folder / "with-directory", arguments)


def run_with_etcd(sources: Path, folder: Path) -> Notes:
    """Run a service with an etcd that nobody serves, and what few configurations have, for the same reason."""
    config = {
        "etcd": {"endpoints": [f"http://{LOOPBACK}:1"]},
        "services": [service(health="true", poll=1, ttl=5)],
        "backends": [{"name": WATCHED, "poll": RUN_TIMEOUT, "onChange": "true"}],
        "tasks": [{"name": "task", "command": "true", "frequency": f"{RUN_TIMEOUT}s"}],
    }
    return run(sources, folder / "with-etcd", ["-allow-second", "-config", json.dumps(config), "true"])


def recorded(sources: Path, notes: Path) -> list[str]:
    """The command that runs the program from the sources."""
    return [sys.executable, "-S", "-s", "-E", "-B", str(RECORDER), str(sources), str(notes)]


def run(sources: Path, notes: Path, arguments: Sequence[str]) -> Notes:
    """Run the program until it exits. Raises BuildError if it fails."""
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
    """Terminate a run and all its processes. Return its output."""
    process.terminate()
    try:
        return process.communicate(timeout=END_TIMEOUT)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def read(notes: Path) -> Notes:
    """Read the records. Raises BuildError if the execution of a module failed."""
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
    """A free port of the loopback address. Raises BuildError without such an address."""
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
    """Serve a Consul at CATALOGUE that accepts every registration and has one instance of one service."""
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
            self.server.closing.wait()  # there are no more changes
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
        """Log nothing into the output of the build."""
