"""Runs code in a Python of its own, in which nothing is imported yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(code: str, *options: str, **environment: str) -> str:
    """The output of a new Python that runs it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(
        [sys.executable, "-S", *options, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        cwd=ROOT, env={**environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.strip()
