"""The output of a build about Pythons without bytecode in the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from build.archive import report_missing
from build.pythons import Python

if TYPE_CHECKING:
    import pytest


def test_it_names_the_slow_pythons_with_advice(capsys: pytest.CaptureFixture[str]) -> None:
    found = [Python((3, 11, 2), "/usr/bin/python3", 3495)]

    report_missing(found, ["3.10", "3.13"])

    output = capsys.readouterr().out
    assert "bytecode for CPython 3.11." in output
    assert "On CPython 3.10 and 3.13 it starts several times as slowly" in output
    assert "scripts/build-zipapp.sh --release" in output


def test_nothing_is_logged_if_none_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    report_missing([], [])

    assert capsys.readouterr().out == ""
