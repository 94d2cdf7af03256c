"""docs/performance.md and its plots. People write the text of the page; this module makes the parts between markers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from benchmarks import plot, pythons, report
from benchmarks.peers import NOTHING, PEERS, PILOT, PILOT_SERVICE, PILOT_TLS, PYTHON
from benchmarks.results import Results
from benchmarks.samples import Samples, short

PAGE = Path(__file__).resolve().parent.parent / "docs/performance.md"
MARKED = re.compile(r"(<!-- measured: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
# Name of the file: (title, measure, unit, candidates, logarithmic?, what is below the title).
PLOTS: dict[str, tuple[str, str, str, tuple[str, ...], bool, str]] = {
    "start": (
        "Start",
        "start",
        "ms",
        (PILOT, PILOT_SERVICE, *PEERS, PYTHON, NOTHING),
        True,
        "from exec of the supervisor to the application's first instruction",
    ),
    "exit": (
        "Exit",
        "exit",
        "ms",
        (PILOT, PILOT_SERVICE, "tini", "dumb-init", "honcho", NOTHING),
        True,
        "from the application's exit to the supervisor's, of those that end with it",
    ),
    "term": (
        "SIGTERM",
        "term",
        "ms",
        (PILOT, PILOT_SERVICE, *PEERS, NOTHING),
        True,
        "from kill(supervisor) to the application's signal handler; a service leaves the catalogue first",
    ),
    "orphans": ("2000 orphans", "orphans", "ms", (PILOT, *PEERS), True, "as PID 1, until the last one is reaped"),
    "memory": (
        "Memory",
        "rss",
        "MB",
        (PILOT, PILOT_SERVICE, PILOT_TLS, *PEERS, PYTHON),
        False,
        "resident, idle for a minute; 1 MB = 10^6 bytes",
    ),
}


def pictures(results: Results) -> dict[str, str]:
    """The plots, by the name of their file: as many as there are figures for."""
    found = {}
    for name, (title, measure, unit, candidates, logarithmic, note) in PLOTS.items():
        rows = [_bar(results, measure, candidate) for candidate in candidates]
        if any(row.values for row in rows):
            found[f"{name}.svg"] = plot.bars(title, unit, rows, logarithmic=logarithmic, note=note)
    if versions := pythons.versions(results.samples):
        found["pythons.svg"] = _by_python(results.samples, versions)
    return found


def _kind(candidate: str) -> str:
    if candidate.startswith(PILOT):
        return plot.OURS
    return plot.FLOOR if candidate in (PYTHON, NOTHING) else plot.PEER


def _bar(results: Results, measure: str, candidate: str) -> plot.Bar:
    samples = results.samples
    values = tuple(samples.values.get((measure, candidate), ()))
    reason = samples.cell(measure, candidate)
    if reason == "-":
        reason = "not available" if candidate in results.missing else "not measured"
    return plot.Bar(candidate, values, reason, _kind(candidate))


def _by_python(samples: Samples, versions: list[str]) -> str:
    rows = []
    for version in versions:
        for measure, which, kind in (
            (pythons.BARE, "", plot.FLOOR),
            (pythons.START, "", plot.OURS),
            (pythons.BARE_WITHOUT, ", no bytecode", plot.FLOOR),
            (pythons.START_WITHOUT, ", no bytecode", plot.OURS),
        ):
            values = tuple(samples.values.get((measure, version), ()))
            rows.append(plot.Bar(f"{version}{which}", values, "not measured", kind))
    note = "blue: containerpilot, to the application's first instruction; grey: python3 -I -c pass, to its end"
    return plot.bars("Start on each Python", "ms", rows, logarithmic=False, note=note)


def sections(results: Results) -> dict[str, str]:
    """The parts between the markers of the page, by their names."""
    held, last = report.budgets(results.samples)
    machine = "\n".join(f"- {line}" for line in [results.machine, *results.versions, results.how])
    warning = "**NOISY: the machine was busy with other things. Use these figures only for a first impression.**\n\n"
    return {
        "machine": warning + machine if results.noisy else machine,
        "budgets": f"{held}\n\n{last[:1].upper()}{last[1:]}.",
        "peers": "\n\n".join(part for part in (report.figures(results.samples), _lacking(results)) if part),
        "pythons": report.by_python(results.samples) or "Not measured.",
        "noise": "\n".join([*_spread(results.samples), report.notes(results)]),
    }


def _lacking(results: Results) -> str:
    return "\n".join(report.missing(results))


def _spread(samples: Samples) -> list[str]:
    """How far the figures of the starts scatter."""
    found = []
    for name in (PYTHON, PILOT, "tini"):
        if values := samples.values.get(("start", name)):
            bar = plot.Bar(name, tuple(values))
            low, high = (short(each / bar.median) for each in (bar.low, bar.high))
            found.append(f"- start of {name}, 10th to 90th percentile: {low} to {high} times its median")
    return found


def filled(page: str, made: dict[str, str]) -> str:
    """The page with new content between its markers. ValueError if a part has no place there, or a place no part."""
    places = [match[2] for match in MARKED.finditer(page)]
    if sorted(places) != sorted(made):
        raise ValueError(f"the page has places for {sorted(places)}, and there is {sorted(made)}")

    def put(match: re.Match[str]) -> str:
        return f"{match[1]}\n{made[match[2]]}\n\n{match[3]}"

    return MARKED.sub(put, page)


def write(results: Results, page: Path = PAGE, say: Callable[[str], object] = print) -> None:
    """Puts figures and plots into the page. What was not measured is not there afterwards either."""
    text = filled(page.read_text(), sections(results))
    folder = page.with_suffix("")
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, picture in pictures(results).items():
        (folder / name).write_text(picture)
    page.write_text(text)
    say(f"wrote {page.name} and the plots beside it")
