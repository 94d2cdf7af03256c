"""preStart, preStop, postStop: when they run, and what their failure means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.system.scripts import forever, mark, sh, until_term

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot


@pytest.mark.smoke
def test_hooks_run_around_the_app(pilot: StartPilot) -> None:
    config = {hook: mark(hook) for hook in ("preStart", "preStop", "postStop")}

    started = pilot(config, mark("app"))

    assert started.wait_exit() == 0
    assert started.words() == ["preStart", "app", "postStop"], "preStop is for a requested stop"


def test_app_and_all_else_wait_for_pre_start(pilot: StartPilot) -> None:
    config = {
        "preStart": sh("sleep 0.3\nmark preStart"),
        "coprocesses": [{"command": mark("co")}],
        "tasks": [{"command": mark("task"), "frequency": "50ms", "timeout": "20s"}],
    }

    started = pilot(config, forever())

    for word in ("co", "task", "app"):
        started.wait_for_mark(word)
    assert started.words()[0] == "preStart"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (sh("exit 5"), 5),
        (sh("kill -KILL $$"), 255),
        (["no-such-program"], 127),
        (["/etc"], 126),
    ],
    ids=["fails", "killed", "not found", "not executable"],
)
def test_failing_pre_start_is_the_end_and_decides_the_code(pilot: StartPilot, command: list[str], code: int) -> None:
    config = {"preStart": command, "preStop": mark("preStop"), "postStop": mark("postStop")}

    started = pilot(config, mark("app"))

    assert started.wait_exit() == code
    assert started.words() == []


@pytest.mark.parametrize(
    ("hook", "app", "code"),
    [
        (sh("exit 9"), 0, 9),
        (sh("exit 9"), 3, 9),
        (sh("exit 0"), 3, 3),
        (["no-such-program"], 0, 127),
        (["/etc"], 0, 126),
        (sh("kill -KILL $$"), 0, 255),
    ],
    ids=["fails", "fails as the app did", "succeeds", "not found", "not executable", "killed"],
)
def test_failing_post_stop_decides_the_code(pilot: StartPilot, hook: list[str], app: int, code: int) -> None:
    assert pilot({"postStop": hook}, sh(f"exit {app}")).wait_exit() == code


@pytest.mark.parametrize("hook", [sh("exit 9"), ["no-such-program"], sh("kill -KILL $$")])
def test_failing_pre_stop_changes_nothing(pilot: StartPilot, hook: list[str]) -> None:
    started = pilot({"preStop": hook}, until_term(code=4))
    started.wait_for_mark("app")

    assert started.stop() == 4
    assert started.words() == ["app", "app-term"]


def test_post_stop_runs_also_when_the_app_could_not_start(pilot: StartPilot) -> None:
    started = pilot({"postStop": mark("postStop")}, ["no-such-program"])

    assert started.wait_exit() == 127
    assert started.words() == ["postStop"]


def test_hook_as_text_is_split_at_every_space(pilot: StartPilot) -> None:
    started = pilot({"preStart": "  printf <%s> a 'b  c'  "}, sh("exit 0"))

    assert started.wait_exit() == 0
    assert started.output() == "<a><'b><><c'>"


def test_hook_as_a_list_is_taken_as_it_is(pilot: StartPilot) -> None:
    started = pilot({"preStart": ["printf", "<%s>", "a b", "", 5, 1000000]}, sh("exit 0"))

    assert started.wait_exit() == 0
    assert started.output() == "<a b><><5><1000000>"


def test_output_of_hooks_and_app_is_passed_on_as_it_is(pilot: StartPilot) -> None:
    say = [sh(f"printf '  {word}\\r\\n\\001no end'; printf '{word} err' >&2") for word in ("pre", "app", "post")]

    started = pilot({"preStart": say[0], "postStop": say[2]}, say[1])

    assert started.wait_exit() == 0
    assert started.stdout_file.read_bytes() == b"".join(
        b"  %s\r\n\x01no end" % word for word in (b"pre", b"app", b"post")
    )
    assert started.errors() == "pre errapp errpost err"


def test_old_name_of_pre_start_works_with_a_warning(pilot: StartPilot) -> None:
    started = pilot({"onStart": mark("onStart")}, mark("app"))

    assert started.wait_exit() == 0
    assert started.words() == ["onStart", "app"]
    assert re.search("onStart.*deprecated", started.output())


def test_pre_start_wins_over_its_old_name(pilot: StartPilot) -> None:
    started = pilot({"onStart": mark("onStart"), "preStart": mark("preStart")}, mark("app"))

    assert started.wait_exit() == 0
    assert started.words() == ["preStart", "app"]


def test_hook_may_be_null(pilot: StartPilot) -> None:
    started = pilot({"preStart": None, "postStop": None}, sh("exit 6"))

    assert started.wait_exit() == 6


def test_empty_hook_is_refused(pilot: StartPilot) -> None:
    for hook in ("preStart", "preStop", "postStop"):
        started = pilot({hook: ""}, mark("app"))

        assert started.wait_exit() == 1
        assert f"Could not parse `{hook}`: received zero-length argument" in started.output()
        assert started.words() == []
