"""A name server that answers, and then does not: every name is that of this machine."""

from __future__ import annotations

import os
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS, IPV4 = "127.0.0.1", 1


class NameServer:
    """A name server on port 53, which needs root. Every instance has a loopback address of its own."""

    def __init__(self) -> None:
        self.silent = False
        self.refuses = False  # answers that it is in trouble
        self.queries = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        number = os.getpid() * 7919 + id(self)
        self.address = f"127.{number >> 16 & 127 | 64}.{number >> 8 & 255}.{number & 127 | 64}"
        self._socket.bind((self.address, 53))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def prefix(self, folder: Path) -> tuple[str, ...]:
        """The beginning of a command that asks this server, in a mount namespace of its own."""
        (folder / "resolv.conf").write_text(f"nameserver {self.address}\n")
        (folder / "nsswitch.conf").write_text("hosts: files dns\n")
        script = (
            f"mount --bind {folder}/resolv.conf /etc/resolv.conf || exit 1\n"
            f"[ ! -e /etc/nsswitch.conf ] || mount --bind {folder}/nsswitch.conf /etc/nsswitch.conf || exit 1\n"
            'exec "$@"'
        )
        return ("env", "unshare", "--mount", "sh", "-c", script, "sh")

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(4096)
            if client[0] == self.address:  # from `close`
                return
            self.queries += 1
            if not self.silent:
                self._socket.sendto(_failure(question) if self.refuses else _answer(question), client)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.bind((self.address, 0))
            last.sendto(b"", (self.address, 53))
        self._thread.join()
        self._socket.close()


def _answer(question: bytes) -> bytes:
    """RFC 1035: the question again, and for an IPv4 address one record, whose name is that of the question."""
    end = question.index(b"\0", 12) + 5
    (kind,) = struct.unpack("!H", question[end - 4 : end - 2])
    record = struct.pack("!HHHIH", 0xC00C, IPV4, 1, 0, 4) + socket.inet_aton(ADDRESS) if kind == IPV4 else b""
    return question[:2] + struct.pack("!HHHHH", 0x8180, 1, 1 if record else 0, 0, 0) + question[12:end] + record


def _failure(question: bytes) -> bytes:
    return question[:2] + struct.pack("!H", 0x8182) + question[4:]  # SERVFAIL
