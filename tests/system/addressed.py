"""Gives the loopback interface of a new network more addresses, and becomes the program that follows.

Usage: unshare --net addressed.py 10.9.0.3/24 fd00::5/64 ... -- PROGRAM ARGUMENTS
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
import sys

# linux/sockios.h
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
UP_AND_RUNNING = 0x41


def request(name: str, content: bytes) -> bytes:
    """A struct ifreq."""
    return struct.pack("16s24s", name.encode(), content)


def sockaddr(packed: bytes) -> bytes:
    return struct.pack("=HH4s8x", socket.AF_INET, 0, packed)


def add(wanted: list[str]) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as of_ipv4,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as of_ipv6,
    ):
        fcntl.ioctl(of_ipv4, SIOCSIFFLAGS, request("lo", struct.pack("=H", UP_AND_RUNNING)))
        for number, text in enumerate(wanted):
            address = ipaddress.ip_interface(text)
            if address.version == 4:
                label = f"lo:{number}"
                fcntl.ioctl(of_ipv4, SIOCSIFADDR, request(label, sockaddr(address.packed)))
                fcntl.ioctl(of_ipv4, SIOCSIFNETMASK, request(label, sockaddr(address.netmask.packed)))
            else:
                length, index = address.network.prefixlen, socket.if_nametoindex("lo")
                fcntl.ioctl(of_ipv6, SIOCSIFADDR, struct.pack("=16sIi", address.packed, length, index))


if __name__ == "__main__":
    end = sys.argv.index("--")
    add(sys.argv[1:end])
    os.execvp(sys.argv[end + 1], sys.argv[end + 1 :])
