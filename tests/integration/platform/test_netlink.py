"""The addresses that the kernel of this machine lists."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import Any

import pytest

from cp.config.interfaces import choose, in_order
from cp.platform.address import Address
from cp.platform.netlink import by_ioctl, by_netlink, local_addresses
from tests.unit.platform.test_netlink import ip, refused

SIOCGIFCONF = 0x8912


def test_loopback_is_found_with_its_name() -> None:
    assert Address("lo", ip("127.0.0.1"), 8) in local_addresses()


def test_an_interface_that_does_not_exist_contributes_nothing() -> None:
    assert choose(["interface-does-not-exist", "lo"], local_addresses()) == "127.0.0.1"


def test_netlink_and_its_replacement_agree() -> None:
    assert in_order(by_netlink()) == in_order(by_ioctl())


def test_no_file_descriptor_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    by_netlink()
    by_ioctl()
    assert os.listdir("/proc/self/fd") == before


def test_a_sandbox_without_netlink_gets_the_replacement() -> None:
    assert local_addresses((refused, by_ioctl)) == by_ioctl()


def test_a_sandbox_that_hides_the_length_of_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    def list_alone(fd: int, request: int, about: bytes) -> Any:
        if request != SIOCGIFCONF:
            raise OSError(errno.ENOTTY, "Not a typewriter")
        return real(fd, request, about)

    real = fcntl.ioctl
    monkeypatch.setattr(fcntl, "ioctl", list_alone)
    assert Address("lo", ip("127.0.0.1"), 0) in by_ioctl()
