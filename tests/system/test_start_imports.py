"""Imports before the application runs: only ContainerPilot's own modules and C modules.

Each module of the standard library on that way would cost every start of every container milliseconds.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.limits import DEADLINE
from tests.system.blobs import blobs_of
from tests.system.pilot import PATH, interpreter
from tests.system.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

OURS = re.compile(r"(cp|_bootstrap)(\.|$)")

# Written in C, part of every CPython, and free or nearly so.
C_MODULES = {
    "_bisect",
    "_collections",
    "_ctypes",  # where we are not PID 1: half a millisecond, without which the first daemons would be nobody's
    "_heapq",
    "_imp",
    "_json",
    "_operator",
    "_signal",
    "_socket",
    "_struct",
    "_thread",
    "errno",
    "fcntl",
    "itertools",
    "marshal",
    "math",
    "posix",
    "select",
    "time",
    "zlib",
}

# Limits for ContainerPilot's own modules in an ordinary start: a little more than it imports. Before you raise a
# limit, look for modules that can be imported after the application's start.
MOST_MODULES = 80
MOST_BYTES = 556_000  # marshalled; CPython 3.15 has the largest

MISSING = "/nonexistent/application"
SERVICE = {"name": "app", "port": 8000, "health": "/bin/true", "poll": 1, "ttl": 5, "interfaces": "static:127.0.0.1"}
ONE_SERVICE = {"directory": "/nonexistent/catalogue", "services": [SERVICE]}
TO_STDERR = {"output": "stderr"}
SOCKET, PORT = "/path/of/a/socket", 65535  # are replaced in a test
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
    "one service": ONE_SERVICE,
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
    "checks without a process": {
        "jobs": [
            {
                "name": "app",
                "exec": MISSING,
                "main": True,
                "restarts": 1,
                "health": [
                    {
                        "name": "web",
                        "http": {"url": "https://localhost:1/", "status": "2xx"},
                        "interval": 1,
                        "failures": 2,
                    },
                    {"name": "database", "tcp": ":1", "interval": 1, "startPeriod": "9s", "onUnhealthy": "restart"},
                ],
            }
        ]
    },
    "readiness": {
        "jobs": [
            {"name": "app", "exec": MISSING, "ready": {"notify": True, "timeout": "9s"}, "watchdog": "30s"},
            {"name": "fd", "exec": MISSING, "ready": {"fd": 3}},
            {"name": "log", "exec": MISSING, "ready": {"log": "ready"}},
            {"name": "file", "exec": MISSING, "ready": {"file": "/nonexistent/ready"}},
        ]
    },
    "json log": {"logging": {"format": "json", **TO_STDERR}, **ONE_SERVICE},
    "text log with debug": {"logging": {"format": "text", "level": "debug", **TO_STDERR}, **ONE_SERVICE},
    "a template": '{"logging": {"output": "{{ .NOTHING | default "stderr" }}"}, "tasks": [{{ range loop 2 }}'
    '{{ if . }},{{ end }}{"name": "{{ printf "%02d" . }}", "command": "/bin/true", "frequency": "1h"}{{ end }}]}',
    "native health checks": {
        **JOBS,
        "jobs": [
            {
                "name": "app",
                "exec": MISSING,
                "main": True,
                "health": [
                    {"name": "http", "http": "https://localhost:1/health", "interval": 1},
                    {"name": "tcp", "tcp": ":1", "interval": 1},
                ],
            }
        ],
    },
    "a control socket": {**JOBS, "control": {"socket": SOCKET}},
    "telemetry": {**JOBS, "telemetry": {"port": PORT, "interfaces": "static:127.0.0.1"}},
    "JSON5": "{\n  // a comment\n  logging: {output: 'stderr'},\n  tasks: [],\n}",
}


# Where what these need lies besides: reading it takes a millisecond or two.
DIALECT = "cp.config.jobs"
PACKAGES = {"a template": "cp.config.template", "telemetry": "cp"}
# What these need before the application runs is in the file of all that is rarely imported.
RARE = ("checks without a process", "readiness")


def is_ours(name: str) -> bool:
    return name.partition(".")[0] == "cp"


def imported(arguments: list[str], until: str = "") -> list[str]:
    """The modules that Python imports, in their order; up to the first line of its own that has `until` in it."""
    done = subprocess.run(
        # -s: a `usercustomize` of this machine is none of our modules.
        [interpreter(), "-s", "-X", "importtime", *arguments],
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
    assert not until, f"no line has {until!r}:\n{done.stderr}"
    return found


@pytest.fixture
def interpreter_alone(tmp_path: Path, built_archive: Path) -> set[str]:
    """The modules that Python imports to run the archive, before its first statement."""
    empty = tmp_path / "empty.pyz"
    with zipfile.ZipFile(built_archive) as full, zipfile.ZipFile(empty, "w") as archive:
        for name in full.namelist():
            if "/" not in name and name.endswith(".py"):
                archive.writestr(name, b"" if name == "__main__.py" else full.read(name))
    return set(imported(["-I", str(empty)]))


def test_interpreter_itself_imports_little_before_it_finds_the_archive(interpreter_alone: set[str]) -> None:
    """Other modules would cost a start a third of its time."""
    bare = set(imported(["-I", "-c", ""]))

    assert "types" in interpreter_alone
    assert {name for name in interpreter_alone - bare if name.partition(".")[0] != "importlib"} <= {
        "_stand_in", "contextlib", "functools", "runpy", "types", "warnings",
    }  # fmt: skip


@pytest.mark.smoke
@pytest.mark.parametrize("what", CONFIGURATIONS)
def test_only_c_modules_and_those_of_containerpilot_come_before_the_application(
    what: str, interpreter_alone: set[str], built_archive: Path, tmp_path: Path
) -> None:
    """The application is a missing file: the report of that comes from the first attempt to start a process, so it
    is in the list of imports at exactly that moment, whatever threads do later.

    And all modules of ContainerPilot are where a start reads them: in the two files of bytecode for all starts, and in
    that of a package if the configuration needs one.
    """
    config = CONFIGURATIONS[what]
    if isinstance(config, dict):
        config = json.dumps({"logging": TO_STDERR, **config})
        config = config.replace(SOCKET, str(tmp_path / "socket")).replace(str(PORT), str(free_port()))

    command = [] if '"jobs"' in config else [MISSING]  # the jobs have it

    before = imported([os.fspath(built_archive), "-config", config, *command], until=f"fork/exec {MISSING}")

    assert [name for name in before if name.startswith("cp.engine.")]
    assert sorted({name for name in before if not OURS.match(name)} - interpreter_alone - C_MODULES) == []
    if what in RARE:
        return
    blobs = blobs_of(built_archive)
    assert (
        sorted(
            filter(
                is_ours, {*before} - blobs.start - blobs.kept[DIALECT] - blobs.kept.get(PACKAGES.get(what, ""), set())
            )
        )
        == []
    )


CATALOGS: dict[str, Any] = {
    "consul": "127.0.0.1:1",
    "etcd": {"endpoints": ["http://127.0.0.1:1"]},
    "directory": "catalogue",  # is replaced in the test
}


@pytest.mark.parametrize("kind", CATALOGS)
def test_no_catalogue_needs_the_file_of_what_is_rarely_imported(kind: str, built_archive: Path, tmp_path: Path) -> None:
    """For one module of it, each application with this catalogue would read all of the file, and keep half a megabyte
    of memory."""
    where = str(tmp_path / "catalogue") if kind == "directory" else CATALOGS[kind]
    never = {"exec": "/bin/true", "interval": 3600, "ttl": 7200}
    app = {"name": "app", "port": 80, "interfaces": "static:127.0.0.1", "initial_status": "passing", "health": never}
    jobs: list[dict[str, Any]] = [{**app, "exec": ["sleep", "3600"]}]
    if kind == "directory":  # the watch finds this instance
        jobs += [{"name": "last", "exec": MISSING, "main": True, "when": {"source": "watch.app", "once": "changed"}}]
        until = f"fork/exec {MISSING}"
    else:
        jobs += [{"name": "last", "exec": ["sleep", "2"], "main": True}]
        until = "cannot reach"
    config = {"logging": TO_STDERR, kind: where, "jobs": jobs, "watches": [{"name": "app", "interval": 1}]}

    before = imported([os.fspath(built_archive), "-allow-second", "-config", json.dumps(config)], until=until)

    assert f"cp.catalog.{kind}.client" in before
    blobs = blobs_of(built_archive)
    rare = sorted(filter(is_ours, {*before} - blobs.start - blobs.kept[DIALECT]))
    assert [name for name in rare if not name.startswith("cp.catalog.")] == []


@pytest.mark.smoke
def test_few_of_its_own_modules_are_imported_before_the_application(built_archive: Path) -> None:
    blobs = blobs_of(built_archive)

    assert len(blobs.in_order) <= MOST_MODULES
    assert sum(blobs.sizes[name] for name in blobs.in_order) <= MOST_BYTES


@pytest.mark.smoke
def test_the_table_of_keys_is_in_the_archive_and_no_start_loads_it(built_archive: Path) -> None:
    """It is for tools: what reads a package of the archive leaves it there."""
    blobs = blobs_of(built_archive)
    with zipfile.ZipFile(built_archive) as archive:
        sources = io.BytesIO(archive.read("_bootstrap/sources.tar"))
    with tarfile.open(fileobj=sources) as tar:
        shipped = tar.getnames()

    assert "cp/config/reference/tree.py" in shipped
    loaded = blobs.start.union(*blobs.kept.values())
    assert not [name for name in loaded if name.startswith("cp.config.reference")]
