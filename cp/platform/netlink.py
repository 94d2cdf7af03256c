"""Reads the addresses of this machine from the kernel, without `socket`, `ipaddress` or programs such as `ip`."""

from __future__ import annotations

from cp.platform.address import Address
from cp.platform.text import decoded_by_python, file_of, from_bytes, reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# linux/rtnetlink.h, linux/netlink.h, linux/if_addr.h, linux/sockios.h
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_NLM_F_REQUEST, _NLM_F_DUMP_INTR, _NLM_F_DUMP = 0x1, 0x10, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL = 1, 2, 3
_SIOCGIFCONF, _SIOCGIFDSTADDR, _SIOCGIFNETMASK = 0x8912, 0x8917, 0x891B
# Flags of an address. For IPv4 the first one means a secondary address of the same network, which is as good.
_IFA_F_TEMPORARY, _IFA_F_DADFAILED, _IFA_F_DEPRECATED = 0x01, 0x08, 0x20

_TIMEOUT = 2.0  # seconds; the kernel answers at once, but a sandbox may not answer
_ATTEMPTS = 5  # to read a list that changes meanwhile
_NUMBERS = 4096  # the limit of error numbers
_MESSAGE_LIMIT = 1 << 16  # bytes; the kernel sends at most 32 KiB


def local_addresses(sources: Sequence[Callable[[], list[Address]]] | None = None) -> list[Address]:
    """All addresses of all interfaces, even of those that are down, in no particular order.

    Uses the first of the `sources` that works: netlink(7), or what a sandbox without netlink has. Raises OSError if
    none works. Waits for the kernel for a few seconds at most.
    """
    failures: list[OSError] = []
    for source in sources or (by_netlink, by_ioctl):
        found = _attempt(source)
        if not isinstance(found, OSError):
            return found
        failures.append(found)
    reasons = "; ".join(map(reason_of, failures))
    raise OSError(failures[-1].errno, f"cannot read the addresses of this machine: {reasons}")


def _attempt(source: Callable[[], list[Address]]) -> list[Address] | OSError:
    try:
        return source()
    except OSError as error:
        return error


def by_netlink() -> list[Address]:
    """Read the addresses with one request to the routing socket (rtnetlink(7))."""
    from errno import EAGAIN

    try:
        for _ in range(_ATTEMPTS):
            found = _netlink_dump()
            if found is not None:
                return found
    except OSError as error:
        raise OSError(error.errno, f"netlink: {reason_of(error)}") from error
    raise OSError(EAGAIN, "netlink: the list changes faster than it can be read")


def by_ioctl() -> list[Address]:
    """Read SIOCGIFCONF for IPv4 (netdevice(7)) and /proc/net/if_inet6 for IPv6. Raises OSError only if both fail."""
    found: list[Address] = []
    failure: OSError | None = None
    try:
        found += _ipv4_by_ioctl()
    except OSError as error:
        failure = OSError(error.errno, f"SIOCGIFCONF: {reason_of(error)}")
    try:
        with open("/proc/net/if_inet6", "rb") as lines:
            found += map(_ipv6_of, lines)
    except OSError as error:  # a kernel without IPv6 has no such file
        if failure is not None:
            raise OSError(failure.errno, f"{reason_of(failure)}, {file_of(error)}: {reason_of(error)}") from error
    return found


