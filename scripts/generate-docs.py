#!/usr/bin/env python3
"""Writes generated tables into the pages, between `<!-- generated: NAME -->` and `<!-- end -->`.

`keys` has two arguments: `<!-- generated: keys jobs jobs[].health -->` is the table of the keys of this object in the
jobs dialect. Without a path it is the table of the keys at top level.

Usage: scripts/generate-docs.py          write
       scripts/generate-docs.py --check  write nothing; exit code 1 if a page differs from the code
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cp.config.reference.key import Json, Key

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cp.cli.client import LARGEST_ANSWER, TIMEOUT  # noqa: E402
from cp.cli.flags import USAGE  # noqa: E402 - the path had to be set first
from cp.config.reference.key import ORIGINALS  # noqa: E402
from cp.config.reference.tree import keys_of  # noqa: E402
from cp.control.event_stream import KEEP_ALIVE, MOST_WAITING  # noqa: E402
from cp.control.routes import PATIENCE  # noqa: E402
from cp.engine.history import KEPT, KEPT_CHANGES, KEPT_CHECKS, KEPT_SUCCESSES  # noqa: E402
from cp.engine.reload import WAITING_LIMIT  # noqa: E402
from cp.engine.states import MEANINGS, MOVES  # noqa: E402
from cp.http.messages import DEFAULT_LIMITS  # noqa: E402
from cp.plan import LONGEST_SOCKET_PATH  # noqa: E402
from cp.telemetry.metrics.own import OWN  # noqa: E402

MARKED = re.compile(r"(<!-- generated: ([a-z-]+)((?: [^ >]+)*) -->\n).*?(<!-- end -->)", re.DOTALL)
MOST_VALUES = 8  # values in a cell of a table, at most
LARGEST = 10**6  # larger limits are left out


def states() -> str:
    rows = ["| state | meaning | next |", "| --- | --- | --- |"]
    for state, meaning in MEANINGS.items():
        following = ", ".join(f"`{each}`" for each in MOVES[state]) or "none"
        rows.append(f"| `{state}` | {meaning} | {following} |")
    return "\n".join(rows)


def usage() -> str:
    return f"```text\n{USAGE.rstrip()}\n```"


def limits() -> str:
    limit = DEFAULT_LIMITS
    rows = [
        (
            "connections at once",
            str(limit.connections),
            "the oldest one without a pending answer is closed; otherwise 503",
        ),
        ("body of a request", size(limit.body), "413"),
        ("header of a request", f"{size(limit.headers)}, {limit.header_lines} lines", "431"),
        ("time until a request is complete", seconds(limit.request_seconds), "408"),
        ("time between two requests", seconds(limit.idle_seconds), "the connection is closed"),
        (
            "time in which a client reads nothing of an answer",
            seconds(limit.stalled_seconds),
            "the connection is closed",
        ),
        ("answer", size(limit.response), "500"),
        (
            "all answers that clients have not read yet",
            size(limit.unread),
            "503 in place of an answer of more than 1 MiB",
        ),
        ("unread bytes of a stream", size(limit.stream), "the stream ends; see `Last-Event-ID`"),
        ("events that wait for the readers of streams", f"{MOST_WAITING:,}", "a stream that is further behind ends"),
        ("changes of health kept as events", str(KEPT_CHANGES), "the oldest are dropped"),
        ("checks without a change kept as events", str(KEPT_CHECKS), "the oldest are dropped"),
        ("repeated successes of a job kept as events", str(KEPT_SUCCESSES), "the oldest are dropped"),
        ("other events kept", str(KEPT), "the oldest are dropped"),
        ("time between two keep-alive comments of a stream", seconds(KEEP_ALIVE), ""),
        ("time until 202", seconds(PATIENCE), "the request continues"),
        ("changes that wait for their turn", str(WAITING_LIMIT), "409; 422 for a reload"),
        ("path of the socket", f"{LONGEST_SOCKET_PATH} bytes", "the configuration is refused"),
        ("time that a flag waits", seconds(TIMEOUT), "exit code 1; not for `-follow` and `-wait`"),
        ("answer that a flag reads", size(LARGEST_ANSWER), "exit code 1"),
    ]
    lines = ["| what | limit | beyond the limit |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| {what} | {limit} | {beyond} |" for what, limit, beyond in rows])


def size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def seconds(number: float) -> str:
    return f"{number:g} s"


def metrics() -> str:
    rows = ["| metric | labels | meaning |", "| --- | --- | --- |"]
    for metric in sorted(OWN, key=lambda metric: metric.name):
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        rows.append(f"| `{metric.name}` | {labels} | {metric.help} |")
    return "\n".join(rows)


def keys(dialect: str, path: str = "") -> str:
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for key in keys_of(dialect, path):
        cells = (f"`{key.name}`", listed(key.types, "or"), default_of(key), meaning_of(key, dialect))
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)


def default_of(key: Key) -> str:
    if key.required:
        return f"required {key.required}" if isinstance(key.required, str) else "required"
    if key.default_key:
        return f"`{key.default_key}`"
    return key.default_words or ("none" if key.default is None else written(key.default))


def meaning_of(key: Key, dialect: str) -> str:
    """The sentences of the table, and sentences about its other columns."""
    sentences = [key.meaning]
    values = [written(value) for value in key.values]
    if len(values) <= MOST_VALUES and any(value not in key.meaning for value in values):
        either = len(values) == 2
        sentences.append(f"{'Either' if either else 'One of'} {listed(values, 'or' if either else 'and')}.")
    if isinstance(key.most, int) and key.most < LARGEST:
        sentences.append(f"From {key.least} to {key.most}.")
    elif (isinstance(key.least, int) and key.least > 0) or key.least == "1ms":
        sentences.append(f"At least {str(key.least).replace('ms', ' ms')}.")
    if key.environment and not key.environment_is_default:
        sentences.append(f"`{key.environment}` wins over it.")
    if dialect in key.since:
        sentences.append(f"Not in ContainerPilot {ORIGINALS[dialect]}.")
    return " ".join(sentences)


def listed(words: Sequence[str], conjunction: str) -> str:
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}" if len(words) > 1 else words[0]


def written(value: Json) -> str:
    return f"`{json.dumps(value)}`"


GENERATORS: dict[str, Callable[..., str]] = {
    "keys": keys,
    "limits": limits,
    "metrics": metrics,
    "states": states,
    "usage": usage,
}


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def renewed(page: Path) -> str:
    """Return the page with all generated parts as the code describes them. Raises KeyError for an unknown part."""

    def generated(found: re.Match[str]) -> str:
        text = GENERATORS[found[2]](*found[3].split())
        text = text.replace(f"]({page.name}#", "](#")
        return f"{found[1]}{text}\n{found[4]}"

    return MARKED.sub(generated, page.read_text())


def main(arguments: list[str]) -> int:
    stale = [page for page in pages() if renewed(page) != page.read_text()]
    if "--check" in arguments:
        for page in stale:
            print(f"{page.relative_to(ROOT)} differs from the code: run scripts/generate-docs.py")
        return 1 if stale else 0
    for page in stale:
        page.write_text(renewed(page))
        print(f"{page.relative_to(ROOT)} is rewritten")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
