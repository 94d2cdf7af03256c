"""Candidates that run for a while, with their application's records read from Python."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.consul import Agent
from benchmarks.machine import Gate
from benchmarks.peers import PYTHON, Candidate, pilot
from benchmarks.samples import Samples

START_SECONDS = 30
STOP_SECONDS = 10


@dataclass(slots=True)
class Bench:
    """What every scene needs: where things are, and where figures go.

    `python` is the measured interpreter; `folder` is for this run only; `agent` is None if no Consul is available.
    """

    python: str
    archive: Path
    cache: Path
    folder: Path
    gate: Gate
    samples: Samples
    agent: Agent | None = None

    @property
    def app(self) -> str:
        return str(self.cache / "app")

    @property
    def environ(self) -> dict[str, str]:
        """What every candidate finds in its environment, whatever the user's holds."""
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder)}

    def pilot(self, config: str, name: str) -> Candidate:
        return pilot(self.app, (self.python,), self.archive, config, name)


class Records:
    """The FIFO in which the application reports, read from Python."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        self.path = path
        # Both ways: no end of file between two writers.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._unread = b""

    def close(self) -> None:
        os.close(self._fd)
        self.path.unlink()

    def next(self, timeout: float) -> tuple[str, int] | None:
        """The next record as (kind, nanoseconds), or None when `timeout` seconds have brought none."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread:
            rest = deadline - time.monotonic()
            if rest < 0 or not select.select([self._fd], [], [], rest)[0]:
                return None
            self._unread += os.read(self._fd, 4096)
        line, self._unread = self._unread.split(b"\n", 1)
        words = line.decode().split()
        return words[0], int(words[1])


@contextlib.contextmanager
def running(candidate: Candidate, bench: Bench) -> Iterator[tuple[subprocess.Popen[bytes], Records]]:
    """The candidate with its application asleep under it, from the application's start on; stopped at the end.

    OSError if the application does not start.
    """
    records = Records(bench.folder / f"records-{candidate.name.replace(' ', '-')}")
    complaints = records.path.with_suffix(".stderr")
    own = {"BENCH_FIFO": str(records.path), "BENCH_MODE": "sleep"}
    environ, null = {**bench.environ, **own, **candidate.environ}, subprocess.DEVNULL
    with complaints.open("wb") as stderr:
        process = subprocess.Popen(
            candidate.command_with_programs, cwd=bench.folder, env=environ, stdin=null, stdout=null, stderr=stderr
        )
    try:
        if candidate.name != PYTHON and records.next(START_SECONDS) is None:
            said = complaints.read_text(errors="replace").strip().rpartition("\n")[2]
            raise OSError(f"{candidate.name} did not start the application: {said}")
        yield process, records
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        records.close()


def service_config(
    consul: str | dict[str, Any], name: str, watched: tuple[str, ...], poll: int, on_change: str, control: str = ""
) -> str:
    """A configuration of the services dialect: one service checked each 5 s, and a watch on each of `watched`.

    `control`: the control socket, where several run side by side.
    """
    service = {
        "name": name,
        "port": 8000,
        "interfaces": ["static:127.0.0.1"],
        "health": "/bin/true",
        "poll": 5,
        "ttl": 15,
    }
    backends = [{"name": each, "poll": poll, "onChange": on_change} for each in watched]
    socket = control_settings(control) if control else {}
    return json.dumps({"consul": consul, "services": [service], "backends": backends, **socket})


def control_settings(socket: str) -> dict[str, Any]:
    """What puts a control socket of its own into a configuration of the services dialect."""
    return {"dialect": "services", "control": {"socket": socket}}


def jobs_config(consul: str, name: str, watched: str, app: str, on_change: str) -> str:
    """A configuration of the jobs dialect: an application with a heartbeat each 5 s, a watch and its job. A command
    on the command line means nothing in this dialect."""
    advertised = {"port": 8000, "interfaces": ["static:127.0.0.1"], "health": {"interval": 5, "ttl": 15}}
    jobs = [
        {"name": name, "exec": [app], "main": True, "logging": {"raw": True}, **advertised},
        {"name": "reaction", "exec": on_change, "when": {"source": f"watch.{watched}", "each": "changed"}},
    ]
    return json.dumps({"consul": consul, "jobs": jobs, "watches": [{"name": watched, "interval": 1}]})
