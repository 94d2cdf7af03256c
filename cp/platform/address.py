"""Addresses of network interfaces, and parsing and formatting of IP addresses, without the module `ipaddress`."""

from __future__ import annotations

MAPPED_PREFIX = b"\0" * 10 + b"\xff\xff"  # the beginning of an IPv4 address in its IPv6 form


class Address:
    """One address of one interface. `packed` has 4 bytes (IPv4) or 16 (IPv6), in network order.

    `prefix` is the length of the network's prefix in bits; 0: not known, as on a point-to-point link, where the kernel
    has the network of the other end. `unsteady`: the kernel prefers another address for new connections, because the
    lifetime of this one ends soon (temporary, deprecated) or another machine has it, too (duplicate).
    """

    __slots__ = ("interface", "packed", "prefix", "unsteady")

    def __init__(self, interface: str, packed: bytes, prefix: int = 0, unsteady: bool = False) -> None:
        self.interface = interface
        self.packed = packed
        self.prefix = prefix
        self.unsteady = unsteady

    @property
    def text(self) -> str:
        """The address in the usual notation, such as `10.0.0.1` or `fe80::1`."""
        return format_ip(self.packed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Address):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"Address({self.interface} {self.text}/{self.prefix}{' unsteady' if self.unsteady else ''})"

    def _values(self) -> tuple[str, bytes, int, bool]:
        return self.interface, self.packed, self.prefix, self.unsteady


def parse_ip(text: str) -> bytes | None:
    """4 bytes for an IPv4 address (also for `::ffff:1.2.3.4`), 16 for IPv6, None for anything else."""
    from _socket import AF_INET, AF_INET6, inet_pton

    try:
        packed = inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):  # ValueError: the text has a NUL or an undecodable byte
        return None
    return packed[12:] if packed.startswith(MAPPED_PREFIX) else packed


def format_ip(packed: bytes) -> str:
    """The canonical notation of 4 or 16 bytes."""
    from _socket import AF_INET, AF_INET6, inet_ntop

    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)
