"""The matrix as a table: for a terminal, and as docs/reference/images.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.images.matrix import FAILED, NOT_APPLICABLE, OK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.images.conditions import Condition
    from tests.images.matrix import Outcome
    from tests.images.rows import Row

NOT_PLAYED = "-"

PAGE = """\
# Where it runs

`scripts/test-images.sh --write` makes this page; [images.md](../images.md) has the recipes. Each cell of the table is
one run of these steps:

{scene}

Each row is a root file system and the Python in it. `debian-*` have this Python, a shell and little more, from the
packages of Debian (`minimal` is `python3-minimal`, `full` is `python3`). In `musl`, Python is built against musl, and
everything else is busybox. `machine-*` are interpreters of the machine that made the table. All rows have /dev with
the usual devices, and a folder for the catalogue that is writable under every condition. Each column except the first
one removes or changes something:

{legend}

{table}

{notes}
"""
SCENE = """\
1. `preStart` runs, then the application starts. At a terminal, it gets the foreground, the typed text, and Ctrl-C.
2. Its health check passes. ContainerPilot registers it in a `directory`, and a watch reports it.
3. The configuration changes. At SIGHUP, ContainerPilot registers the application again, and the watch reports the
   change.
4. At SIGTERM `preStop` runs, the application ends, `postStop` runs, and ContainerPilot deregisters the application.
   ContainerPilot exits with the exit code of the application."""


def title(row: Row) -> str:
    return f"{row.name} ({'.'.join(row.version.split('.')[:2])})"


def cells(outcomes: Iterable[Outcome]) -> dict[str, dict[str, Outcome]]:
    """The outcomes by row and by the key of the condition."""
    table: dict[str, dict[str, Outcome]] = {}
    for outcome in outcomes:
        table.setdefault(title(outcome.row), {})[outcome.condition.key] = outcome
    return table


def shown(row: dict[str, Outcome], condition: Condition) -> str:
    return row[condition.key].result if condition.key in row else NOT_PLAYED


def reasons(outcomes: Iterable[Outcome]) -> list[str]:
    """Failed and skipped cells, with the reasons. Of reasons that begin alike, only the first is complete."""
    found: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.reason:
            found.setdefault((outcome.result, outcome.reason.partition("\n")[0]), []).append(outcome)
    return [
        f"{result}: {', '.join(f'{each.row.name}/{each.condition.key}' for each in alike)}: {alike[0].reason}"
        for (result, _), alike in found.items()
    ]


def summary(outcomes: Sequence[Outcome]) -> str:
    counts = {result: sum(each.result == result for each in outcomes) for result in (OK, FAILED, NOT_APPLICABLE)}
    return f"{len(outcomes)} cells: {', '.join(f'{count} {result}' for result, count in counts.items())}"


def for_terminal(outcomes: Sequence[Outcome], conditions: Sequence[Condition]) -> str:
    table = cells(outcomes)
    first = max(map(len, table))
    widths = [max(len(each.key), len(FAILED)) for each in conditions]
    lines = [" ".join([" " * first, *(each.key.ljust(width) for each, width in zip(conditions, widths, strict=True))])]
    for name, row in table.items():
        results = (shown(row, each).ljust(width) for each, width in zip(conditions, widths, strict=True))
        lines.append(" ".join([name.ljust(first), *results]))
    titles = [f"{each.key.ljust(max(widths))}  {each.title}" for each in conditions]
    parts = ["\n".join(line.rstrip() for line in lines), "\n".join(titles), *reasons(outcomes), summary(outcomes)]
    return "\n\n".join(parts) + "\n"


def legend(conditions: Sequence[Condition]) -> str:
    return "\n".join(["| column | condition |", "| --- | --- |", *(f"| `{c.key}` | {c.title} |" for c in conditions)])


def as_page(outcomes: Sequence[Outcome], conditions: Sequence[Condition]) -> str:
    head = ["root (Python)", *(f"`{each.key}`" for each in conditions)]
    lines = [head, ["---"] * len(head)]
    lines += [[name, *(shown(row, each) for each in conditions)] for name, row in cells(outcomes).items()]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = "\n\n".join([summary(outcomes), *reasons(outcomes)])
    return PAGE.format(scene=SCENE, legend=legend(conditions), table=table, notes=notes)
