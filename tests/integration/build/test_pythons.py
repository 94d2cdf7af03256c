"""Which Pythons the archive gets bytecode for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from build.pythons import Python, candidates, choose, listing, missing, probe

# What a virtual environment was made with.
THIS_ONE = Path(getattr(sys, "_base_executable", sys.executable))


def python(version: tuple[int, ...], executable: str, magic: int) -> Python:
    return Python(version, executable, magic)


def program(path: Path, text: str = "#!/bin/sh\nexit 3\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_newest_of_each_bytecode_is_chosen_in_any_order() -> None:
    old, new = python((3, 11, 2), "/usr/bin/python3", 3495), python((3, 11, 7), "/opt/bin/python3", 3495)
    other = python((3, 9 + 1, 0), "/usr/bin/python3.10", 3439)

    assert choose([old, other, new]) == choose([new, other, old]) == [other, new]


def test_pythons_are_looked_for_on_path_under_pyenv_and_by_name(tmp_path: Path) -> None:
    on_path = program(tmp_path / "bin" / "python3.12")
    of_pyenv = program(tmp_path / "pyenv" / "versions" / "3.10.13" / "bin" / "python3")
    in_home = program(tmp_path / "home" / ".pyenv" / "versions" / "3.13.0" / "bin" / "python3")
    named = program(tmp_path / "opt" / "mypython")
    program(tmp_path / "pyenv" / "shims" / "python3")
    program(tmp_path / "bin" / "python2")

    found = candidates(
        {
            "PATH": f"{tmp_path}/bin:{tmp_path}/pyenv/shims",
            "PYENV_ROOT": f"{tmp_path}/pyenv",
            "HOME": f"{tmp_path}/home",
            "PYTHONS": f"{named} no-such-python",
        }
    )

    assert set(found) == {THIS_ONE, on_path, of_pyenv, in_home, named}


def test_this_one_is_among_them_without_path_home_and_pyenv() -> None:
    assert THIS_ONE in candidates({})


def test_this_python_is_known_by_its_magic_number() -> None:
    found = probe(Path(sys.executable))

    assert found is not None
    assert found.version == sys.version_info[:3]


def test_python_that_only_a_script_can_start_is_started_by_that(tmp_path: Path) -> None:
    script = program(tmp_path / "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')

    found = probe(script)

    assert found is not None
    assert (found.version, found.executable) == (sys.version_info[:3], str(script))


def test_missing_files_of_a_release() -> None:
    found = [python((3, minor, 1), f"python3.{minor}", 3400 + minor) for minor in (9, 11, 13, 14, 15, 16)]

    assert missing(found) == ["3.10", "3.12"]


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\nexit 127\n",
        "#!/bin/sh\necho no Python at all\n",
        "#!/bin/sh\nprintf 'cpython\\nfinal\\n3.9.18\\n3425\\n'\n",
        "#!/bin/sh\nprintf 'cpython\\ncandidate\\n3.14.0\\n3627\\n'\n",
        "#!/bin/sh\nprintf 'pypy\\nfinal\\n3.10.13\\n336\\n'\n",
    ],
    ids=["fails", "says something else", "too old", "not released", "not CPython"],
)
def test_unsupported_pythons_are_left_out(tmp_path: Path, text: str) -> None:
    assert probe(program(tmp_path / "python3", text)) is None


@pytest.mark.parametrize(
    ("series", "words"),
    [(["3.11"], "3.11"), (["3.11", "3.13"], "3.11 and 3.13"), (["3.10", "3.12", "3.14"], "3.10, 3.12 and 3.14")],
)
def test_versions_in_words(series: list[str], words: str) -> None:
    assert listing(series) == words
