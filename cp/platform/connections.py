"""Counts the connections to a port in the kernel's tables of TCP sockets: /proc/net/tcp and tcp6 (proc(5)).

A line is `sl local_address rem_address st …`. An address is hexadecimal: words of 32 bits in the order of this machine,
a colon, and the port. A table is as long as the number of sockets, and the kernel needs some time to write it.
"""

from __future__ import annotations

import os
import sys

from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
ESTABLISHED = b"01"  # TCP_ESTABLISHED in the kernel's include/net/tcp_states.h
LARGEST_READ = 1 << 16  # bytes
_LOCAL, _REMOTE, _STATE = 1, 2, 3  # columns


def established(port: int, tables: Iterable[str] = TABLES) -> int:
    """The number of established connections to this local port whose peer is not on loopback.

    OSError if the first table cannot be read. A machine without IPv6 does not have the second one. It blocks.
    """
    ours = b":%04X" % port
    count = 0
    for position, table in enumerate(tables):
        try:
            for block in _blocks(table):
                if ours + b" " in block:
                    count += sum(_counts(line.split(None, 4), ours) for line in block.splitlines())
        except FileNotFoundError:
            if not position:
                raise
    return count


def _counts(columns: list[bytes], ours: bytes) -> bool:
    return (
        len(columns) > _STATE
        and columns[_STATE] == ESTABLISHED
        and columns[_LOCAL].endswith(ours)
        and not is_loopback(columns[_REMOTE].partition(b":")[0].decode())
    )


def is_loopback(address: str, byteorder: str = sys.byteorder) -> bool:
    """Whether an address of a table is in 127.0.0.0/8, also as ::ffff:127.0.0.1, or is ::1."""
    words = [address[start : start + 8] for start in range(0, len(address), 8)]
    if byteorder == "little":
        words = ["".join(word[start : start + 2] for start in (6, 4, 2, 0)) for word in words]
    bytes_in_order = "".join(words)
    if len(words) == 1:
        return bytes_in_order.startswith("7F")
    return bytes_in_order == "0" * 31 + "1" or bytes_in_order.startswith("0" * 20 + "FFFF7F")


def _blocks(path: str) -> Iterator[bytes]:
    """A file in blocks of whole lines."""
    descriptor = os.open(to_bytes(path), os.O_RDONLY | os.O_CLOEXEC)
    try:
        rest = b""
        while part := os.read(descriptor, LARGEST_READ):
            lines, newline, rest = (rest + part).rpartition(b"\n")
            yield lines + newline
        yield rest
    finally:
        os.close(descriptor)
