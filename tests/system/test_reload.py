"""SIGHUP: what a new configuration replaces, and what it leaves alone."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.system.pilot import RELOADING, now, settle
from tests.system.scripts import forever, mark, registered, service, sh, until_term

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot


@pytest.mark.smoke
def test_reload_replaces_everything_but_the_app_and_pre_start(pilot: StartPilot) -> None:
    def config(version: str) -> dict[str, Any]:
        return {
            **{hook: mark(f"{hook}-{version}") for hook in ("preStart", "preStop", "postStop")},
            "coprocesses": [{"name": "co", "command": until_term(f"co-{version}")}],
            "tasks": [{"name": "task", "command": mark(f"task-{version}"), "frequency": "50ms"}],
        }

    started = pilot(config("old"), until_term())
    started.wait_for_mark("app")
    started.wait_for_mark("co-old")
    started.wait_for_mark("task-old")

    started.reload(config("new"))
    started.wait_for_mark("co-old-term")
    started.wait_for_mark("co-new")
    started.wait_for_mark("task-new", 2)
    old_tasks = started.count("task-old")
    started.wait_for_mark("task-new", 4)

    assert started.count("task-old") == old_tasks
    assert started.stop() == 0
    order = [word for word in started.words() if not word.startswith(("task", "co"))]
    assert order == ["preStart-old", "app", "preStop-new", "app-term", "postStop-new"]


def test_new_stop_timeout_counts(pilot: StartPilot) -> None:
    started = pilot({"stopTimeout": 600}, sh("trap '' TERM\nmark app\nexec sleep 1000"))
    started.wait_for_mark("app")

    started.reload({"stopTimeout": 1})

    assert started.stop() == 137


BROKEN = {
    "no JSON": ("{", "Parse error at line:col"),
    "an unknown key": ('{"coproceses": []}', "coproceses"),
    "a bad template": ('{"preStop": "{{ .NO "}', "Could not apply template to config"),
    "a bad value": ('{"tasks": [{"command": "true", "frequency": "1ns"}]}', "Frequency 1ns cannot be less that 1ms"),
    "a task without a command": ('{"tasks": [{"command": "", "frequency": "1s"}]}', "received zero-length argument"),
    "a bad timeout": ('{"tasks": [{"command": "true", "frequency": "1s", "timeout": "xx"}]}', "invalid duration xx"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_configuration_that_does_not_load_changes_nothing(pilot: StartPilot, fault: str) -> None:
    text, complaint = BROKEN[fault]
    config = {"preStop": mark("preStop"), "coprocesses": [{"command": forever("co")}]}
    started = pilot(config, until_term())
    started.wait_for_mark("co")
    started.wait_for_mark("app")

    started.reload(text)

    line = started.wait_for_line("Error initializing config: ")
    started.wait_for(lambda: complaint in started.output()[line.start() :], what=complaint)
    assert started.stop() == 0
    assert started.count("co") == 1
    assert started.words()[-2:] == ["preStop", "app-term"]


def test_configuration_file_that_is_gone_changes_nothing(pilot: StartPilot) -> None:
    started = pilot({}, until_term())
    started.wait_for_mark("app")
    (started.folder / "config.json").unlink()

    started.reload()

    started.wait_for_line("Error initializing config: Could not read config file: .*no such file or directory")
    assert started.stop() == 0


def test_repaired_configuration_is_taken(pilot: StartPilot) -> None:
    started = pilot({}, until_term())
    started.wait_for_mark("app")
    started.reload("invalid")
    started.wait_for_line("Error initializing config: ")

    started.reload({"coprocesses": [{"command": forever("co")}]})

    started.wait_for_mark("co")


def test_services_stay_registered_while_the_new_configuration_is_broken(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    started = pilot({"directory": str(shelf), "services": [service()]}, forever())
    before = renewals(started, shelf)

    started.reload("{")
    started.wait_for_line("Error initializing config: ")

    started.wait_for(lambda: renewals(started, shelf) > before, what="another heartbeat")


def test_services_are_the_new_ones_after_a_reload(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    started = pilot({"directory": str(shelf), "services": [service("old")]}, forever())
    started.wait_for(lambda: registered(shelf, "old"))

    started.reload({"directory": str(shelf), "services": [service("new")]})

    started.wait_for(lambda: not registered(shelf, "old"), what="the old one's deregistration")
    started.wait_for(lambda: registered(shelf, "new"))


def test_inline_configuration_is_rendered_again(pilot: StartPilot) -> None:
    # CONTAINERPILOT_APP_IP is exported by the first load, so that the second one sees it.
    text = {
        "directory": "shelf",
        "services": [service()],
        "coprocesses": [{"command": mark("ip:{{ .CONTAINERPILOT_APP_IP }}")}],
    }
    started = pilot(json.dumps(text), forever())
    started.wait_for_mark("ip:")

    started.reload()

    started.wait_for_mark("ip:127.0.0.1")


def test_reload_during_pre_start_is_in_force_once_afterwards(pilot: StartPilot) -> None:
    """The integration scenario of ContainerPilot 2: preStart corrects the configuration and sends SIGHUP to PID 1."""
    good = {"preStart": "true", "coprocesses": [{"command": mark("co-good")}]}
    correct = sh(
        "mark preStart\nmv good.json config.json\nkill -HUP 1\n"
        f"until grep -q '{RELOADING}' stdout; do sleep 0.02; done\nsleep 0.2"
    )
    (pilot.folder() / "good.json").write_text(json.dumps(good))
    started = pilot({"preStart": correct, "coprocesses": [{"command": mark("co-bad")}]}, forever(), init=True)

    started.wait_for_mark("app")
    started.wait_for_mark("co-good")
    settle(0.3)

    assert sorted(started.words()) == ["app", "co-good", "preStart"]


def test_hundreds_of_reloads_lose_nothing(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    config = {
        "directory": str(shelf),
        "services": [service()],
        "coprocesses": [{"name": "co", "command": forever("co"), "restarts": "unlimited"}],
    }
    started = pilot(config, forever())
    started.wait_for(lambda: registered(shelf, "app"))
    gaps = random.Random(1)

    for _ in range(300):
        started.signal("HUP")
        settle(gaps.uniform(0, 0.02))

    started.wait_for(lambda: registered(shelf, "app"))
    quiet_since = now()
    started.wait_for(lambda: now() - quiet_since > 1.5)
    assert registered(shelf, "app")
    assert [len(started.leftovers()), started.count("app")] == [2, 1], "the app and one coprocess"
    assert started.stop() == 143


def test_reload_of_a_hanging_coprocess_is_done_after_stop_timeout(pilot: StartPilot) -> None:
    deaf = sh("trap '' TERM\nmark co-old\nexec sleep 1000")
    started = pilot({"stopTimeout": 1, "coprocesses": [{"name": "co", "command": deaf}]}, forever())
    started.wait_for_mark("co-old")

    started.reload({"stopTimeout": 1, "coprocesses": [{"name": "co", "command": forever("co-new")}]})

    started.wait_for_mark("co-new")
    assert len(started.leftovers()) == 2


def test_reload_does_not_wait_for_a_hanging_check(pilot: StartPilot, tmp_path: Path) -> None:
    hanging = service(health=forever("check"))
    started = pilot({"stopTimeout": 1, "directory": "shelf", "services": [hanging]}, forever())
    started.wait_for_mark("check")

    started.reload({"coprocesses": [{"command": mark("co")}]})

    started.wait_for_mark("co")
    started.wait_for(lambda: len(started.leftovers()) == 1, what="the end of the check")


def test_stop_during_a_reload_wins(pilot: StartPilot) -> None:
    slow = sh("trap 'mark co-term; sleep 0.3; exit 0' TERM\nmark co\nsleep 1000 &\nwait")
    started = pilot({"coprocesses": [{"name": "co", "command": slow}]}, until_term())
    started.wait_for_mark("co")
    started.wait_for_mark("app")
    started.reload({"coprocesses": [{"name": "co", "command": mark("never")}]})
    started.wait_for_mark("co-term")

    assert started.stop() == 0

    assert started.count("never") == 0
    started.assert_nothing_is_left()


def test_reload_during_a_reload_waits_its_turn(pilot: StartPilot) -> None:
    slow = sh("trap 'mark co-term; sleep 0.3; exit 0' TERM\nmark co\nsleep 1000 &\nwait")
    started = pilot({"coprocesses": [{"name": "co", "command": slow}]}, until_term())
    started.wait_for_mark("co")
    started.reload({"coprocesses": [{"name": "co", "command": forever("second")}]})
    started.wait_for_mark("co-term")

    started.configure({"coprocesses": [{"name": "co", "command": forever("third")}]})
    started.signal("HUP")

    started.wait_for_mark("third")
    started.wait_for(lambda: len(started.children()) == 2, what="the app and one coprocess")
    assert started.output().count(RELOADING) == 2


def test_app_that_ends_during_a_reload_ends_everything(pilot: StartPilot) -> None:
    slow = sh("trap 'mark co-term; sleep 0.3; exit 0' TERM\nmark co\nsleep 1000 &\nwait")
    app = sh("until grep -q co-term $MARKS; do sleep 0.02; done\nexit 4")
    started = pilot({"coprocesses": [{"name": "co", "command": slow}], "postStop": mark("postStop-old")}, app)
    started.wait_for_mark("co")

    started.reload({"coprocesses": [{"name": "co", "command": mark("never")}]})

    assert started.wait_exit() == 4
    assert started.count("never") == 0
    started.assert_nothing_is_left()


def test_configuration_from_standard_input_can_be_reloaded(pilot: StartPilot) -> None:
    reader, writer = os.pipe()
    os.write(writer, json.dumps({"coprocesses": [{"command": mark("co")}]}).encode())
    os.close(writer)
    started = pilot(None, ["-config", "-", *until_term(code=3)], stdin=reader)
    os.close(reader)
    started.wait_for_mark("co")

    started.reload()

    started.wait_for_mark("co", 2)
    assert started.stop() == 3


def test_logging_of_the_new_configuration_is_used(pilot: StartPilot) -> None:
    config = {"coprocesses": [{"command": ["echo", "words"]}]}
    started = pilot(config, forever())
    started.wait_for_line(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d words$")

    started.reload({**config, "logging": {"format": "json"}})
    started.wait_for_line(r'^\{.*"msg":"words".*\}$')

    started.reload(config)
    started.wait_for(lambda: len([line for line in started.output().splitlines() if line.endswith(" words")]) == 2)


def renewals(started: Pilot, shelf: Path) -> float:
    """The time at which the service's entry was last written."""
    files = started.wait_for(lambda: list(shelf.rglob("app*.json")), what="the registration")
    return max(file.stat().st_mtime for file in files)
