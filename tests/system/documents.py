"""The pages as tests see them: blocks, tables, and the comments before them. CONTRIBUTING.md has the rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"(?:^<!-- (?P<comment>[^>]*) -->\n)?^```(?P<language>[a-z0-9]*)\n(?P<text>.*?)^```$", re.M | re.S)
_HEADING = re.compile(r"^#+ (.*)$", re.M)


class Block(NamedTuple):
    """A fenced block, with the comment right before it."""

    page: Path
    line: int
    comment: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def file(self) -> str:
        """Its file name in the folder of the page's commands; empty if it has no file there."""
        return self.comment.split()[1] if self.comment.startswith("file:") else ""

    @property
    def is_faulty(self) -> bool:
        return self.comment.endswith(" faulty")

    @property
    def is_run(self) -> bool:
        return self.comment == "run" or bool(self.beside)

    @property
    def beside(self) -> str:
        """The file of the configuration with which ContainerPilot runs while the commands are run; empty for none."""
        return self.comment.removeprefix("run beside: ") if self.comment.startswith("run beside: ") else ""


def blocks() -> list[Block]:
    found: list[Block] = []
    for page in PAGES:
        text = page.read_text()
        for match in _BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("language")) + 1
            found.append(Block(page, line, match["comment"] or "", match["language"], match["text"]))
    return found


def tables(page: Path, heading: str) -> list[list[list[str]]]:
    """The tables under a heading, up to the next one: rows of cells, without the rows that name the columns."""
    text = page.read_text()
    start = re.search(rf"^#+ {re.escape(heading)}$", text, re.M)
    assert start is not None, f"{page.name} has no heading '{heading}'"
    end = _HEADING.search(text, start.end())
    section = text[start.end() : end.start() if end is not None else len(text)]
    found: list[list[list[str]]] = []
    for lines in re.findall(r"(?:^\|.*\n)+", section, re.M):
        rows = [_cells(line) for line in lines.splitlines()]
        found.append(rows[2:])
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def code(cell: str) -> list[str]:
    """The texts in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def steady(text: str) -> str:
    """The output of a program, without varying parts: times, ages, pids, and the width of columns."""
    text = re.sub(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", "DATE TIME", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "DATETIME", text)
    text = re.sub(r"\b\d+[smhd](\d+[smh])?\b", "AGE", text)
    before_pid = r'"pid": |^pid: |^DATETIME (?:\S+ )?|^\S.*  (?:running|draining|stopping|terminating) +'
    text = re.sub(rf"({before_pid})\d+\b", r"\1PID", text, flags=re.M)
    text = re.sub(r'("seconds": )[\d.]+', r"\1SECONDS", text)
    return re.sub(r"  +", "  ", text)


def commands(console: str) -> list[tuple[str, str]]:
    """The commands of a console block, and what each prints."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", console, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        found.append((command, output))
    return found
