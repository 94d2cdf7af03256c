"""What the supervisor of ContainerPilot passes in the environment is for ContainerPilot, and not for its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.system.jobs.configs import config, job
from tests.system.pilot import write_config
from tests.system.scripts import sh

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot

NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


@pytest.fixture
def inherited(tmp_path: Path) -> dict[str, str]:
    """The variables, with a path at which nobody listens."""
    return {**dict.fromkeys(NAMES, "1"), "NOTIFY_SOCKET": str(tmp_path / "nobody")}


def telling(word: str, then: str = "exec sleep 1000") -> list[str]:
    """A command that leaves the names of those of the variables that it has as a mark."""
    found = "".join(f'[ -z "${{{name}+x}}" ] || has="$has {name}"\n' for name in NAMES)
    return sh(f'has=\n{found}mark "{word}:$has"\n{then}')


def marks(**jobs: Any) -> dict[str, Any]:
    return config(*(job(name, telling(name), **keys) for name, keys in jobs.items()))


def test_jobs_and_checks_do_not_have_them(pilot: StartPilot, inherited: dict[str, str]) -> None:
    check = {"exec": telling("check", then="true"), "interval": 1}
    started = pilot(marks(app={"health": check}, other={}), env=inherited)
    for word in ("app:", "other:", "check:"):
        started.wait_for_mark(word)

    write_config(started.folder / "config.json", marks(app={"health": check}, other={}, added={}))
    started.run("-reload")
    started.wait_for_mark("added:")


def test_a_main_job_without_ready_notifies_our_supervisor_itself(pilot: StartPilot, inherited: dict[str, str]) -> None:
    started = pilot(marks(app={"main": True}, other={}), env=inherited)
    started.wait_for_mark("app: NOTIFY_SOCKET")
    started.wait_for_mark("other:")


def test_a_main_job_with_ready_does_not(pilot: StartPilot, inherited: dict[str, str]) -> None:
    started = pilot(marks(app={"main": True, "ready": {"log": "never"}}), env=inherited)
    started.wait_for_mark("app:")


def test_a_variable_that_is_set_on_request_reaches_later_jobs(pilot: StartPilot, inherited: dict[str, str]) -> None:
    started = pilot(marks(app={}), env=inherited)
    started.wait_for_mark("app:")
    assert started.run("-putenv", "LISTEN_FDS=0").code == 0
    started.run("-restart", "app")
    started.wait_for_mark("app: LISTEN_FDS")


def test_all_children_of_the_services_dialect_have_them(pilot: StartPilot, inherited: dict[str, str]) -> None:
    coprocess = {"command": telling("coprocess")}
    started = pilot({"coprocesses": [coprocess]}, telling("app"), env=inherited)
    for word in ("app", "coprocess"):
        started.wait_for_mark(f"{word}: {' '.join(NAMES)}")
