"""The terminal of whoever called us: standard output and standard error, straight to the descriptors."""

from __future__ import annotations

import os

from cp.platform.text import to_bytes

_CLOSED = 9  # EBADF; the module that names it is not needed otherwise


def show(data: bytes) -> int:
    """Print to standard output; the exit code, which is 1, with a word why, if that cannot be."""
    try:
        write(1, data)
    except OSError as error:
        return unwritable(error)
    return 0


def unwritable(error: OSError) -> int:
    """Tell why nothing can be printed to standard output; the exit code."""
    why = "it is closed" if error.errno == _CLOSED else (error.strerror or str(error)).lower()
    complain(f"containerpilot: cannot write to standard output: {why}\n")
    return 1


def complain(text: str) -> None:
    """Print to standard error."""
    try:
        write(2, to_bytes(text))
    except OSError:
        pass  # nobody is left to be told


def write(fd: int, data: bytes) -> None:
    """Straight to the descriptor: where it was closed at the start, Python has no stream for it."""
    while data:
        data = data[os.write(fd, data) :]
