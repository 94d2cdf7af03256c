"""The one file itself: what is in it, that it can be built again, how it starts where things are not as usual."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cp.catalog.http.urllib3_subset import Subset, Urllib3
from tests.limits import DEADLINE
from tests.system.blobs import blobs_of
from tests.system.pilot import PATH, ROOT, interpreter
from tests.system.servers import free_port
from tests.system.test_start_imports import MISSING, SERVICE, TO_STDERR, imported, is_ours

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import Consul

OLD_PYTHONS = ("2.7", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9")


def run(
    archive: Path | str,
    *arguments: str,
    python: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    cwd: Path | str = "/",
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(python or [interpreter()]), str(archive), *arguments],
        env={"PATH": PATH, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=DEADLINE,
        check=False,
    )


def magic() -> int:
    """The number of the bytecode of the Python under test, which need not be the one that runs this."""
    show = "from _frozen_importlib_external import MAGIC_NUMBER as n; print(int.from_bytes(n[:2], 'little'))"
    done = subprocess.run([interpreter(), "-c", show], capture_output=True, text=True, check=True)
    return int(done.stdout)


def rewritten(archive: Path, copy: Path, replace: Mapping[str, bytes | None]) -> Path:
    """A copy of the archive, in which some files have another content, or (None) are missing."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(copy, "w") as new:
        for entry in old.infolist():
            data = replace.get(entry.filename, old.read(entry))
            if data is not None:
                new.writestr(entry, data)
    return copy


# --- contents


def test_every_source_and_licence_is_inside_and_nothing_of_the_build_machine(built_archive: Path) -> None:
    with zipfile.ZipFile(built_archive) as archive:
        names = archive.namelist()
        content = b"".join(map(archive.read, names))
        sources = archive.read("_bootstrap/sources.tar")

    assert [name for name in names if name.endswith((".pyc", "direct_url.json", "RECORD", "INSTALLER"))] == []
    assert {name.split("/")[0] for name in names} == {
        "__main__.py", "_stand_in.py", "contextlib.py", "functools.py", "types.py", "warnings.py",
        "_bootstrap", "environment.json", "site-packages",
    }  # fmt: skip
    for distribution in ("containerpilot", "h11", "orjson", "urllib3"):
        assert any(re.fullmatch(rf"site-packages/{distribution}-.*/licenses/LICENSE.*", name) for name in names)
    for path in (ROOT / "cp").rglob("*.py"):
        assert f"{path.relative_to(ROOT)}\0".encode() in sources
    assert f"{ROOT}/".encode() not in content


def test_every_file_has_the_same_time_and_an_ordinary_mode(built_archive: Path) -> None:
    with zipfile.ZipFile(built_archive) as archive:
        entries = archive.infolist()

    assert len({entry.date_time for entry in entries}) == 1
    assert {entry.external_attr >> 16 & 0o777 for entry in entries} <= {0o600, 0o644}
    assert os.access(built_archive, os.X_OK)


