"""Inputs that are meant to take all memory or all time: each ends soon, in little memory, in an error with its place.

Each runs in a process of its own, which the system ends if it takes more.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.bomb import BOMBS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", BOMBS)
def test_it_ends_in_bounded_time_and_memory(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.bomb", name], cwd=ROOT, capture_output=True, text=True, check=False
    )

    words = BOMBS[name][1]
    assert run.returncode == 0, run.stderr[-2000:]
    assert words in run.stdout
    assert words or run.stdout == "done"
    if words and name.startswith("template: "):
        assert re.match(r"\d+:\d+: ", run.stdout)
