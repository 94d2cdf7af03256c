"""The build finds out by itself what the kinds of start import, whatever the machine is like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from build import ROOT
from build.archive import ENTRY
from build.sources import Source, sources, tar, their_sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIND = """
import dataclasses, json, pathlib, sys
from build.starts import find_starts
print(json.dumps(dataclasses.asdict(find_starts(pathlib.Path(sys.argv[1])))))
"""


def all_sources() -> list[Source]:
    return [*sources(ENTRY, "_bootstrap"), *sources(ROOT, "cp"), *their_sources(ROOT / ".cache" / "packages")]


def find(file: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FIND, str(file)],
        env={"PATH": os.environ["PATH"], **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_lists_are_the_same_in_any_environment_and_nothing_is_left_behind(tmp_path: Path) -> None:
    file = tmp_path / "sources.tar"
    file.write_bytes(tar(all_sources()))
    folder = tmp_path / "folder with spaces"
    folder.mkdir()
    odd = {
        "CONTAINERPILOT": "/nonexistent",
        "CONSUL_HTTP_ADDR": "192.0.2.1:1",
        "CONSUL_HTTP_TOKEN": "token",
        "HTTP_PROXY": "http://192.0.2.1:1",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "PYTHONWARNINGS": "error",
        "TMPDIR": str(folder),
    }

    first, second = find(file, {}), find(file, odd)

    assert (first.stderr, second.stderr) == ("", "")
    assert json.loads(first.stdout) == json.loads(second.stdout)
    assert all(json.loads(first.stdout).values())
    assert list(folder.iterdir()) == []


def test_start_that_fails_fails_the_build(tmp_path: Path) -> None:
    """Here the module that is executed last before the application, which the program itself could do without."""
    file = tmp_path / "sources.tar"
    file.write_bytes(tar(all_sources()))
    last = json.loads(find(file, {}).stdout)["application"][-1]
    broken = tmp_path / "broken.py"
    broken.write_text("raise ImportError('gone')\n")
    file.write_bytes(tar([Source(each.path, broken) if each.module == last else each for each in all_sources()]))

    failed = find(file, {})

    assert failed.returncode != 0
    assert f"cannot find out what a start imports: it cannot import {last}: ImportError('gone')" in failed.stderr
