"""Start, exit, SIGTERM and reaping: one run of the driver for each figure, the candidates in turn."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import dataclass, replace

from benchmarks.interpreters import NO_WRITING
from benchmarks.peers import NOTHING, PILOT_SERVICE, PYTHON, Candidate
from benchmarks.running import Bench
from benchmarks.samples import Samples

ORPHANS = 2000
TIMEOUT_MS = {"orphans": 90_000}
USUAL_TIMEOUT_MS = 10_000
HOPELESS = 3
"""The number of failed starts after which a candidate is not tried again."""
HOPE_SECONDS = 3
"""So long is waited for orphans to be reaped by a candidate of which that is not expected."""


@dataclass(slots=True)
class Driver:
    """The C program that starts one supervisor once and reports what it saw."""

    bench: Bench

    @property
    def path(self) -> str:
        return str(self.bench.cache / "driver")

    def run(
        self, candidate: Candidate, mode: str, *, pid1: bool = False, settle: bool = True
    ) -> dict[str, float | None]:
        """One run. The keys are those of driver.c, times in microseconds. A driver that fails gives an empty answer."""
        self.bench.gate.wait()
        folder = self.bench.folder
        settle_ms = candidate.settle_ms if settle else 0
        settle_ms += random.randrange(candidate.looks_every_ms) if candidate.looks_every_ms else 0
        timeout = TIMEOUT_MS.get(mode, USUAL_TIMEOUT_MS)
        options = ["-m", mode, "-s", str(settle_ms), "-t", str(timeout), "-f", str(folder / "records")]
        options += ["-o", candidate.programs] if candidate.programs else []
        command = [self.path, *(["-p"] if pid1 else []), *options, "--", *candidate.command]
        environ = {**self.bench.environ, "BENCH_ORPHANS": str(ORPHANS), **candidate.environ}
        if not candidate.reaps:
            environ["BENCH_GIVE_UP_S"] = str(HOPE_SECONDS)
        done = subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True, check=False)
        answer: dict[str, float | None] = json.loads(done.stdout) if done.returncode == 0 else {}
        return answer

    def can_be_pid1(self) -> bool:
        """Whether new pid and mount namespaces are available here."""
        command = [self.path, "-p", "-m", "run", "-f", str(self.bench.folder / "records"), "--", "/bin/true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode == 0 and json.loads(done.stdout)["status"] == 0


def milliseconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1e3


def _one(driver: Driver, samples: Samples, candidate: Candidate, *, pid1: bool) -> None:
    suffix = " as PID 1" if pid1 else ""
    if not candidate.stays:
        seen = driver.run(candidate, "exit", pid1=pid1)
        samples.add("start" + suffix, candidate.name, milliseconds(seen.get("start_us")))
        samples.add("exit" + suffix, candidate.name, milliseconds(seen.get("exit_us")))
        if not pid1:
            # The supervisor is then still busy with the rest of its own start.
            seen = driver.run(candidate, "exit", settle=False)
            samples.add("exit at once", candidate.name, milliseconds(seen.get("exit_us")))
    else:
        samples.explain("exit" + suffix, candidate.name, "stays")
        samples.explain("exit at once", candidate.name, "stays")
    seen = driver.run(candidate, "term", pid1=pid1)
    samples.add("start" + suffix, candidate.name, milliseconds(seen.get("start_us")))
    samples.add("term" + suffix, candidate.name, milliseconds(seen.get("term_us")))


def _has_turn(driver: Driver, candidate: Candidate, number: int, *, slow_too: bool) -> bool:
    """Whether a slow candidate is measured in this round; before the first one it is only started once."""
    if number < 0 and slow_too:
        driver.run(candidate, "term")
    return number >= 0 and (number % candidate.every == 0 if slow_too else number == 0)


def measure_latency(
    driver: Driver, candidates: list[Candidate], bare: str | None, *, rounds: int, pid1: bool, slow_too: bool
) -> None:
    """Start, exit and SIGTERM of each candidate, plain and as PID 1, and bare Python.

    `bare` is an interpreter whose standard library has no bytecode; None: not available. Without `slow_too` the slow
    candidates are only measured plain, and once.
    """
    samples = driver.bench.samples
    python = Candidate(PYTHON, (driver.bench.python, "-I", "-c", "pass"))
    for number in range(-1, rounds):
        # Round -1 warms the page cache and counts for nothing.
        kept = samples if number >= 0 else Samples()
        kept.add("start", PYTHON, milliseconds(driver.run(python, "run").get("wall_us")))
        for candidate in candidates:
            if candidate.every > 1 and not _has_turn(driver, candidate, number, slow_too=slow_too):
                continue
            if samples.failures.get(("start", candidate.name), 0) >= HOPELESS:
                continue
            _one(driver, kept, candidate, pid1=False)
            if candidate.every > 1 and not slow_too:
                continue
            if pid1:
                _one(driver, kept, candidate, pid1=True)
            if bare is not None and candidate.command[0] == python.command[0]:
                command = (bare, *candidate.command[1:])
                slow = replace(candidate, command=command, environ={**candidate.environ, **NO_WRITING})
                seen = driver.run(slow, "term" if candidate.stays else "exit", settle=candidate.stays)
                kept.add("start without bytecode", candidate.name, milliseconds(seen.get("start_us")))
        kept.add("start", PYTHON, milliseconds(driver.run(python, "run").get("wall_us")))
        if bare is not None:
            seen = driver.run(replace(python, command=(bare, "-B", *python.command[1:])), "run")
            kept.add("start without bytecode", PYTHON, milliseconds(seen.get("wall_us")))
        print(f"\rlatency: round {max(number, 0) + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def measure_reaping(driver: Driver, candidates: list[Candidate], *, rounds: int, slow_too: bool) -> None:
    """Orphans that all exit at once, the candidate as PID 1."""
    samples = driver.bench.samples
    for number in range(rounds):
        for candidate in candidates:
            name, most = candidate.name, candidate.reaping_rounds
            if name in (NOTHING, PILOT_SERVICE) or (most is not None and number >= most):
                continue
            if candidate.every > 1 and not slow_too:
                samples.explain("orphans", name, "full run only")
                continue
            seen = driver.run(candidate, "orphans", pid1=True)
            if seen.get("left") and not candidate.reaps:
                samples.explain("orphans", name, f"{seen['left']:.0f} left after {HOPE_SECONDS} s")
            else:
                samples.add("orphans", name, None if seen.get("left") else milliseconds(seen.get("orphans_us")))
        print(f"\rorphans: round {number + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
