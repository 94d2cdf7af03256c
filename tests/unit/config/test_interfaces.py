from __future__ import annotations

import random

import pytest

from cp.config.interfaces import InterfaceError, choose, in_order, needs_addresses
from cp.platform.address import Address, format_ip, parse_ip


def address(interface: str, text: str, *, unsteady: bool = False) -> Address:
    """`text` is an address, with the length of its prefix or without."""
    ip, _, prefix = text.partition("/")
    packed = parse_ip(ip)
    assert packed is not None, text
    return Address(interface, packed, int(prefix or 0), unsteady)


TABLE = [
    address("eth0", "10.2.0.1"),
    address("eth0", "192.168.1.100"),
    address("eth1", "10.0.0.100"),
    address("eth1", "10.0.0.200"),
    address("eth2", "10.1.0.200"),
    address("eth2", "fdc6:238c:c4bc::1"),
    address("lo", "::1"),
    address("lo", "127.0.0.1"),
    address("static:192.168.1.100", "192.168.1.100"),
]
ONLY_LOOPBACK = [address("lo", "::1"), address("lo", "127.0.0.1")]
ODD_NAMES = [
    address("br-lan", "10.9.0.1"),
    address("eth0", "10.9.0.2"),
    address("eth0.100", "10.9.0.3"),
    address("veth@weird", "10.9.0.4"),
]


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        (["lo"], "127.0.0.1"),
        (["lo:inet"], "127.0.0.1"),
        (["lo:inet6"], "::1"),
        (["lo[0]"], "::1"),
        (["static:192.168.1.100"], "192.168.1.100"),
        (["eth0"], "10.2.0.1"),
        (["eth0:inet"], "10.2.0.1"),
        (["eth0[0]"], "10.2.0.1"),
        (["eth0[1]"], "192.168.1.100"),
        (["10.0.0.0/16"], "10.0.0.100"),
        (["10.1.0.0/16"], "10.1.0.200"),
        (["10.0.0.0/8"], "10.2.0.1"),
        (["10.1.7.7/16"], "10.1.0.200"),
        (["127.0.0.0/8"], "127.0.0.1"),
        (["0.0.0.0/0"], "10.2.0.1"),
        (["::/0"], "fdc6:238c:c4bc::1"),
        (["eth2:inet6"], "fdc6:238c:c4bc::1"),
        (["eth2[1]"], "fdc6:238c:c4bc::1"),
        (["inet"], "10.2.0.1"),
        (["inet6"], "fdc6:238c:c4bc::1"),
        (["eth3", "fdc6:238c:c4bc::/48", "inet", "inet6"], "fdc6:238c:c4bc::1"),
        (["eth3", "10.0.0.0/16", "inet", "inet6", "fdc6:238c:c4bc::/48"], "10.0.0.100"),
        (["eth0", "lo"], "10.2.0.1"),
        (["lo", "eth0"], "127.0.0.1"),
        ([], "10.2.0.1"),
    ],
)
def test_the_first_spec_that_matches_chooses(specs: list[str], expected: str) -> None:
    shuffled = random.Random(7).sample(TABLE, len(TABLE))
    assert choose(specs, shuffled) == expected


@pytest.mark.parametrize("spec", ["eth0:inet6", "eth0[2]", "eth3", "eth0[999999999]", "10.3.0.0/16", "fe80::/10"])
def test_a_spec_that_matches_nothing_is_an_error(spec: str) -> None:
    with pytest.raises(InterfaceError) as caught:
        choose([spec], TABLE)
    first, specs, seen = str(caught.value).split("\n")
    assert first.startswith("None of the interface specifications were able to match")
    assert spec in specs
    assert "eth0 10.2.0.1, eth0 192.168.1.100" in seen


@pytest.mark.parametrize("spec", ["inet", "inet6"])
def test_any_interface_never_means_loopback(spec: str) -> None:
    with pytest.raises(InterfaceError, match=r"^None of the interface"):
        choose([spec], ONLY_LOOPBACK)


LINK = [address("eth0", "fe80::1/64"), address("eth0", "febf::1/64"), *ONLY_LOOPBACK]


@pytest.mark.parametrize("spec", ["inet6", "eth0:inet6", "eth0[0]", "fe80::/10", "fe80::/64"])
def test_an_ipv6_address_of_the_link_is_never_chosen(spec: str) -> None:
    with pytest.raises(InterfaceError) as caught:
        choose([spec], LINK)
    assert str(caught.value).endswith(
        "Addresses: eth0 fe80::1, eth0 febf::1, lo ::1, lo 127.0.0.1\n"
        "Link-local addresses (fe80::) count only with static:"
    )


