"""The next run gets all changes of a watch that come while its job runs, in both dialects."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.control import SOCKET
from tests.system.scripts import forever, sh

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

# Runs until it may go on.
TELL = sh(
    'mark "{\\"all\\":$CONTAINERPILOT_WATCH_INSTANCES,'
    '\\"added\\":$CONTAINERPILOT_WATCH_ADDED,\\"removed\\":$CONTAINERPILOT_WATCH_REMOVED}"; '
    "until [ -e go ]; do sleep 0.02; done; rm go"
)


class Folder:
    """A folder of instances of the service `db`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir()

    def put(self, id: str) -> None:
        content = {"id": id, "name": "db", "address": "10.0.0.1", "port": ord(id), "tags": [], "status": "passing"}
        beside = self._path / ".new"
        beside.write_text(json.dumps({**content, "output": "", "ttl": 15, "deadline": 9_999_999_999}))
        beside.replace(self._path / f"{id}.json")

    def remove(self, id: str) -> None:
        (self._path / f"{id}.json").unlink()


def jobs_dialect(folder: str) -> dict[str, Any]:
    tell = {"name": "tell", "exec": TELL, "when": {"source": "watch.db", "each": "changed"}}
    watches = [{"name": "db", "interval": 1}]
    return {"control": {"socket": SOCKET}, "directory": folder, "jobs": [tell], "watches": watches}


def services_dialect(folder: str) -> dict[str, Any]:
    backends = [{"name": "db", "poll": 1, "onChange": TELL}]
    return {"dialect": "services", "control": {"socket": SOCKET}, "directory": folder, "backends": backends}


def wait_for_change(started: Pilot, number: int) -> None:
    """Waits until the watch has reported this number of changes."""

    def seen() -> bool:
        events = started.ask("GET", "/v3/events").json["events"]
        return [(event["code"], event["source"]) for event in events].count(("changed", "watch.db")) >= number

    started.wait_for(seen, what=f"{number} changes")


def received(started: Pilot, run: int) -> str:
    """The instances and changes that this run got, such as `abc +b -x`."""

    def lists() -> list[dict[str, Any]]:
        found = [json.loads(word) for word in started.words() if word.startswith("{")]
        return found[run - 1 : run]

    found = started.wait_for(lists, what=f"run {run}")[0]
    listed, added, removed = ("".join(each["id"] for each in found[key]) for key in ("all", "added", "removed"))
    return f"{listed} +{added} -{removed}"


def go(started: Pilot) -> None:
    (started.folder / "go").touch()
    started.wait_for(lambda: not (started.folder / "go").exists(), what="the end of the run")


@pytest.mark.parametrize("dialect", ["jobs", "services"])
def test_the_next_run_gets_all_changes_during_a_run(pilot: StartPilot, tmp_path: Path, dialect: str) -> None:
    folder = Folder(tmp_path / "catalogue")
    folder.put("a")
    folder.put("x")
    config = (jobs_dialect if dialect == "jobs" else services_dialect)(str(tmp_path / "catalogue"))
    started = pilot(config, forever() if dialect == "services" else ())
    assert received(started, 1) == "ax +ax -"

    folder.put("b")
    wait_for_change(started, 2)
    folder.remove("x")
    wait_for_change(started, 3)
    folder.put("c")
    wait_for_change(started, 4)
    go(started)
    assert received(started, 2) == "abc +bc -x"

    folder.remove("a")
    wait_for_change(started, 5)
    if dialect == "jobs":
        config["jobs"].append({"name": "new", "exec": "true"})
        started.configure(config)
        assert started.run("-reload").code == 0
    go(started)
    assert received(started, 3) == "bc + -a"


def test_a_reload_that_ends_the_run_loses_no_change(pilot: StartPilot, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "catalogue")
    folder.put("a")
    config = services_dialect(str(tmp_path / "catalogue"))
    started = pilot(config, forever())
    assert received(started, 1) == "a +a -"

    folder.put("b")
    wait_for_change(started, 2)
    started.reload()
    assert received(started, 2) == "ab +b -"

    folder.remove("a")
    wait_for_change(started, 3)
    go(started)
    assert received(started, 3) == "b + -a"


@pytest.mark.parametrize("dialect", ["jobs", "services"])
def test_jobs_shows_a_working_watch_after_a_reload_that_changes_the_catalogue(
    pilot: StartPilot, tmp_path: Path, dialect: str
) -> None:
    for path in ("first", "second"):
        Folder(tmp_path / path).put(path[0])
    configure = jobs_dialect if dialect == "jobs" else services_dialect
    started = pilot(configure(str(tmp_path / "first")), forever() if dialect == "services" else ())
    assert received(started, 1) == "f +f -"

    def about() -> str:
        (watch,) = started.ask("GET", "/v3/jobs").json["watches"]
        return f"{watch['instances']} {watch['about']}"

    assert about() == "1 up to date"
    started.configure(configure(str(tmp_path / "second")))
    assert started.run("-reload").code == 0
    go(started)
    assert received(started, 2) == "s +s -f"

    assert about() == "1 up to date"
    rows = started.run("-jobs").stdout.splitlines()
    assert any(re.match(r"db +1 +\d+s  up to date$", row) for row in rows)
    assert rows[-1] == f"catalogue: directory at {tmp_path / 'second'}, reachable"


@pytest.mark.parametrize("dialect", ["jobs", "services"])
def test_jobs_shows_the_watch_and_the_catalogue(pilot: StartPilot, tmp_path: Path, dialect: str) -> None:
    folder = Folder(tmp_path / "catalogue")
    config = (jobs_dialect if dialect == "jobs" else services_dialect)(str(tmp_path / "catalogue"))
    started = pilot(config, forever() if dialect == "services" else ())

    def rows() -> list[str]:
        return started.run("-jobs").stdout.splitlines()

    started.wait_for(lambda: "db             0      -  up to date" in rows(), what="an empty watch")
    folder.put("a")
    started.wait_for(lambda: any(re.match(r"db +1 +\d+s  up to date$", row) for row in rows()), what="one instance")
    assert rows()[-2:] == ["", f"catalogue: directory at {tmp_path / 'catalogue'}, reachable"]

    (tmp_path / "catalogue").rename(tmp_path / "away")
    (tmp_path / "catalogue").write_text("no folder")
    started.wait_for(lambda: re.match(r"db +1 +\d+s  no answer since \S+: ", rows()[-3]), what="an outage of the watch")
    assert re.match(r"catalogue: directory at \S+, unreachable since \S+: ", rows()[-1])
