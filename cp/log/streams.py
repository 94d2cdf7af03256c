"""Chooses the channel that fits a standard stream or a log file."""

from __future__ import annotations

import os
import stat

from cp.log.channels import NULL_DEVICE, Channel, DescriptorChannel, SocketChannel


def stream_channel(fd: int) -> Channel:
    """The channel that fits one of the standard streams. `fd` stays the caller's."""
    try:
        status = os.fstat(fd)
    except OSError:
        return Channel()
    if stat.S_ISREG(status.st_mode):
        # The very same description: its position is shared with the application's writes.
        return DescriptorChannel("", fd=os.dup(fd))
    if stat.S_ISSOCK(status.st_mode):
        return SocketChannel(fd)
    if stat.S_ISDIR(status.st_mode) or (stat.S_ISCHR(status.st_mode) and status.st_rdev == NULL_DEVICE):
        return Channel()
    try:
        return DescriptorChannel(f"/proc/self/fd/{fd}")
    except OSError:  # no /proc, or a pipe of another user
        from cp.log.thread_channel import ThreadChannel

        return ThreadChannel(fd)


def file_channel(path: str) -> Channel:
    """A file to append to, created if need be; a FIFO or a terminal will do too. OSError if it cannot be opened."""
    return DescriptorChannel(path, os.O_APPEND | os.O_CREAT)


def guard_standard_streams(*, is_output_needed: bool = False) -> None:
    """Opens those of the descriptors 0 to 2 that are closed on /dev/null, so that nothing else lands on them.

    Standard output is open for reading only if it is needed: then writing to it fails, as to one that is closed.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            try:
                opened = os.open("/dev/null", os.O_RDONLY if fd == 1 and is_output_needed else os.O_RDWR)
            except OSError:  # a root file system without /dev: anything that cannot be written to
                opened = os.open("/", os.O_PATH)
            # The lowest free number is what open() takes, and the lower ones are taken.
            os.set_inheritable(opened, True)
