"""The changes of a watch that a run gets: the difference to the instances of the last run that started."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cp.catalog.protocol import Instance
from cp.engine.watch_variables import Found, missing
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import app, backend, each, job, once, watch
from tests.unit.engine.world import World

ON_CHANGE = each("changed", "watch.db")


def instances(ids: str) -> list[Any]:
    return [Instance(id, "10.0.0.1", 8000 + ord(id)) for id in ids]


def report(world: World, ids: str, name: str = "db") -> None:
    """The watch reports these instances, if they are others than it has reported last."""
    watcher = world.discovery.watchers[name]
    found = instances(ids)
    if found != watcher.memory or not watcher.knows:
        watcher.memory, watcher.knows = found, True
        watcher.report(found)
    world.loop.settle()


def received(world: World, name: str = "react") -> list[str]:
    """The instances and changes that each run got, such as `abc +b -x`."""
    lines = []
    for process in world.processes.all:
        if process.command[0] == name:
            listed, added, removed = (
                "".join(each["id"] for each in json.loads(process.environ.get(f"CONTAINERPILOT_WATCH_{word}", "[]")))
                for word in ("INSTANCES", "ADDED", "REMOVED")
            )
            lines.append(f"{listed} +{added} -{removed}")
    return lines


def reacting(**changes: Any) -> JobsWorld:
    return JobsWorld(job("react", ON_CHANGE, **changes), job("idle", command=None), watches=(watch(),)).start()


def test_the_next_run_gets_all_changes_during_a_run() -> None:
    world = reacting()
    report(world, "ax")
    for ids in ("abx", "ab", "abc"):
        report(world, ids)
    world.exit("react")
    report(world, "bc")
    world.exit("react")
    assert received(world) == ["ax +ax -", "abc +bc -x", "bc + -a"]


def test_the_next_run_of_an_on_change_gets_all_changes_during_a_run() -> None:
    followed, handler = backend()
    world = World(app(), handler, watches=(followed,)).start()
    report(world, "ax")
    for ids in ("abx", "ab", "abc"):
        report(world, ids)
    world.exit("onChange", 1)
    assert received(world, "onChange") == ["ax +ax -", "abc +bc -x"]


def test_instances_that_came_and_went_meanwhile_are_passed_to_nobody() -> None:
    world = reacting()
    report(world, "a")
    report(world, "ab")
    report(world, "a")
    world.exit("react")
    assert received(world) == ["a +a -", "a + -"]


def test_each_job_on_a_watch_gets_the_changes_since_its_own_last_run() -> None:
    slow, quick = job("slow", ON_CHANGE), job("quick", ON_CHANGE)
    world = JobsWorld(slow, quick, watches=(watch(),)).start()
    for ids in ("a", "ab", "abc"):
        report(world, ids)
        world.exit("quick")
    world.exit("slow")
    assert received(world, "quick") == ["a +a -", "ab +b -", "abc +c -"]
    assert received(world, "slow") == ["a +a -", "abc +bc -"]


def test_jobs_on_health_and_on_change_each_have_their_own() -> None:
    up, down = job("up", each("healthy", "watch.db")), job("down", each("unhealthy", "watch.db"))
    world = JobsWorld(up, down, watches=(watch(),)).start()
    for ids in ("ab", "", "c"):
        report(world, ids)
        for name in ("up", "down"):
            for process in world.processes.running(name):
                process.exit(0)
    assert received(world, "up") == ["ab +ab -", "c +c -ab"]
    assert received(world, "down") == [" + -"]


def test_a_run_that_could_not_be_started_got_no_changes() -> None:
    world = reacting()
    report(world, "a")
    world.exit("react")
    world.processes.missing.add("react")
    report(world, "ab")
    world.advance(1)
    world.processes.missing.clear()
    report(world, "bc")
    assert received(world) == ["a +a -", "bc +bc -a"]


def test_a_job_between_two_restarts_gets_all_changes() -> None:
    world = reacting(restarts=5)
    report(world, "a")
    world.exit("react", 1)  # the first restart comes at once
    world.advance(0)
    world.exit("react", 1)
    assert world.state("react") == "pausing"
    report(world, "ab")
    report(world, "bc")
    world.advance(1)
    assert received(world)[-1] == "bc +bc -a"


def test_a_restart_gets_the_same_changes_as_its_run() -> None:
    world = reacting(restarts=2)
    report(world, "a")
    world.exit("react", 1)
    world.advance(1)
    world.exit("react", 1)
    report(world, "ab")
    world.advance(1)
    world.exit("react", 0)
    report(world, "b")
    assert received(world) == ["a +a -", "a +a -", "ab +b -", "b + -a"]


def test_a_restart_of_a_run_that_could_not_start_gets_all_changes() -> None:
    world = reacting(restarts=1)
    world.processes.missing.add("react")
    report(world, "a")
    world.processes.missing.clear()
    world.advance(1)
    assert received(world) == ["a +a -"]


def test_all_changes_in_maintenance_are_passed_on_after_it() -> None:
    followed, handler = backend()
    world = World(app(), handler, watches=(followed,)).start()
    report(world, "ax")
    world.exit("onChange")
    world.engine.set_maintenance(True)
    for ids in ("abx", "ab"):  # one that was on its way, and what the watch finds at the end
        report(world, ids)
    world.engine.set_maintenance(False)
    world.loop.settle()
    assert received(world, "onChange") == ["ax +ax -", "ab +b -x"]


def test_a_job_that_a_reload_keeps_remembers_the_changes_it_got() -> None:
    world = reacting()
    report(world, "a")
    report(world, "ab")
    world.reload(job("react", ON_CHANGE), job("idle", command=None), job("new"), watches=(watch(),))
    world.exit("react")
    assert received(world) == ["a +a -", "ab +b -"]


@pytest.mark.parametrize(("after", "line"), [("bc", "bc +bc -a"), ("a", "a + -"), ("", " + -a")])
def test_a_watch_that_a_reload_changes_begins_again_and_its_jobs_remember_the_changes_they_got(
    after: str, line: str
) -> None:
    """The first report of another watch comes even if it is empty: the jobs knew instances."""
    world = reacting()
    report(world, "a")
    world.exit("react")
    jobs = job("react", ON_CHANGE), job("idle", command=None)
    world.reload(*jobs, watches=(watch(tag="x"),))
    report(world, after)
    assert received(world) == ["a +a -", line]


@pytest.mark.parametrize("after", ["", "b"])
def test_a_watch_in_another_catalogue_reports_its_instances(after: str) -> None:
    from cp.plan import DirectorySettings

    world = reacting()
    report(world, "a")
    world.exit("react")
    jobs = job("react", ON_CHANGE), job("idle", command=None)
    world.reload(*jobs, watches=(watch(),), catalog=DirectorySettings(path="/other"))
    report(world, after)
    assert received(world)[-1] == f"{after} +{after} -a"


def test_the_job_that_replaces_another_knows_the_changes_that_one_got() -> None:
    """The new one must also get instances that were removed between the end of the old one and its start."""
    world = reacting()
    report(world, "ax")
    report(world, "abx")
    world.reload(job("react", ON_CHANGE, timeout=3.0), job("idle", command=None), watches=(watch(),))
    assert received(world) == ["ax +ax -", "abx +b -"]
    report(world, "ab")
    world.exit("react")
    assert received(world)[-1] == "ab + -x"


def test_a_job_that_waits_for_another_watch_after_a_reload_gets_all_its_instances() -> None:
    world = reacting()
    report(world, "ab")
    world.exit("react")
    another = job("react", each("changed", "watch.cache"))
    world.reload(another, job("idle", command=None), watches=(watch(), watch("cache")))
    report(world, "bc", "cache")
    assert received(world) == ["ab +ab -", "bc +bc -"]


def test_an_on_change_remembers_earlier_changes_after_a_reload() -> None:
    followed, handler = backend()
    world = World(app(), handler, watches=(followed,)).start()
    report(world, "a")
    world.exit("onChange")
    world.reload(app(), handler, watches=(followed,))
    report(world, "b")
    assert received(world, "onChange") == ["a +a -", "b +b -a"]


def test_a_change_that_came_before_a_reload_is_passed_on_after_it() -> None:
    followed, handler = backend()
    world = World(app(), handler, watches=(followed,)).start()
    world.processes.stubborn.add("onChange")
    report(world, "a")
    report(world, "ab")
    world.reload(app(), handler, watches=(followed,))
    report(world, "abc")
    world.advance(6)  # the old run is killed
    assert received(world, "onChange") == ["a +a -", "abc +bc -"]


def test_a_change_that_waited_for_the_end_of_a_run_survives_a_reload() -> None:
    followed, handler = backend()
    world = World(app(), handler, watches=(followed,)).start()
    report(world, "a")
    report(world, "ab")
    world.reload(app(), handler, watches=(followed,))
    assert received(world, "onChange") == ["a +a -", "ab +b -"]


def test_a_backend_with_its_old_tag_again_passes_new_changes_to_its_on_change() -> None:
    followed, handler = backend()
    world = World(app(), handler, watches=(followed,)).start()
    report(world, "a")
    world.exit("onChange")
    world.reload(app(), handler, watches=(followed.replace(tag="x"),))
    report(world, "b")
    world.exit("onChange")
    world.reload(app(), handler, watches=(followed,))
    report(world, "a")
    assert received(world, "onChange") == ["a +a -", "b +b -a", "a +a -b"]


def test_a_run_that_is_started_by_hand_gets_the_report_of_the_watch() -> None:
    world = reacting()
    world.ask("start", "react")
    world.exit("react")
    report(world, "ab")
    world.exit("react")
    world.ask("stop", "react")
    report(world, "bc")
    world.ask("start", "react")
    report(world, "b")
    world.exit("react")
    assert received(world) == [" + -", "ab +ab -", "bc +c -a", "b + -c"]


def test_a_job_on_the_first_change_only_gets_all_instances() -> None:
    world = JobsWorld(job("react", once("changed", "watch.db")), job("idle", command=None), watches=(watch(),)).start()
    report(world, "ab")
    assert received(world) == ["ab +ab -"]


# --- watches of one source: a service with several tags


def of_two_tags(**changes: Any) -> JobsWorld:
    watches = watch(tag="blue"), watch(tag="green")
    jobs = job("react", ON_CHANGE, **changes), job("idle", command=None)
    return JobsWorld(*jobs, watches=watches).start()


def report_of(world: JobsWorld, tag: str, ids: str) -> None:
    world.discovery.by_tag["db", tag].report(instances(ids))
    world.loop.settle()


def test_reports_of_two_watches_of_one_source_are_both_passed_on() -> None:
    world = of_two_tags()
    report_of(world, "blue", "a")
    for tag, ids in (("blue", "ab"), ("green", "x"), ("blue", "b"), ("green", "xy")):
        report_of(world, tag, ids)
    world.exit("react")
    world.exit("react")
    world.exit("react")
    assert received(world) == ["a +a -", "b +b -a", "xy +xy -"]
    assert world.state("react") == "waiting"


def test_a_restart_takes_one_of_two_reports_and_the_other_comes_after_it() -> None:
    world = of_two_tags(restarts=2)
    report_of(world, "blue", "a")
    world.exit("react", 1)
    world.advance(0)
    world.exit("react", 1)
    report_of(world, "green", "x")
    report_of(world, "blue", "b")
    world.advance(1)
    world.exit("react")
    assert received(world) == ["a +a -", "a +a -", "x +x -", "b +b -a"]


def test_a_new_job_gets_the_reports_of_both_watches() -> None:
    world = of_two_tags()
    report_of(world, "blue", "a")
    report_of(world, "green", "x")
    watches = watch(tag="blue"), watch(tag="green")
    world.reload(job("idle", command=None), job("new", ON_CHANGE), watches=watches)
    world.exit("new")
    assert received(world, "new") == ["a +a -", "x +x -"]


def test_lists_that_are_too_long_are_each_logged_once_for_all_jobs() -> None:
    many: list[Any] = [Instance(f"db-{number}", "10.0.0.1", number) for number in range(5000)]
    jobs = job("first", ON_CHANGE), job("second", ON_CHANGE)
    world = JobsWorld(*jobs, watches=(watch(),)).start()
    world.discovery.watchers["db"].report(many)
    world.loop.settle()
    assert [line for line in world.log.lines if line.startswith("warning")] == [
        f"warning: watch.db: CONTAINERPILOT_WATCH_{word} is not set: 5000 instances do not fit into an environment"
        " variable"
        for word in ("INSTANCES", "ADDED")
    ]
    world.exit("first")
    world.discovery.watchers["db"].report(many[1:])
    world.loop.settle()
    (process,) = world.processes.running("first")
    assert len(json.loads(process.environ["CONTAINERPILOT_WATCH_REMOVED"])) == 1
    assert process.environ["CONTAINERPILOT_WATCH_ADDED"] == "[]"
    assert "CONTAINERPILOT_WATCH_INSTANCES" not in process.environ


def test_of_two_instances_at_one_place_both_count() -> None:
    a, twin = Instance("a", "10.0.0.1", 1), Instance("twin", "10.0.0.1", 1)
    assert missing([], [a, twin]) == [a, twin]
    assert missing([a], [a, twin]) == [twin]
    assert missing([a, twin], [a]) == []


def test_reports_of_one_watch_can_be_compared_with_any_other() -> None:
    first, second, third = (Found("db", "watch.db", 0, instances(ids)) for ids in ("a", "ab", "b"))
    seen = [dict(third.environ(before, print))["CONTAINERPILOT_WATCH_ADDED"] for before in (None, first, second, None)]
    assert [len(json.loads(text)) for text in seen] == [1, 1, 0, 1]
