"""Maintenance and shutdown, each without an engine: what they ask of the other parts, in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cp.engine.maintenance import Maintenance
from cp.engine.phase import DEREGISTERING, DRAINING, KILLING, RUNNING, STOPPING, Phase
from cp.engine.shutdown import SAME_REQUEST, Shutdown
from cp.engine.states import State
from tests.unit.engine.plans import advertised, job
from tests.unit.engine.world import World

SIGTERM = 15


class Story:
    """Stands for a part: notes the calls of its methods."""

    def __init__(self, world: World, part: str, **members: Any) -> None:
        self._world = world
        self._part = part
        self.set(**members)

    def set(self, **members: Any) -> None:
        self.__dict__.update(members)

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: Any) -> None:
            words = [self._part, method, *(str(each) for each in arguments if isinstance(each, (str, int, float)))]
            self._world.note(" ".join(words))

        return call


class Parts:
    def __init__(self, **fields: Any) -> None:
        self.world = world = World()
        self.phase = Phase()
        self.phase.move(RUNNING)
        self.plan = world.plan.replace(stop_timeout=10.0)
        health = Story(world, "health")
        self.job = Story(
            *(world, "app"),
            **{
                "plan": job("app", service=advertised("app")),
                "is_hook": False,
                "health": health,
                "can_drain": False,
                "is_draining": False,
                **fields,
            },
        )
        jobs, unfinished = {"app": self.job}, {self.job: None}
        self.registry = SimpleNamespace(jobs=jobs, unfinished=unfinished, ends_in_stop=lambda *_: True)
        discovery = Story(world, "discovery")
        self.registrations = Story(
            world, "registrations", is_deregistering=True, discovery=discovery, is_desired=lambda _: True
        )
        self.watches = Story(world, "watches")
        self.termination = Story(world, "termination", end_leftovers=lambda: False)

    def story(self) -> list[str]:
        self.world.loop.settle()
        story = list(self.world.happened)
        self.world.happened.clear()
        return story

    def maintenance(self) -> Maintenance:
        parts: Any = (self.phase, self.registry, self.registrations, self.watches)
        return Maintenance(self.world.context, *parts)

    def shutdown(self) -> Shutdown:
        others: Any = [Story(self.world, part) for part in ("changes", "exit code")]
        parts: Any = [self.phase, self.registry, self.registrations, self.watches, self.termination]
        return Shutdown(self.world.context, *parts, *others)


def test_maintenance_withdraws_services_and_forgets_checks() -> None:
    parts = Parts()
    maintenance = parts.maintenance()
    assert maintenance.set(True)
    assert parts.story() == ["watches pause True", "health forget", "registrations deregister_unawaited"]
    assert (maintenance.active, maintenance.set(True), parts.story()) == (True, False, [])


def test_end_of_maintenance_resumes_jobs_after_the_reports_of_watches() -> None:
    parts = Parts()
    maintenance = parts.maintenance()
    maintenance.set(True)
    parts.story()
    assert maintenance.set(False)
    assert parts.story() == ["watches pause False", "app announce", "app resume"]
    assert parts.world.events == ["enterMaintenance global", "exitMaintenance global"]


def test_stop_refuses_maintenance() -> None:
    parts = Parts()
    parts.phase.move(DEREGISTERING)
    assert not parts.maintenance().set(True)
    assert parts.story() == []


def test_stop_deregisters_before_it_ends_jobs() -> None:
    parts = Parts()
    shutdown = parts.shutdown()
    shutdown.begin(parts.plan)
    assert parts.story() == [
        *("changes abandon", "termination renew 10.0", "watches stop", "registrations wait_no_longer"),
        *("app quiesce", "app end_overdue", "registrations deregister"),
    ]
    assert (parts.phase.name, shutdown.is_requested) == (DEREGISTERING, False)

    parts.world.advance(0.5)
    shutdown.end_jobs()
    assert parts.phase.name == STOPPING
    assert parts.story() == ["registrations wait_no_longer", "termination charge 0.5", "app stop", "termination retry"]
    parts.world.advance(1.0)  # the limit for the catalogue
    shutdown.begin(parts.plan)
    shutdown.end_jobs()
    assert parts.story() == []


@pytest.mark.parametrize(("stop_timeout", "limit"), [(10.0, 1.0), (2.0, 0.5), (-1.0, 0.0)])
def test_stop_waits_for_the_catalogue_no_longer_than_a_part_of_its_budget(stop_timeout: float, limit: float) -> None:
    parts = Parts()
    parts.shutdown().begin(parts.plan.replace(stop_timeout=stop_timeout))
    if limit:
        parts.world.advance(limit - 0.01)
        assert parts.phase.name == DEREGISTERING
    parts.world.advance(0.01)
    assert parts.phase.name == STOPPING
    assert f"termination charge {limit}" in parts.story()


class Draining:
    """A job that drains at the first `stop()`, and ends at the second one."""

    def __init__(self, parts: Parts) -> None:
        self.can_drain = True
        self.is_draining = False
        self.is_hook = False
        self.plan = parts.job.plan
        self._parts = parts
        parts.job.set(can_drain=False)
        parts.registry.jobs["other"] = self

    def stop(self) -> None:
        self._parts.world.note("other ends" if self.is_draining or not self.can_drain else "other drains")
        self.is_draining, self.can_drain = self.can_drain, False

    def __getattr__(self, method: str) -> Any:
        return lambda *_: None


def test_no_job_ends_before_all_have_drained() -> None:
    parts = Parts()
    other = Draining(parts)
    shutdown = parts.shutdown()
    shutdown.begin(parts.plan)
    parts.story()
    shutdown.end_jobs()
    assert (parts.phase.name, parts.story()[-1]) == (DRAINING, "other drains")
    shutdown.advance()
    assert parts.story() == []
    other.is_draining = False
    shutdown.advance()
    assert parts.phase.name == STOPPING
    assert parts.story() == ["app stop", "other ends", "termination retry"]


def test_second_request_ends_drains() -> None:
    parts = Parts()
    Draining(parts)
    shutdown = parts.shutdown()
    shutdown.request(SIGTERM, parts.plan)
    shutdown.end_jobs()
    parts.world.advance(SAME_REQUEST)
    parts.story()
    shutdown.request(SIGTERM, parts.plan)
    assert (parts.phase.name, parts.story()) == (STOPPING, ["app stop", "other ends", "termination retry"])


def test_second_request_before_the_drains_lets_none_begin() -> None:
    parts = Parts()
    Draining(parts)
    shutdown = parts.shutdown()
    shutdown.request(SIGTERM, parts.plan)
    parts.world.advance(SAME_REQUEST)
    shutdown.request(SIGTERM, parts.plan)
    parts.story()
    shutdown.end_jobs()
    assert parts.phase.name == STOPPING
    assert "app stop" in parts.story()


def test_drains_are_not_charged_to_the_budget() -> None:
    parts = Parts()
    other = Draining(parts)
    shutdown = parts.shutdown()
    shutdown.begin(parts.plan)
    parts.world.advance(0.2)
    shutdown.end_jobs()
    parts.world.advance(20.0)
    other.is_draining = False
    shutdown.advance()
    assert [each for each in parts.story() if "charge" in each] == ["termination charge 0.2"]


def test_loop_ends_after_the_last_job_and_run() -> None:
    parts = Parts()
    parts.registrations.set(is_deregistering=False)
    shutdown = parts.shutdown()
    shutdown.begin(parts.plan)
    parts.registry.unfinished.clear()
    parts.story()

    runs = parts.world.context.runs
    runs.add(cast("Any", "a check"))
    shutdown.advance()
    assert not parts.world.over
    runs.clear()
    shutdown.advance()
    assert parts.story() == ["exit code left_running", "discovery stop"]
    assert parts.world.over


def test_nothing_advances_before_the_services_are_deregistered() -> None:
    parts = Parts()
    shutdown = parts.shutdown()
    shutdown.begin(parts.plan)
    parts.registry.unfinished.clear()
    parts.story()
    shutdown.advance()
    assert parts.story() == []


def test_jobs_that_end_last_end_when_only_they_are_left() -> None:
    parts = Parts(plan=job("app", stops_last=True))
    parts.registrations.set(is_deregistering=False)
    parts.registry.ends_in_stop = lambda *_: False
    parts.shutdown().begin(parts.plan)
    assert parts.story()[-1] == "app stop"


def test_second_request_interrupts_hooks_and_a_third_one_kills_everything() -> None:
    parts = Parts(is_hook=True, state=State.WAITING)
    shutdown = parts.shutdown()
    shutdown.request(SIGTERM, parts.plan)
    assert shutdown.is_requested
    assert parts.story()[0] == "exit code stop_requested 15 0.0"
    shutdown.request(SIGTERM, parts.plan)  # the same one, twice
    assert parts.story() == []

    parts.world.advance(SAME_REQUEST)
    parts.story()
    shutdown.request(SIGTERM, parts.plan)
    assert parts.story() == ["app interrupt"]

    parts.world.advance(SAME_REQUEST)
    shutdown.request(SIGTERM, parts.plan)
    assert parts.phase.name == KILLING
    assert parts.story()[:2] == ["app stop", "termination kill_everything"]
    parts.world.advance(2.0)
    assert parts.world.over


def test_stop_is_limited_by_shutdown_timeout() -> None:
    parts = Parts()
    parts.shutdown().begin(parts.plan.replace(shutdown_timeout=5.0))
    parts.world.advance(5.0)
    assert parts.phase.name == KILLING
    assert parts.world.log.lines[-1] == "warning: killing everything: the stop took longer than shutdownTimeout"


def test_suspension_of_the_machine_is_not_charged_to_the_budget() -> None:
    parts = Parts()
    shutdown = parts.shutdown()
    shutdown.begin(parts.plan)
    parts.world.loop.time += 100.0
    shutdown.end_jobs()
    assert "termination charge 1.0" in parts.story()
