"""docs/performance.md: figures go between its markers, and are kept so that the page can be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import page, results
from benchmarks.budgets import BUDGETS
from benchmarks.peers import PILOT, PYTHON
from benchmarks.results import Results
from benchmarks.samples import Samples

if TYPE_CHECKING:
    from pathlib import Path

PLACES = ("machine", "budgets", "peers", "pythons", "noise")
EMPTY_PAGE = "# Performance\n\nBy hand.\n\n" + "".join(
    f"<!-- measured: {place} -->\nold\n<!-- end -->\n\n" for place in PLACES
)


@pytest.fixture
def measured() -> Results:
    samples = Samples()
    for number in range(9):
        samples.add("start", PYTHON, 10.0 + number / 10)
        samples.add("start", PILOT, 20.0 + number / 10)
        samples.add("start", "tini", 1.0 + number / 10)
        samples.add("start on", "3.13.0", 25.0)
        samples.add("bare Python on", "3.13.0", 10.0)
        samples.add("start without bytecode on", "3.13.0", 120.0)
    samples.add("exit", PILOT, None)
    samples.explain("orphans", "honcho", "2000 left after 3 s")
    samples.add("orphans", "tini", 80.0)
    return Results(samples, "a machine", ["tini 0.19.0"], "9 rounds", {"s6": "no apt-get"}, ["load average 0"], False)


def written(measured: Results, folder: Path) -> str:
    file = folder / "performance.md"
    file.write_text(EMPTY_PAGE)
    page.write(measured, file, say=lambda text: None)
    return file.read_text()


def test_figures_take_the_place_of_older_ones_and_prose_stays(measured: Results, tmp_path: Path) -> None:
    text = written(measured, tmp_path)

    assert "By hand." in text
    assert "old" not in text
    assert "- a machine\n- tini 0.19.0\n- 9 rounds" in text
    assert "Not available: s6: no apt-get." in text
    assert "- load average 0" in text


def test_every_budget_is_a_row_with_its_verdict(measured: Results, tmp_path: Path) -> None:
    rows = [line.strip("| ").split("|") for line in written(measured, tmp_path).splitlines() if line.startswith("|")]
    verdicts = {row[0].strip(): row[-1].strip() for row in rows}

    assert {budget.what for budget in BUDGETS} <= set(verdicts)
    assert verdicts["exec → app, to bare Python"] == "within"
    assert verdicts["app's exit → ContainerPilot's exit"] == "**MISSED, 1 failed**"
    assert verdicts["SIGTERM → app"] == "not measured"


def test_a_python_that_takes_too_long_stands_out(measured: Results, tmp_path: Path) -> None:
    (row,) = (line for line in written(measured, tmp_path).splitlines() if line.startswith("| 3.13.0"))

    assert "**2.50x**" in row
    assert "**120 ms**" in row


def test_only_measured_figures_have_a_plot(measured: Results, tmp_path: Path) -> None:
    (tmp_path / "performance").mkdir()
    (tmp_path / "performance" / "memory.svg").write_text("of an earlier run")

    written(measured, tmp_path)

    plots = {file.name: file.read_text() for file in (tmp_path / "performance").iterdir()}
    assert sorted(plots) == ["orphans.svg", "pythons.svg", "start.svg"]
    assert "2000 left after 3 s" in plots["orphans.svg"]
    assert "not available" in plots["start.svg"]


def test_a_page_without_a_place_for_something_is_refused(measured: Results, tmp_path: Path) -> None:
    file = tmp_path / "performance.md"
    file.write_text(EMPTY_PAGE.replace("measured: noise", "measured: nothing"))

    with pytest.raises(ValueError, match="noise"):
        page.write(measured, file, say=lambda text: None)

    assert "old" in file.read_text()


def test_kept_figures_make_the_same_page(measured: Results, tmp_path: Path) -> None:
    measured.save(tmp_path / "results.json")
    again = results.load(tmp_path / "results.json")

    assert page.sections(again) == page.sections(measured)
    assert page.pictures(again) == page.pictures(measured)


def test_figures_of_another_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"schema": 0}')

    with pytest.raises(ValueError, match="another version"):
        results.load(tmp_path / "results.json")
