"""SIGUSR1: maintenance on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.system.pilot import settle
from tests.system.scripts import forever, mark, registered, service, sh, until_term

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot


def test_maintenance_takes_services_away_and_brings_them_back(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    started = pilot({"directory": str(shelf), "services": [service("one"), service("two")]}, forever())
    started.wait_for(lambda: registered(shelf, "one") and registered(shelf, "two"))

    started.signal("USR1")
    started.wait_for_line("Marking for maintenance: one")
    started.wait_for_line("Marking for maintenance: two")
    started.wait_for(lambda: not registered(shelf, "one") and not registered(shelf, "two"))
    settle(1.3)
    assert not registered(shelf, "one"), "a heartbeat brought it back"

    started.signal("USR1")
    started.wait_for(lambda: registered(shelf, "one") and registered(shelf, "two"))
    assert started.count("app") == 1


def test_maintenance_pauses_tasks_and_checks_but_not_app_and_coprocesses(pilot: StartPilot) -> None:
    config = {
        "directory": "shelf",
        "services": [service(health=mark("check"))],
        "tasks": [{"command": mark("task"), "frequency": "50ms"}],
        "coprocesses": [{"command": forever("co")}],
    }
    started = pilot(config, forever())
    started.wait_for_mark("check")
    started.wait_for_mark("task")

    started.signal("USR1")
    started.wait_for_line("Marking for maintenance: app")
    settle(0.2)
    tasks, checks = started.count("task"), started.count("check")
    settle(1.2)

    assert (started.count("task"), started.count("check")) == (tasks, checks)
    assert len(started.leftovers()) == 2, "the app and the coprocess"

    started.signal("USR1")
    started.wait_for_mark("task", tasks + 2)
    started.wait_for_mark("check", checks + 1)


def test_check_that_was_running_does_not_bring_a_service_back(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    slow = sh("mark check\nsleep 0.5\nmark passed")
    started = pilot({"directory": str(shelf), "services": [service(health=slow)]}, forever())
    started.wait_for(lambda: registered(shelf, "app"))
    started.wait_for_mark("check", 2)

    started.signal("USR1")
    started.wait_for(lambda: not registered(shelf, "app"))
    settle(1.2)

    assert not registered(shelf, "app")


def test_reload_does_not_end_maintenance(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    config = {"directory": str(shelf), "services": [service()]}
    started = pilot(config, forever())
    started.wait_for(lambda: registered(shelf, "app"))
    started.signal("USR1")
    started.wait_for(lambda: not registered(shelf, "app"))

    started.reload()
    settle(1.4)
    assert not registered(shelf, "app")

    started.signal("USR1")
    started.wait_for(lambda: registered(shelf, "app"))


def test_maintenance_during_pre_start_holds_until_it_is_taken_back(pilot: StartPilot, tmp_path: Path) -> None:
    """The probe of ContainerPilot 2: preStart sends SIGUSR1 to PID 1, later a second one comes."""
    shelf = tmp_path / "shelf"
    config = {"directory": str(shelf), "services": [service()], "preStart": sh("kill -USR1 1; sleep 0.2")}
    started = pilot(config, forever(), init=True)
    started.wait_for_mark("app")
    settle(1.4)
    assert not registered(shelf, "app")

    started.signal("USR1")

    started.wait_for(lambda: registered(shelf, "app"))


def test_stop_in_maintenance_is_an_ordinary_one(pilot: StartPilot) -> None:
    config = {"directory": "shelf", "services": [service()], "preStop": mark("preStop")}
    started = pilot(config, until_term(code=3))
    started.wait_for_mark("app")
    started.signal("USR1")
    started.wait_for_line("Marking for maintenance: app")

    assert started.stop() == 3
    assert started.words() == ["app", "preStop", "app-term"]
