"""The test families that scripts/prove.sh runs, and the table that it prints.

    python -m tests.prove FOLDER [--seconds N]

FOLDER gets a log of each family. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = 10_000  # random lives, against the model
LONGEST = 600  # seconds that these may take


@dataclass(frozen=True)
class Outcome:
    family: str
    cases: int
    failures: int
    seconds: float
    seed: str = ""


def pytest(folder: Path, family: str, *arguments: str) -> Outcome:
    """A family of tests, in full. A test that holds several cases tells how many."""
    report = folder / f"{family}.xml".replace(" ", "-")
    began = time.monotonic()
    code = run(folder, family, "pytest", "-n", "2", "--dist", "worksteal", f"--junitxml={report}", *arguments)
    cases = failures = 0
    for test in ET.parse(report).iter("testcase") if report.is_file() else ():
        reported = [int(each.get("value", "1")) for each in test.iter("property") if each.get("name") == "cases"]
        cases += sum(reported) or 1
        failures += test.find("failure") is not None or test.find("error") is not None
    return Outcome(family, cases, failures or int(code != 0), time.monotonic() - began)


def model(folder: Path) -> Outcome:
    seed = random.SystemRandom().randrange(10**9)
    began = time.monotonic()
    arguments = ["--examples", str(EXAMPLES), "--seconds", str(LONGEST), "--seed", str(seed)]
    code = run(folder, "random lives", "tests.model.soak", *arguments)
    seconds = time.monotonic() - began
    return Outcome("random lives", printed(folder, "random lives", "examples"), int(code != 0), seconds, str(seed))


def guided(folder: Path, seconds: int) -> Outcome:
    """Coverage-guided fuzzing of each target."""
    family = "guided fuzzing"
    began = time.monotonic()
    environ = {name: value for name, value in os.environ.items() if name != "PYTHON"}  # it takes one that has atheris
    command = [str(ROOT / "scripts" / "fuzz.sh"), "all", "--seconds", str(seconds)]
    with log_of(folder, family).open("wb") as log:
        code = subprocess.run(command, cwd=ROOT, env=environ, stdout=log, stderr=log, check=False).returncode
    reported = log_of(folder, family).read_text(errors="replace")
    rows = re.findall(r"^\S+ +(\d+) +\d+ +(\d+) +\d+$", reported, re.MULTILINE)
    executions, crashes = (sum(int(row[column]) for row in rows) for column in (0, 1))
    return Outcome(family, executions, crashes or int(code != 0), time.monotonic() - began)


def run(folder: Path, family: str, module: str, *arguments: str) -> int:
    with log_of(folder, family).open("wb") as log:
        environ = {**os.environ, "MATRIX": "full"}
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, cwd=ROOT, env=environ, stdout=log, stderr=log, check=False).returncode


def log_of(folder: Path, family: str) -> Path:
    return folder / f"{family}.log".replace(" ", "-")


def printed(folder: Path, family: str, what: str) -> int:
    """The number that a program printed for this; 0 if it printed none."""
    found = re.findall(rf"([\d,]+) {what}\b|\b{what}\W+([\d,]+)", log_of(folder, family).read_text(errors="replace"))
    return int("".join(found[-1]).replace(",", "")) if found else 0


def table(outcomes: list[Outcome]) -> str:
    lines = [f"{'':24}{'cases':>12}{'failures':>10}{'seconds':>9}  seed"]
    lines += [f"{o.family:24}{o.cases:>12,}{o.failures:>10}{o.seconds:>9.0f}  {o.seed}".rstrip() for o in outcomes]
    cases, failures, seconds = (sum(getattr(o, name) for o in outcomes) for name in ("cases", "failures", "seconds"))
    return "\n".join([*lines, f"{'all':24}{cases:>12,}{failures:>10}{seconds:>9.0f}"])


def print_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/prove.sh")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=15, help="of guided fuzzing for each target")
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    families: list[Callable[[], Outcome]] = [
        lambda: pytest(folder, "signals and exit codes", "tests/system/matrices"),
        lambda: model(folder),
        lambda: pytest(folder, "hostile inputs", "tests/fuzz"),
        lambda: guided(folder, options.seconds),
        lambda: pytest(folder, "exhaustion", "tests/system/exhaustion"),
        lambda: pytest(folder, "hostile neighbours", "tests/system/security"),
        lambda: pytest(folder, "lying catalogues", "tests/system/faults"),
    ]
    outcomes: list[Outcome] = []
    for play in families:
        outcomes.append(play())
        print_line(table(outcomes[-1:]).splitlines()[1])
    print_line("")
    print_line(table(outcomes))
    failed = [outcome for outcome in outcomes if outcome.failures]
    for outcome in failed:
        print_line(f"failed: {outcome.family}, see {log_of(folder, outcome.family)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
