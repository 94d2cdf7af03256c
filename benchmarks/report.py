"""The tables, as Markdown."""

from __future__ import annotations

from benchmarks import checks, pythons
from benchmarks.budgets import BUDGETS
from benchmarks.flood import ratios
from benchmarks.load import LAG
from benchmarks.peers import NOTHING, PEERS, PILOT, PILOT_SERVICE, PILOT_TLS, PYTHON, SUPERVISORD
from benchmarks.readers import REACTION
from benchmarks.results import Results
from benchmarks.samples import Samples, quantile, short
from benchmarks.watch import FLOOR, WATCH, WATCH_OF_JOBS

SIDE_BY_SIDE = (PILOT, PILOT_SERVICE, *PEERS, PYTHON, NOTHING)
# For each table: what is compared, its columns, and the candidates that may be rows of it.
COMPARED = (
    (
        "Start, ms: exec → app's first instruction",
        {"start": "plain", "start as PID 1": "as PID 1", "start without bytecode": "standard library without bytecode"},
        SIDE_BY_SIDE,
    ),
    (
        "Exit, ms: app's exit → supervisor's exit",
        {"exit": "plain", "exit as PID 1": "as PID 1", "exit at once": "of an app that ends at once"},
        (PILOT, PILOT_SERVICE, *PEERS, NOTHING),
    ),
    (
        "Signals and orphans, ms",
        {"term": "SIGTERM → app", "term as PID 1": "… as PID 1", "orphans": "2000 orphans as PID 1"},
        (PILOT, PILOT_SERVICE, *PEERS, NOTHING),
    ),
    (
        "Idle",
        {
            "rss": "resident memory, MB",
            "cpu": "own CPU a minute, ms",
            "requests": "requests to Consul a minute",
            "size": "size of the program, MB",
        },
        (PILOT, PILOT_SERVICE, PILOT_TLS, *PEERS, PYTHON),
    ),
    ("Subcommands, ms", {"ping": "-ping", "putmetric": "-putmetric"}, (PILOT, PYTHON)),
    (
        "A flood of output",
        {
            "flood file": "to a file, MB/s",
            "flood file memory": "memory it took, MB",
            "flood file lost": "lost lines",
            "flood pipe": "to a pipe, MB/s",
            "flood pipe memory": "memory it took, MB",
            "flood pipe lost": "lost lines",
        },
        (PILOT, SUPERVISORD),
    ),
    (
        "Health checks by HTTP, 200 a second",
        {
            checks.RATE: "checks a second",
            checks.CPU: "own CPU, % of a core",
            checks.WITH_CHILDREN: "with its children, %",
            checks.STARTED: "processes started a second",
            checks.LAG_MEDIAN: "an answer meanwhile, median, ms",
            checks.LAG_P99: "p99, ms",
        },
        (checks.NATIVE, checks.CURL),
    ),
)
START_RATIO, START_WITHOUT_BYTECODE = 2.2, 90.0
"""The budget of the start: its ratio to bare Python; milliseconds if the standard library has no bytecode."""


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, its columns padded: readable as it is."""
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def figures(samples: Samples) -> str:
    """Medians, with the smallest and the largest figure; a row for each candidate."""
    parts = []
    for title, columns, candidates in COMPARED:
        rows = [[name, *(samples.cell(measure, name) for measure in columns)] for name in candidates]
        rows = [row for row in rows if any(cell != "-" for cell in row[1:])]
        if rows:
            parts.append(table([title, *columns.values()], rows))
    return "\n\n".join([*parts, *_sentences(samples)])


def _sentences(samples: Samples) -> list[str]:
    found = []
    for measure, dialect in ((WATCH, "services"), (WATCH_OF_JOBS, "jobs")):
        if values := samples.values.get((measure, PILOT_SERVICE)):
            found.append(f"Catalogue change → process, {dialect} dialect: {_percentiles(values)} changes.")
    if (floor := samples.median(WATCH, FLOOR)) is not None:
        found.append(
            f"The lower limit, the time in which Python reads the answer of a blocking query: {short(floor)} ms."
        )
    for measure, during in (("flood lag", "during a flood"), (LAG, "of 200 jobs and 50 watches")):
        if values := samples.values.get((measure, PILOT)):
            found.append(f"An answer {during}: {_percentiles(values)} queries.")
    if values := samples.values.get((REACTION, PILOT)):
        found.append(f"Signal → process, while 30 read the metrics of 1000 jobs: {_percentiles(values)} signals.")
    found += ratios(samples)
    return ["\n".join(found)] if found else []


def _percentiles(values: list[float]) -> str:
    middle, most, nearly_all = (short(quantile(values, share)) for share in (0.5, 0.9, 0.99))
    return f"median {middle}, p90 {most}, p99 {nearly_all} ms of {len(values)}"


def by_python(samples: Samples) -> str:
    """The start on each Python, compared with its budget; empty if none was measured."""
    rows = []
    for version in pythons.versions(samples):
        bare, start = samples.median(pythons.BARE, version), samples.median(pythons.START, version)
        without = samples.median(pythons.START_WITHOUT, version)
        ratio = start / bare if start and bare else None
        cells = (pythons.BARE, pythons.START, pythons.BARE_WITHOUT, pythons.START_WITHOUT)
        bare_cell, start_cell, bare_without, start_without = (samples.cell(measure, version) for measure in cells)
        rows.append(
            [
                version,
                bare_cell,
                start_cell,
                _held(ratio, START_RATIO, "x"),
                bare_without,
                start_without,
                _held(without, START_WITHOUT_BYTECODE, " ms"),
            ]
        )
    header = ["Python", "bare", "containerpilot", f"at most {START_RATIO:g}x", "bare, no bytecode"]
    header += ["containerpilot, no bytecode", f"at most {START_WITHOUT_BYTECODE:g} ms"]
    return table(header, rows) if rows else ""


def _held(figure: float | None, limit: float, unit: str) -> str:
    if figure is None:
        return "-"
    return f"{short(figure)}{unit}" if figure <= limit else f"**{short(figure)}{unit}**"


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


def missing(results: Results) -> list[str]:
    """Programs that are not available, a sentence each."""
    return [f"Not available: {name}: {why}." for name, why in results.missing.items()]


def notes(results: Results) -> str:
    return "\n".join(f"- {note}" for note in [*results.samples.notes, *results.noise])


def everything(results: Results) -> str:
    """All of it, for a terminal."""
    samples = results.samples
    held, last = budgets(samples)
    heading = "\n".join([results.machine, ", ".join(results.versions), f"{results.how}; median (smallest-largest)"])
    parts = [heading, figures(samples), by_python(samples), "\n".join(missing(results)), held, notes(results), last]
    return "\n\n".join(part for part in parts if part)
