"""Finds the CPythons of this machine for which the archive gets bytecode. As a program it prints the versions that are
missing for a release, one on each line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OLDEST, NEWEST = (3, 10), (3, 15)
PROBE_SECONDS = 20

PROBE = """
import sys
from _frozen_importlib_external import MAGIC_NUMBER
print(sys.implementation.name, sys.version_info.releaselevel, "%d.%d.%d" % sys.version_info[:3],
      int.from_bytes(MAGIC_NUMBER[:2], "little"), sep="\\n")
"""


@dataclass(frozen=True, order=True)
class Python:
    version: tuple[int, ...]
    executable: str
    magic: int

    @property
    def release(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def series(self) -> str:
        """Like "3.14"."""
        return ".".join(map(str, self.version[:2]))

    def __str__(self) -> str:
        return f"{self.release} ({self.executable})"


def candidates(environ: Mapping[str, str]) -> list[Path]:
    """Files that may be such a Python: the current one, those that PYTHONS names (names or paths, separated by spaces
    or colons), and those on PATH and under a pyenv root. `probe` finds out what they are."""
    path = environ.get("PATH") or os.defpath
    names = ["python3", "python", *(f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1))]
    named = environ.get("PYTHONS", "").replace(":", " ").split()
    # A virtual environment may be deleted later, so use the Python that it was made from.
    found = [Path(getattr(sys, "_base_executable", sys.executable))]
    found += [Path(each) for name in named if (each := shutil.which(name, path=path))]
    found += [Path(folder, name) for folder in path.split(os.pathsep) if folder for name in names]
    roots = [Path(root) for root in [environ.get("PYENV_ROOT")] if root]
    if home := environ.get("HOME"):
        roots.append(Path(home, ".pyenv"))
    for root in roots:
        found += sorted(root.glob("versions/*/bin/python3"))
    # A pyenv shim only starts one of the Pythons under the root.
    shims = [root / "shims" for root in roots]
    return [each for each in dict.fromkeys(found) if os.access(each, os.X_OK) and each.parent not in shims]


def probe(executable: Path) -> Python | None:
    """The version of this executable; None if the archive is not built for it."""
    try:
        answer = subprocess.run(
            [executable, "-I", "-S", "-c", PROBE], capture_output=True, text=True, timeout=PROBE_SECONDS, check=True
        )
        name, level, version, magic = answer.stdout.splitlines()
        # sys.executable may be a program that only a wrapper script can start, so keep the given path.
        found = Python(tuple(map(int, version.split("."))), str(executable), int(magic))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if name != "cpython" or level != "final" or not OLDEST <= found.version[:2] <= NEWEST:
        return None
    return found


def choose(found: Iterable[Python]) -> list[Python]:
    """The newest Python for each format of bytecode, independent of the order in which they were found."""
    return sorted({each.magic: each for each in sorted(found)}.values())


def find(environ: Mapping[str, str]) -> list[Python]:
    return choose(each for each in map(probe, candidates(environ)) if each)


def missing(found: Iterable[Python]) -> list[str]:
    """The supported versions that are missing, such as "3.12"."""
    there = {python.series for python in found}
    supported = (f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1))
    return [series for series in supported if series not in there]


def listing(series: list[str]) -> str:
    """Join in words: "3.10, 3.12 and 3.13"."""
    return " and ".join([", ".join(series[:-1]), *series[-1:]] if len(series) > 1 else series)


if __name__ == "__main__":
    for each in missing(find(os.environ)):
        print(each)
