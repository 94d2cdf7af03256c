"""What many readers delay: 1000 jobs make a large page of metrics, and 30 readers ask for it again and again.

What is measured is the time from SIGTERM to the exit of the supervisor, with the readers and without them, in turn; and
while they read the time from SIGHUP to the first instruction of a process that it starts: what a signal, a timer or an
exit has to wait. An answer would not show that, since clients come after everything else.
Run by itself (`python -m benchmarks.readers PORT COUNT`) it is the readers, in a process of their own: their work must
not delay the clock of this one. It prints a line as soon as each has read one page.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers import PILOT, Candidate
from benchmarks.running import START_SECONDS, STOP_SECONDS, Bench, Records, running

ROOT = Path(__file__).resolve().parent.parent
STOP, STOP_READ, DELAY = "stop of 1000 jobs", "stop of 1000 jobs while 30 read", "delay of a stop by readers"
REACTION = "signal to process while 30 read"
JOBS, READERS = 1000, 30
SPACING_SECONDS = (0.02, 0.04)  # between two signals
REACTION_SECONDS = 10.0
SETTLE_SECONDS = 3.0  # the jobs have ended, and all that is loaded late is loaded


def configuration(bench: Bench, port: int) -> str:
    """Jobs that run once, and an application that runs until it gets SIGTERM."""
    jobs: list[dict[str, object]] = [{"name": f"job-number-{number}", "exec": "/bin/true"} for number in range(JOBS)]
    jobs.append({"name": "app", "exec": [bench.app], "main": True, "logging": {"raw": True}})
    # Its argument tells it from the application, which reports in the same FIFO.
    jobs.append({"name": "reaction", "exec": [bench.app, "exit"], "when": {"source": "SIGHUP"}})
    telemetry = {"port": port, "interfaces": ["static:127.0.0.1"]}
    return json.dumps({"control": {"socket": "readers.socket"}, "telemetry": telemetry, "jobs": jobs})


def measure_readers(bench: Bench, *, rounds: int, signals: int) -> None:
    print(f"readers: {rounds} rounds, {signals} signals", file=sys.stderr)
    for _ in range(rounds):
        alone, beside = _stop(bench, 0), _stop(bench, READERS)
        bench.samples.add(STOP, PILOT, alone)
        bench.samples.add(STOP_READ, PILOT, beside)
        bench.samples.add(DELAY, PILOT, None if alone is None or beside is None else beside - alone)
    for took in _reactions(bench, signals):
        bench.samples.add(REACTION, PILOT, took)
    bench.samples.notes.append(f"readers: {JOBS} jobs, {READERS} readers of /metrics, {signals} signals")


def _reactions(bench: Bench, signals: int) -> Iterator[float | None]:
    """Milliseconds from SIGHUP to the first instruction of what it starts, while all read; None if there was none."""
    port = _free_port()
    candidate: Candidate = bench.pilot(configuration(bench, port), PILOT)
    with running(candidate, bench) as (process, records):
        time.sleep(SETTLE_SECONDS)
        crowd = _start_readers(port, READERS)
        try:
            for _ in range(signals):
                time.sleep(random.uniform(*SPACING_SECONDS))
                begun = time.monotonic_ns()
                process.send_signal(signal.SIGHUP)
                started = _next(records, "S")
                yield None if started is None else (started - begun) / 1e6
                if started is None or _next(records, "X") is None:
                    return
        finally:
            crowd.kill()
            crowd.communicate()


def _next(records: Records, kind: str) -> int | None:
    """The time of the next record of a kind, in ns."""
    while (record := records.next(REACTION_SECONDS)) is not None:
        if record[0] == kind:
            return record[1]
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop(bench: Bench, readers: int) -> float | None:
    """Milliseconds from SIGTERM to the exit; None if it did not come."""
    port = _free_port()
    candidate: Candidate = bench.pilot(configuration(bench, port), PILOT)
    with running(candidate, bench) as (process, _):
        time.sleep(SETTLE_SECONDS)
        crowd = _start_readers(port, readers) if readers else None
        try:
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                return None
            return (time.monotonic() - begun) * 1e3
        finally:
            if crowd is not None:
                crowd.kill()
                crowd.communicate()


def _start_readers(port: int, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.readers", str(port), str(count)]
    crowd = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert crowd.stdout is not None
    crowd.stdout.readline()
    return crowd


def read(port: int, count: int) -> None:
    """Read the page `count` times at the same time, again and again, until killed."""
    url = f"http://127.0.0.1:{port}/metrics"
    reading = threading.Semaphore(0)

    def reader() -> None:
        first = True
        while True:
            try:
                with urllib.request.urlopen(url, timeout=START_SECONDS) as answer:
                    answer.read()
            except (OSError, urllib.error.URLError):
                os._exit(0)  # the server has gone, and with it the reason to read
            if first:
                reading.release()
                first = False

    for _ in range(count):
        threading.Thread(target=reader, daemon=True).start()
    for _ in range(count):
        reading.acquire()
    print("reading", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    read(int(sys.argv[1]), int(sys.argv[2]))
