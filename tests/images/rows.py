"""Where ContainerPilot runs: a root file system and a Python in it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.system.program import WITHOUT_ROOT

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "images"

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
LOOK = "import os, sys; print('%d.%d.%d' % sys.version_info[:3], os.path.dirname(os.__file__))"


class Unavailable(Exception):
    """A root cannot be made here; the text says why, and what would help."""


@dataclass(frozen=True)
class Row:
    """A row of the matrix."""

    name: str
    version: str  # of Python: "3.13.5"
    image: Path  # the root file system outside
    folders: tuple[str, ...]  # what of it is needed, as paths inside; those that it does not have do not matter
    python: str  # inside
    library: str  # the folder of the standard library inside
    minimal: bool = False  # python3-minimal


def of_root(name: str, image: Path, python: str, *, minimal: bool = False) -> Row:
    """A root file system that was made here."""
    alone = () if os.geteuid() == 0 else ("unshare", *WITHOUT_ROOT)
    version, library = look(*alone, "chroot", str(image), python)
    return Row(name, version, image, SYSTEM, python, library, minimal)


def look(*command: str) -> tuple[str, str]:
    """The version of a Python, and the folder of its standard library."""
    try:
        done = subprocess.run([*command, "-I", "-S", "-c", LOOK], capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        why = (getattr(error, "stderr", None) or str(error)).strip()
        raise Unavailable(f"the Python at {command[-1]} does not run: {why}") from None
    version, _, library = done.stdout.strip().partition(" ")
    return version, library
