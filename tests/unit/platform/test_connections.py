"""The kernel's tables of TCP sockets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from cp.platform.connections import LARGEST_READ, established, is_loopback

if TYPE_CHECKING:
    from pathlib import Path

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ESTABLISHED, TIME_WAIT, CLOSE_WAIT, LISTEN = "01", "06", "08", "0A"


def word(address: str) -> str:
    """Four bytes as this machine's kernel writes them."""
    number = int.from_bytes(bytes(map(int, address.split("."))), sys.byteorder)
    return f"{number:08X}"


def line(local_port: int, peer: str = "10.0.0.9", state: str = ESTABLISHED, local: str = "10.0.0.7") -> str:
    ends = f"{word(local)}:{local_port:04X} {word(peer)}:D431"
    return f"   7: {ends} {state} 00000000:00000000 02:00000AF7 00000000     0        0 81 2 0 20 4 30 10 -1\n"


def line6(local_port: int, peer: str) -> str:
    """A line of tcp6; `peer` has the four words as dotted bytes."""
    address = "".join(word(each) for each in peer.split())
    ends = f"{word('0.0.0.0') * 4}:{local_port:04X} {address}:D431"
    return f"   7: {ends} 01 00000000:00000000 00:00000000 00000000     0        0 81 1 0 20 4 0 10 -1\n"


def count(port: int, folder: Path, lines: str, lines6: str | None = None) -> int:
    (folder / "tcp").write_text(HEADING + lines)
    if lines6 is not None:
        (folder / "tcp6").write_text(HEADING + lines6)
    return established(port, (f"{folder}/tcp", f"{folder}/tcp6"))


def test_established_connections_to_a_port_are_counted(tmp_path: Path) -> None:
    assert count(80, tmp_path, line(80) + line(8080) + line(80, "192.168.1.1")) == 2


def test_other_states_do_not_count(tmp_path: Path) -> None:
    lines = "".join(line(80, state=state) for state in (TIME_WAIT, CLOSE_WAIT, LISTEN))
    assert count(80, tmp_path, lines) == 0


def test_the_peer_is_not_at_the_port(tmp_path: Path) -> None:
    assert count(0xD431, tmp_path, line(80)) == 0


@pytest.mark.parametrize("port", [1, 80, 8000, 0xABCD, 65535])
def test_ports_are_hexadecimal(tmp_path: Path, port: int) -> None:
    assert count(port, tmp_path, line(port)) == 1


def test_peers_on_loopback_do_not_count(tmp_path: Path) -> None:
    lines = line(80, "127.0.0.1") + line(80, "127.9.8.7") + line(80, "10.0.0.127")
    mapped, loopback, other = "0.0.0.0 0.0.0.0 0.0.255.255 ", "0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.1", "32.1.13.184 " * 3
    lines6 = line6(80, mapped + "127.0.0.1") + line6(80, mapped + "127.255.0.9") + line6(80, loopback)
    assert count(80, tmp_path, lines, lines6) == 1
    assert count(80, tmp_path, "", line6(80, mapped + "10.0.0.127") + line6(80, other + "0.0.0.1")) == 2


@pytest.mark.parametrize(
    ("address", "byteorder", "is_one"),
    [
        ("0100007F", "little", True),
        ("0102037F", "little", True),
        ("7F000001", "little", False),
        ("7F000001", "big", True),
        ("0100007F", "big", False),
        ("00000000000000000000000001000000", "little", True),
        ("00000000000000000000000000000001", "big", True),
        ("00000000000000000000000000000000", "big", False),
        ("0000000000000000FFFF00000100007F", "little", True),
        ("00000000000000000000FFFF7F000001", "big", True),
        ("00000000000000000000FFFF0A000001", "big", False),
        ("B80D0120000000000000000001000000", "little", False),
    ],
)
def test_loopback_in_both_byte_orders(address: str, byteorder: str, is_one: bool) -> None:
    assert is_loopback(address, byteorder) == is_one


def test_a_machine_without_ipv6_has_one_table(tmp_path: Path) -> None:
    assert count(80, tmp_path, line(80)) == 1


def test_without_the_first_table_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "tcp6").write_text(HEADING)
    with pytest.raises(FileNotFoundError):
        established(80, (f"{tmp_path}/tcp", f"{tmp_path}/tcp6"))


def test_a_table_of_many_reads_is_counted_whole(tmp_path: Path) -> None:
    lines = (line(80) + line(8080)) * 2000
    assert len(lines) > 4 * LARGEST_READ
    assert count(80, tmp_path, lines) == 2000


def test_a_damaged_line_does_not_count(tmp_path: Path) -> None:
    assert count(80, tmp_path, "   7: 0700000A:0050 \n\n:0050 \n" + line(80)) == 1
