"""The documentation does what it says: configurations load, commands print what is shown, tables are complete."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cp import config
from cp.config import (
    catalogs,
    dialect,
    services,
    services_backends,
    services_registered,
    services_tasks,
    settings,
)
from cp.config.interfaces import Address
from tests.system.documents import PAGES, ROOT, Block, blocks, code, commands, tables
from tests.system.pilot import interpreter

if TYPE_CHECKING:
    from pathlib import Path

    from cp.plan import Plan

REFERENCE = ROOT / "docs" / "configuration.md"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"

BLOCKS = blocks()
FILES = [block for block in BLOCKS if block.file]
CONSOLES = [block for block in BLOCKS if block.comment == "run"]


def load(block: Block) -> Plan:
    """On a machine with one interface, and an application."""
    return config.load(
        config.Source(block.file, block.text),
        {"CONTAINERPILOT_PID": "1"},
        arguments=("my-app",),
        hostname="box1",
        addresses=lambda: [Address("eth0", bytes([10, 0, 0, 5]))],
    )


# --- configurations


@pytest.mark.parametrize("block", [block for block in FILES if not block.is_faulty], ids=str)
def test_a_shown_configuration_loads_without_a_warning(block: Block) -> None:
    assert load(block).warnings == ()


@pytest.mark.parametrize("block", [block for block in FILES if block.is_faulty], ids=str)
def test_a_shown_mistake_is_refused(block: Block) -> None:
    with pytest.raises(config.ConfigError):
        load(block)


def test_every_configuration_and_every_console_of_the_pages_is_tested() -> None:
    untested = [
        str(block)
        for block in BLOCKS
        if (block.language in ("json", "json5") and not block.file and block.comment != "not a configuration")
        or (block.language == "console" and block.comment != "run")
    ]
    assert not untested
    assert len(FILES) >= 8
    assert len(CONSOLES) >= 8


# --- commands


@pytest.fixture
def folder(tmp_path: Path, built_archive: Path) -> Path:
    """Where commands run: the archive is there, and its short name is on PATH."""
    (tmp_path / "containerpilot.pyz").symlink_to(built_archive)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, command in (
        ("python3", f"'{interpreter()}'"),
        ("containerpilot", f"'{interpreter()}' '{built_archive}'"),
    ):
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (programs / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("block", CONSOLES, ids=str)
def test_commands_print_what_is_shown(block: Block, folder: Path) -> None:
    for file in FILES:
        if file.page == block.page:
            (folder / file.file).write_text(file.text)
    shown = commands(block.text)

    printed = run_in_one_shell([command for command, _ in shown], folder)

    for (command, expected), actual in zip(shown, printed, strict=True):
        assert re.fullmatch(pattern(expected), timeless(actual)), f"$ {command}\n{actual}--- instead of\n{expected}"


def run_in_one_shell(lines: list[str], folder: Path) -> list[str]:
    """What each command prints, on both streams; `$?` is that of the command before."""
    mark = "--- next command ---"
    script = "".join(f"{line}\nstatus=$?; echo '{mark}'; (exit $status)\n" for line in lines)
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env={"PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.split(f"{mark}\n")[:-1]


def timeless(text: str) -> str:
    text = re.sub(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", "DATE TIME", text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "DATETIME", text)


def pattern(expected: str) -> str:
    """`…` stands for anything."""
    return ".*".join(re.escape(part) for part in timeless(expected).split("…"))


# --- tables


KEYS: dict[str, list[tuple[str, ...]]] = {
    "Top-level keys": [services._KEYS],
    "logging": [("level", "format", "output")],
    "consul": [catalogs._CONSUL_KEYS, catalogs._TLS_KEYS],
    "services": [services_registered._KEYS, services_registered._CONSUL_KEYS],
    "backends": [services_backends._KEYS],
    "tasks": [services_tasks._TASK_KEYS],
    "coprocesses": [services_tasks._COPROCESS_KEYS],
}


@pytest.mark.parametrize("heading", KEYS)
def test_the_reference_has_exactly_the_keys_that_the_program_knows(heading: str) -> None:
    described = [sorted(key for row in table for key in code(row[0])) for table in tables(REFERENCE, heading)]
    assert described == [sorted(known) for known in KEYS[heading]]


def test_the_reference_has_every_value_of_logging() -> None:
    accepted = {
        key: set(code(row[3])) for table in tables(REFERENCE, "logging") for row in table for key in code(row[0])
    }
    assert {level.lower() for level in accepted["level"]} == set(settings._LEVELS) - {"warning"}
    assert {"default", "text", "json"} <= accepted["format"]
    assert accepted["output"] == {"stdout", "stderr"}


def test_the_keys_of_a_dialect_are_all_named() -> None:
    text = REFERENCE.read_text()
    assert all(f"`{key}`" in text for key in dialect.SERVICES_KEYS)


def test_the_same_tables_are_the_same() -> None:
    found = 0
    for page in PAGES[:1]:
        for other, table in re.findall(r"<!-- same as: (\S+) -->\n((?:\|.*\n)+)", page.read_text()):
            found += 1
            assert table in (ROOT / other).read_text(), f"{page.name} and {other} differ"
    assert found


def test_what_is_generated_is_as_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate-docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_usage_is_what_the_program_prints(folder: Path) -> None:
    printed = run_in_one_shell(["containerpilot -help"], folder)[0]
    assert f"```text\n{printed.rstrip()}\n```" in (ROOT / "docs" / "lifecycle.md").read_text()


# --- messages and links


def words_of_the_program() -> str:
    """All text constants of the program and of the archive's entry, one a line."""
    found: list[str] = []
    for top in ("cp", "build/entry"):
        for path in sorted((ROOT / top).rglob("*.py")):
            nodes = ast.walk(ast.parse(path.read_text()))
            found += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(found)


# The kernel's words, which the program only passes on.
BORROWED = {"no such file or directory", "permission denied", "exec format error"}
# Messages whose first word is a name: where in the program the rest is said.
COMPOSED = {
    **{f"{who} exited": " exited (" for who in ("APP", "preStart", "preStop", "postStop")},
    "Check registration failed": "Check registration",
}


def test_every_message_in_troubleshooting_is_one_of_the_program() -> None:
    program = words_of_the_program()
    messages = re.findall(r"^\| `(.*?)` \| ", TROUBLESHOOTING.read_text(), re.M)
    fragments = [fragment.strip(" :.;,()[]'") for message in messages for fragment in message.split("…")]
    unknown = [words for words in fragments if words not in BORROWED and COMPOSED.get(words, words) not in program]
    assert len(messages) > 40
    assert not unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", other.read_text(), re.M)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}, (
                target
            )


# --- the demo


@pytest.mark.timeout(300)
def test_the_demo_builds_the_archive_and_plays_its_scene(tmp_path: Path) -> None:
    base = getattr(sys, "_base_executable", sys.executable)  # not the one of the tests' environment
    done = subprocess.run(
        [ROOT / "scripts" / "demo.sh"],
        env={**os.environ, "PYTHON": base, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = re.findall(r"^== (\d)", done.stdout, re.M)
    assert steps == ["0", "1", "2", "3", "4", "5", "6"]
    assert done.stdout.rstrip().splitlines()[-1].startswith("All happened as told.")
    assert list(tmp_path.iterdir()) == [], "it left something behind"
