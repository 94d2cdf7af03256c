"""The tables, as Markdown."""

from __future__ import annotations

from benchmarks.budgets import BUDGETS
from benchmarks.flood import ratios
from benchmarks.peers import NOTHING, PILOT, PILOT_SERVICE, PYTHON
from benchmarks.samples import Samples, quantile, short
from benchmarks.watch import FLOOR, WATCH, WATCH_OF_JOBS

COLUMNS = (PILOT, PILOT_SERVICE, "tini", "dumb-init", "supervisord", PYTHON, NOTHING)
ROWS = (
    ("start", "exec → app's first instruction, ms"),
    ("start as PID 1", "… as PID 1"),
    ("start without bytecode", "… standard library without bytecode"),
    ("exit", "app's exit → supervisor's exit, ms"),
    ("exit as PID 1", "… as PID 1"),
    ("exit at once", "… of an app that ends at once"),
    ("term", "SIGTERM → app, ms"),
    ("term as PID 1", "… as PID 1"),
    ("ping", "-ping, ms"),
    ("putmetric", "-putmetric, ms"),
    ("orphans", "2000 orphans as PID 1, ms"),
    ("flood file", "flood to a file, MB/s"),
    ("flood file memory", "… memory that it took, MB"),
    ("flood file lost", "… lost lines"),
    ("flood pipe", "flood to a pipe, MB/s"),
    ("flood pipe memory", "… memory that it took, MB"),
    ("flood pipe lost", "… lost lines"),
    ("flood lag", "… meanwhile, an answer, ms"),
    ("rss", "resident memory, idle, MB"),
    ("cpu", "own CPU an idle minute, ms"),
    ("requests", "requests to Consul an idle minute"),
    ("watch", "catalogue change → process, ms"),
    ("size", "size, MB"),
)


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, its columns padded: readable as it is."""
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def figures(samples: Samples, missing: dict[str, str]) -> str:
    """Medians, with the smallest and the largest figure; a column for each candidate."""
    rows = [[label, *(samples.cell(measure, column) for column in COLUMNS)] for measure, label in ROWS]
    lines = [table(["", *COLUMNS], rows)]
    for measure, dialect in ((WATCH, "services"), (WATCH_OF_JOBS, "jobs")):
        if values := samples.values.get((measure, PILOT_SERVICE)):
            middle, most, nearly_all = (short(quantile(values, share)) for share in (0.5, 0.9, 0.99))
            percentiles = f"median {middle}, p90 {most}, p99 {nearly_all} ms"
            lines.append(f"\nCatalogue change → process, {dialect} dialect: {percentiles} of {len(values)} changes.")
    if (floor := samples.median(WATCH, FLOOR)) is not None:
        lines.append(f"The floor, a blocking query's answer read in Python: {short(floor)} ms.")
    lines += ratios(samples)
    lines += [f"Not to be had: {name}: {why}." for name, why in missing.items()]
    return "\n".join(lines)


def budgets(samples: Samples) -> tuple[str, str]:
    """The table of budgets, and the last line: how many are missed."""
    rows, missed, unmeasured = [], 0, 0
    for budget in BUDGETS:
        value, word = budget.figure(samples), budget.verdict(samples)
        missed += word.startswith("MISSED")
        unmeasured += word == "not measured"
        shown = "-" if value is None else short(value) + budget.unit
        limit, stretch = (f"{number:g}{budget.unit}" for number in (budget.limit, budget.stretch))
        rows.append([budget.what, shown, limit, stretch, f"**{word}**" if word.startswith("MISSED") else word])
    last = f"budgets missed: {missed} of {len(BUDGETS)}" + (f" ({unmeasured} not measured)" if unmeasured else "")
    return table(["", "figure", "at most", "stretch", ""], rows), last
