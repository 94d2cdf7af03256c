"""The start on each Python of this machine, with and without the standard library's bytecode."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

from benchmarks import interpreters
from benchmarks.fetching import Unavailable
from benchmarks.interpreters import NO_WRITING, Pair
from benchmarks.latency import Driver, milliseconds
from benchmarks.peers import Candidate, pilot
from benchmarks.samples import Samples
from build import pythons

BARE, START = "bare Python on", "start on"
BARE_WITHOUT, START_WITHOUT = "bare Python without bytecode on", "start without bytecode on"
ROOT = Path(__file__).resolve().parent.parent


def find(cache: Path, missing: dict[str, str]) -> list[Pair]:
    """Copies of those on this machine, and of those that scripts/fetch-python.py can fetch."""
    found = pythons.find(os.environ)
    fetched = [_fetched(missing, series) for series in pythons.missing(found)]
    found = sorted([*found, *(each for each in fetched if each)])
    pairs = []
    for python in found:
        print(f"Python {python.release}", file=sys.stderr)
        try:
            pairs.append(interpreters.pair(cache, python.executable, python.release, python.magic))
        except OSError as why:
            missing[f"Python {python.release}"] = str(why)
    for series in pythons.missing(found):
        missing.setdefault(f"Python {series}", "not on this machine")
    return pairs


def _fetched(missing: dict[str, str], series: str) -> pythons.Python | None:
    command = [sys.executable, str(ROOT / "scripts/fetch-python.py"), series]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0 and (python := pythons.probe(ROOT / done.stdout.strip())):
        return python
    missing[f"Python {series}"] = (done.stderr.strip().splitlines() or ["scripts/fetch-python.py brought none"])[-1]
    return None


def _candidates(driver: Driver, pair: Pair) -> list[tuple[str, Candidate, str]]:
    """What is measured, with what, and which of the times."""
    bench = driver.bench
    ours = pilot(bench.app, pair.clean, bench.archive, '{"services":[]}')
    bare = Candidate("", (*pair.clean, "-I", "-c", "pass"))
    without = (*pair.bare, *ours.command[len(pair.clean) :])
    return [
        (BARE, bare, "wall_us"),
        (START, ours, "start_us"),
        (BARE_WITHOUT, replace(bare, command=(*pair.bare, "-I", "-B", "-c", "pass")), "wall_us"),
        (START_WITHOUT, replace(ours, command=without, environ=NO_WRITING), "start_us"),
    ]


def measure_pythons(driver: Driver, missing: dict[str, str], *, rounds: int) -> None:
    """All Pythons in turn. Where the archive has no bytecode for one, a note says so."""
    samples = driver.bench.samples
    chosen = []
    for pair in find(driver.bench.cache, missing):
        try:
            chosen.append((pair.version, _candidates(driver, pair)))
        except Unavailable as why:
            missing[f"Python {pair.version}"] = str(why)
            continue
        with zipfile.ZipFile(driver.bench.archive) as archive:
            if f"_bootstrap/code/start-{pair.magic}.bin" not in archive.namelist():
                samples.notes.append(f"the archive has no bytecode for Python {pair.version}: it compiles its sources")
    for number in range(-1 if rounds > 1 else 0, rounds):
        # Round -1 warms the page cache and counts for nothing.
        kept = samples if number >= 0 else Samples()
        for version, candidates in chosen:
            for measure, candidate, key in candidates:
                seen = driver.run(candidate, "run" if key == "wall_us" else "exit", settle=False)
                kept.add(measure, version, milliseconds(seen.get(key)))
        print(f"\rpythons: round {max(number, 0) + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def versions(samples: Samples) -> list[str]:
    """The Pythons that were measured, the oldest first."""
    found = {candidate for measure, candidate in samples.values if measure == START}
    return sorted(found, key=lambda version: tuple(map(int, version.split("."))))
