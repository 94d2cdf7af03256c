"""The files of bytecode in the archive: the modules of each of them, and their compilation for each Python."""

from __future__ import annotations

import marshal
import os
import subprocess
import zlib
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
# Packages that running programs do not import: data for tools, and the parts of urllib3 that only its fallback needs.
WITHOUT_BYTECODE = ("cp.config.reference", "urllib3")
# Modules that only the type checker reads.
PROTOCOLS = ".ports"


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
    packages = {package: tuple(left[name] for name in left if package_of(name) == package) for package in PACKAGES}
    rare = (each for package in PACKAGES if package != JOBS for each in rare_ones(packages[package], starts.all))
    return [
        Blob("start", "start", starts.application, (importer, *subcommand)),
        Blob("application", "application", starts.application, application),
        *(
            Blob(
                package,
                "dialect" if package == JOBS else "package",
                starts.jobs if package == JOBS else starts.all,
                modules,
            )
            for package, modules in packages.items()
        ),
        Blob("rare", "rare", (), tuple(each for each in rare if has_bytecode(each.module))),
    ]


def rare_ones(modules: tuple[Source, ...], sought: tuple[str, ...]) -> list[Source]:
    """The modules of a package that no kind of start imports; none if it is not known which ones are needed first."""
    rare = [each for each in modules if each.module not in sought]
    return rare if len(rare) < len(modules) else []


def has_bytecode(name: str) -> bool:
    """Whether a module that no start imports has bytecode. The others are compiled when something imports them."""
    return not name.endswith(PROTOCOLS) and not f"{name}.".startswith(tuple(f"{each}." for each in WITHOUT_BYTECODE))


def package_of(name: str) -> str:
    """The one of PACKAGES that contains this module."""
    return next(package for package in PACKAGES if f"{name}.".startswith(f"{package}."))


def write_blobs(folder: Path, blobs: list[Blob], python: Python) -> dict[str, bytes]:
    """Compile and write the blobs for this Python. Return the code of the rare modules. Raises BuildError."""
    rare: dict[str, bytes] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for blob, content in zip(blobs, pool.map(lambda blob: compile_blob(blob, python), blobs), strict=True):
            if blob.kind == "rare":
                rare = marshal.loads(content)
            else:
                write(folder / blob.file(python), content)
    return rare


def pack_rare(codes: dict[int, dict[str, bytes]]) -> bytes:
    """The file of the rare modules, for all Pythons: magic number -> name of a module -> its code.

    The codes of one module are compressed together, because they have their texts and names in common: half the size.
    Those of the newest Python come first, so it unpacks the least.
    """
    order = sorted(codes, reverse=True)
    packed: dict[str, tuple[dict[int, tuple[int, int]], bytes]] = {}
    for name in codes[order[0]]:
        places, end = {}, 0
        for magic in order:
            begin, end = end, end + len(codes[magic][name])
            places[magic] = begin, end
        packed[name] = places, zlib.compress(b"".join(codes[magic][name] for magic in order), 9)
    return marshal.dumps(packed, 2)  # the format without references, which other objects of this process would change


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
