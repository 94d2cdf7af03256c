"""The events that are kept: what comes all the time does not push out what comes seldom."""

from __future__ import annotations

from cp.engine.events import CHANGE, CHECK, Event
from cp.engine.history import KEPT, KEPT_CHANGES, KEPT_CHECKS, KEPT_SUCCESSES, MOST_NAMES, History
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import app, check, every, job, once, service
from tests.unit.engine.world import World


def lines(world: World, name: str = "") -> list[str]:
    return [f"{entry.code} {entry.source}" for entry in world.history.entries(name)]


def test_heartbeats_push_nothing_out() -> None:
    checked = [job(f"app{number}", health=check(f"app{number}")) for number in range(5)]
    world = JobsWorld(*checked, job("prepare"))
    world.processes.termination["check"] = (0.1, 0)
    world.start()
    world.exit("prepare", 3)
    world.advance(600)
    kept = lines(world)
    assert kept[0] == "startup global"
    assert {"exitFailed prepare", "error prepare: exit status 3", "healthy app0", "healthy app4"} <= set(kept)
    assert sum(line.startswith("exitSuccess check.") for line in kept) <= KEPT_CHECKS


def test_heartbeats_of_the_services_dialect_push_nothing_out() -> None:
    world = World(app(), service("check"))
    world.processes.termination["check"] = (0.1, 0)
    world.start().advance(1000)
    assert lines(world)[:2] == ["startup global", "healthy web"]


def test_changes_of_health_are_kept_apart_from_checks_that_change_nothing() -> None:
    world = JobsWorld(job("app", health=check("app")), job("other", health=check("other", "other-check")))
    world.processes.termination |= {"check": (0.1, 0), "other-check": (0.1, 0)}
    world.start().advance(10)
    for code, seconds in ((3, 5), (0, 5), (1, 300)):
        world.processes.termination["check"] = (0.1, code)
        world.advance(seconds)
    changes = [line for line in lines(world) if line in ("healthy app", "unhealthy app")]
    assert changes[:4] == ["healthy app", "unhealthy app", "healthy app", "unhealthy app"]


def test_a_failing_check_pushes_nothing_out_either() -> None:
    world = JobsWorld(job("app", health=check("app")))
    world.processes.termination["check"] = (0.1, 3)
    world.start().advance(1000)
    assert lines(world)[:2] == ["startup global", "unhealthy app"]


def test_periodic_jobs_push_nothing_out() -> None:
    """The first success is kept with the rest, and so is one after a failure."""
    world = JobsWorld(job("tick", every(1), restarts=None), job("app"))
    world.processes.termination["tick"] = (0.1, 0)
    world.start().advance(500)
    world.processes.termination["tick"] = (0.1, 1)
    world.advance(1)
    world.processes.termination["tick"] = (0.1, 0)
    world.advance(500)
    assert lines(world)[:4] == ["startup global", "exitSuccess tick", "exitFailed tick", "error tick: exit status 1"]
    assert lines(world)[4] == "exitSuccess tick"


def test_entries_are_in_the_order_of_the_events() -> None:
    world = JobsWorld(job("app", health=check("app")), job("tick", every(0.7), restarts=None))
    world.processes.termination |= {"check": (0.1, 0), "tick": (0.1, 0)}
    world.start().advance(30)
    numbers = [entry.number for entry in world.history.entries()]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == world.history.number


def test_events_of_one_job_are_its_checks_and_errors_too() -> None:
    world = JobsWorld(
        job("app", health=check("app")), job("late", once("exitFailed", "app")), job("idle", command=None)
    )
    world.processes.termination["check"] = (0.1, 3)
    world.processes.missing.add("late")
    world.start().advance(1.5)
    world.exit("app", 1)
    assert lines(world, "app") == [
        "exitFailed check.app",
        "error check.app: exit status 3",
        "unhealthy app",
        "exitFailed app",
        "error app: exit status 1",
        "stopping app",
        "stopped app",
    ]
    assert lines(world, "late")[:2] == ["exitFailed late", 'error exec: "late": executable file not found in $PATH']
    assert lines(world, "global") == ["startup global"]


def test_jobs_of_one_name_have_their_own_events() -> None:
    first = job("app", health=check("app"))
    second = first.replace(name="app#2", source="app", command=("second",), health=(check("app", "second-check"),))
    world = JobsWorld(first, second)
    world.processes.termination |= {"check": (0.1, 0), "second-check": (0.1, 1)}
    world.start().advance(1.5)
    world.exit("second", 3)
    assert "healthy app" in lines(world, "app")
    assert "exitFailed app" not in lines(world, "app")
    assert {"unhealthy app", "exitFailed app", "error app: exit status 3"} <= set(lines(world, "app#2"))
    assert "healthy app" not in lines(world, "app#2")


def test_each_kind_has_its_limit() -> None:
    history = History(lambda: 0.0)
    for number in range(1000):
        history.record(Event("healthy", f"check{number}", kind=CHECK))
        history.record(Event("healthy", f"change{number}", kind=CHANGE))
        history.record(Event("exitSuccess", "again"))
        history.record(Event("changed", f"rest{number}"))
        history.record(Event("metric", "zed|1"))
    sources = [entry.source.rstrip("0123456789") for entry in history.entries()]
    counts = {source: sources.count(source) for source in set(sources)}
    assert counts == {"check": KEPT_CHECKS, "change": KEPT_CHANGES, "again": KEPT_SUCCESSES, "rest": KEPT}
    assert history.number == 4000


def test_names_that_never_come_again_do_not_fill_the_memory() -> None:
    history = History(lambda: 0.0)
    for number in range(2 * MOST_NAMES + 1):
        history.record(Event("exitSuccess", f"job{number}"))
    assert len(history._last_exits) <= MOST_NAMES
