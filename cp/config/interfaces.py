"""Selects an address by interface specifications (`eth0`, `inet6`, `10.0.0.0/8`, `static:1.2.3.4`).

Pure: the addresses of this machine are an argument; see `cp.platform.netlink`.
"""

from __future__ import annotations

from cp.platform.address import MAPPED_PREFIX, format_ip, parse_ip
from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cp.platform.address import Address

# The specifications for an empty list.
DEFAULT_SPECS = ("eth0:inet", "inet")

_DIGITS = frozenset("0123456789")
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_LETTERS = _WORD - _DIGITS
_NAME = _WORD | frozenset(".-@")
_HOST_PREFIX = 32  # the prefix length of an IPv4 address that is a network of its own
_IPV6_LOOPBACK = b"\0" * 15 + b"\1"


class InterfaceError(Exception):
    """No address can be selected. `errors` has a text for each invalid specification; str() has each on one line."""

    def __init__(self, *errors: str) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def in_order(addresses: Iterable[Address]) -> list[Address]:
    """Sort by the bytes of the interface's name, then by the 16-byte form: `::1` comes before `127.0.0.1`."""
    return sorted(addresses, key=_order)


def needs_addresses(specs: Sequence[str]) -> bool:
    """Whether `choose` uses the addresses: not if the first specification is `static:`, or if one is invalid."""
    try:
        return _parse_all(specs)[0].static is None
    except InterfaceError:
        return False


def choose(specs: Sequence[str], addresses: list[Address]) -> str:
    """Return the address that the first matching specification selects, as text. An empty list means `DEFAULT_SPECS`.

    Raises InterfaceError if a specification is invalid, even if another one matches, or if none matches.
    """
    seen = in_order(addresses)
    candidates = [address for address in seen if not _is_link_local(address.packed)]
    preferred = _by_preference(candidates)
    for spec in _parse_all(specs):
        found = spec.find(candidates if spec.counts else preferred)
        if found is not None:
            return format_ip(found)
    hint = "" if len(seen) == len(candidates) else "\nLink-local addresses (fe80::) count only with static:"
    raise InterfaceError(
        "None of the interface specifications were able to match\n"
        f"Specifications: {', '.join(specs or DEFAULT_SPECS)}\n"
        f"Addresses: {', '.join(f'{a.interface} {a.text}' for a in seen) or 'none'}{hint}"
    )


class _Spec:
    """One specification: a literal address, or the `index`-th of the candidates for which `matches` is true.

    `counts`: it selects by a position in the plain order, so no address is preferred.
    """

    __slots__ = ("counts", "index", "matches", "static")

    def __init__(
        self, matches: Callable[[Address], bool], index: int | None = None, static: bytes | None = None
    ) -> None:
        self.matches = matches
        self.counts = index is not None
        self.index = index or 0
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


def _by_preference(candidates: list[Address]) -> list[Address]:
    """Sort addresses that other machines should not use last within their interface, and keep the order otherwise.

    A virtual address belongs to a load balancer. Docker Swarm, keepalived and IPVS add it to each machine or container
    behind it: as a /32 beside the machine's own address, or on the loopback interface.
    """
    loopback = {address.interface for address in candidates if _is_loopback(address.packed)}
    networks: dict[tuple[str, int], set[int]] = {}  # by interface and prefix length
    for address in candidates:
        if len(address.packed) == 4 and 0 < address.prefix < _HOST_PREFIX:
            networks.setdefault((address.interface, address.prefix), set()).add(_network(address, address.prefix))

    def is_virtual(address: Address) -> bool:
        if len(address.packed) != 4 or address.prefix != _HOST_PREFIX:
            return False
        on_loopback = address.interface in loopback
        return any(
            _network(address, length) in known
            for (interface, length), known in networks.items()
            if on_loopback or interface == address.interface
        )

    def order(address: Address) -> tuple[bool, tuple[bytes, bool, bytes]]:
        virtual = is_virtual(address)
        name, packed = _order(address)
        return virtual and address.interface in loopback, (name, virtual or address.unsteady, packed)

    return sorted(candidates, key=order)


def _network(address: Address, length: int) -> int:
    return int.from_bytes(address.packed, "big") >> (len(address.packed) * 8 - length)


def _order(address: Address) -> tuple[bytes, bytes]:
    packed = address.packed
    return to_bytes(address.interface), packed if len(packed) == 16 else MAPPED_PREFIX + packed


def _parse_all(specs: Sequence[str]) -> list[_Spec]:
    parsed = [_parse(spec) for spec in specs or DEFAULT_SPECS]
    errors = [error for error in parsed if isinstance(error, str)]
    if errors:
        raise InterfaceError(*errors)
    return [spec for spec in parsed if not isinstance(spec, str)]


def _parse(spec: str) -> _Spec | str:
    """Parse a specification; an error is returned as text."""
    if spec in ("inet", "inet6"):
        size = 16 if spec == "inet6" else 4
        return _Spec(lambda a: len(a.packed) == size and not _is_loopback(a.packed))
    if spec.startswith("static:"):
        text = spec[len("static:") :]
        static = parse_ip(text)
        if static is None:
            return f"Unable to parse static ip {text} in {spec}"
        return _Spec(lambda _: False, static=static)
    return _parse_interface(spec) or _parse_network(spec) or _unreadable(spec)


def _unreadable(spec: str) -> str:
    hint = "" if parse_ip(spec) is None else f": write static:{spec}"
    return f"Unable to parse interface spec: {spec}{hint}"


def _parse_interface(spec: str) -> _Spec | str | None:
    """`NAME`, `NAME:inet`, `NAME:inet6` or `NAME[INDEX]`."""
    name, colon, family = spec.partition(":")
    if colon:
        if family not in ("inet", "inet6") or not _is_name(name):
            return None
        return _by_name(name, 16 if family == "inet6" else 4)
    name, bracket, index = spec.partition("[")
    if not _is_name(name):
        return None
    if not bracket:
        return _by_name(name, 4)
    digits = index[:-1]
    if not index.endswith("]") or not digits or not _DIGITS.issuperset(digits):
        return None
    if len(digits) > 9:
        return f"Unable to parse index {digits} in {spec}"
    return _by_name(name, 0, int(digits))


def _is_name(text: str) -> bool:
    if not text or not _NAME.issuperset(text):
        return False
    # Dots and digits without a letter are a mistyped address, such as 127.0.0.1.
    return _WORD.issuperset(text) or not _LETTERS.isdisjoint(text)


def _by_name(name: str, size: int, index: int | None = None) -> _Spec:
    # `ip addr` prints one end of a pair as eth0@if3; the interface is eth0.
    names = (name, name.partition("@")[0])
    return _Spec(lambda a: a.interface in names and (not size or len(a.packed) == size), index)


def _parse_network(spec: str) -> _Spec | None:
    """`10.0.0.0/8`. Bits after the prefix are ignored."""
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


def _is_link_local(packed: bytes) -> bool:
    """Whether it is an IPv6 address that is only valid on its link, and useless without the name of an interface."""
    return len(packed) == 16 and packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
