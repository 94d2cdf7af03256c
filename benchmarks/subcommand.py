"""Subcommands: what a sensor that sends a metric each second, or a health check that pings, costs each time.

The server is a thread of this process that answers at once: what is measured is the client, from `execve` to its exit,
beside bare Python (`python3 -I -c pass`) in turn.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers import PILOT, PYTHON
from benchmarks.running import Bench

PING, PUT = "ping", "putmetric"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n\n"
TIMEOUT = 30


@contextlib.contextmanager
def answering(path: Path) -> Iterator[None]:
    """A socket on which every request is answered with success."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    client.recv(65536)
                    client.sendall(ANSWER)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(TIMEOUT)
        listener.close()
        path.unlink()


def configuration(control: Path) -> str:
    """What a small container has: the socket, an application, a sensor and its metric."""
    jobs = [
        {"name": "app", "exec": ["/bin/app", "--listen", "8000"], "restarts": "unlimited"},
        {"name": "sensor", "exec": "/bin/sensor", "when": {"interval": "1s"}},
    ]
    metrics = [{"name": "free_memory", "help": "free memory", "type": "gauge"}]
    return json.dumps({"control": {"socket": str(control)}, "jobs": jobs, "telemetry": {"metrics": metrics}}, indent=2)


def _run(bench: Bench, command: list[str]) -> float | None:
    """Milliseconds; None if it failed."""
    bench.gate.wait()
    devnull = subprocess.DEVNULL
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=bench.folder, env=bench.environ, stdin=devnull, stdout=devnull, stderr=devnull, check=False
    )
    return (time.monotonic() - begun) * 1e3 if done.returncode == 0 else None


def measure_subcommands(bench: Bench, *, rounds: int) -> None:
    """-ping and -putmetric, and bare Python in turn with them."""
    control, config = bench.folder / "control.socket", bench.folder / "subcommand.json5"
    config.write_text(configuration(control))
    pilot = [bench.python, os.fspath(bench.archive), "-config", str(config)]
    commands = [
        (PUT, PYTHON, [bench.python, "-I", "-c", "pass"]),
        (PING, PILOT, [*pilot, "-ping"]),
        (PUT, PILOT, [*pilot, "-putmetric", "free_memory=1234567"]),
    ]
    with answering(control):
        for number in range(-1, rounds):
            # Round -1 warms the page cache and counts for nothing.
            for measure, candidate, command in commands:
                figure = _run(bench, command)
                if number >= 0:
                    bench.samples.add(measure, candidate, figure)
            print(f"\rsubcommand: round {max(number, 0) + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
