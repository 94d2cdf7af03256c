from __future__ import annotations

import errno
from struct import pack

import pytest

from cp.platform.address import Address, parse_ip
from cp.platform.netlink import local_addresses, parse_dump

LINK = 7
NAMES = {LINK: "eth7"}
DONE = pack("=IHHII", 16, 3, 2, 1, 0)


def ip(text: str) -> bytes:
    packed = parse_ip(text)
    assert packed is not None
    return packed


def attribute(kind: int, value: bytes) -> bytes:
    return pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def new_address(*attributes: bytes, index: int = LINK, flags: int = 2, bits: int = 0) -> bytes:
    body = pack("=BBBBI", 2, 24, bits, 0, index) + b"".join(attributes)
    return pack("=IHHII", 16 + len(body), 20, flags, 1, 0) + body


def refused() -> list[Address]:
    raise PermissionError(errno.EPERM, "netlink: Operation not permitted")


def absent() -> list[Address]:
    raise OSError(errno.ENOENT, "ioctl: No such device")


def test_when_nothing_works_the_error_names_every_reason() -> None:
    with pytest.raises(OSError, match="cannot read the addresses of this machine") as caught:
        local_addresses((refused, absent))
    assert "netlink: Operation not permitted; ioctl: No such device" in str(caught.value)


def test_our_end_of_a_point_to_point_link_is_taken() -> None:
    message = new_address(attribute(1, ip("10.0.0.2")), attribute(2, ip("10.0.0.1")), attribute(3, b"eth7\0"))
    assert list(parse_dump(message + DONE, NAMES)) == [Address("eth7", ip("10.0.0.1")), None]


def test_several_addresses_in_one_message_and_no_end_yet() -> None:
    message = new_address(attribute(1, ip("fe80::1"))) + new_address(attribute(1, ip("10.0.0.1")))
    assert list(parse_dump(message, NAMES)) == [Address("eth7", ip("fe80::1"), 24), Address("eth7", ip("10.0.0.1"), 24)]


def test_an_interface_that_came_after_the_names_were_read_has_its_label() -> None:
    message = new_address(attribute(1, ip("10.0.0.1")), attribute(3, b"eth9:1\0"), index=9)
    assert list(parse_dump(message, NAMES)) == [Address("eth9", ip("10.0.0.1"), 24)]


@pytest.mark.parametrize(
    ("text", "bits", "unsteady"),
    [
        ("fd00::1", 0x80, False),  # permanent
        ("fd00::1", 0x40, False),  # tentative: in a second it is not
        ("fd00::1", 0x01, True),  # temporary
        ("fd00::1", 0x20, True),  # deprecated
        ("fd00::1", 0x08, True),  # somebody else has it
        ("10.0.0.1", 0x01, False),  # the second one of its network
        ("10.0.0.1", 0x20, True),
    ],
)
def test_temporary_deprecated_and_duplicate_addresses_are_unsteady(text: str, bits: int, unsteady: bool) -> None:
    message = new_address(attribute(1, ip(text)), bits=bits)
    assert list(parse_dump(message, NAMES)) == [Address("eth7", ip(text), 24, unsteady)]


def test_a_refused_dump_is_an_error_with_the_kernel_s_number() -> None:
    message = pack("=IHHIIi", 20, 2, 0, 1, 0, -errno.EACCES)
    with pytest.raises(PermissionError):
        list(parse_dump(message, NAMES))


def test_a_dump_disturbed_by_a_change_must_be_repeated() -> None:
    with pytest.raises(BlockingIOError):
        list(parse_dump(new_address(attribute(1, ip("10.0.0.1")), flags=0x12), NAMES))


@pytest.mark.parametrize("cut", range(1, 36))
def test_a_message_cut_short_yields_nothing_wrong(cut: int) -> None:
    message = new_address(attribute(1, ip("10.0.0.1")), attribute(3, b"eth7\0"))
    assert list(parse_dump(message[:cut], NAMES)) == []
