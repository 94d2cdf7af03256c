"""What the server answers, for people: its refusals, and the jobs and events that it tells about."""

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

OTHERS = 5  # sockets of other users that are listed
_LONGEST_WORDS = 8192  # bytes shown of an answer that is none of ours


def shown(command: str, answer: bytes) -> bytes:
    """What -jobs, -job or -events prints of an answer. ClientError if it is not what was asked for."""
    data = read(answer)
    if not isinstance(data, dict):
        raise ClientError("what it answered is no JSON object")
    from time import time

    if command == "jobs":
        width, colours = _terminal()
        text = jobs_table(data, time(), width=width, colours=colours)
    else:
        text = job_details(data, time()) if command == "job" else events_lines(data)
    return text.encode("utf-8", "replace")


def refusal(status: int, answer: bytes) -> str:
    """The server's words, each line without anything that a terminal would obey."""
    text = _said(answer, "error")
    if not text:
        # Not one of our servers, or an old one.
        words = " ".join(utf_8_decode(answer[:_LONGEST_WORDS], "replace", len(answer) <= _LONGEST_WORDS)[0].split())
        text = f"HTTP status {status}" + (f": {words}" if words else "")
    return "\n".join(map(printable, text.rstrip("\n").split("\n")))


def still_going_on(answer: bytes) -> str:
    """What the server has not finished yet."""
    return printable(_said(answer, "about", "state") or "it takes longer than the server lets a client wait")


def sockets_of_others(tried: Sequence[str], environ: Mapping[str, str]) -> str:
    """For root: the sockets of other users in the usual places. Who listens there is not known, so root is to say that
    one of them is meant."""
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
    return f". Other users have {listed}: to use one, name it: -config '{example}'"


def read(answer: bytes) -> Plain:
    """The values of a JSON answer; ClientError if it is none."""
    try:
        return _plain(parse(answer.decode()).root.data)
    except (JsonError, UnicodeDecodeError):
        raise ClientError("what it answered is no JSON") from None


def _plain(data: Data) -> Plain:
    """Parsed values without their places in the text."""
    if isinstance(data, dict):
        return {key: _plain(value.data) for key, value in data.items()}
    return [_plain(value.data) for value in data] if isinstance(data, list) else data


def _said(answer: bytes, *keys: str) -> str:
    """The first of these members of an answer that is a text; empty if there is none."""
    try:
        data = read(answer)
    except ClientError:
        return ""
    found = [data.get(key) for key in keys] if isinstance(data, dict) else []
    return next((each for each in found if isinstance(each, str) and each), "")


def _terminal() -> tuple[int, bool]:
    """The width of the terminal that standard output is, 0 if it is none, and whether colours may be used."""
    try:
        if not os.isatty(1):
            return 0, False
        width = os.get_terminal_size(1).columns
    except OSError:
        width = 0
    environ = process_environment()
    return width, not environ.get("NO_COLOR") and environ.get("TERM", "") not in ("", "dumb")
