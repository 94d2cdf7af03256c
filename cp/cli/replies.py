"""Formats the server's answers for people: refusals, and the descriptions of jobs and events."""

from __future__ import annotations

import os
from _codecs import utf_8_decode

from cp.cli.client import ClientError
from cp.cli.formatting import events_lines, job_details, jobs_table, printable
from cp.config.json5.parser import JsonError, parse
from cp.platform.text import from_bytes, process_environment, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cp.cli.formatting import Data as Plain
    from cp.config.json5.parser import Data

OTHERS = 5  # sockets of other users in a message, at most
_LONGEST_WORDS = 8192  # bytes of an answer of another program in a message, at most


def formatted(command: str, answer: bytes) -> bytes:
    """Format an answer for -jobs, -job or -events. Raises ClientError if it is not a JSON object."""
    data = read(answer)
    if not isinstance(data, dict):
        raise ClientError("cannot read its answer: it is not a JSON object")
    from time import time

    if command == "jobs":
        width, colours = terminal()
        text = jobs_table(data, time(), width=width, colours=colours)
    else:
        text = job_details(data, time()) if command == "job" else events_lines(data)
    return text.encode("utf-8", "replace")


def refusal(status: int, answer: bytes) -> str:
    """The server's error message. In each line, everything that a terminal would interpret is escaped."""
    text = _member(answer, "error")
    if not text:
        # Another program, or an old version of ContainerPilot.
        words = " ".join(utf_8_decode(answer[:_LONGEST_WORDS], "replace", len(answer) <= _LONGEST_WORDS)[0].split())
        text = f"HTTP status {status}" + (f": {words}" if words else "")
    return "\n".join(map(printable, text.rstrip("\n").split("\n")))


def still_going_on(answer: bytes) -> str:
    """What the server has not finished yet."""
    return printable(_member(answer, "about", "state") or "it takes longer than the server lets a client wait")


def sockets_of_others(tried: Sequence[str], environ: Mapping[str, str]) -> str:
    """For root: the sockets of other users in the usual folders. Root may connect to all of them, but does not know who
    listens, so the message asks for a choice."""
    from cp.control.socket_paths import folders

    found = []
    for folder in dict.fromkeys(folders(environ)):
        try:
            names = sorted(map(from_bytes, os.listdir(to_bytes(folder))))
        except OSError:
            continue
        sockets = [name for name in names if name.startswith("containerpilot-") and name.endswith(".socket")]
        found += [path for path in (f"{folder}/{name}" for name in sockets) if path not in tried]
    if len(tried) < 2 or not found:
        return ""
    listed = ", ".join(map(printable, found[:OTHERS]))
    example = f'{{control: {{socket: "{printable(found[0])}"}}}}'
    return f". Other users have {listed}: to use one, add -config '{example}'"


def read(answer: bytes) -> Plain:
    """Parse the JSON of an answer. Raises ClientError."""
    try:
        return _plain(parse(answer.decode()).root.data)
    except (JsonError, UnicodeDecodeError):
        raise ClientError("cannot read its answer: it is not valid JSON") from None


def _plain(data: Data) -> Plain:
    """Parsed values without their positions in the text."""
    if isinstance(data, dict):
        return {key: _plain(value.data) for key, value in data.items()}
    return [_plain(value.data) for value in data] if isinstance(data, list) else data


def _member(answer: bytes, *keys: str) -> str:
    """The first of these members that is a non-empty text; empty if there is none."""
    try:
        data = read(answer)
    except ClientError:
        return ""
    found = [data.get(key) for key in keys] if isinstance(data, dict) else []
    return next((each for each in found if isinstance(each, str) and each), "")


def terminal() -> tuple[int, bool]:
    """The width of the terminal on standard output, 0 without a terminal, and whether colours may be used."""
    try:
        if not os.isatty(1):
            return 0, False
        width = os.get_terminal_size(1).columns
    except OSError:
        width = 0
    environ = process_environment()
    return width, not environ.get("NO_COLOR") and environ.get("TERM", "") not in ("", "dumb")
