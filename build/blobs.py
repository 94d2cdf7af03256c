"""The files of bytecode in the archive: the modules of each of them, and their compilation for each Python."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from build import ROOT, BuildError, write
from build.entry._bootstrap.importer import JOBS, PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from build.pythons import Python
    from build.sources import Source
    from build.starts import Starts

COMPILER = ROOT / "build" / "bytecode.py"
# Without columns, which draw the carets in tracebacks, the code is a quarter smaller, in the archive and in memory.
OPTIONS = ("-S", "-s", "-B", "-W", "ignore", "-X", "no_debug_ranges")


@dataclass(frozen=True)
class Blob:
    """One file of bytecode, for any Python. `kind` and `needed` (names of modules) are the arguments of bytecode.py."""

    name: str
    kind: str
    needed: tuple[str, ...]
    modules: tuple[Source, ...]

    def file(self, python: Python) -> str:
        return f"{self.name}-{python.magic}.bin"


def arrange(importer: Source, modules: Iterable[Source], starts: Starts) -> list[Blob]:
    """Assign each module to a file, by what the kinds of start import."""
    left = {each.module: each for each in modules}
    subcommand = tuple(left.pop(name) for name in starts.subcommand)
    early = [*starts.application, *(name for name in starts.others if package_of(name) == "cp")]
    application = tuple(left.pop(name) for name in early if name in left)
    return [
        Blob("start", "start", starts.application, (importer, *subcommand)),
        Blob("application", "application", starts.application, application),
        *(
            Blob(
                package,
                "dialect" if package == JOBS else "package",
                starts.jobs if package == JOBS else starts.all,
                tuple(left[name] for name in left if package_of(name) == package),
            )
            for package in PACKAGES
        ),
    ]


def package_of(name: str) -> str:
    """The one of PACKAGES that contains this module."""
    return next(package for package in PACKAGES if f"{name}.".startswith(f"{package}."))


def write_blobs(folder: Path, blobs: list[Blob], python: Python) -> None:
    """Compile and write the blobs for this Python. Raises BuildError."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for blob, content in zip(blobs, pool.map(lambda blob: compile_blob(blob, python), blobs), strict=True):
            write(folder / blob.file(python), content)


def compile_blob(blob: Blob, python: Python) -> bytes:
    """Compile one blob, in a process that is independent of this one and of the user's environment."""
    done = subprocess.run(
        [python.executable, *OPTIONS, str(COMPILER), blob.kind, *blob.needed],
        input="".join(each.line() for each in blob.modules).encode(),
        stdout=subprocess.PIPE,
        env={"PYTHONHASHSEED": "0"},
        check=False,
    )
    if done.returncode:
        raise BuildError(f"Python {python} cannot compile the sources, see above")
    return done.stdout
