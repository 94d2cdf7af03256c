"""The cost of a subcommand's start, from the one file: sensors and health checks run one each second."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from build.entry._bootstrap.importer import VERSION
from tests.integration.cli.control_server import ControlServer, server
from tests.limits import DEADLINE
from tests.system.blobs import blobs_of
from tests.system.pilot import PATH, interpreter
from tests.system.test_archive import magic, run
from tests.system.test_damage import assert_reported_as_damaged, with_a_hole
from tests.system.test_start_imports import C_MODULES, imported, interpreter_alone

__all__ = ["interpreter_alone", "server"]


def configuration(server: ControlServer) -> str:
    return json.dumps({"control": {"socket": str(server.path)}, "jobs": [{"name": "app", "exec": "/bin/app"}]})


@pytest.mark.smoke
@pytest.mark.parametrize("flags", [["-ping"], ["-putmetric", "a=1"]])
def test_only_needed_modules_are_imported(
    built_archive: Path, server: ControlServer, interpreter_alone: set[str], flags: list[str]
) -> None:
    """All modules of ContainerPilot are in the part of the archive that is read first."""
    names = imported([os.fspath(built_archive), "-config", configuration(server), *flags])

    ours = {name for name in names if name.partition(".")[0] == "cp"}
    assert sorted(ours) == sorted(blobs_of(built_archive).subcommand - {VERSION})
    assert sorted(set(names) - ours - interpreter_alone - C_MODULES) == []
    assert len(server.requests) == 1


@pytest.mark.smoke
def test_version_needs_only_the_part_of_the_archive_that_is_read_first(built_archive: Path) -> None:
    names = imported([os.fspath(built_archive), "-version"])

    ours = {name for name in names if name.partition(".")[0] == "cp"}
    assert VERSION in ours
    assert sorted(ours - blobs_of(built_archive).subcommand) == []


@pytest.mark.parametrize(
    ("flags", "number", "code"),
    [
        (["-ping"], signal.SIGTERM, -signal.SIGTERM),
        (["-ping"], signal.SIGINT, -signal.SIGINT),
        (["-events", "-follow"], signal.SIGTERM, 0),
    ],
)
def test_subcommand_can_be_interrupted(
    built_archive: Path, server: ControlServer, flags: list[str], number: int, code: int
) -> None:
    """The archive's first statement blocks all signals, and the server here never answers."""
    server.says = None
    command = [interpreter(), os.fspath(built_archive), "-config", configuration(server), *flags]
    started = subprocess.Popen(command, env={"PATH": PATH}, stdout=subprocess.DEVNULL)
    assert server.requested.wait(DEADLINE)

    started.send_signal(number)

    assert started.wait(DEADLINE) == code


def test_damage_of_modules_that_an_application_needs_is_reported(built_archive: Path, tmp_path: Path) -> None:
    copy = with_a_hole(built_archive, tmp_path / "copy.pyz", f"_bootstrap/code/application-{magic()}.bin")

    assert_reported_as_damaged(run(copy, "-config", "{}", "/bin/true"), copy)
    assert run(copy, "-help").returncode == 0
