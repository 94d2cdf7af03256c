"""A configuration from a pipe, from standard input, and in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cp.config.source import read

ROOT = Path(__file__).resolve().parents[3]


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"{}")
    os.close(writer)
    try:
        source = read(f"/dev/fd/{reader}", {})
    finally:
        os.close(reader)

    assert source.text == "{}"
    assert source.reread().text == "{}"


def test_standard_input() -> None:
    program = "from cp.config.source import read; s = read('-', {}); print(s.name, s.text, s.reread().text)"

    done = subprocess.run(
        [sys.executable, "-c", program], input="{}", capture_output=True, text=True, cwd=ROOT, check=True
    )

    assert done.stdout == "<stdin> {} {}\n"


def test_loading_imports_only_its_own_modules_and_c_modules() -> None:
    program = """
import sys
sys.path.insert(0, ".")
before = set(sys.modules)
from cp.config.load import load
from cp.config.source import read
source = read('{"consul": "c:1", "preStart": "x", "services": [{"name": "web", "port": 1, "poll": 1, "ttl": 5,'
              '"interfaces": ["static:127.0.0.1"]}], "tasks": [{"command": "x", "frequency": "1s"}]}', {})
load(source, {}, arguments=("app",), hostname="h", addresses=list)
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("cp")))
"""

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )

    own = {"__future__", "errno", "_socket"}
    # `abc` comes with the start of every Python before 3.14.
    os_needs = {"os", "os.path", "posixpath", "genericpath", "stat", "_stat", "abc", "_abc", "_collections_abc"}
    assert set(done.stdout.split()) <= own | os_needs
