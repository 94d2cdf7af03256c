"""The benchmark: `python -m benchmarks.measure`, or rather benchmarks/run.sh, which compiles what is needed first."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import consul, interpreters, latency, page, report, results
from benchmarks.checks import measure_checks
from benchmarks.fetching import Unavailable
from benchmarks.flood import measure_floods
from benchmarks.idle import measure_idle
from benchmarks.load import measure_load
from benchmarks.machine import Gate, describe
from benchmarks.peers import PILOT, PILOT_SERVICE, PYTHON, Candidate, collect
from benchmarks.pythons import measure_pythons
from benchmarks.readers import measure_readers
from benchmarks.results import Results
from benchmarks.running import Bench, service_config
from benchmarks.samples import Samples, quantile, short
from benchmarks.subcommand import measure_subcommands
from benchmarks.watch import measure_floor, measure_watch

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache/benchmarks"
KEPT = CACHE / "results.json"
SCENES = ("latency", "pythons", "subcommand", "orphans", "flood", "idle", "load", "checks", "readers", "watch")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    rounds: int
    python_rounds: int
    subcommand_rounds: int
    reaping_rounds: int
    flood_rounds: int
    flood_megabytes: int
    idle_seconds: float
    load_seconds: float
    check_seconds: float
    reader_rounds: int
    signals: int
    changes: int
    patience: float
    patience_in_all: float
    slow_too: bool


# The idle time is a multiple of the services' interval: each heartbeat then counts for as much as it should.
QUICK = Effort(
    rounds=1, python_rounds=1, subcommand_rounds=3, reaping_rounds=1, flood_rounds=1, flood_megabytes=10,
    idle_seconds=5, load_seconds=3, check_seconds=3, reader_rounds=1, signals=20, changes=6,
    patience=0.2, patience_in_all=2, slow_too=False,
)  # fmt: skip
FULL = Effort(
    rounds=11, python_rounds=7, subcommand_rounds=31, reaping_rounds=5, flood_rounds=2, flood_megabytes=100,
    idle_seconds=60, load_seconds=30, check_seconds=15, reader_rounds=5, signals=300, changes=100,
    patience=2, patience_in_all=45, slow_too=True,
)  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run.sh", description="Measures this program beside its peers.")
    parser.add_argument("--quick", action="store_true", help="about a minute, for a first look: few runs")
    parser.add_argument("--write", action="store_true", help="put figures and plots into docs/performance.md")
    parser.add_argument("--render", action="store_true", help="the same with those of the last run of all scenes")
    parser.add_argument("--scenes", metavar="LIST", default=",".join(SCENES), help="only these of %(default)s")
    parser.add_argument("--pyz", type=Path, default=ROOT / "dist/containerpilot.pyz", help="the one file to measure")
    options = parser.parse_args()
    options.scenes = options.scenes.split(",")
    unknown = [scene for scene in options.scenes if scene not in SCENES]
    if unknown:
        parser.error(f"no such scene: {', '.join(unknown)} (there are {', '.join(SCENES)})")
    if options.write and set(options.scenes) != set(SCENES):
        parser.error("the page has all scenes: --write without --scenes")
    return options


def _noise(bench: Bench, loads: tuple[float, float]) -> tuple[list[str], bool]:
    """Returns notes about the reliability of the figures, and whether they are noisy."""
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
    return lines, noisy


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


def _versions(candidates: list[Candidate], agent: consul.Agent | None) -> list[str]:
    versions = [f"{each.name} {each.version}" for each in candidates if each.version and each.name != PILOT_SERVICE]
    versions.append(f"Python {platform.python_version()}")
    if agent:
        versions.append(f"Consul {agent.version}")
    return versions


def _how(effort: Effort, *, quick: bool) -> str:
    rounds = f"{effort.rounds} round{'s' if effort.rounds > 1 else ''}"
    said = f"{rounds}, idle for {effort.idle_seconds:g} s, {effort.changes} changes of the catalogue"
    return f"a quick run, for a first look: {said}" if quick else said


def _scenes(
    bench: Bench, candidates: list[Candidate], scenes: list[str], effort: Effort, missing: dict[str, str]
) -> None:
    driver = latency.Driver(bench)
    pid1 = driver.can_be_pid1()
    if not pid1:
        missing["new pid and mount namespaces"] = "not permitted here, so nothing is measured as PID 1"
    took = []
    for scene in scenes:
        begun = time.monotonic()
        try:
            if scene == "latency":
                bare = _python(missing, bytecode=False)
                latency.measure_latency(
                    driver, candidates, bare, rounds=effort.rounds, pid1=pid1, slow_too=effort.slow_too
                )
            elif scene == "pythons":
                measure_pythons(driver, missing, rounds=effort.python_rounds)
            elif scene == "subcommand":
                if any(each.name == PILOT for each in candidates):
                    measure_subcommands(bench, rounds=effort.subcommand_rounds)
            elif scene == "orphans" and pid1:
                latency.measure_reaping(driver, candidates, rounds=effort.reaping_rounds, slow_too=effort.slow_too)
            elif scene == "flood":
                measure_floods(bench, candidates, megabytes=effort.flood_megabytes, rounds=effort.flood_rounds)
            elif scene == "idle":
                measure_idle(bench, candidates, seconds=effort.idle_seconds)
            elif scene == "load" and bench.agent is not None:
                measure_load(bench, bench.agent, seconds=effort.load_seconds)
            elif scene == "checks":
                measure_checks(bench, seconds=effort.check_seconds)
            elif scene == "readers":
                measure_readers(bench, rounds=effort.reader_rounds, signals=effort.signals)
            elif scene == "watch" and bench.agent is not None:
                measure_floor(bench, bench.agent)
                if any(each.name == PILOT for each in candidates):
                    measure_watch(bench, bench.agent, changes=effort.changes)
        except OSError as why:
            bench.samples.notes.append(f"BROKEN OFF: {scene}: {why}")
        took.append(f"{scene} {time.monotonic() - begun:.0f}")
    bench.samples.notes.append(f"seconds: {', '.join(took)}")


def _measure(options: argparse.Namespace) -> Results:
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
        versions = _versions(candidates, bench.agent)
        _sizes(bench.samples, candidates, bench.archive)
        _scenes(bench, candidates, options.scenes, effort, missing)
    noise, noisy = _noise(bench, (load, os.getloadavg()[0]))
    noise.append(f"measured in {time.monotonic() - begun:.0f} s")

    def without_paths(text: str) -> str:
        return text.replace(f"{ROOT}/", "").replace(str(folder), "")

    bench.samples.notes[:] = map(without_paths, bench.samples.notes)
    missing = {name: without_paths(why) for name, why in missing.items()}
    how = _how(effort, quick=options.quick)
    return Results(bench.samples, describe(), versions, how, missing, noise, noisy)


def main() -> None:
    options = _options()
    if options.render:
        try:
            measured = results.load(KEPT)
        except (OSError, ValueError) as why:
            sys.exit(f"cannot use the figures of the last run: {why}; measure again")
    else:
        measured = _measure(options)
        if set(options.scenes) == set(SCENES):
            measured.save(KEPT)
        print(report.everything(measured))
    if options.write or options.render:
        page.write(measured)


if __name__ == "__main__":
    main()
