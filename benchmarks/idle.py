"""Idle: resident memory, own CPU, requests to Consul. All candidates idle side by side through one window of time."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections import Counter
from typing import Any

from benchmarks.consul import CountingProxy
from benchmarks.machine import cpu_ms, rss_mb, supervisor_pids
from benchmarks.peers import NOTHING, PILOT, PILOT_SERVICE, PILOT_TLS, PYTHON, Candidate
from benchmarks.running import Bench, control_settings, running, service_config

SETTLE_SECONDS = 6
"""Longer than one interval of checks and watches: whatever is loaded late is loaded by then."""
SLEEPING_PYTHON = "import time; time.sleep(900)"
Counted = CountingProxy | None

COUNTED = "counted"
SERVICES = {PILOT_SERVICE: "memory", COUNTED: "requests", PILOT_TLS: "secure"}
"""The candidates with a catalogue, and the names of their services."""
WATCHED = ("upstream-one", "upstream-two", "upstream-three")


def _chosen(bench: Bench, candidates: list[Candidate], stack: contextlib.ExitStack) -> tuple[list[Candidate], Counted]:
    """Who is to idle, and the proxy that counts: None without Consul or without this program."""
    chosen = [each for each in candidates if each.name not in (NOTHING, PILOT, PILOT_SERVICE)]
    chosen.append(Candidate(PYTHON, (bench.python, "-I", "-c", SLEEPING_PYTHON)))
    if all(each.name != PILOT for each in candidates):
        return chosen, None

    def socket(name: str) -> str:
        # Each has a place of its own for its control socket: whoever finds the usual one taken wakes its owner.
        return str(bench.folder / f"{name}.socket")

    chosen.append(bench.pilot(json.dumps({"services": [], **control_settings(socket("plain"))}), PILOT))
    if bench.agent is None:
        return chosen, None
    for name in WATCHED:
        bench.agent.put_instance(name, 80)
    proxy = stack.enter_context(CountingProxy(bench.agent.port))
    settings: dict[str, tuple[Any, tuple[str, ...]]] = {
        PILOT_SERVICE: (bench.agent.address, WATCHED[:1]),
        COUNTED: (proxy.address, WATCHED),
        PILOT_TLS: (bench.agent.tls_settings(), WATCHED[:1]),
    }
    for candidate, (consul, watched) in settings.items():
        name = SERVICES[candidate]
        if consul is None:
            bench.samples.explain("rss", candidate, "no openssl")
        else:
            config = service_config(consul, name, watched, 5, "/bin/true", socket(name))
            chosen.append(bench.pilot(config, candidate))
    return chosen, proxy


def measure_idle(bench: Bench, candidates: list[Candidate], *, seconds: float) -> None:
    """Memory at the end of the window, CPU and requests inside it, both scaled to a minute."""
    samples = bench.samples
    with contextlib.ExitStack() as stack:
        chosen, proxy = _chosen(bench, candidates, stack)
        parts = {each.name: each.parts for each in chosen}
        processes = {each.name: stack.enter_context(running(each, bench))[0] for each in chosen}

        def pids(name: str) -> list[int]:
            return supervisor_pids(processes[name].pid, parts[name])

        print(f"idle: {seconds:.0f} s", file=sys.stderr)
        time.sleep(SETTLE_SECONDS)
        before = {name: sum(map(cpu_ms, pids(name))) for name, process in processes.items() if process.poll() is None}
        requests_before = len(proxy.requests) if proxy else 0
        time.sleep(seconds)
        requests = proxy.requests[requests_before:] if proxy else []
        # A service that is not in the catalogue saves its supervisor the work that is to be measured here.
        unhealthy = [
            candidate
            for candidate, service in SERVICES.items()
            if candidate in processes and bench.agent and not bench.agent.instances(service)
        ]
        for name, process in processes.items():
            column = PILOT_SERVICE if name == COUNTED else name
            if process.poll() is not None or name in unhealthy:
                samples.add("requests" if name == COUNTED else "rss", column, None)
            elif name == COUNTED:
                samples.add("requests", column, len(requests) * 60 / seconds)
            else:
                samples.add("cpu", name, (sum(map(cpu_ms, pids(name))) - before[name]) * 60 / seconds)
                samples.add("rss", name, sum(map(rss_mb, pids(name))))
        if unhealthy:
            samples.notes.append(f"not healthy in Consul: the services of {', '.join(unhealthy)}")
        if proxy is not None:
            kinds = Counter(line.split("?")[0].rsplit("/", 1)[0] for line in requests)
            listed = ", ".join(f"{count} x {kind}" for kind, count in kinds.items()) or "none"
            samples.notes.append(f"requests to Consul in {seconds:.0f} s: {listed}")
