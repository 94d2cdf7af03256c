"""Targets: the readers of small texts (JSON5, durations, interface specifications, command lines, netlink)."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from cp.cli import options as command_line
from cp.cli import subcommands
from cp.cli.client import request
from cp.config import durations, interfaces
from cp.config.interfaces import InterfaceError
from cp.config.json5.parser import JsonError, Value, parse
from cp.control.request_bodies import Unprocessable, environment_changes
from cp.encoding.percent import decoded
from cp.platform import netlink
from cp.platform.address import Address, format_ip, parse_ip
from cp.platform.text import to_bytes
from tests.fuzz.material import check, is_place_in, parts, text_of, whole

LONGEST_REPORT = 4000  # characters of a refusal, whatever was refused


def fuzz_json5(data: bytes) -> None:
    """Read, or refused with a place in the text; and what JSON is, is read as Python reads it."""
    text = text_of(data)
    try:
        document = parse(text)
    except JsonError as error:
        check(is_place_in(text, error.line, error.column), (error.line, error.column))
        check(len(str(error)) < LONGEST_REPORT)
        if "out of range" not in error.reason and "nested deeper" not in error.reason:
            check(_as_json(text) is None, f"this is JSON, and was refused: {error}")
        return
    strict = _as_json(text)
    assert (strict is None) == (document.relaxed is not None)
    if strict is not None:
        assert _same(plain(document.root), _without_halves(strict[0]))
    for _, offset in document.repeated:
        assert is_place_in(text, *document.line_and_column(offset))


def plain(value: Value) -> Any:
    """Without the places."""
    if isinstance(value.data, list):
        return [plain(element) for element in value.data]
    if isinstance(value.data, dict):
        return {key: plain(member) for key, member in value.data.items()}
    return value.data


def _as_json(text: str) -> tuple[Any] | None:
    """The value in a tuple, by the reader of the standard library; None if it is not JSON."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        return (json.loads(text, parse_constant=refuse),)
    except (ValueError, RecursionError):
        return None


def _without_halves(value: Any) -> Any:
    """Half of a surrogate pair is U+FFFD to us, as it is to Go, unless it stands for a byte that is not UTF-8."""
    if isinstance(value, str):
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value)
    if isinstance(value, list):
        return [_without_halves(element) for element in value]
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(member) for key, member in value.items()}
    return value


def _same(ours: Any, theirs: Any) -> bool:
    return repr(_without_halves(ours)) == repr(theirs)


def fuzz_duration(data: bytes) -> None:
    """Nanoseconds in 64 bits, or a refusal with a hint; the nanoseconds written out mean the same again."""
    text = text_of(data)
    for read in (durations.parse, durations.parse_go):
        try:
            nanoseconds = read(text)
        except durations.DurationError as error:
            check(error.hint)
            continue
        assert abs(nanoseconds) < 2**63
        assert durations.parse(f"{nanoseconds}ns") == nanoseconds


def fuzz_interface(data: bytes) -> None:
    """Lines of specifications, and behind a separator the addresses to choose from: the first byte of each says which
    interface has it, and with what kind of a network."""
    lines, packed = parts(data, 2)
    specs = text_of(lines).split("\n")
    known = [
        Address(
            f"eth{block[0] % 3}",
            block[1:17] if block[0] & 1 and len(block) >= 17 else block[1:5],
            prefix=block[0] >> 2,
            unsteady=block[0] >= 128,
        )
        for block in (packed[at : at + 17] for at in range(0, len(packed), 17))
        if len(block) >= 5
    ]
    for address in known:
        assert parse_ip(address.text) is not None
    try:
        chosen = interfaces.choose(specs, known)
    except InterfaceError as error:
        check(error.errors)
        return
    packed_choice = parse_ip(chosen)
    assert packed_choice is not None
    assert format_ip(packed_choice) in (chosen, chosen.removeprefix("::ffff:"))
    if interfaces.needs_addresses(specs):
        assert chosen in [address.text for address in known]
    else:
        assert interfaces.choose(specs, []) == chosen


def fuzz_netlink(data: bytes) -> None:
    """A possible answer of the kernel about its addresses: a list, or an OSError."""
    with contextlib.suppress(OSError):
        for address in netlink.parse_dump(data, {1: "lo", 2: "eth0"}):
            if address is not None:
                assert parse_ip(address.text) is not None


def fuzz_command_line(data: bytes) -> None:
    """Arguments with NUL between them: understood or refused. The request to the server is valid, is exactly one,
    and has the same meaning for the server as for the client."""
    try:
        options = command_line.parse([text_of(argument) for argument in data.split(b"\0")])
    except command_line.FlagError:
        return
    command = options.command()
    if options.help or command in ("", "version", "template"):
        return
    method, target, body = subcommands._request_of(command, options)
    head, end, rest = request(method, target, body).partition(b"\r\n\r\n")
    assert end
    assert rest == body
    assert head.split(b"\r\n")[0] == f"{method} {target} HTTP/1.1".encode("ascii")
    assert target.isprintable()
    assert " " not in target
    if command in ("job", "start", "stop", "restart"):
        name = getattr(options, command)
        assert decoded(target.split("/")[3].encode()) == to_bytes(name)
    if body:
        assert isinstance(json.loads(body), dict)
    if command == "putenv":
        with contextlib.suppress(Unprocessable):
            assert whole(environment_changes(body)) == options.putenv
