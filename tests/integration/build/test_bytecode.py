"""The compiler of the build, in a process of its own."""

from __future__ import annotations

import marshal
import subprocess
import sys
from typing import TYPE_CHECKING

from build import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_modules_give_the_same_bytes(tmp_path: Path) -> None:
    """In any folder, and in every process: names in sets are not in the order of their random hashes."""
    lines = []
    for folder in (tmp_path / "here", tmp_path / "elsewhere" / "deeper"):
        folder.mkdir(parents=True)
        source = folder / "example.py"
        source.write_text("NAMES = {name for name in {'a', 'b', 'c', 'd', 'e'}}\nIS = 'x' in {'a', 'b', 'c', 'x'}\n")
        lines.append(f"example\tmodule\t{source}\tcontainerpilot.pyz/example.py\n")

    first, second = (
        subprocess.run(
            [sys.executable, "-S", "-s", "-B", ROOT / "build" / "bytecode.py", "package"],
            input=line,
            capture_output=True,
            env={"PYTHONHASHSEED": "0"},
            check=True,
        ).stdout
        for line in map(str.encode, lines)
    )

    assert first == second
    modules, others = marshal.loads(first)
    assert (list(modules), others) == (["example"], {})
