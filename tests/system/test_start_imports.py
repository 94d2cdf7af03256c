"""What is imported before the application runs: our own modules and C modules, and nothing else.

Each module of the standard library on that way would cost every start of every container milliseconds.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.limits import DEADLINE
from tests.system.pilot import PATH, interpreter

if TYPE_CHECKING:
    from pathlib import Path

OURS = re.compile(r"(cp|_bootstrap)(\.|$)")

# Written in C, part of every CPython, and free or nearly so.
C_MODULES = {
    "_collections",
    "_ctypes",  # where we are not PID 1: half a millisecond, without which the first daemons would be nobody's
    "_heapq",
    "_imp",
    "_json",
    "_signal",
    "_socket",
    "_struct",
    "_thread",
    "errno",
    "fcntl",
    "marshal",
    "math",
    "posix",
    "select",
    "time",
    "zlib",
}

MISSING = "/nonexistent/application"
SERVICE = {"name": "app", "port": 8000, "health": "/bin/true", "poll": 1, "ttl": 5, "interfaces": "static:127.0.0.1"}
TO_STDERR = {"output": "stderr"}
JOBS = {
    "consul": "127.0.0.1:1",
    "jobs": [
        {
            "name": "app",
            "exec": MISSING,
            "main": True,
            "port": 8000,
            "interfaces": ["lo:inet"],
            "health": {"exec": "/bin/true", "interval": 1, "ttl": 5},
        },
        {"name": "after", "exec": ["/bin/true"], "when": {"source": "app", "once": "stopped"}, "timeout": "1s"},
        {"name": "often", "exec": "/bin/true", "when": {"interval": "1h"}, "restarts": 3},
    ],
    "watches": [{"name": "other", "interval": 1}],
}

CONFIGURATIONS: dict[str, Any] = {
    "one service": {"directory": "/nonexistent/catalogue", "services": [SERVICE]},
    "an address of this machine": {"consul": "127.0.0.1:1", "services": [{**SERVICE, "interfaces": ["lo:inet"]}]},
    "all that the dialect has": {
        "consul": {"address": "127.0.0.1:1", "scheme": "https", "token": "secret", "tls": {"verify": False}},
        "preStop": "/bin/true",
        "postStop": ["/bin/true"],
        "services": [{**SERVICE, "tags": ["a"], "timeout": "1s", "consul": {"deregisterCriticalServiceAfter": "1h"}}],
        "backends": [{"name": "other", "poll": 1, "onChange": "/bin/true", "tag": "a"}],
        "tasks": [{"name": "often", "command": "/bin/true", "frequency": "1h"}],
        "stopTimeout": 1,
        "shutdownTimeout": "5s",
    },
    "the jobs dialect": JOBS,
    "json log": {"logging": {"format": "json", **TO_STDERR}},
    "text log with debug": {"logging": {"format": "text", "level": "debug", **TO_STDERR}},
    "a template": '{"logging": {"output": "{{ .NOTHING | default "stderr" }}"}, "tasks": [{{ range loop 2 }}'
    '{{ if . }},{{ end }}{"name": "{{ printf "%02d" . }}", "command": "/bin/true", "frequency": "1h"}{{ end }}]}',
    "JSON5": "{\n  // a comment\n  logging: {output: 'stderr'},\n  tasks: [],\n}",
}


def imported(arguments: list[str], until: str = "") -> list[str]:
    """The modules that Python imports, in their order; up to the first line of its own that has `until` in it."""
    done = subprocess.run(
        [interpreter(), "-X", "importtime", *arguments],
        env={"PATH": PATH},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    found: list[str] = []
    for line in done.stderr.splitlines():
        if line.startswith("import time:"):
            found.append(line.rpartition("|")[2].strip())
        elif until and until in line:
            return found
    assert not until, f"nothing said {until!r}:\n{done.stderr}"
    return found


@pytest.fixture
def interpreter_alone(tmp_path: Path, built_archive: Path) -> set[str]:
    """What Python imports to run the archive, before the first statement of it."""
    empty = tmp_path / "empty.pyz"
    with zipfile.ZipFile(built_archive) as full, zipfile.ZipFile(empty, "w") as archive:
        for name in full.namelist():
            if "/" not in name and name.endswith(".py"):
                archive.writestr(name, b"" if name == "__main__.py" else full.read(name))
    return set(imported(["-I", str(empty)]))


def test_interpreter_itself_imports_little_before_it_finds_the_archive(interpreter_alone: set[str]) -> None:
    """What else it would load costs a start a third of its time."""
    bare = set(imported(["-I", "-c", ""]))

    assert "types" in interpreter_alone
    assert {name for name in interpreter_alone - bare if name.partition(".")[0] != "importlib"} <= {
        "_stand_in", "contextlib", "functools", "runpy", "types", "warnings",
    }  # fmt: skip


@pytest.mark.smoke
@pytest.mark.parametrize("what", CONFIGURATIONS)
def test_only_c_modules_and_our_own_come_before_the_application(
    what: str, interpreter_alone: set[str], built_archive: Path
) -> None:
    """The application is a missing file: the report of that comes from our own first attempt to start a process, so it
    stands in the list of imports at exactly that moment, whatever threads do later."""
    config = CONFIGURATIONS[what]
    if isinstance(config, dict):
        config = json.dumps({"logging": TO_STDERR, **config})

    before = imported([os.fspath(built_archive), "-config", config, MISSING], until=f"fork/exec {MISSING}")

    assert "cp.engine.process" in before
    assert sorted({name for name in before if not OURS.match(name)} - interpreter_alone - C_MODULES) == []
