"""Many at once: 200 jobs, each with a health check every second, and 50 watches on services that change all the time.

What is measured is how late the loop is: how long answers on the control socket take (asking.py).
"""

from __future__ import annotations

import json
import sys
import threading
import time

from benchmarks.asking import Asking
from benchmarks.consul import Agent
from benchmarks.machine import supervisor_pids
from benchmarks.peers import PILOT, Candidate
from benchmarks.running import START_SECONDS, Bench, running

LAG = "lag under load"
JOBS, WATCHES = 200, 50
CHANGES_A_SECOND = 10  # each one of another service
SETTLE_SECONDS = 5.0  # the jobs have started, the watches know their services, all that is loaded late is loaded


def configuration(bench: Bench, consul: str, control: str) -> str:
    """The jobs run until they get SIGTERM; the first one is the application that everything waits for."""
    check = {"exec": "/bin/true", "interval": 1, "ttl": 5}
    jobs = [{"name": f"job-{number}", "exec": [bench.app, "sleep"], "health": check} for number in range(JOBS)]
    watches = [{"name": f"busy-{number}", "interval": 1} for number in range(WATCHES)]
    return json.dumps({"consul": consul, "control": {"socket": control}, "jobs": jobs, "watches": watches})


class Changing:
    """Changes one of the watched services after the other, for as long as the block lasts."""

    def __init__(self, agent: Agent) -> None:
        self.count = 0
        self._agent = agent
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Changing:
        for number in range(WATCHES):
            self._agent.put_instance(f"busy-{number}", 1)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(1 / CHANGES_A_SECOND):
            self.count += 1
            self._agent.put_instance(f"busy-{self.count % WATCHES}", 2 + self.count)


def measure_load(bench: Bench, agent: Agent, *, seconds: float) -> None:
    samples, control = bench.samples, bench.folder / "load.socket"
    candidate: Candidate = bench.pilot(configuration(bench, agent.address, str(control)), PILOT)
    print(f"load: {seconds:.0f} s", file=sys.stderr)
    with Changing(agent) as changing, running(candidate, bench) as (process, records):
        deadline = time.monotonic() + START_SECONDS
        started = 1  # `running` has seen one
        while started < JOBS and (record := records.next(max(0.0, deadline - time.monotonic()))) is not None:
            started += record[0] == "S"
        time.sleep(SETTLE_SECONDS)
        asking = Asking(control)
        changes, begun = changing.count, time.monotonic()
        asking.start()
        time.sleep(seconds)
        asking.stop()
        changes, seconds = changing.count - changes, time.monotonic() - begun
        alive = process.poll() is None and started == JOBS and bool(supervisor_pids(process.pid))
    for took in asking.took if alive else []:
        samples.add(LAG, PILOT, took)
    if not alive:
        samples.add(LAG, PILOT, None)
    often = f"{JOBS} checks and {changes / seconds:.0f} changes a second"
    samples.notes.append(f"load: {started} jobs, {often}, {len(asking.took)} queries")
