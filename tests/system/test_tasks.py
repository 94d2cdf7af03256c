"""Tasks: run again and again, one at a time, no longer than they may."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.system.pilot import settle
from tests.system.scripts import forever, mark, sh, until_term

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot


@pytest.mark.timing
def test_task_runs_at_its_frequency_and_not_before(pilot: StartPilot) -> None:
    started = pilot({"preStart": mark("start"), "tasks": [{"command": mark("task"), "frequency": "100ms"}]}, forever())

    tenth = started.wait_for_mark("task", 10).at

    start, first = started.marks()[0].at, started.wait_for_mark("task").at
    assert first - start > 0.08, "the first run comes after one interval"
    assert 0.7 < tenth - first < 2.5


@pytest.mark.timing
def test_task_is_killed_at_its_timeout(pilot: StartPilot) -> None:
    dots = sh("mark task\nfor _ in 1 2 3 4 5 6 7 8 9 10; do mark dot; sleep 0.2; done")
    task = {"name": "dots", "command": dots, "frequency": "900ms", "timeout": "500ms"}
    started = pilot({"tasks": [task]}, forever())

    started.wait_for_mark("task", 3)

    first_two_runs = started.words()[: last_index(started.words(), "task")]
    assert 4 <= first_two_runs.count("dot") <= 6, "two or three in each run of half a second"
    started.wait_for_line(r"task\[dots\] timeout after 500ms: ")
    started.wait_for_line(r"killing command for task\[dots\]")


def test_timeout_of_a_task_defaults_to_its_frequency(pilot: StartPilot) -> None:
    started = pilot({"tasks": [{"name": "slow", "command": forever("task"), "frequency": "200ms"}]}, forever())

    started.wait_for_mark("task", 3)

    assert "task[slow] timeout after 200ms" in started.output()


@pytest.mark.timing
def test_quick_slow_and_hopeless_task_side_by_side(pilot: StartPilot) -> None:
    """The integration scenario of ContainerPilot 2, five times as fast."""
    tasks = [
        {"name": "task1", "command": mark("task1"), "frequency": "100ms"},
        {"name": "task2", "command": sh("mark task2\nexec sleep 2"), "frequency": "300ms"},
        {"name": "task3", "command": sh("mark task3\nexec sleep 2"), "frequency": "300ms", "timeout": "20ms"},
    ]
    started = pilot({"tasks": tasks}, forever())

    started.wait_for_mark("task3", 3)
    started.wait_for_mark("task2", 2)

    started.wait_for(lambda: started.output().count("task[task3] timeout after 20ms") >= 3)
    assert started.count("task1") > started.count("task3")
    assert "task[task1] timeout" not in started.output()
    assert started.output().count("task[task2] timeout after 300ms") in (
        started.count("task2") - 1,
        started.count("task2"),
    )


@pytest.mark.timing
def test_task_does_not_overlap_with_itself(pilot: StartPilot) -> None:
    slow = sh("mark begin\nsleep 0.25\nmark end")
    started = pilot({"tasks": [{"command": slow, "frequency": "50ms", "timeout": "10s"}]}, ["sleep", "1000"])

    started.wait_for_mark("begin", 4)

    words = started.words()
    assert words == ["begin", "end"] * (len(words) // 2) + ["begin"] * (len(words) % 2)
    begins = [one.at for one in started.marks() if one.word == "begin"]
    assert begins[3] - begins[0] < 3, "a run that is due follows at once"


def test_failing_task_runs_again_and_says_nothing(pilot: StartPilot) -> None:
    started = pilot({"tasks": [{"command": mark("task", "exit 3"), "frequency": "50ms", "timeout": "20s"}]}, forever())

    started.wait_for_mark("task", 3)

    assert started.output() == ""


def test_task_that_cannot_start_is_reported_and_tried_again(pilot: StartPilot) -> None:
    started = pilot({"tasks": [{"name": "lost", "command": "no-such-program", "frequency": "50ms"}]}, forever())

    started.wait_for(lambda: len(re.findall(r"task\[lost\].*executable file not found", started.output())) >= 3)

    assert started.is_running()


def test_timeout_takes_the_whole_group_of_a_task(pilot: StartPilot) -> None:
    family = sh("sleep 1000 &\nsleep 1000 &\nmark task\nwait")
    started = pilot({"tasks": [{"command": family, "frequency": "3s", "timeout": "200ms"}]}, forever())
    started.wait_for_mark("task")

    started.wait_for_line("killing command for task")

    started.wait_for(lambda: len(started.leftovers()) == 1, what="only the app to be left")


def test_task_that_runs_is_ended_by_a_stop(pilot: StartPilot) -> None:
    task = {"command": until_term("task"), "frequency": "50ms", "timeout": "1h"}
    started = pilot({"stopTimeout": 600, "tasks": [task]}, until_term())
    started.wait_for_mark("task")
    started.wait_for_mark("app")

    assert started.stop() == 0

    assert started.count("task") == 1
    started.assert_nothing_is_left()


def test_task_that_is_not_running_is_not_killed_by_a_stop(pilot: StartPilot) -> None:
    started = pilot({"tasks": [{"command": mark("task"), "frequency": "200ms", "timeout": "20s"}]}, until_term())
    started.wait_for_mark("task", 2)
    settle(0.05)

    started.stop()

    assert "killing command" not in started.output()


def test_output_of_a_task_is_logged(pilot: StartPilot) -> None:
    config = {
        "logging": {"format": "text"},
        "tasks": [{"name": "say", "command": ["echo", "some text"], "frequency": "50ms"}],
    }
    started = pilot(config, forever())

    started.wait_for_line(r'level=info msg="some text" process=task task=say\s*$')


def last_index(words: list[str], word: str) -> int:
    return len(words) - 1 - words[::-1].index(word)
