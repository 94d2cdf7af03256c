"""Backends: services of others, watched in the directory catalogue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.system.scripts import forever, mark, service, sh

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.system.pilot_fixtures import StartPilot


def watching(shelf: Path, on_change: list[str], name: str = "web", **more: Any) -> dict[str, Any]:
    return {"directory": str(shelf), "backends": [{"name": name, "poll": 1, "onChange": on_change, **more}]}


def serving(shelf: Path, name: str = "web", **more: Any) -> dict[str, Any]:
    return {"directory": str(shelf), "services": [service(name, **more)]}


@pytest.mark.smoke
def test_one_container_learns_of_another(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    watcher = pilot(watching(shelf, mark("changed")), forever())
    watcher.wait_for_mark("app")

    web = pilot(serving(shelf), forever())
    watcher.wait_for_mark("changed")

    web.stop()

    watcher.wait_for_mark("changed", 2)
    assert watcher.count("changed") == 2


def test_instances_that_are_there_already_are_news_at_the_first_look(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    web = pilot(serving(shelf), forever())
    web.wait_for(lambda: list(shelf.glob("web*.json")), what="the registration")

    watcher = pilot(watching(shelf, mark("changed")), forever())

    app = watcher.wait_for_mark("app").at
    assert watcher.wait_for_mark("changed").at - app > 0.8, "the first look comes after one interval"


def test_command_gets_the_changes(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    tell = sh('mark "$CONTAINERPILOT_WATCH $CONTAINERPILOT_WATCH_INSTANCES"')
    watcher = pilot(watching(shelf, tell), ["sleep", "1000"])

    pilot(serving(shelf, tags=["blue"], interfaces="static:10.1.2.3"), forever())

    watcher.wait_for(watcher.words)
    name, _, instances = watcher.words()[0].partition(" ")
    [instance] = json.loads(instances)
    assert name == "web"
    assert (instance["address"], instance["port"], instance["tags"]) == ("10.1.2.3", 8000, ["blue"])


@pytest.mark.parametrize("script", ["exit 3", "exec sleep 1000"], ids=["fails", "hangs"])
def test_failing_command_is_not_repeated_and_the_next_change_runs_it(
    pilot: StartPilot, tmp_path: Path, script: str
) -> None:
    shelf = tmp_path / "shelf"
    watcher = pilot(watching(shelf, mark("changed", script), timeout="2s"), forever())
    watcher.wait_for_mark("app")
    web = pilot(serving(shelf), forever())
    watcher.wait_for_mark("changed")
    web.wait_for_mark("app")

    web.stop()

    watcher.wait_for_mark("changed", 2)
    assert ("web.onChange timeout after 2s" in watcher.output()) == ("sleep" in script)


def test_only_instances_with_the_tag_count(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    config = {
        "directory": str(shelf),
        "backends": [
            {"name": "web", "poll": 1, "onChange": mark(tag), "tag": tag, "mode": "poll"} for tag in ("blue", "green")
        ],
    }
    watcher = pilot(config, forever())
    watcher.wait_for_mark("app")

    pilot(serving(shelf, tags=["blue"]), forever())
    watcher.wait_for_mark("blue")
    pilot(serving(shelf, name="other", tags=["green"]), forever())
    watcher.wait_for(lambda: list(shelf.glob("other*.json")), what="the other's registration")

    assert watcher.count("green") == 0


def test_reload_does_not_report_known_instances(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    config = watching(shelf, mark("changed"))
    watcher = pilot(config, forever())
    pilot(serving(shelf), forever())
    watcher.wait_for_mark("changed")

    watcher.reload({**config, "tasks": [{"command": mark("task"), "frequency": "1s"}]})
    watcher.wait_for_mark("task", 2)

    assert watcher.count("changed") == 1


def test_nothing_changes_in_maintenance(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    config = {**watching(shelf, mark("changed")), "services": [service("me")]}
    watcher = pilot(config, forever())
    watcher.wait_for_mark("app")
    watcher.signal("USR1")
    watcher.wait_for_line("Marking for maintenance: me")

    web = pilot(serving(shelf), forever())
    web.wait_for(lambda: list(shelf.glob("web*.json")), what="the registration")
    assert watcher.count("changed") == 0

    watcher.signal("USR1")

    watcher.wait_for_mark("changed")
