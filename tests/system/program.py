"""The built program, and what is needed to start it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.limits import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NEW_NAMESPACES = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")
WITHOUT_ROOT = ("--user", "--map-root-user")


def archive() -> Path:
    """The built file: `CONTAINERPILOT_PYZ`, or dist/containerpilot.pyz, built now if it is missing."""
    if named := os.environ.get("CONTAINERPILOT_PYZ"):
        return Path(named).resolve()
    built = ROOT / "dist" / "containerpilot.pyz"
    if not built.exists():
        lock = ROOT / ".cache" / "build.lock"
        lock.parent.mkdir(exist_ok=True)
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # pytest-xdist: one worker builds, the others wait
            if not built.exists():
                subprocess.run([ROOT / "scripts" / "build-zipapp.sh"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return built


def interpreter() -> str:
    """The Python that runs the built file: `PILOT_PYTHON`, or the one that runs the tests."""
    return os.environ.get("PILOT_PYTHON") or sys.executable


def namespaces(*more: str) -> tuple[str, ...]:
    """The beginning of a command that makes the rest of it PID 1; without root, in a user namespace of its own."""
    return (*NEW_NAMESPACES, *(() if os.geteuid() == 0 else WITHOUT_ROOT), *more)


class Finished(NamedTuple):
    code: int
    stdout: str
    stderr: str


def run(arguments: Sequence[str], folder: Path, *, env: Mapping[str, str], stdin: str = "") -> Finished:
    """Run the program to its end."""
    done = subprocess.run(
        [interpreter(), str(archive()), *arguments],
        cwd=folder,
        env={"PATH": PATH, "TMPDIR": str(folder), **env},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)
