"""What this program is, its version and the commit it was built from, and what it runs on."""

from __future__ import annotations

import os
import sys

from cp import __version__

COMMIT = ""  # written by the build


def describe() -> str:
    """Two lines as tools that read the original's `-version` expect them, and one about the interpreter."""
    return f"Version: {__version__}\nGitHash: {COMMIT}\nPython: {interpreter()}\n"


def interpreter() -> str:
    """Like `3.11.7 (glibc 2.36, x86_64)`."""
    version = sys.version.partition(" ")[0]
    return f"{version}{sys.abiflags} ({libc() or 'musl'}, {os.uname().machine})"


def libc() -> str | None:
    """The C library and its version, like `glibc 2.36`; None if it is musl, which has no name for itself."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        return None
