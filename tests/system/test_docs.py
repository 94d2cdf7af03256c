"""The documentation does what it says: configurations load, commands print what is shown, tables are complete."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from cp.config import dialect
from cp.config.errors import ConfigError
from cp.config.load import load as load_plan
from cp.config.reference.job_when import EVENTS
from cp.config.reference.tree import ROOTS, inside, walk
from cp.config.source import Source
from cp.control.routes import ControlRoutes
from cp.http.messages import REASONS
from cp.platform.address import Address
from tests.system.consoles import assert_prints_what_is_shown, make_programs, run_in_one_shell
from tests.system.documents import PAGES, ROOT, Block, blocks, code, commands, tables
from tests.system.pilot import interpreter

if TYPE_CHECKING:
    from pathlib import Path

    from cp.plan import Plan

JOBS = ROOT / "docs" / "jobs.md"
CONTROL = ROOT / "docs" / "control.md"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"

BLOCKS = blocks()
FILES = [block for block in BLOCKS if block.file]
CONSOLES = [block for block in BLOCKS if block.is_run]


def load(name: str, text: str) -> Plan:
    """On a machine with one interface; with an application, where the dialect has one on the command line."""

    def loaded(*arguments: str) -> Plan:
        return load_plan(
            Source(name, text),
            {"CONTAINERPILOT_PID": "1", "DB_PASSWORD": "swordfish-0"},  # what the pages take for set
            arguments=arguments,
            hostname="box1",
            addresses=lambda: [Address("eth0", bytes([10, 0, 0, 5]))],
        )

    plan = loaded()
    return loaded("my-app") if plan.dialect == dialect.SERVICES else plan


# --- configurations


@pytest.mark.parametrize("block", [block for block in FILES if not block.is_faulty], ids=str)
def test_a_shown_configuration_loads_without_a_warning(block: Block) -> None:
    assert load(block.file, block.text).warnings == ()


@pytest.mark.parametrize("block", [block for block in FILES if block.is_faulty], ids=str)
def test_a_shown_mistake_is_refused(block: Block) -> None:
    with pytest.raises(ConfigError):
        load(block.file, block.text)


def test_every_configuration_and_every_console_of_the_pages_is_tested() -> None:
    untested = [
        str(block)
        for block in BLOCKS
        if (block.language in ("json", "json5") and not block.file and block.comment != "not a configuration")
        or (block.language == "console" and not block.is_run)
    ]
    assert not untested
    assert len(FILES) >= 8
    assert len(CONSOLES) >= 8


# --- commands


@pytest.fixture
def folder(tmp_path: Path, built_archive: Path) -> Path:
    """The folder in which commands run: the archive is there, and its short name is on PATH."""
    (tmp_path / "containerpilot.pyz").symlink_to(built_archive)
    make_programs(tmp_path, [interpreter(), str(built_archive)])
    return tmp_path


def may_be_too_late(block: Block) -> bool:
    """Whether a command ends the program after some seconds, in which it must have come as far as the page shows."""
    return "timeout -s" in block.text


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, marks=pytest.mark.timing if may_be_too_late(block) else (), id=str(block))
        for block in CONSOLES
    ],
)
def test_commands_print_the_shown_output(block: Block, folder: Path) -> None:
    for file in FILES:
        if file.page == block.page:
            (folder / file.file).write_text(file.text)
    assert_prints_what_is_shown(commands(block.text), block.beside, folder)


# --- tables


def test_the_pages_have_the_table_of_each_object() -> None:
    """Written by scripts/generate-docs.py; what both dialects have, or an object has twice, is there once."""
    shown = {
        (dialect, path)
        for page in PAGES
        for dialect, path in re.findall(r"^<!-- generated: keys (\w+) ?(\S*) -->$", page.read_text(), re.M)
    }
    objects = {(of, inside(path, key)) for of in ROOTS for path, key in walk(of) if key.keys}
    elsewhere = {("services", "etcd.tls"), ("jobs", "jobs[].health.logging"), ("jobs", "jobs[].health.http.tls")}
    elsewhere |= {("jobs", path) for path in ("consul", "consul.tls", "etcd", "etcd.tls")}
    assert shown == {(of, "") for of in ROOTS} | objects - elsewhere


def test_the_events_are_those_of_the_table_of_keys() -> None:
    (table,) = tables(JOBS, "Events")
    assert sorted(key for row in table for key in code(row[0])) == sorted(EVENTS)


def test_the_page_has_exactly_the_endpoints_that_the_program_knows() -> None:
    routes = ControlRoutes(Mock(), Mock(), Mock(), None, 0)
    known = {path: method or "any" for path, (method, _) in routes._fixed.items()}
    known |= {f"/v3/jobs/NAME{verb}": method for verb, (method, _) in routes._of_a_job.items()}
    described = {path: row[1] for table in tables(CONTROL, "Endpoints") for row in table for path in code(row[0])}
    assert described == known


def test_the_page_has_exactly_the_errors_that_the_server_answers() -> None:
    described = [int(row[0]) for table in tables(CONTROL, "Errors") for row in table]
    assert described == [status for status in REASONS if status >= 400]


def test_the_page_has_exactly_the_members_of_a_job() -> None:
    shown = next(block.text for block in CONSOLES if block.page == CONTROL and "-job app -json" in block.text)
    answer = next(text for command, text in commands(shown) if "-job app -json" in command)
    described = [key for table in tables(CONTROL, "A job") for row in table for key in code(row[0])]
    assert described == list(json.loads(answer.replace("…", "0")))


def test_the_same_tables_are_the_same() -> None:
    found = 0
    for page in PAGES[:1]:
        for other, table in re.findall(r"<!-- same as: (\S+) -->\n((?:\|.*\n)+)", page.read_text()):
            found += 1
            assert table in (ROOT / other).read_text(), f"{page.name} and {other} differ"
    assert found


def test_generated_tables_match_the_code() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate-docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_usage_is_that_of_the_program(folder: Path) -> None:
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
BORROWED = {"argument list too long", "no such file or directory", "permission denied", "exec format error"}
# Messages whose first word is a name: where in the program the rest is.
COMPOSED = {
    **{f"{who} exited": "exited (" for who in ("APP", "preStart", "preStop", "postStop")},
    "Check registration failed": "Check registration",
    "deprecated: service names must be alphanumeric with dashes": "service names must be alphanumeric with dashes",
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
    assert done.stdout.rstrip().splitlines()[-1].startswith("Everything happened as described.")
    assert list(tmp_path.iterdir()) == [], "it left something behind"
