"""Standard output and standard error of the caller, written directly to the descriptors."""

from __future__ import annotations

import os

from cp.platform.text import reason_of, to_bytes

_CLOSED = 9  # EBADF, without an import of errno


def show(data: bytes) -> int:
    """Print to standard output. Return the exit code: 1, after a message on standard error, if it cannot be written."""
    try:
        write(1, data)
    except OSError as error:
        return unwritable(error)
    return 0


def unwritable(error: OSError) -> int:
    """Print why standard output cannot be written. Return the exit code."""
    why = "it is closed" if error.errno == _CLOSED else reason_of(error)
    complain(f"containerpilot: cannot write to standard output: {why}\n")
    return 1


def complain(text: str) -> None:
    """Print to standard error."""
    try:
        write(2, to_bytes(text))
    except OSError:
        pass  # there is no other place for the message


def write(fd: int, data: bytes) -> None:
    """Write all bytes to the descriptor. If it was closed at the start, Python has no stream object for it."""
    while data:
        data = data[os.write(fd, data) :]
