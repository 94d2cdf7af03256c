"""Exit codes that count as success."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.jobs.configs import app, config, job, once
from tests.system.scripts import mark, sh, until_term

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot


@pytest.mark.parametrize("init", [False, True], ids=["not PID 1", "PID 1"])
def test_main_job_that_answers_sigterm_with_143_ends_with_0(pilot: StartPilot, init: bool) -> None:
    """A JVM exits with 143 on SIGTERM; tini has the option -e for it."""
    started = pilot(config(job("app", until_term(code=143), main=True, successExitCodes=[143])), init=init)
    started.wait_for_mark("app")

    assert started.stop() == 0


def test_main_job_that_dies_of_sigterm_ends_with_0(pilot: StartPilot) -> None:
    started = pilot(config(app(main=True, successExitCodes=[143])))
    started.wait_for_mark("app")

    assert started.stop() == 0
    assert "exited with error" not in started.output()


def test_job_with_a_success_code_starts_jobs_that_wait_for_success(pilot: StartPilot) -> None:
    after = job("after", mark("after"), when=once("exitSuccess", "app"))
    started = pilot(config(job("app", sh("exit 3"), successExitCodes=[3]), after, app("other")))
    started.wait_for_mark("after")

    assert started.wait_for_state("app", "complete")["lastExit"]["success"] is True
    table = started.run("-jobs").stdout
    assert [line for line in table.splitlines() if line.startswith("app ") and line.endswith(" done")], table
    assert "last exit: exited 3 (exit status 3)" in started.run("-job", "app").stdout
