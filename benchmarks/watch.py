"""From a change in the catalogue to the first instruction of the process that reacts to it."""

from __future__ import annotations

import http.client
import random
import sys
import threading
import time

from benchmarks.consul import LOCALHOST, Agent
from benchmarks.peers import PILOT_SERVICE, Candidate
from benchmarks.running import Bench, Records, jobs_config, running, service_config

WATCH = "watch"
WATCH_OF_JOBS = "watch of the jobs dialect"
FLOOR = "blocking query in Python"
REACTION_SECONDS = 5.0
# Changes closer to each other than 250 ms may be gathered into one report; the gate adds 100 ms to this.
SPACING_SECONDS = (0.20, 0.35)
FLOOR_CHANGES = 20
HOPELESS = 3


def _drain(records: Records) -> int:
    count = 0
    while records.next(0) is not None:
        count += 1
    return count


def _reaction(records: Records) -> int | None:
    """The time of the reacting process's first instruction, in ns."""
    while (record := records.next(REACTION_SECONDS)) is not None:
        if record[0] == "S":
            return record[1]
    return None


def measure_watch(bench: Bench, agent: Agent, *, changes: int) -> None:
    """Changes the port of the one instance of a watched service, again and again, at irregular distances."""
    # Its argument tells the process that reacts from the application, which reports in the same FIFO.
    reaction = f"{bench.app} exit"
    services = service_config(agent.address, "watcher", ("watched",), 1, reaction)
    _measure(bench, agent, bench.pilot(services, PILOT_SERVICE), WATCH, changes)
    jobs = jobs_config(agent.address, "watcher", "watched", str(bench.app), reaction)
    _measure(bench, agent, bench.pilot(jobs, PILOT_SERVICE), WATCH_OF_JOBS, changes)


def _measure(bench: Bench, agent: Agent, pilot: Candidate, measure: str, changes: int) -> None:
    samples, spurious = bench.samples, 0
    agent.put_instance("watched", 1)
    with running(pilot, bench) as (_, records):
        _reaction(records)  # to what the first answer holds
        for number in range(changes):
            if samples.failures.get((measure, PILOT_SERVICE), 0) == HOPELESS:
                samples.notes.append(f"the watch was given up after {number} changes")
                break
            time.sleep(random.uniform(*SPACING_SECONDS))
            bench.gate.wait()
            spurious += _drain(records) > 1  # one line is left of every reaction: its exit
            changed = time.monotonic_ns()
            agent.put_instance("watched", 2 + number)
            reacted = _reaction(records)
            samples.add(measure, PILOT_SERVICE, None if reacted is None else (reacted - changed) / 1e6)
            if number % 10 == 9:
                print(f"\r{measure}: {number + 1} of {changes} changes ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if spurious:
        samples.notes.append(f"{spurious} reactions without a change")


def measure_floor(bench: Bench, agent: Agent) -> None:
    """The lower limit: a thread of Python reads the answer of its blocking query, on a kept connection."""
    agent.put_instance("floor", 1)
    answered: list[int] = []
    news, asked = threading.Event(), threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection(LOCALHOST, agent.port, timeout=30)
        index = "0"
        for _ in range(FLOOR_CHANGES + 1):
            connection.request("GET", f"/v1/health/service/floor?passing=1&wait=20s&index={index}")
            asked.set()
            answer = connection.getresponse()
            answer.read()
            answered.append(time.monotonic_ns())
            index = answer.headers["X-Consul-Index"]
            news.set()
        connection.close()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    for number in range(FLOOR_CHANGES):
        news.wait(REACTION_SECONDS)
        news.clear()
        asked.wait(REACTION_SECONDS)
        asked.clear()
        bench.gate.wait()
        changed = time.monotonic_ns()
        agent.put_instance("floor", 2 + number)
        seen = news.wait(REACTION_SECONDS)
        bench.samples.add(WATCH, FLOOR, (answered[-1] - changed) / 1e6 if seen else None)
    thread.join(REACTION_SECONDS)
