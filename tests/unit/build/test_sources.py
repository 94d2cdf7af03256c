"""The sources in the archive: shorter, with every line in its place."""

from __future__ import annotations

import io
import tarfile
import textwrap
from typing import TYPE_CHECKING

import pytest

from build import BuildError
from build.sources import Source, tar, without_explanations

if TYPE_CHECKING:
    from pathlib import Path

TEXT = '''
"""About the module,
in several lines."""
import os  # why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    class Kind:
        """Only for the type checker."""

if TYPE_CHECKING:
    deque = None
else:
    from _collections import deque


class Thing:
    """Only this."""


def method(self):  # é
    """About the method."""
    text = """kept  # here
    """
    return "# no comment", text  # because
'''


def source(tmp_path: Path, text: str) -> Source:
    (tmp_path / "example.py").write_text(text)
    return Source("example.py", tmp_path / "example.py")


def test_explanations_are_left_out_and_each_line_stays_in_its_place(tmp_path: Path) -> None:
    left = without_explanations(source(tmp_path, TEXT)).decode()

    assert [(number, line) for number, line in enumerate(left.split("\n"), 1) if line] == [
        (4, "import os"),
        (6, "TYPE_CHECKING = False"),
        (13, "if TYPE_CHECKING:"),
        (14, "    deque = None"),
        (15, "else:"),
        (16, "    from _collections import deque"),
        (19, "class Thing:"),
        (20, "    pass"),
        (23, "def method(self):"),
        (25, '    text = """kept  # here'),
        (26, '    """'),
        (27, '    return "# no comment", text'),
    ]


def test_text_that_would_mean_something_else_is_refused(tmp_path: Path) -> None:
    """A statement in the line of a docstring."""
    with pytest.raises(BuildError, match=r"^example\.py has a comment or docstring that cannot be left out"):
        without_explanations(source(tmp_path, '"About it."; NAME = 1\n'))


def test_archive_of_sources_has_the_short_ones(tmp_path: Path) -> None:
    text = textwrap.dedent("""
        # Why.
        NAME = 1
    """)

    with tarfile.open(fileobj=io.BytesIO(tar([source(tmp_path, text)]))) as archive:
        file = archive.extractfile("example.py")
        assert file is not None
        assert file.read() == b"\n\nNAME = 1\n"
