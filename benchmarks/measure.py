"""The benchmark: `python -m benchmarks.measure`, or rather benchmarks/run.sh, which compiles what is needed first."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import consul, interpreters, latency, report
from benchmarks.flood import measure_floods
from benchmarks.idle import measure_idle
from benchmarks.machine import Gate, describe
from benchmarks.peers import PILOT, PILOT_SERVICE, PYTHON, Candidate, Unavailable, collect
from benchmarks.running import Bench, service_config
from benchmarks.samples import Samples, quantile, short
from benchmarks.subcommand import measure_subcommands
from benchmarks.watch import measure_floor, measure_watch

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache/benchmarks"
SCENES = ("latency", "subcommand", "orphans", "flood", "idle", "watch")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    rounds: int
    subcommand_rounds: int
    reaping_rounds: int
    flood_rounds: int
    flood_megabytes: int
    idle_seconds: float
    changes: int
    patience: float
    patience_in_all: float
    slow_too: bool


# The idle time is a multiple of the services' interval: each heartbeat then counts for as much as it should.
QUICK = Effort(3, 7, 2, 1, 20, idle_seconds=10, changes=20, patience=0.5, patience_in_all=5, slow_too=False)
FULL = Effort(15, 31, 7, 3, 100, idle_seconds=60, changes=120, patience=2, patience_in_all=60, slow_too=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run.sh", description="Measures this program beside its peers.")
    parser.add_argument("--quick", action="store_true", help="about a minute, for a first look: few runs")
    parser.add_argument("--scenes", metavar="LIST", default=",".join(SCENES), help="only these of %(default)s")
    parser.add_argument("--pyz", type=Path, default=ROOT / "dist/containerpilot.pyz", help="the one file to measure")
    options = parser.parse_args()
    options.scenes = options.scenes.split(",")
    unknown = [scene for scene in options.scenes if scene not in SCENES]
    if unknown:
        parser.error(f"no such scene: {', '.join(unknown)} (there are {', '.join(SCENES)})")
    return options


def _noise(bench: Bench, loads: tuple[float, float]) -> list[str]:
    """What a reader needs to judge how far the figures can be trusted."""
    gate = bench.gate
    load = f"load average {loads[0]:.2f} at the start, {loads[1]:.2f} at the end"
    lines = [f"{load}; {gate.forced} of {gate.passed + gate.forced} runs began on a busy machine"]
    noisy = gate.forced > gate.passed / 4
    bare = bench.samples.values.get(("start", PYTHON), [])
    if len(bare) > 1:
        half = len(bare) // 2
        first, second = quantile(bare[:half], 0.5), quantile(bare[half:], 0.5)
        lines.append(f"bare Python, first half of the rounds {short(first)} ms, second half {short(second)} ms")
        spread = quantile(bare, 0.75) / quantile(bare, 0.25)
        noisy = noisy or spread > 1.2 or max(first, second) > 1.2 * min(first, second)
    if noisy:
        lines.append("NOISY: repeat this on a quiet machine before you believe a missed budget")
    return lines


def _sizes(samples: Samples, candidates: list[Candidate], archive: Path) -> None:
    for candidate in candidates:
        if candidate.name == PILOT:
            samples.add("size", PILOT, archive.stat().st_size / 1e6)
        elif candidate.name in ("tini", "dumb-init"):
            samples.add("size", candidate.name, os.path.getsize(candidate.command[0]) / 1e6)


def _start_agent(stack: contextlib.ExitStack, folder: Path, missing: dict[str, str]) -> consul.Agent | None:
    try:
        return stack.enter_context(consul.Agent(consul.find(ROOT), folder))
    except (Unavailable, OSError, subprocess.SubprocessError) as why:
        missing["Consul"] = str(why)
        return None


def _python(missing: dict[str, str], *, bytecode: bool) -> str | None:
    try:
        return interpreters.copy(CACHE, bytecode=bytecode)
    except OSError as why:
        missing["clean Python" if bytecode else "Python without bytecode"] = str(why)
        return None


def _heading(effort: Effort, candidates: list[Candidate], agent: consul.Agent | None) -> str:
    versions = [f"{each.name} {each.version}" for each in candidates if each.version and each.name != PILOT_SERVICE]
    versions.append(f"Python {platform.python_version()} ({interpreters.installed()})")
    if agent:
        versions.append(f"Consul {agent.version}")
    how = f"{effort.rounds} rounds, idle for {effort.idle_seconds:g} s, {effort.changes} changes of the catalogue"
    return f"{describe()}\n{', '.join(versions)}\n{how}; median (smallest-largest)"


def _scenes(
    bench: Bench, candidates: list[Candidate], scenes: list[str], effort: Effort, missing: dict[str, str]
) -> None:
    driver = latency.Driver(bench)
    pid1 = driver.can_be_pid1()
    if not pid1:
        missing["new pid and mount namespaces"] = "not permitted here, so nothing is measured as PID 1"
    for scene in scenes:
        try:
            if scene == "latency":
                bare = _python(missing, bytecode=False)
                latency.measure_latency(driver, candidates, bare, rounds=effort.rounds, pid1=pid1)
            elif scene == "subcommand":
                if any(each.name == PILOT for each in candidates):
                    measure_subcommands(bench, rounds=effort.subcommand_rounds)
            elif scene == "orphans" and pid1:
                latency.measure_reaping(driver, candidates, rounds=effort.reaping_rounds, slow_too=effort.slow_too)
            elif scene == "flood":
                measure_floods(bench, candidates, megabytes=effort.flood_megabytes, rounds=effort.flood_rounds)
            elif scene == "idle":
                measure_idle(bench, candidates, seconds=effort.idle_seconds)
            elif scene == "watch" and bench.agent is not None:
                measure_floor(bench, bench.agent)
                if any(each.name == PILOT for each in candidates):
                    measure_watch(bench, bench.agent, changes=effort.changes)
        except OSError as why:
            bench.samples.notes.append(f"BROKEN OFF: {scene}: {why}")


def main() -> None:
    options = _options()
    effort = QUICK if options.quick else FULL
    begun, load = time.monotonic(), os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        missing: dict[str, str] = {}
        python = _python(missing, bytecode=True) or interpreters.installed()
        bench = Bench(
            python, options.pyz.resolve(), CACHE, folder, Gate(effort.patience, effort.patience_in_all), Samples()
        )
        candidates, lacking = collect(bench.app, CACHE, python, bench.archive)
        missing.update(lacking)
        bench.agent = _start_agent(stack, folder, missing)
        if bench.agent is not None and any(each.name == PILOT for each in candidates):
            candidates.insert(1, bench.pilot(service_config(bench.agent.address, "app", (), 1, ""), PILOT_SERVICE))
        heading = _heading(effort, candidates, bench.agent)
        _sizes(bench.samples, candidates, bench.archive)
        _scenes(bench, candidates, options.scenes, effort, missing)
    held, last = report.budgets(bench.samples)
    noise = [*_noise(bench, (load, os.getloadavg()[0])), f"measured in {time.monotonic() - begun:.0f} s"]
    notes = "\n".join(f"- {note}" for note in [*bench.samples.notes, *noise])
    print(heading, report.figures(bench.samples, missing), held, notes, last, sep="\n\n")


if __name__ == "__main__":
    main()
