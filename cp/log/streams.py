"""Chooses the channel for a standard stream or a log file."""

from __future__ import annotations

import os
import stat

from cp.log.channels import NULL_DEVICE, Channel, DescriptorChannel, SocketChannel


def stream_channel(fd: int) -> Channel:
    """The channel for a standard stream. `fd` still belongs to the caller."""
    try:
        status = os.fstat(fd)
    except OSError:
        return Channel()
    if stat.S_ISREG(status.st_mode):
        # Use the same open file description: it shares its position with the application's writes.
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
    """Open a file for appending, and create it if necessary; also a FIFO or a terminal. Raises OSError."""
    return DescriptorChannel(path, os.O_APPEND | os.O_CREAT)


def guard_standard_streams(*, is_output_needed: bool = False) -> None:
    """Open /dev/null on each descriptor from 0 to 2 that is closed, so that no other file gets its number.

    `is_output_needed`: open standard output only for reading, so that writing to it fails as for a closed one.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            try:
                opened = os.open("/dev/null", os.O_RDONLY if fd == 1 and is_output_needed else os.O_RDWR)
            except OSError:  # a root file system without /dev: any file that is not writable
                opened = os.open("/", os.O_PATH)
            # open(2) takes the lowest free number, and the lower ones are in use.
            os.set_inheritable(opened, True)
