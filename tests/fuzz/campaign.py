"""Searches for inputs that break something, one target after the other, and prints what came of it.

Usage: python -m tests.fuzz.campaign TARGET|all [--seconds N] [--keep]

N is for each target. What the search found goes on from one time to the next in .cache/fuzz/; with --keep the few
inputs that reach most are put into tests/fuzz/corpus/, for the tests. The exit code is 1 if anything was found wrong:
its input is in .cache/fuzz/TARGET/crashes/ then.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.limits import LARGEST, MEMORY
from tests.fuzz.minimise import chosen, name_of, read_folder, write_folder
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "fuzz"
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
PATIENCE = 300  # seconds beyond those of the search: on a busy machine its start takes long
_SHOWN = 4000  # characters of the output of a search before it broke off


class Outcome(NamedTuple):
    """The result of one search. `memory` is its maximum in MiB; `report` has the errors, if there are any."""

    executions: int
    entries: int
    crashes: int
    memory: int
    report: str


def search(name: str, seconds: int) -> Outcome:
    """One target, for so many seconds; it ends at the first input that breaks something."""
    own, crashes, notes = CACHE / name / "corpus", CACHE / name / "crashes", CACHE / name / "input"
    for folder in (own, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    for data in (*SEEDS[name], *read_folder(CORPUS / name)):
        (own / name_of(data)).write_bytes(data)
    notes.write_bytes(bytes(LARGEST + 4))
    before, known = len(list(own.iterdir())), set(crashes.iterdir())
    options = {
        "max_total_time": seconds,
        "max_len": LARGEST,
        "rss_limit_mb": MEMORY,
        "malloc_limit_mb": MEMORY // 2,
        "timeout": 100_000,  # none: tests.fuzz.guided has one that names the line
        "print_final_stats": 1,
        "verbosity": 1,
        "artifact_prefix": f"{crashes}/",
        "use_value_profile": 1,
    }
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(notes)]
    command += [*(f"-{key}={value}" for key, value in options.items()), str(own)]
    ended, output = _run(command, seconds + PATIENCE)
    log = output.decode(errors="replace")
    if not ended and set(crashes.iterdir()) == known:
        size = int.from_bytes(notes.read_bytes()[:4], "little")
        data = notes.read_bytes()[4 : 4 + size]
        (crashes / f"last-{name_of(data)}").write_bytes(data)
    return Outcome(
        _number(r"number_of_executed_units: (\d+)", log) or _number(r"#(\d+)\b", log),
        len(list(own.iterdir())) - before,
        0 if ended else 1,
        _number(r"peak_rss_mb: +(\d+)", log) or _number(r"rss: (\d+)Mb", log),
        "" if ended else log[-_SHOWN:],
    )


def _run(command: list[str], limit: float) -> tuple[bool, bytes]:
    """Whether it ended as it should, and its output. After this many seconds it is killed."""
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    return process.returncode == 0, output


def _number(pattern: str, text: str) -> int:
    """The last one."""
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def keep(name: str) -> int:
    """Put the inputs that reach most into the folder for the tests; how many are new there."""
    found = read_folder(CACHE / name / "corpus") + read_folder(CORPUS / name)
    return write_folder(CORPUS / name, chosen(TARGETS[name], found))


def print_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/fuzz.sh", description="Search for inputs that break something.")
    parser.add_argument("target", choices=["all", *TARGETS], nargs="?", default="all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--keep", action="store_true", help="put the best inputs into tests/fuzz/corpus/")
    options = parser.parse_args(arguments)
    names = list(TARGETS) if options.target == "all" else [options.target]
    print_line(f"{'target':14}{'executions':>12}{'new entries':>13}{'crashes':>9}{'memory, MiB':>13}")
    crashes = 0
    for name in names:
        outcome = search(name, options.seconds)
        crashes += outcome.crashes
        print_line(f"{name:14}{outcome.executions:12}{outcome.entries:13}{outcome.crashes:9}{outcome.memory:13}")
        if outcome.report:
            print_line(outcome.report)
        if options.keep:
            keep(name)
    print_line(f"{len(names)} targets, {crashes} crashes")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
