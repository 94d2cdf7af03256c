"""Periodic tasks, and the commands that run when a watched service changes."""

from __future__ import annotations

import json

from cp.catalog.protocol import Instance
from tests.unit.engine.plans import app, backend, task
from tests.unit.engine.world import World


def instance(number: int) -> Instance:
    return Instance(id=f"db-{number}", address=f"10.0.0.{number}", port=5432, tags=("primary", 'a"b'))


def test_task_runs_first_after_one_interval_then_every_interval() -> None:
    world = World(app(), task(0.1))
    world.processes.termination["task"] = (0.01, 0)
    world.start().advance(1.05)
    assert len(world.story("start task")) == 10


def test_failing_task_runs_again() -> None:
    world = World(app(), task(1))
    world.processes.termination["task"] = (0.1, 1)
    world.start().advance(3.5)
    assert len(world.story("start task")) == 3


def test_task_that_takes_too_long_is_killed_and_the_next_run_comes_in_time() -> None:
    world = World(app(), task(0.4, timeout=0.2, timeout_text="200ms", label="task[dots]"))
    world.processes.stubborn.add("task")
    world.start().advance(1.45)
    assert world.story("start task", "SIGKILL") == ["start task", "SIGKILL task"] * 3
    assert "warning: task[dots] timeout after 200ms: '[]'" in world.log.lines


def test_task_never_overlaps_itself() -> None:
    world = World(app(), task(1, timeout=None))
    world.processes.termination["task"] = (2.5, 0)
    world.start().advance(12)
    assert len(world.processes.running("task")) == 1


def test_task_is_terminated_at_a_stop_while_pre_stop_may_take_its_time() -> None:
    world = World(app(), task(1, timeout=60)).start()
    world.advance(1.1)
    world.terminate()
    assert "SIGTERM task" in world.happened
    assert world.over


def test_watch_starts_with_the_jobs_and_a_report_runs_the_command_with_the_instances() -> None:
    watch, handler = backend()
    world = World(app(), handler, watches=(watch,)).start()
    assert "watch db" in world.happened
    world.discovery.watchers["db"].report([instance(1), instance(2)])
    world.loop.settle()
    (process,) = world.processes.running("onChange")
    assert process.environ["CONTAINERPILOT_WATCH"] == "db"
    instances = json.loads(process.environ["CONTAINERPILOT_WATCH_INSTANCES"])
    assert instances[0] == {"id": "db-1", "address": "10.0.0.1", "port": 5432, "tags": ["primary", 'a"b']}
    assert [one["id"] for one in json.loads(process.environ["CONTAINERPILOT_WATCH_ADDED"])] == ["db-1", "db-2"]
    assert process.environ["CONTAINERPILOT_WATCH_REMOVED"] == "[]"
    assert "changed watch.db" in world.events
    assert "healthy watch.db" in world.events


def test_changes_during_a_run_are_remembered_as_one_more_run_with_the_latest_instances() -> None:
    watch, handler = backend()
    world = World(app(), handler, watches=(watch,)).start()
    for count in (1, 2, 3):
        world.discovery.watchers["db"].report([instance(n) for n in range(count)])
        world.loop.settle()
    assert len(world.story("start onChange")) == 1
    world.exit("onChange", 1)  # a failure is not retried
    (process,) = world.processes.running("onChange")
    assert len(json.loads(process.environ["CONTAINERPILOT_WATCH_INSTANCES"])) == 3
    world.exit("onChange", 0)
    assert len(world.story("start onChange")) == 2


def test_no_instances_left_is_unhealthy() -> None:
    watch, handler = backend()
    world = World(app(), handler, watches=(watch,)).start()
    world.discovery.watchers["db"].report([])
    world.loop.settle()
    assert world.events[-2:] == ["changed watch.db", "unhealthy watch.db"]


def test_a_list_too_large_for_an_environment_is_left_out_and_logged() -> None:
    watch, handler = backend()
    world = World(app(), handler, watches=(watch,)).start()
    world.discovery.watchers["db"].report([instance(n) for n in range(5000)])
    world.loop.settle()
    (process,) = world.processes.running("onChange")
    assert "CONTAINERPILOT_WATCH_INSTANCES" not in process.environ
    assert any("5000 instances do not fit" in line for line in world.log.lines)


def test_a_report_on_its_way_when_the_stop_begins_starts_nothing() -> None:
    watch, handler = backend()
    world = World(app(), handler, watches=(watch,)).start()
    world.processes.stubborn.add("app")
    watcher = world.discovery.watchers["db"]
    world.terminate()
    watcher.report([instance(1)])
    world.loop.settle()
    assert world.story("start onChange") == []
