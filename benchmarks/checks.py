"""200 health checks a second: native ones, and the same by `curl` in a shell.

Each of 200 jobs checks the same local server every second. What is measured is the processor time of ContainerPilot and
of the processes that it has started, how many processes the machine started meanwhile, and how late the loop is
(asking.py).
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.asking import Asking
from benchmarks.machine import cpu_ms
from benchmarks.running import START_SECONDS, Bench, running
from benchmarks.samples import quantile

NATIVE, CURL = "200 native checks", "200 checks by curl in sh"
CPU, WITH_CHILDREN, STARTED = "checks cpu", "checks cpu with children", "checks started"
RATE = "checks a second"
LAG, LAG_MEDIAN, LAG_P99 = "checks lag", "checks lag p50", "checks lag p99"
JOBS = 200
SETTLE_SECONDS = 3.0
ENOUGH = 0.9  # of the checks must be made while they are measured
TICKS = 100  # of the processor time in /proc, a second

# Answers each client in turn, and at /count with how many there were. Prints its port.
SERVER = """\
import socket
listener = socket.create_server(("127.0.0.1", 0), backlog=512)
print(listener.getsockname()[1], flush=True)
count = 0
while True:
    client = listener.accept()[0]
    try:
        request = client.recv(65536)
        body = b"%d" % count if b" /count " in request else b"ok"
        count += 1
        client.sendall(b"HTTP/1.1 200 OK\\r\\nServer: benchmark\\r\\nContent-Type: text/plain\\r\\n"
                       b"Connection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
    except OSError:
        pass
    client.close()
"""


@contextlib.contextmanager
def _server(bench: Bench) -> Iterator[int]:
    command = [bench.python, "-I", "-S", "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=bench.environ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _answered(port: int) -> int:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://127.0.0.1:{port}/count", timeout=30) as answer:
        return int(answer.read())


def _children_seconds_and_faults(pid: int) -> tuple[float, int]:
    """Of the children that a process has reaped, and of theirs: processor time, and page faults, which each has."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[13]) + int(words[14])) / TICKS, int(words[8])


def _started() -> int:
    """Processes and threads that this machine has started since its boot."""
    lines = Path("/proc/stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("processes "))


def configuration(bench: Bench, control: str, check: dict[str, Any]) -> str:
    health = {**check, "interval": 1}
    jobs = [{"name": f"job-{number}", "exec": [bench.app, "sleep"], "health": health} for number in range(JOBS)]
    return json.dumps({"control": {"socket": control}, "jobs": jobs})


def _measure(bench: Bench, name: str, port: int, check: dict[str, Any], seconds: float) -> None:
    samples, control = bench.samples, bench.folder / "checks.socket"
    candidate = bench.pilot(configuration(bench, str(control), check), name)
    print(f"checks: {name}, {seconds:.0f} s", file=sys.stderr)
    with running(candidate, bench) as (process, records):
        deadline = time.monotonic() + START_SECONDS
        started = 1  # `running` has seen one
        while started < JOBS and (record := records.next(max(0.0, deadline - time.monotonic()))) is not None:
            started += record[0] == "S"
        time.sleep(SETTLE_SECONDS)
        # First without queries, which cost ContainerPilot as much as a check.
        begun, answered, own, starts = time.monotonic(), _answered(port), cpu_ms(process.pid), _started()
        children, faults = _children_seconds_and_faults(process.pid)
        time.sleep(seconds)
        took = time.monotonic() - begun
        own, starts = cpu_ms(process.pid) - own, _started() - starts
        children_after, faults_after = _children_seconds_and_faults(process.pid)
        answered = _answered(port) - answered
        asking = Asking(control)
        asking.start()
        time.sleep(seconds)
        asking.stop()
        alive = process.poll() is None and started == JOBS
    # A machine may be too slow for 200 processes a second, but not for native checks.
    if not alive or (name == NATIVE and (faults_after != faults or answered < ENOUGH * JOBS * took)):
        samples.add(CPU, name, None)
        return
    samples.add(RATE, name, answered / took)
    samples.add(CPU, name, own / took / 10)
    samples.add(WITH_CHILDREN, name, (own / 1000 + children_after - children) / took * 100)
    samples.add(STARTED, name, starts / took if faults_after != faults else 0.0)
    for each in asking.took:
        samples.add(LAG, name, each)
    samples.add(LAG_MEDIAN, name, quantile(asking.took, 0.5))
    samples.add(LAG_P99, name, quantile(asking.took, 0.99))
    samples.notes.append(f"{name}: {len(asking.took)} queries")


def measure_checks(bench: Bench, *, seconds: float) -> None:
    with _server(bench) as port:
        url = f"http://127.0.0.1:{port}/health"
        _measure(bench, NATIVE, port, {"http": url}, seconds)
        if curl := shutil.which("curl"):
            by_curl = ["/bin/sh", "-c", f"{curl} -fsS -o /dev/null {url}"]
            _measure(bench, CURL, port, {"exec": by_curl}, seconds)
        else:
            bench.samples.notes.append("checks: curl is not available")
