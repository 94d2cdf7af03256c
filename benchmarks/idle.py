"""Idle: resident memory, own CPU, requests to Consul. All candidates idle side by side through one window of time."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter

from benchmarks.consul import CountingProxy
from benchmarks.machine import cpu_ms, rss_mb, supervisor_pids
from benchmarks.peers import NOTHING, PILOT, PILOT_SERVICE, PYTHON, Candidate
from benchmarks.running import Bench, running, service_config

SETTLE_SECONDS = 6
"""Longer than one interval of checks and watches: whatever is loaded late is loaded by then."""
SLEEPING_PYTHON = "import time; time.sleep(900)"
Counted = CountingProxy | None

COUNTED = "counted"
SERVICES = ("memory", "requests")
WATCHED = ("upstream-one", "upstream-two", "upstream-three")


def _chosen(bench: Bench, candidates: list[Candidate], stack: contextlib.ExitStack) -> tuple[list[Candidate], Counted]:
    """Who is to idle, and the proxy that counts: None without Consul or without this program."""
    chosen = [each for each in candidates if each.name not in (NOTHING, PILOT_SERVICE)]
    chosen.append(Candidate(PYTHON, (bench.python, "-I", "-c", SLEEPING_PYTHON)))
    if bench.agent is None or all(each.name != PILOT for each in candidates):
        return chosen, None
    for name in WATCHED:
        bench.agent.put_instance(name, 80)
    proxy = stack.enter_context(CountingProxy(bench.agent.port))
    one_watch = service_config(bench.agent.address, SERVICES[0], WATCHED[:1], 5, "/bin/true")
    three_watches = service_config(proxy.address, SERVICES[1], WATCHED, 5, "/bin/true")
    return [*chosen, bench.pilot(one_watch, PILOT_SERVICE), bench.pilot(three_watches, COUNTED)], proxy


def _cpu(pid: int) -> float:
    return sum(cpu_ms(each) for each in supervisor_pids(pid))


def measure_idle(bench: Bench, candidates: list[Candidate], *, seconds: float) -> None:
    """Memory at the end of the window, CPU and requests inside it, both scaled to a minute."""
    samples = bench.samples
    with contextlib.ExitStack() as stack:
        chosen, proxy = _chosen(bench, candidates, stack)
        processes = {each.name: stack.enter_context(running(each, bench))[0] for each in chosen}
        print(f"idle: {seconds:.0f} s", file=sys.stderr)
        time.sleep(SETTLE_SECONDS)
        before = {name: _cpu(process.pid) for name, process in processes.items() if process.poll() is None}
        requests_before = len(proxy.requests) if proxy else 0
        time.sleep(seconds)
        requests = proxy.requests[requests_before:] if proxy else []
        # A service that is not in the catalogue saves its supervisor the work that is to be measured here.
        unhealthy = [name for name in SERVICES if proxy and bench.agent and not bench.agent.instances(name)]
        for name, process in processes.items():
            column = PILOT_SERVICE if name == COUNTED else name
            if process.poll() is not None or (column == PILOT_SERVICE and unhealthy):
                samples.add("requests" if name == COUNTED else "rss", column, None)
            elif name == COUNTED:
                samples.add("requests", column, len(requests) * 60 / seconds)
            else:
                samples.add("cpu", name, (_cpu(process.pid) - before[name]) * 60 / seconds)
                samples.add("rss", name, sum(rss_mb(pid) for pid in supervisor_pids(process.pid)))
        if unhealthy:
            samples.notes.append(f"services that were not healthy in Consul: {', '.join(unhealthy)}")
        if proxy is not None:
            kinds = Counter(line.split("?")[0].rsplit("/", 1)[0] for line in requests)
            listed = ", ".join(f"{count} x {kind}" for kind, count in kinds.items()) or "none"
            samples.notes.append(f"requests to Consul in {seconds:.0f} s: {listed}")
