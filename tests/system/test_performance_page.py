"""docs/performance.md is what benchmarks/run.sh makes: all budgets, and plots that show the figures of its tables."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from benchmarks import page
from benchmarks.budgets import BUDGETS
from tests.system.documents import ROOT, tables

PAGE = ROOT / "docs" / "performance.md"
FOLDER = PAGE.with_suffix("")
TEXT = PAGE.read_text()
LINKED = set(re.findall(r"!\[[^]]+\]\(performance/([^)]+)\)", TEXT))
# What a plot shows: the heading of the table and of the column that have the same figures.
SHOWN = {
    "start": ("Start, ms", "plain"),
    "exit": ("Exit, ms", "plain"),
    "term": ("Signals and orphans", "SIGTERM → app"),
    "orphans": ("Signals and orphans", "2000 orphans"),
    "memory": ("Idle", "resident memory"),
}


def described(name: str) -> dict[str, str]:
    """The candidates of a plot and what it says of each, from the description that it carries."""
    picture = ET.parse(FOLDER / name).getroot()
    description = picture.find("{http://www.w3.org/2000/svg}desc")
    assert description is not None
    assert description.text
    return dict(part.rsplit(": ", 1) for part in description.text.split("; "))


def column(heading: str, name: str) -> dict[str, str]:
    """The figures (the medians alone) of one column of the page's table with this heading, by candidate."""
    lines = iter(TEXT.splitlines())
    header = next(line for line in lines if line.startswith(f"| {heading}"))
    (place,) = (number for number, cell in enumerate(cells(header)) if cell.startswith(name))
    found: dict[str, str] = {}
    for line in lines:
        if not line.startswith("|"):
            return found
        row = cells(line)
        found[row[0]] = row[place].split(" (")[0]
    return found


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_the_budgets_are_those_that_the_benchmark_holds_figures_against() -> None:
    (table,) = tables(PAGE, "Budgets")

    assert [row[0] for row in table] == [budget.what for budget in BUDGETS]
    for row, budget in zip(table, BUDGETS, strict=True):
        assert row[2:4] == [f"{limit:g}{budget.unit}".rstrip() for limit in (budget.limit, budget.stretch)]
        assert row[4] != "not measured", row[0]


def test_the_page_shows_all_plots_and_no_others() -> None:
    assert {f"{name}.svg" for name in (*page.PLOTS, "pythons")} == LINKED
    assert {file.name for file in FOLDER.iterdir()} == LINKED


def test_plots_show_the_figures_of_the_tables() -> None:
    for name, (heading, kind) in SHOWN.items():
        shown, listed = described(f"{name}.svg"), column(heading, kind)
        assert set(shown) >= {"containerpilot", "tini"}, name
        for candidate, figure in shown.items():
            if re.match(r"[0-9.]+ (ms|MB)$", figure):
                assert figure.rpartition(" ")[0] == listed[candidate], (name, candidate)


def test_each_python_of_the_table_is_in_its_plot() -> None:
    (table,) = tables(PAGE, "On each Python")
    shown = described("pythons.svg")

    assert table
    assert {row[0] for row in table} <= set(shown)


def test_the_page_has_a_place_for_all_that_is_made() -> None:
    places = re.findall(r"^<!-- measured: ([a-z]+) -->$", TEXT, re.M)

    assert sorted(places) == ["budgets", "machine", "noise", "peers", "pythons"]
    assert "/root/" not in TEXT
    assert "/home/" not in TEXT