def test_an_ipv6_address_of_the_link_may_be_named() -> None:
    assert choose(["static:fe80::1"], LINK) == "fe80::1"


def test_addresses_beside_those_of_the_link_are_chosen() -> None:
    steady = address("eth1", "fec0::1/64")
    assert choose(["inet6"], [*LINK, steady]) == "fec0::1"
    assert choose(["eth0", "inet6", "lo"], LINK) == "127.0.0.1"


# -- virtual addresses, and others that come last

SWARM = [address("eth0", "10.9.0.2/32"), address("eth0", "10.9.0.3/24"), *ONLY_LOOPBACK]


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        (["eth0"], "10.9.0.3"),
        (["eth0:inet"], "10.9.0.3"),
        (["inet"], "10.9.0.3"),
        ([], "10.9.0.3"),
        (["10.9.0.0/16"], "10.9.0.3"),
        (["10.9.0.2/32"], "10.9.0.2"),
        (["eth0[0]"], "10.9.0.2"),  # positions are those of the documented order, whatever is preferred
        (["eth0[1]"], "10.9.0.3"),
    ],
)
def test_a_virtual_address_comes_last(specs: list[str], expected: str) -> None:
    assert choose(specs, random.Random(7).sample(SWARM, len(SWARM))) == expected


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["eth0 10.9.0.2/32"], "10.9.0.2"),  # the only one, as some clouds give it
        (["eth0 10.9.0.2/32", "eth0 10.9.0.3/32"], "10.9.0.2"),  # in no network of another one
        (["eth0 10.9.0.2/32", "eth0 10.8.0.3/24"], "10.8.0.3"),  # another network, and the plain order
        (["eth0 10.7.0.2/32", "eth0 10.8.0.3/24"], "10.7.0.2"),
        (["eth0 10.9.0.2/32", "eth0 10.9.0.3"], "10.9.0.2"),  # a point-to-point link, or nobody knows its network
        (["eth0 10.9.0.2/32", "eth1 10.9.0.3/24"], "10.9.0.2"),  # the other one is that of another interface
        (["lo 127.0.0.1/8", "lo 10.9.0.2/32", "net1 10.9.0.3/24"], "10.9.0.3"),  # on loopback, as IPVS needs it
        (["lo 127.0.0.1/8", "lo 10.9.0.2/32", "net1 10.8.0.3/24"], "10.9.0.2"),
        (["eth0 10.9.0.2/24", "eth0 10.9.0.3/24"], "10.9.0.2"),  # two of the same kind
    ],
)
def test_which_addresses_are_virtual(addresses: list[str], expected: str) -> None:
    assert choose(["inet"], [address(*text.split()) for text in addresses]) == expected


def test_a_virtual_address_on_loopback_does_not_hide_loopback_itself() -> None:
    on_loopback = address("lo", "10.9.0.2/32")
    assert choose(["lo"], [on_loopback, address("eth0", "10.9.0.3/24"), *ONLY_LOOPBACK]) == "127.0.0.1"


def test_a_host_route_of_ipv6_is_not_virtual() -> None:
    """DHCPv6 gives each machine its own address as a /128, beside one that the machine made for itself."""
    assert choose(["inet6"], [address("eth0", "fd00::5/128"), address("eth0", "fd00::6/64")]) == "fd00::5"


def test_an_address_that_will_not_last_comes_last_on_its_interface() -> None:
    temporary, steady = address("eth0", "fd00::5/64", unsteady=True), address("eth0", "fd00::6/64")
    of_another = address("eth1", "fd00::7/64")
    assert choose(["inet6"], [temporary, steady, of_another]) == "fd00::6"
    assert choose(["inet6"], [temporary, of_another]) == "fd00::5"
    assert choose(["eth0[0]"], [temporary, steady]) == "fd00::5"


def test_without_any_address_the_error_says_so() -> None:
    with pytest.raises(InterfaceError, match="Addresses: none"):
        choose(["eth0"], [])


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_addresses_are_put_in_order(seed: int) -> None:
    assert in_order(random.Random(seed).sample(TABLE, len(TABLE))) == TABLE


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("br-lan", "10.9.0.1"),
        ("eth0.100", "10.9.0.3"),
        ("eth0.100[0]", "10.9.0.3"),
        ("eth0@if3", "10.9.0.2"),
        ("veth@weird:inet", "10.9.0.4"),
    ],
)
def test_names_with_dots_dashes_and_at_signs(spec: str, expected: str) -> None:
    assert choose([spec], ODD_NAMES) == expected


