"""What children read as their standard input, if not ours."""

from __future__ import annotations

import errno
import os
import stat

from cp.platform.text import to_bytes


def open_input(path: str) -> int:
    """A file for a child to read, as a descriptor. OSError if it cannot be opened.

    The loop does not wait: neither for a writer of a FIFO nor for a slow device.
    """
    flags = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    fd = os.open(to_bytes(path), os.O_RDONLY | flags)
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if stat.S_ISFIFO(mode):
            # Readers of a FIFO without a writer are at its end. This one is its own writer: it waits for others.
            reader, fd = fd, os.open(to_bytes(path), os.O_RDWR | flags)
            os.close(reader)
        os.set_blocking(fd, True)
    except OSError:
        os.close(fd)
        raise
    return fd


def open_null() -> int:
    """A standard input that is at its end: /dev/null, or where an image has none, a pipe without a writer."""
    try:
        return os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.close(writer)
        return reader
