#!/usr/bin/env python3
"""Finds words and phrases that docs/STYLE.md replaces with plainer ones.

Usage: scripts/check-words.py                  check everything in SCOPE
       scripts/check-words.py PATH...          check these files and folders
       scripts/check-words.py --count PATH...  print only the number of findings for each folder
Exit code: 1 if there is a finding.

It reads prose: Markdown without code, the comments, docstrings and messages of Python, the comments of shell scripts.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]

# What is checked without arguments.
SCOPE = (
    "docs",
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "build",
    "cp",
    "benchmarks",
    "examples",
    "scripts",
    "tests",
)

# Files that consist of these words. They are checked only if they are named.
NOT_CHECKED = ("scripts/check-words.py", "tests/unit/test_words.py")

# Regular expressions, in any case; a space stands for any white space. Each with what to write in its place.
WORDS: tuple[tuple[str, str], ...] = (
    (r"told", "name who reports what to whom: 'reports', 'receives', 'sends'"),
    (r"said", "'logs', 'reports', 'states'; 'the same' without it"),
    (r"heard?s?|hears", "'receives', 'learns'"),
    (r"(?:is|are|was|were|be|been|being) asked", "active voice: 'queries', 'requests', and who does it"),
    (r"rhythms?", "'schedule', 'interval'"),
    (r"(?:can|cannot|could|to) (?:not )?be had|(?:not )?to be had", "'is available', 'is not available'"),
    (r"that there (?:is|are)", "name the thing: 'the existing …', 'every …'"),
    (r"(?:none|one|something|nothing) of ours|of ours", "'ContainerPilot's own', 'of this project'"),
    (r"it be|be it", "'whether it is … or …'"),
    (r"for as long as it takes", "'until it succeeds'"),
    (r"in nobody's way", "'does not block …'"),
    (r"(?:that|so) many times", "name the number: '`restarts` is the number of …'"),
    (r"as ever|as it were|so to speak", "leave it out"),
    (r"but for", "'except', 'apart from'"),
    (r"nothing but", "'only'"),
    (r"what (?:threatens|holds)", "name it: 'threats', 'guarantees'"),
    (r"anew|once more", "'again'"),
    (r"all the same", "'anyway', 'still'"),
    (r"for ever", "'forever', 'without limit'"),
    (r"for good", "'permanently'"),
    (r"without end", "'endless', 'without limit'"),
    (r"(?<=[,;:]\s)else", "'otherwise'"),
    (r"(?:lie|lies|lay|lying) (?:in|beside|there|below)", "'is in', 'is beside'"),
    (r"stands? (?:in|there|at|below|beside|before|behind|under|above|between)", "'is in', 'replaces'"),
    (r"(?:hold|holds|holding|held) (?:\w+ )?up", "'delays', 'blocks'"),
    (r"wish(?:es|ed)?", "'desired state', 'request'"),
    (r"by and by|of old|in the clear|as good as", "plain words: 'later', 'earlier', 'unencrypted', 'equivalent to'"),
    (r"(?<!there\s)(?:is|are|was|were) no (?!longer|more|less|fewer|other|such|need|way|reason)\w+", "'is not a …'"),
    (r"till|upon|whence|thereof|thereby|therein|nought|lest|amid|dear|dearer|forth", "today's word"),
    (r"newcomers?|namesakes?|rosters?", "'pending connection', 'of the same name', 'job registry'"),
)

# Where such words are right: path, and the text around the word (white space does not count).
ALLOWED: tuple[tuple[str, str], ...] = ()


class Passage(NamedTuple):
    """A piece of prose, and the line on which it begins."""

    line: int
    text: str


class Finding(NamedTuple):
    path: str
    line: int
    words: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: '{self.words}': {self.advice}"


def expression(words: str) -> str:
    """Matches whole words, also where a line ends between them."""
    return rf"(?<![\w-])(?:{words})(?![\w-])".replace(" ", r"\s+")


# One expression for all of them, which is ten times as fast as one after the other.
SEARCH = re.compile("|".join(f"({expression(words)})" for words, _ in WORDS), re.IGNORECASE)


# --- prose of each kind of file


def of_markdown(text: str) -> Iterator[Passage]:
    """The whole page as one passage, with spaces for code, for comments, and for the targets of links."""
    hidden = re.compile(r"^```.*?^```$|<!--.*?-->|``.*?``|`[^`]*`|(?<=\])\([^)]*\)", re.MULTILINE | re.DOTALL)
    yield Passage(1, hidden.sub(_blank, text))


def _blank(match: re.Match[str]) -> str:
    return "`" + re.sub(r"[^\n]", "_", match[0])[1:-1] + "`"


def of_python(text: str) -> Iterator[Passage]:
    """Comments, docstrings, and all other texts of more than one word."""
    yield from _comments(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield Passage(node.lineno, _without_code(node.value))


def _comments(text: str) -> Iterator[Passage]:
    """Comments on successive lines are one passage."""
    first, lines = 0, [""]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if line != first + len(lines):
            yield Passage(first, _without_code("\n".join(lines)))
            first, lines = line, []
        lines.append(token.string.lstrip("#"))
    yield Passage(first, _without_code("\n".join(lines)))


def _without_code(text: str) -> str:
    return re.sub(r"`[^`]*`", _blank, text)


def of_shell(text: str) -> Iterator[Passage]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            yield Passage(number, _without_code(line))


READERS = {".md": of_markdown, ".py": of_python, ".sh": of_shell}


# --- findings


def findings(path: Path, name: str) -> Iterator[Finding]:
    """Of one file; `name` is its path for people, and for ALLOWED."""
    for passage in READERS[path.suffix](path.read_text()):
        for match in SEARCH.finditer(passage.text):
            if not _is_allowed(name, passage.text, match):
                line = passage.line + passage.text.count("\n", 0, match.start())
                yield Finding(name, line, " ".join(match[0].split()), WORDS[(match.lastindex or 1) - 1][1])


def _is_allowed(name: str, text: str, match: re.Match[str]) -> bool:
    return any(
        around.start() <= match.start() and match.end() <= around.end()
        for path, right in ALLOWED
        if path == name
        for around in re.finditer(r"\s+".join(map(re.escape, right.split())), text)
    )


def files(names: Iterable[str]) -> Iterator[Path]:
    """All files that can be read, of files and folders. FileNotFoundError for what is neither."""
    for name in names:
        top = ROOT / name
        if not top.exists():
            raise FileNotFoundError(f"cannot check {name}: no such file or directory")
        inside = sorted(path for path in top.rglob("*") if name_of(path) not in NOT_CHECKED) if top.is_dir() else [top]
        yield from (path for path in inside if path.suffix in READERS)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def in_scope() -> list[Path]:
    return list(files(SCOPE))


def main(arguments: list[str]) -> int:
    names = [argument for argument in arguments if argument != "--count"]
    try:
        paths = list(files(names)) if names else in_scope()
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    found = [finding for path in paths for finding in sorted(findings(path, name_of(path)), key=lambda each: each.line)]
    if "--count" in arguments:
        for folder, count in sorted(Counter(finding.path.rpartition("/")[0] for finding in found).items()):
            print(f"{count:5} {folder}")
    else:
        for finding in found:
            print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