def test_same_sources_in_two_directories_give_the_same_bytes(built_archive: Path, tmp_path: Path) -> None:
    surroundings = [
        {"TZ": "UTC", "PYTHONHASHSEED": "1", "UMASK": "022"},
        {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2", "UMASK": "077"},
    ]
    fetched = [str(ROOT / ".cache" / name) for name in ("packages", "orjson")]
    build = [sys.executable, "-m", "build.archive", *fetched, "dist/built.pyz"]
    built = []
    for number, environ in enumerate(surroundings):
        tree = tmp_path / ("x" * (1 + 20 * number)) / "tree"
        for folder in ("cp", "build"):
            shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "LICENSE", tree)
        subprocess.run(
            ["sh", "-c", 'umask $UMASK; exec "$@"', "sh", *build],
            env={"PATH": PATH, "PYTHONS": sys.executable, **environ},
            cwd=tree,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        built.append({each.name: each.read_bytes() for each in (tree / "dist").iterdir()})

    assert set(built[0]) == {"built.pyz", "built.pyz.sha256", "built.cdx.json"}
    assert built[0] == built[1]


@pytest.mark.smoke
def test_an_ordinary_start_executes_its_imports_in_one_pass(built_archive: Path) -> None:
    """A missing module costs every start milliseconds; one too many costs less."""
    services = [{**SERVICE, "interfaces": ["lo:inet"]}]
    config = json.dumps({"logging": TO_STDERR, "consul": "127.0.0.1:1", "services": services})
    names = imported([str(built_archive), "-config", config, MISSING], until=f"fork/exec {MISSING}")

    assert sorted(filter(is_ours, names)) == sorted(blobs_of(built_archive).in_order)


def test_a_service_and_a_watch_need_no_more_than_the_parts_of_the_archive_that_stay_in_memory(
    pilot: StartPilot, consul: Consul, built_archive: Path
) -> None:
    """From the start to the end: of a package of which more is needed all is kept in memory, and a stop may come when
    nothing can be read any more."""
    config = {
        "consul": consul.address,
        "services": [{**SERVICE, "name": "lean-app"}],
        "backends": [{"name": "lean-app", "poll": 1, "onChange": ["echo", "there has been", "a change"]}],
    }

    started = pilot(config, ["sleep", "1000"], env={"PYTHONPROFILEIMPORTTIME": "1"})
    consul.wait_until_passing("lean-app")
    started.wait_for_line("there has been a change")
    started.stop()

    lines = [line for line in started.errors().splitlines() if line.startswith("import time:")]
    names = {line.rpartition("|")[2].strip() for line in lines}
    blobs = blobs_of(built_archive)
    kept = {name: blobs.kept[name] for name in ("cp.catalog", "urllib3")}
    assert sorted(filter(is_ours, names - blobs.start - kept["cp.catalog"])) == []
    # The build has asked a catalogue of its own: these are what they are with Consul.
    assert sorted(name for name in names - blobs.start if name.startswith("cp.catalog.")) == sorted(kept["cp.catalog"])
    # The package is looked for, although its own code is not executed.
    subset = Subset()
    Urllib3(subset.get)
    assert sorted(name for name in subset.names() if name.startswith("urllib3")) == sorted(kept["urllib3"])


# --- the first statement


def test_all_signals_are_blocked_before_anything_else_happens(built_archive: Path, tmp_path: Path) -> None:
    """In a copy of the archive whose bytecode only shows what is blocked."""
    make = textwrap.dedent(
        f"""
        import _imp, marshal, sys
        shows = compile("print(open('/proc/self/status').read())", "shows", "exec")
        packed = marshal.dumps((shows, {{}}))
        sys.stdout.buffer.write(packed + _imp.source_hash({magic()}, packed))
        """
    )
    start = subprocess.run([interpreter(), "-c", make], capture_output=True, check=True).stdout
    copy = rewritten(built_archive, tmp_path / "copy.pyz", {f"_bootstrap/code/start-{magic()}.bin": start})

    shown = re.search(r"^SigBlk:\s*([0-9a-f]+)$", run(copy).stdout, re.MULTILINE)

    assert shown is not None
    blocked = {number for number in range(1, 65) if int(shown[1], 16) >> (number - 1) & 1}
    assert signal.valid_signals() - blocked == {signal.SIGKILL, signal.SIGSTOP}


# --- where it runs


@pytest.mark.smoke
@pytest.mark.parametrize("options", [["-I"], ["-S", "-E"], ["-O"], ["-OO", "-B"], ["-W", "error"]], ids=" ".join)
def test_options_of_python_make_no_difference(built_archive: Path, options: list[str]) -> None:
    done = run(built_archive, "/bin/sh", "-c", "exit 7", python=[interpreter(), *options], env=inline())

    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.smoke
def test_nothing_that_it_does_is_deprecated(pilot: StartPilot, consul: Consul) -> None:
    """With warnings as errors, a use of what the next Python no longer has would end a thread or the program."""
    config = {
        "consul": consul.address,
        "control": {"socket": "control.socket"},
        "telemetry": {"port": free_port(), "interfaces": "static:127.0.0.1", "metrics": []},
        "jobs": [
            {
                "name": "deprecated-app",
                "exec": ["sleep", "1000"],
                "port": 80,
                "interfaces": "static:127.0.0.1",
                "health": {"exec": "true", "interval": 1, "ttl": 5},
            },
            {"name": "reader", "exec": ["true"], "when": {"source": "watch.deprecated-app", "each": "changed"}},
        ],
        "watches": [{"name": "deprecated-app", "interval": 1}],
    }
    started = pilot(config, env={"PYTHONWARNINGS": "error"})

    consul.wait_until_passing("deprecated-app")
    assert started.run("-jobs", env={"PYTHONWARNINGS": "error"}).code == 0
    assert started.run("-reload", env={"PYTHONWARNINGS": "error"}).code == 0

    assert started.stop() == 0
    assert "Warning" not in started.output() + started.errors()


def inline() -> dict[str, str]:
    return {"CONTAINERPILOT": "{}"}


def test_relative_path(built_archive: Path) -> None:
    done = run(built_archive.name, "/bin/sh", "-c", "exit 7", cwd=built_archive.parent, env=inline())

    assert (done.returncode, done.stderr) == (7, "")


def test_nothing_is_unpacked_and_nothing_is_written(built_archive: Path, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "cwd", "bin")}
    for folder in folders.values():
        folder.mkdir()
    copy = shutil.copy(built_archive, folders.pop("bin"))
    before = {str(path) for path in tmp_path.rglob("*")}
    config = json.dumps({"consul": "127.0.0.1:1", "services": [SERVICE]})

    done = run(
        copy,
        *("-config", config, "/bin/sleep", "0.5"),
        env={name: str(folder) for name, folder in folders.items()},
        cwd=folders["cwd"],
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert {str(path) for path in tmp_path.rglob("*")} == before


def test_closed_standard_streams(built_archive: Path) -> None:
    command = shlex.join([interpreter(), str(built_archive), "/bin/sh", "-c", "exit 7"])
    done = subprocess.run(
        ["sh", "-c", f"exec {command} <&- >&- 2>&-"], env={"PATH": PATH, **inline()}, timeout=DEADLINE, check=False
    )

    assert done.returncode == 7


def test_python_path_of_the_application_does_not_affect_containerpilot(built_archive: Path, tmp_path: Path) -> None:
    """An application may have modules that are called like those of the standard library, or like ours."""
    trap = f"open({str(tmp_path / 'trapped')!r}, 'a').write(__name__ + ' ')\nraise OSError\n"
    for name in ("cp", "urllib3", "json", "http", "socket", "queue", "logging", "random", "ssl", "hashlib", "uuid"):
        (tmp_path / f"{name}.py").write_text(trap)
    config = json.dumps({"consul": "127.0.0.1:1", "services": [SERVICE]})

    done = run(
        built_archive,
        *("-config", config, "/bin/sh", "-c", 'sleep 1; echo "path $PYTHONPATH"'),
        env={"PYTHONPATH": str(tmp_path)},
    )

    assert not (tmp_path / "trapped").exists(), (tmp_path / "trapped").read_text()
    assert done.returncode == 0
    assert f"path {tmp_path}\n" in done.stdout


# --- other Pythons


def old_pythons() -> dict[str, str]:
    """Interpreters that are too old, on PATH or under a pyenv root, by version."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))
    found = {}
    for version in OLD_PYTHONS:
        on_path = shutil.which(f"python{version}", path=PATH)
        of_pyenv = map(str, pyenv.glob(f"versions/{version}.*/bin/python"))
        for python in filter(None, [on_path, *of_pyenv]):
            found[version] = python
    return found


@pytest.mark.skipif(not old_pythons(), reason="there is no Python older than 3.10 on this machine")
@pytest.mark.parametrize("version", old_pythons())
def test_older_python_gets_one_clear_line(built_archive: Path, version: str) -> None:
    python = old_pythons()[version]

    done = run(built_archive, "-version", python=[python])

    assert done.returncode == 1
    assert done.stdout == ""
    why = f"Python 3.10 or newer is needed, and {python} is Python {version}"
    assert done.stderr == f"containerpilot: cannot start: {why}\n"


@pytest.mark.smoke
def test_python_without_bytecode_in_the_archive_runs_the_sources(built_archive: Path, tmp_path: Path) -> None:
    copy = rewritten(built_archive, tmp_path / "copy.pyz", {f"_bootstrap/code/start-{magic()}.bin": None})
    config = json.dumps({"consul": "127.0.0.1:1", "services": [SERVICE]})

    done = run(copy, "-config", config, "/bin/sh", "-c", "sleep 0.5; exit 7")

    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("sys.platform = 'darwin'", "Linux is needed, and this is darwin"),
        ("sys.implementation.name = 'pypy'; magic()", f"CPython is needed, and {interpreter()} is pypy"),
    ],
    ids=["system", "implementation"],
)
def test_other_machines_get_one_clear_line(built_archive: Path, what: str, why: str) -> None:
    """As far as this one can pretend to be another."""
    pretend = f"""
import _frozen_importlib_external, runpy, sys
def magic(): _frozen_importlib_external.MAGIC_NUMBER = b"\\1\\1\\r\\n"
{what}
runpy.run_path({str(built_archive)!r}, run_name="__main__")
"""

    done = run("-c", pretend)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"containerpilot: cannot start: {why}\n"


def test_replacements_of_the_standard_library_are_gone_when_the_program_runs(built_archive: Path) -> None:
    """Code that needs more of it gets the module itself, here the code that runs the archive."""
    show = f"""
import importlib, runpy, sys
for name in ("contextlib", "functools", "types", "warnings"):
    sys.modules.pop(name, None)
sys.path.insert(0, {str(built_archive)!r})
import contextlib, functools, warnings
assert functools.partial(int, "7")() == 7 and contextlib.suppress and warnings.filters is not None
for module in (contextlib, functools, warnings):
    assert "containerpilot" in module.__spec__.origin, module
    assert "containerpilot" not in sys.modules[module.__name__].__spec__.origin, module
"""
    done = run("-c", show)

    assert (done.returncode, done.stderr) == (0, "")