BAD = [
    ("", "Unable to parse interface spec: "),
    ("!", "Unable to parse interface spec: !"),
    ("127.0.0.1", "Unable to parse interface spec: 127.0.0.1: write static:127.0.0.1"),
    ("::1", "Unable to parse interface spec: ::1: write static:::1"),
    (".", "Unable to parse interface spec: ."),
    ("..", "Unable to parse interface spec: .."),
    ("-1", "Unable to parse interface spec: -1"),
    ("10.0.0.0/33", "Unable to parse interface spec: 10.0.0.0/33"),
    ("10.0.0.0/", "Unable to parse interface spec: 10.0.0.0/"),
    ("10.0.0.0/-1", "Unable to parse interface spec: 10.0.0.0/-1"),
    ("fdc6::/129", "Unable to parse interface spec: fdc6::/129"),
    ("/16", "Unable to parse interface spec: /16"),
    ("eth0/16", "Unable to parse interface spec: eth0/16"),
    ("eth0:inet5", "Unable to parse interface spec: eth0:inet5"),
    ("eth0:", "Unable to parse interface spec: eth0:"),
    (":inet", "Unable to parse interface spec: :inet"),
    ("eth0[-1]", "Unable to parse interface spec: eth0[-1]"),
    ("eth0[]", "Unable to parse interface spec: eth0[]"),
    ("eth0[1", "Unable to parse interface spec: eth0[1"),
    ("eth0[1]:inet", "Unable to parse interface spec: eth0[1]:inet"),
    ("eth0[\u0661]", "Unable to parse interface spec: eth0[\u0661]"),
    ("ethé", "Unable to parse interface spec: ethé"),
    (" eth0", "Unable to parse interface spec:  eth0"),
    ("eth0[99999999999999999999]", "Unable to parse index 99999999999999999999 in eth0[99999999999999999999]"),
    ("static:abcdef", "Unable to parse static ip abcdef in static:abcdef"),
    ("static:12", "Unable to parse static ip 12 in static:12"),
    ("static:", "Unable to parse static ip  in static:"),
    ("static:1.2.3.4\0", "Unable to parse static ip 1.2.3.4\0 in static:1.2.3.4\0"),
    ("static:\udc80", "Unable to parse static ip \udc80 in static:\udc80"),
]


@pytest.mark.parametrize(("spec", "error"), BAD)
def test_a_bad_spec_fails_even_if_another_would_match(spec: str, error: str) -> None:
    with pytest.raises(InterfaceError) as caught:
        choose(["inet", spec], TABLE)
    assert str(caught.value) == error
    assert caught.value.errors == (error,)


def test_every_bad_spec_is_named_on_a_line_of_its_own() -> None:
    with pytest.raises(InterfaceError) as caught:
        choose(["!", "eth0", "static:abc"], TABLE)
    assert str(caught.value) == "Unable to parse interface spec: !\nUnable to parse static ip abc in static:abc"


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("static:10.0.0.1", "10.0.0.1"),
        ("static:FDC6:0:0::1", "fdc6::1"),
        ("static:0:0:0:0:0:0:0:0", "::"),
        ("static:::ffff:10.0.0.1", "10.0.0.1"),
    ],
)
def test_a_static_address_need_not_exist_and_becomes_canonical(written: str, canonical: str) -> None:
    assert choose([written], []) == canonical


@pytest.mark.parametrize(
    ("specs", "needed"),
    [
        (["static:10.0.0.1"], False),
        (["static:10.0.0.1", "eth0"], False),
        (["eth0", "static:10.0.0.1"], True),
        (["inet"], True),
        ([], True),
        (["inet", "!"], False),
    ],
)
def test_addresses_are_read_only_when_they_decide(specs: list[str], needed: bool) -> None:
    assert needs_addresses(specs) is needed


@pytest.mark.parametrize("text", ["0.0.0.0", "255.255.255.255", "::", "::1", "fe80::1", "2001:db8::1:0:0:1"])
def test_an_ip_survives_parsing_and_formatting(text: str) -> None:
    packed = parse_ip(text)
    assert packed is not None
    assert format_ip(packed) == text


@pytest.mark.parametrize(
    "text", ["", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", ":::", "fe80::1%eth0", "1.2.3.4 ", "a.b.c.d"]
)
def test_addresses_that_are_not_an_ip(text: str) -> None:
    assert parse_ip(text) is None
