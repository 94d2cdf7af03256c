"""docs/security.md names the test of each promise: it is there, and under that name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_promise_is_held_by_a_test_that_exists() -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text())
    there = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        there |= set(re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE))
    assert len(named) > 40
    assert sorted(set(named) - there) == []
