"""The version of the program, the commit of its build, and the interpreter that runs it."""

from __future__ import annotations

import os
import sys

from cp import __version__

COMMIT = ""  # written by the build of the archive; empty in a wheel


def describe() -> str:
    """The text of `-version`: two lines in the format of the original, for tools that parse them, and the
    interpreter."""
    return f"Version: {__version__}\nGitHash: {COMMIT}\nPython: {interpreter()}\n"


def interpreter() -> str:
    """The interpreter and its platform, such as `3.11.7 (glibc 2.36, x86_64)`."""
    version = sys.version.partition(" ")[0]
    return f"{version}{sys.abiflags} ({libc() or 'musl'}, {os.uname().machine})"


def libc() -> str | None:
    """The C library and its version, such as `glibc 2.36`; None for musl, which has no such name."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        return None