def parse_dump(message: bytes, names: dict[int, str]) -> Iterator[Address | None]:
    """Yield the addresses of one netlink message; None marks the end of the dump.

    Raises OSError with the kernel's error number, or EAGAIN if the list changed during the dump, so that it must be
    repeated.
    """
    from _struct import unpack_from
    from errno import EAGAIN, EPROTO
    from os import strerror

    offset = 0
    while offset + 16 <= len(message):
        length, kind, flags = unpack_from("=IHH", message, offset)
        if length < 16 or offset + length > len(message):
            break
        if flags & _NLM_F_DUMP_INTR:
            raise BlockingIOError(EAGAIN, "disturbed")
        if kind == _NLMSG_ERROR:
            number = -unpack_from("=i", message, offset + 16)[0] if length >= 20 else EPROTO
            number = number if 0 <= number < _NUMBERS else EPROTO
            raise OSError(number, strerror(number))
        if kind == _NLMSG_DONE:
            yield None
            return
        if kind == _RTM_NEWADDR and length >= 24:
            length_of_prefix, bits, index = unpack_from("=xBBxI", message, offset + 16)
            attributes = dict(_attributes(message[offset + 24 : offset + length]))
            # On a point-to-point link IFA_ADDRESS is the other end, and IFA_LOCAL is this one.
            packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS, b"")
            label = from_bytes(attributes.get(_IFA_LABEL, b"").rstrip(b"\0"))
            if len(packed) in (4, 16):
                name = names.get(index) or label.partition(":")[0] or str(index)
                point_to_point = attributes.get(_IFA_ADDRESS, packed) != packed
                prefix = 0 if point_to_point else length_of_prefix
                yield Address(name, packed, prefix, _is_unsteady(bits, len(packed)))
        offset += (length + 3) & ~3


def _is_unsteady(bits: int, size: int) -> bool:
    """Whether the flags of an address mark it as unsteady. IPv6 has one flag more."""
    return bool(bits & (_IFA_F_DADFAILED | _IFA_F_DEPRECATED | (_IFA_F_TEMPORARY if size == 16 else 0)))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    from _struct import unpack_from

    offset = 0
    while offset + 4 <= len(data):
        length, kind = unpack_from("=HH", data, offset)
        if length < 4:
            return
        yield kind, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def _netlink_dump() -> list[Address] | None:
    """All addresses; None if the list changed meanwhile."""
    import _socket
    from _struct import pack

    names = {index: decoded_by_python(name) for index, name in _socket.if_nameindex()}
    connection = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _socket.NETLINK_ROUTE)
    try:
        connection.settimeout(_TIMEOUT)
        # A header (length, type, flags, sequence, sender), then an ifaddrmsg of zeros: any family, any interface.
        flags = _NLM_F_REQUEST | _NLM_F_DUMP
        connection.send(pack("=IHHII", 24, _RTM_GETADDR, flags, 1, 0) + bytes(8))
        found: list[Address] = []
        while True:
            for address in parse_dump(connection.recv(_MESSAGE_LIMIT), names):
                if address is None:
                    return found
                found.append(address)
    except BlockingIOError:
        return None
    finally:
        connection.close()


def _ipv6_of(line: bytes) -> Address:
    """Parse a line of /proc/net/if_inet6: address, index, prefix length, scope, flags, interface; numbers in hex."""
    text, _, prefix, _, bits, name = line.split()[:6]
    return Address(
        from_bytes(name), bytes.fromhex(text.decode("ascii")), int(prefix, 16), _is_unsteady(int(bits, 16), 16)
    )


def _ipv4_by_ioctl() -> Iterator[Address]:
    import _socket
    from _struct import calcsize, pack, unpack
    from array import array  # SIOCGIFCONF takes the address of a buffer
    from fcntl import ioctl

    entry = 40 if calcsize("P") == 8 else 32  # sizeof(struct ifreq): a name of 16 bytes, then a struct sockaddr_in
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)

    def query(request: int, about: bytes) -> bytes | None:
        """The four bytes that the kernel returns for an entry of the list."""
        try:
            return ioctl(connection, request, about)[20:24]
        except OSError:  # a sandbox may allow SIOCGIFCONF only
            return None

    try:
        room = 64 * entry
        while True:
            buffer = array("B", bytes(room))
            used, _ = unpack("iP", ioctl(connection, _SIOCGIFCONF, pack("iP", room, buffer.buffer_info()[0])))
            if used < room:  # otherwise there may be more
                break
            room *= 2
        data = buffer.tobytes()
        for offset in range(0, used, entry):
            one = data[offset : offset + entry]
            label = from_bytes(one.partition(b"\0")[0])
            packed, mask = one[20:24], query(_SIOCGIFNETMASK, one)
            point_to_point = query(_SIOCGIFDSTADDR, one) not in (None, packed)
            prefix = 0 if mask is None or point_to_point else int.from_bytes(mask, "big").bit_count()
            yield Address(label.partition(":")[0], packed, prefix)
    finally:
        connection.close()
