"""Interface specifications (`eth0`, `inet6`, `10.0.0.0/8`, `static:1.2.3.4`) and the address that they choose.

Pure: the addresses of this machine are an argument, see `cp.addresses`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# What an empty list of specifications means.
DEFAULT_SPECS = ("eth0:inet", "inet")

_DIGITS = frozenset("0123456789")
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_LETTERS = _WORD - _DIGITS
_NAME = _WORD | frozenset(".-@")
_MAPPED = b"\0" * 10 + b"\xff\xff"  # an IPv4 address in its IPv6 form starts so
_IPV6_LOOPBACK = b"\0" * 15 + b"\1"


class InterfaceError(Exception):
    """No address can be chosen. `faults` has a text for each specification that is wrong; str() has one a line."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Address:
    """One address of one interface. `packed` is in network order: 4 bytes (IPv4) or 16 (IPv6)."""

    __slots__ = ("interface", "packed")

    def __init__(self, interface: str, packed: bytes) -> None:
        self.interface = interface
        self.packed = packed

    @property
    def text(self) -> str:
        """The address as people write it, such as `10.0.0.1` or `fe80::1`."""
        return format_ip(self.packed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Address):
            return NotImplemented
        return self.interface == other.interface and self.packed == other.packed

    def __hash__(self) -> int:
        return hash((self.interface, self.packed))

    def __repr__(self) -> str:
        return f"Address({self.interface} {self.text})"


def parse_ip(text: str) -> bytes | None:
    """4 bytes for an IPv4 address (also in its IPv6 form, `::ffff:1.2.3.4`), 16 for IPv6, None for anything else."""
    from _socket import AF_INET, AF_INET6, inet_pton

    try:
        packed = inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):  # ValueError: a NUL or an undecodable byte in the text
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def format_ip(packed: bytes) -> str:
    """Canonical text of 4 or 16 bytes."""
    from _socket import AF_INET, AF_INET6, inet_ntop

    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


def in_order(addresses: Iterable[Address]) -> list[Address]:
    """By the bytes of the interface's name, then by the 16-byte form of the address: `::1` is before `127.0.0.1`."""
    return sorted(addresses, key=_order)


def needs_addresses(specs: Sequence[str]) -> bool:
    """Whether `choose` would look at the addresses: not if a `static:` comes first, nor if it fails anyway."""
    try:
        return _parse_all(specs)[0].static is None
    except InterfaceError:
        return False


def choose(specs: Sequence[str], addresses: list[Address]) -> str:
    """The text of the address that the first matching specification chooses; an empty list stands for `DEFAULT_SPECS`.

    Raises InterfaceError if any specification cannot be read, even if another one would match, or if none matches.
    """
    candidates = in_order(addresses)
    for spec in _parse_all(specs):
        found = spec.find(candidates)
        if found is not None:
            return format_ip(found)
    raise InterfaceError(
        "None of the interface specifications were able to match\n"
        f"Specifications: {', '.join(specs or DEFAULT_SPECS)}\n"
        f"Addresses: {', '.join(f'{a.interface} {a.text}' for a in candidates) or 'none'}"
    )


class _Spec:
    """One specification: a literal address, or the `index`-th of the candidates that `matches` lets through."""

    __slots__ = ("index", "matches", "static")

    def __init__(self, matches: Callable[[Address], bool], index: int = 0, static: bytes | None = None) -> None:
        self.matches = matches
        self.index = index
        self.static = static

    def find(self, candidates: list[Address]) -> bytes | None:
        if self.static is not None:
            return self.static
        left = self.index
        for address in candidates:
            if self.matches(address):
                if not left:
                    return address.packed
                left -= 1
        return None


def _order(address: Address) -> tuple[bytes, bytes]:
    packed = address.packed
    return address.interface.encode("utf-8", "surrogateescape"), packed if len(packed) == 16 else _MAPPED + packed


def _parse_all(specs: Sequence[str]) -> list[_Spec]:
    parsed = [_parse(spec) for spec in specs or DEFAULT_SPECS]
    faults = [fault for fault in parsed if isinstance(fault, str)]
    if faults:
        raise InterfaceError(*faults)
    return [spec for spec in parsed if not isinstance(spec, str)]


def _parse(spec: str) -> _Spec | str:
    """What the text means, or what is wrong with it."""
    if spec in ("inet", "inet6"):
        size = 16 if spec == "inet6" else 4
        return _Spec(lambda a: len(a.packed) == size and not _is_loopback(a.packed))
    if spec.startswith("static:"):
        text = spec[len("static:") :]
        static = parse_ip(text)
        if static is None:
            return f"Unable to parse static ip {text} in {spec}"
        return _Spec(lambda _: False, static=static)
    return _parse_interface(spec) or _parse_network(spec) or f"Unable to parse interface spec: {spec}"


def _parse_interface(spec: str) -> _Spec | str | None:
    """`NAME`, `NAME:inet`, `NAME:inet6` or `NAME[INDEX]`."""
    name, colon, family = spec.partition(":")
    if colon:
        if family not in ("inet", "inet6") or not _is_name(name):
            return None
        return _by_name(name, 16 if family == "inet6" else 4, 0)
    name, bracket, index = spec.partition("[")
    if not _is_name(name):
        return None
    if not bracket:
        return _by_name(name, 4, 0)
    digits = index[:-1]
    if not index.endswith("]") or not digits or not _DIGITS.issuperset(digits):
        return None
    if len(digits) > 9:
        return f"Unable to parse index {digits} in {spec}"
    return _by_name(name, 0, int(digits))


def _is_name(text: str) -> bool:
    if not text or not _NAME.issuperset(text):
        return False
    # Dots and digits without a letter are an attempt at an address, such as 127.0.0.1.
    return _WORD.issuperset(text) or not _LETTERS.isdisjoint(text)


def _by_name(name: str, size: int, index: int) -> _Spec:
    # `ip addr` shows one end of a pair as eth0@if3; the interface is eth0.
    names = (name, name.partition("@")[0])
    return _Spec(lambda a: a.interface in names and (not size or len(a.packed) == size), index)


def _parse_network(spec: str) -> _Spec | None:
    """`10.0.0.0/8`; bits after the prefix are ignored."""
    text, slash, digits = spec.partition("/")
    network = parse_ip(text)
    if not slash or network is None or not 0 < len(digits) <= 3 or not _DIGITS.issuperset(digits):
        return None
    size = len(network)
    shift = size * 8 - int(digits)
    if shift < 0:
        return None
    prefix = int.from_bytes(network, "big") >> shift
    return _Spec(lambda a: len(a.packed) == size and int.from_bytes(a.packed, "big") >> shift == prefix)


def _is_loopback(packed: bytes) -> bool:
    return packed == _IPV6_LOOPBACK if len(packed) == 16 else packed[0] == 127
