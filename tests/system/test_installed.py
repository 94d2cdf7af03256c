"""The archive, an installed wheel and the source tree are the same program."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cp import __version__
from tests.limits import DEADLINE
from tests.system.box import Box
from tests.system.consoles import assert_prints_what_is_shown, make_programs
from tests.system.documents import ROOT, Block, blocks, commands
from tests.system.pilot import PATH, archive, interpreter, namespaces
from tests.system.scripts import forever
from tests.system.test_second_start import REFUSED

if TYPE_CHECKING:
    from collections.abc import Sequence

README = [block for block in blocks() if block.page.name == "README.md"]
CONSOLES = [block for block in README if block.is_run]
ARCHIVE = "python3 containerpilot.pyz"  # how README.md calls the program
# The commands of CONTRIBUTING.md that build a wheel, and the program that each needs.
BUILDS = {
    "pip": [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "dist", "."],
    "flit": ["flit", "build", "--format", "wheel"],
    "uv": ["uv", "build", "--wheel"],
}


def build_wheel(command: Sequence[str], folder: Path) -> Path:
    """The wheel that a command builds in a copy of what it reads, in which build/ is as well."""
    for name in ("cp", "build"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    execute(command, folder)
    [wheel] = (folder / "dist").glob("*.whl")
    return wheel


def execute(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout.decode(errors='replace')}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(BUILDS["pip"], tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with only the wheel and what it depends on, in the versions of the archive."""
    folder = tmp_path_factory.mktemp("environment")
    locked = re.findall(r"^(\S+==[^\s;\\]+)", (ROOT / "build" / "requirements.lock").read_text(), re.M)
    (folder / "constraints").write_text("\n".join(locked))
    execute([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], folder)
    python = str(folder / "venv" / "bin" / "python")
    execute([sys.executable, "-m", "pip", "--python", python, "install", "-c", "constraints", str(wheel)], folder)
    return folder / "venv"


WAYS = ("archive", "wheel", "source tree")


@pytest.fixture(params=WAYS)
def program(request: pytest.FixtureRequest) -> list[str]:
    """How the program is called; each test runs with all of them."""
    if request.param == "archive":
        return [interpreter(), str(archive())]
    if request.param == "wheel":
        return [str(request.getfixturevalue("environment") / "bin" / "containerpilot")]
    return ["/usr/bin/env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "cp"]


@pytest.mark.parametrize("block", CONSOLES, ids=str)
def test_the_readme_is_true_of_each(program: list[str], block: Block, tmp_path: Path) -> None:
    make_programs(tmp_path, program)
    for file in README:
        if file.file:
            (tmp_path / file.file).write_text(file.text)
    assert ARCHIVE in block.text

    shown = [(command.replace(ARCHIVE, "containerpilot"), output) for command, output in commands(block.text)]

    assert_prints_what_is_shown(shown, block.beside, tmp_path)


@pytest.mark.smoke
def test_each_prints_the_same_version(program: list[str]) -> None:
    done = subprocess.run([*program, "-version"], env={"PATH": PATH}, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Version: {__version__}\n")


def test_only_the_archive_knows_its_commit(program: list[str], request: pytest.FixtureRequest) -> None:
    printed = subprocess.run([*program, "-version"], env={"PATH": PATH}, capture_output=True, text=True, check=True)
    [commit] = re.findall(r"^GitHash: (.*)$", printed.stdout, re.M)

    # An archive that is built outside of git has none either.
    pattern = "([0-9a-f]{12}(-dirty)?)?" if request.node.callspec.params["program"] == "archive" else ""
    assert re.fullmatch(pattern, commit), "an empty line, and never an invented commit"


@pytest.mark.smoke
def test_each_ends_with_the_exit_code_of_the_application_as_pid_1(program: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*namespaces(), *program, "-config", "{}", "/bin/sh", "-c", 'echo "$PPID"; exit 7'],
        cwd=tmp_path,
        env={"PATH": PATH, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert (done.returncode, done.stdout.splitlines()[0]) == (7, "1")


def test_each_starts_nothing_a_second_time(program: list[str], tmp_path: Path) -> None:
    config = f"""{{control: {{socket: "control.socket"}}, jobs: [{{name: "app", exec: {forever()}}}]}}"""
    (tmp_path / "config.json").write_text(config)
    box = Box(tmp_path, program)
    try:
        box.wait_for_app()
        done = box.exec(*program, "jobs")
    finally:
        box.close()

    assert (done.code, done.stderr.startswith(REFUSED)) == (1, True)


def test_second_start_beside_a_wheel_without_a_socket_is_refused(environment: Path, tmp_path: Path) -> None:
    """Then only its command line shows that PID 1 is a ContainerPilot."""
    program = str(environment / "bin" / "containerpilot")
    (tmp_path / "config.json").write_text(f"""{{jobs: [{{name: "app", exec: {forever()}}}]}}""")
    box = Box(tmp_path, [program])
    try:
        box.wait_for_app()
        done = box.exec(program, "jobs")
    finally:
        box.close()

    assert (done.code, done.stderr.startswith(REFUSED)) == (1, True)


# --- the wheel


def test_the_wheel_has_every_module_and_the_mark_of_typed_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as built:
        names = {name for name in built.namelist() if ".dist-info/" not in name}

    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "cp").rglob("*.py")}
    assert names == {*modules, "cp/py.typed"}


@pytest.mark.parametrize("tool", [tool for tool in BUILDS if tool != "pip"])
def test_other_tools_build_the_same_wheel(
    tool: str, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    monkeypatch.setenv("FLIT_NO_NETWORK", "1")  # flit would fetch the list of classifiers

    other = build_wheel(BUILDS[tool], tmp_path)

    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(other) as two:
        assert sorted(one.namelist()) == sorted(two.namelist())


@pytest.mark.parametrize("tool", BUILDS)
def test_contributing_names_the_command(tool: str) -> None:
    command = " ".join(BUILDS[tool]).replace(sys.executable, "python3")

    assert command in (ROOT / "CONTRIBUTING.md").read_text()
