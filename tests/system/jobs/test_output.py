"""Output of jobs, and when an exit counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.system.jobs.configs import app, config, job, once
from tests.system.scripts import mark, sh

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot


def test_long_line_and_unfinished_line_are_logged_and_do_no_harm(pilot: StartPilot) -> None:
    # The pipes of both are closed.
    flood = "head -c 70000 /dev/zero | tr '\\0' x; echo; printf unfinished; mark end"
    started = pilot(config(app(), job("flood", sh(flood))))

    assert started.wait_for_state("flood", "complete")["lastExit"]["code"] == 0

    started.wait_for_line(r" flood \d+ unfinished$")
    assert started.output().count("x") >= 70_000
    assert started.words().count("end") == 1
    assert len([name for name in started.descriptors().values() if name.startswith("pipe:")]) <= 4


# Exits at once, and leaves a child that holds its output and its group.
LEAVER = sh("(mark child; until [ -e go ]; do sleep 0.02; done; echo bye) &\nexit 0")
AFTER = job("after", mark("after"), when=once("exitSuccess", "leaver"))


def test_exit_counts_when_the_child_that_has_the_output_ends_too(pilot: StartPilot) -> None:
    started = pilot(config(app(), job("leaver", LEAVER), AFTER))
    started.wait_for_mark("child")
    started.wait_for(lambda: started.jobs()["leaver"]["pid"] is None, what="the exit")
    leaver = started.jobs()["leaver"]
    # The holder is shown if it is known: an early orphan is not a child of ContainerPilot.
    assert re.fullmatch("its process has exited; (what it left|process).* has its output open", leaver["about"])
    assert leaver["state"] == "running"
    assert started.ask("POST", "/v3/jobs/leaver/signal", {"signal": "HUP"}).status == 409

    (started.folder / "go").touch()

    started.wait_for_mark("after")
    assert re.search(r" leaver \d+ bye$", started.output(), re.MULTILINE)
    assert started.jobs()["leaver"]["state"] == "complete"


def test_exit_counts_at_once_where_the_output_is_raw_and_the_rest_is_terminated(pilot: StartPilot) -> None:
    started = pilot(config(app(), job("leaver", LEAVER, logging={"raw": True}), AFTER))

    started.wait_for_mark("after")
    started.wait_for(lambda: len(started.leftovers()) == 1, what="the end of the child")
