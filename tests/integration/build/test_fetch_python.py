"""How scripts/fetch-python.py lets a Python run with libraries that are not the machine's own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from build.pythons import NEWEST, OLDEST

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("fetch_python", SCRIPTS / "fetch-python.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_python_is_started_by_the_loader_that_came_with_it(script: Any, tmp_path: Path, machine: str) -> None:
    """Wherever the folder is moved, and by whatever link it is called: that of a virtual environment is one."""
    libraries = f"usr/lib/{machine}-linux-gnu"
    program(tmp_path / "work/usr/bin/python3.14", "the program")
    program(tmp_path / f"work/{libraries}/ld-linux-{machine}.so.2", '#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n')
    script.debian.start_with_own_libraries(tmp_path / "work", "python3.14")
    folder = (tmp_path / "work").rename(tmp_path / "a place")
    (tmp_path / "link").symlink_to(folder / "usr/bin/python3.14")

    done = subprocess.run([tmp_path / "link", "-c", "two words"], capture_output=True, text=True, check=True).stdout

    assert done.splitlines() == [
        f"{folder}/{libraries}/ld-linux-{machine}.so.2",
        *("--library-path", f"{folder}/{libraries}", "--argv0", f"{tmp_path}/link"),
        *(f"{folder}/usr/bin/python3.14.real", "-c", "two words"),
    ]


def test_packages_without_a_loader_are_refused(script: Any, tmp_path: Path) -> None:
    program(tmp_path / "usr/bin/python3.14", "the program")

    with pytest.raises(script.debian.Refused, match="no dynamic loader"):
        script.debian.start_with_own_libraries(tmp_path, "python3.14")


def test_every_supported_version_has_a_distribution_that_packages_it(script: Any) -> None:
    supported = [f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]

    assert list(script.RELEASES) == supported
    for version in supported:
        assert script.program(version).name == f"python{version}"


def test_shim_without_a_python_behind_it_is_not_taken(script: Any, tmp_path: Path) -> None:
    """Such as pyenv has on PATH for each version that any of its Pythons has."""
    program(tmp_path / "python3.12", "#!/bin/sh\nexit 127\n")

    assert not script.usable(str(tmp_path / "python3.12"))
    assert script.usable(sys.executable)
