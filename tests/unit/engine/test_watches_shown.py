"""The state of watches as operators see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cp.catalog.protocol import Instance
from cp.plan import DirectorySettings
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import app, backend, job, watch

FOLDER = DirectorySettings(path="/catalogue")
A, B = Instance("a", "10.0.0.1", 80), Instance("b", "10.0.0.2", 80)


def shown(world: JobsWorld) -> list[dict[str, Any]]:
    overview: Any = world.admin.overview()
    return list(overview["watches"])


def one(world: JobsWorld) -> tuple[Any, ...]:
    (found,) = shown(world)
    return found["instances"], found["seconds"], found["about"]


def report(world: JobsWorld, *instances: Any) -> None:
    world.discovery.watchers["db"].memory = list(instances)
    world.report("db", *instances)


def test_instances_and_when_they_changed() -> None:
    world = JobsWorld(job("app"), watches=(watch(),), catalog=FOLDER).start()
    assert one(world) == (None, None, "not asked yet")
    world.engine.catalog_status.answered("watch.db")
    assert one(world) == (0, None, "up to date")
    report(world, A, B)
    world.advance(12)
    assert one(world) == (2, 12.0, "up to date")
    (found,) = shown(world)
    assert (found["name"], found["source"], found["tag"], found["datacenter"]) == ("db", "watch.db", "", "")


def test_a_watch_without_an_answer_says_since_when_and_why() -> None:
    world = JobsWorld(job("app"), watches=(watch(),), catalog=FOLDER).start()
    report(world, A)
    world.engine.catalog_status.failed("watch.db", "connection refused", False)
    count, _, about = one(world)
    assert count == 1
    assert about.startswith("no answer since ")
    assert about.endswith("Z: connection refused")
    world.engine.catalog_status.answered("watch.db")
    assert one(world)[2] == "up to date"


def test_a_watch_is_not_shown_as_up_to_date_while_others_get_no_answer() -> None:
    world = JobsWorld(job("app"), watches=(watch(), watch("web")), catalog=FOLDER).start()
    facts = world.engine.catalog_status
    report(world, A)
    facts.answered("watch.db")
    facts.failed("registration", "timed out", False)
    db, web = shown(world)
    assert db["about"].startswith("perhaps out of date; catalogue: unreachable since ")
    assert (db["instances"], web["about"]) == (1, "not asked yet")

    facts.answered("registration")
    assert shown(world)[0]["about"] == "up to date"
    call = facts.awaited.begin("registration")
    world.advance(3)
    assert shown(world)[0]["about"].startswith("perhaps out of date; catalogue: no answer since ")
    facts.awaited.end(call)
    facts.failed("registration", "permission denied", True)
    assert shown(world)[0]["about"] == "up to date", "a refusal is an answer"


def test_all_watches_are_shown_after_one_look_at_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at all of them for each would cost a second where there are thousands."""
    world = JobsWorld(job("app"), watches=(watch(), watch("web"), watch("cache")), catalog=FOLDER).start()
    awaited, looks = world.engine.catalog_status.awaited, 0
    look = awaited.overdue

    def counted(patience: Callable[[str], float]) -> dict[str, float]:
        nonlocal looks
        looks += 1
        return look(patience)

    monkeypatch.setattr(awaited, "overdue", counted)
    assert len(shown(world)) == 3
    assert looks == 1


def test_a_watch_that_has_not_begun_shows_the_reason() -> None:
    waits = watch().replace(starts_on=("exitSuccess", "preStart"))
    world = JobsWorld(job("app"), watches=(waits,), catalog=FOLDER).start()
    assert one(world) == (None, None, "waits for exitSuccess of preStart")
    world.publish("exitSuccess", "preStart")
    assert one(world)[2] == "not asked yet"


def test_watches_work_on_after_a_reload_that_changes_the_catalogue() -> None:
    waits = watch("web").replace(starts_on=("exitSuccess", "preStart"))
    world = JobsWorld(job("app"), watches=(watch(), waits), catalog=FOLDER).start()
    report(world, A)
    for path in ("/other", "/third"):
        world.reload(job("app"), watches=(watch(), waits), catalog=DirectorySettings(path=path))
        waiting = (None, "waits for exitSuccess of preStart")
        assert [(each["instances"], each["about"]) for each in shown(world)] == [(None, "not asked yet"), waiting]
        world.engine.catalog_status.answered("watch.db")
        report(world, A, B)
        assert [(each["instances"], each["about"]) for each in shown(world)] == [(2, "up to date"), waiting]
    world.maintenance(True)
    assert shown(world)[0]["about"] != "ended"
    world.terminate()
    assert [each["about"] for each in shown(world)] == ["ended"] * 2


def test_watches_have_ended_in_a_stop() -> None:
    waits = watch("web").replace(starts_on=("exitSuccess", "preStart"))
    world = JobsWorld(job("app"), watches=(watch(), waits), catalog=FOLDER).start()
    report(world, A)
    world.processes.running("app")[-1].polite = False
    world.terminate()
    assert world.state("app") == "terminating"
    assert [(each["instances"], each["about"]) for each in shown(world)] == [(None, "ended")] * 2


def test_a_watch_that_maintenance_pauses_says_so() -> None:
    followed, handler = backend()
    world = JobsWorld(app(), handler, watches=(followed,), catalog=FOLDER).start()
    report(world, A)
    world.maintenance(True)
    assert one(world)[::2] == (1, "paused in maintenance")
    world.maintenance(False)
    assert one(world)[::2] == (1, "up to date")


def test_a_watch_that_a_reload_changes_begins_again() -> None:
    world = JobsWorld(job("app"), watches=(watch(),), catalog=FOLDER).start()
    report(world, A)
    world.engine.catalog_status.answered("watch.db")
    world.reload(job("app"), watches=(watch(tag="x"), watch("other")), catalog=FOLDER)
    assert [(each["name"], each["tag"], each["instances"], each["about"]) for each in shown(world)] == [
        ("db", "x", None, "not asked yet"),
        ("other", "", None, "not asked yet"),
    ]
