"""The calls during an outage, its log lines, and its end: the registrar on a virtual clock."""

from __future__ import annotations

import itertools
import random as chance
from collections.abc import Callable

import pytest

from cp.catalog.outage import CALM, LONGEST_RETRY_AFTER
from cp.catalog.protocol import CatalogRefused, CatalogUnreachable
from tests.unit.catalog.fakes import DOWN, service
from tests.unit.catalog.scene import Scene

HOUR = 3600


def timed(scene: Scene) -> list[float]:
    """The times of calls, from now on."""
    times: list[float] = []
    scene.catalog.on_call = lambda verb: times.append(scene.clock.time)
    return times


# --- log lines


def test_alternating_failures_and_successes_are_one_outage(scene: Scene) -> None:
    scene.passes()
    scene.new_lines()
    for _ in range(30):
        scene.catalog.error = DOWN
        scene.passes(seconds=1)
        scene.catalog.error = None
        scene.passes(seconds=1)
    assert scene.new_lines() == [f"warning: Service registration failed: {DOWN}"]
    scene.run(CALM)
    assert scene.new_lines() == ["info: Catalogue reachable again after 59.0 s"]


def test_the_end_is_logged_without_another_call(scene: Scene) -> None:
    scene.catalog.error = DOWN
    scene.passes(seconds=8)
    scene.catalog.error = None
    scene.passes()
    scene.catalog.new_calls()
    assert scene.run(HOUR) == []
    assert scene.new_lines()[-1] == "info: Catalogue reachable again after 8.0 s"


def test_an_outage_after_the_end_of_another_is_a_new_one(scene: Scene) -> None:
    scene.passes()
    scene.new_lines()
    for _ in range(3):
        scene.catalog.error = DOWN
        scene.passes(seconds=2)
        scene.catalog.error = None
        scene.passes(seconds=CALM)
        assert len(scene.new_lines()) == 2


def test_one_service_that_is_refused_every_second_time_is_logged_once(scene: Scene) -> None:
    scene.passes()
    scene.new_lines()
    for _ in range(30):
        scene.catalog.error = CatalogRefused("Unexpected response code: 403 (Permission denied)")
        scene.passes(seconds=1)
        scene.catalog.error = None
        scene.passes(seconds=1)
    assert len(scene.new_lines()) == 1
    scene.run(CALM)
    assert scene.new_lines() == ["info: Service registration works again: web, after 59.0 s"]


def test_a_catalogue_that_never_worked_is_not_reachable_again_because_there_is_nothing_to_remove(scene: Scene) -> None:
    """A folder that cannot be written: to remove a file that is not there succeeds."""
    scene.catalog.error = DOWN
    scene.passes(seconds=60)
    scene.catalog.error = None
    gone: list[bool] = []
    scene.registrar.deregister(service(), lambda: gone.append(True))
    scene.run(HOUR)
    assert gone == [True]
    assert not [line for line in scene.new_lines() if "again" in line]


def test_a_removal_of_a_registered_service_ends_the_outage(scene: Scene) -> None:
    scene.passes()
    scene.catalog.error = DOWN
    scene.passes(seconds=60)
    scene.catalog.error = None
    scene.registrar.deregister(service())
    scene.run(CALM)
    assert scene.new_lines()[-1] == "info: Catalogue reachable again after 1 min 0 s"


def test_a_service_that_never_passed_is_registered_as_critical_and_that_is_logged(scene: Scene) -> None:
    """`failures`: so many failed checks in a row are reported."""
    scene.registrar.register(service(), "critical", "connection refused")
    assert scene.run() == ["register web-box critical", "critical web-box connection refused"]
    assert scene.new_lines() == ["warning: Service registered as critical: web"]


# --- since when

LASTING = service(ttl=100)  # its checks count for longer than a call takes


def test_an_outage_lasts_since_the_question_that_was_not_answered(scene: Scene) -> None:
    scene.passes(LASTING)
    scene.new_lines()
    hang(scene, seconds=10)
    scene.passes(LASTING)
    scene.clock.time += 1
    scene.catalog.on_call = lambda verb: None
    scene.catalog.error = None
    scene.passes(LASTING)
    scene.run(CALM)
    assert scene.new_lines()[-1] == "info: Catalogue reachable again after 11.0 s"


def test_an_outage_begins_with_the_failed_query_of_the_own_entry(scene: Scene) -> None:
    """A query without an answer is not a failure here. The registration after it without an answer is one."""
    begun = scene.clock.time
    hang(scene, seconds=10)
    scene.catalog.on_look = lambda: hanging(scene, 10)
    scene.passes(LASTING)
    assert scene.clock.time == begun + 20
    scene.clock.time += 1
    scene.catalog.on_call = lambda verb: None
    scene.catalog.on_look = lambda: None
    scene.catalog.error = None
    scene.passes(LASTING)
    scene.run(CALM)
    assert scene.new_lines()[-1] == "info: Catalogue reachable again after 21.0 s"


def hang(scene: Scene, seconds: float) -> None:
    """From now on each call fails after so long."""
    scene.catalog.on_call = lambda verb: hanging(scene, seconds)
    scene.catalog.error = DOWN


def hanging(scene: Scene, seconds: float) -> None:
    scene.clock.time += seconds


# --- what others meet


def test_no_end_is_logged_while_the_query_of_a_watch_fails(scene: Scene) -> None:
    scene.catalog.error = DOWN
    scene.passes(seconds=8)
    scene.catalog.error = None
    scene.passes(seconds=CALM - 1)
    scene.shared.note("watch.db", begins=True)
    scene.run(1)
    scene.catalog.error = DOWN
    scene.passes(seconds=5)
    scene.catalog.error = None
    assert not [line for line in scene.new_lines() if "again" in line]
    scene.passes(seconds=CALM)
    assert scene.new_lines()[-1] == "info: Catalogue reachable again after 18.0 s"


def test_a_failure_of_a_watch_restarts_the_five_seconds(scene: Scene) -> None:
    scene.catalog.error = DOWN
    scene.passes(seconds=8)
    scene.catalog.error = None
    scene.passes(seconds=3)
    scene.shared.note("watch.db", begins=True)
    scene.passes(seconds=CALM - 0.5)
    assert not [line for line in scene.new_lines() if "again" in line]
    scene.run(0.5)
    assert scene.new_lines()[-1] == "info: Catalogue reachable again after 11.0 s"


def test_a_watch_that_always_fails_does_not_hide_the_end_of_an_outage(scene: Scene) -> None:
    """A datacentre that cannot be reached: the agent answers registrations."""
    scene.catalog.error = DOWN
    scene.shared.note("watch.far", begins=True)
    scene.passes(seconds=8)
    scene.catalog.error = None
    for _ in range(10):
        scene.shared.note("watch.far", begins=False)
        scene.passes(seconds=0.5)
        scene.shared.note("watch.far", begins=False)
        scene.run(0.5)
    assert scene.new_lines()[-1] == "info: Catalogue reachable again after 8.0 s"


# --- what it costs


@pytest.mark.parametrize("interval", [1, 10, 60])
def test_an_hour_of_outage_costs_a_bounded_number_of_calls(scene: Scene, interval: int) -> None:
    scene.catalog.error = DOWN
    scene.set_random(chance.Random(7).random)
    services = [service(name, ttl=2 * interval) for name in "abc"]
    times = timed(scene)
    for _ in range(HOUR // interval):
        for each in services:
            scene.registrar.register(each, "passing")
        scene.run(interval)
    # Each new check of each service may try once; and between them there is a try every 7.5 to 15 s.
    bound = 3 * HOUR // interval + HOUR / 7.5
    assert HOUR / interval <= len(times) <= bound, f"{len(times)} calls in an hour of outage"
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 0.125


def test_a_fleet_does_not_march_in_step(new_scene: Callable[[], Scene]) -> None:
    """They lose their catalogue at one moment; their tries are spread out soon."""
    slots: dict[int, int] = {}
    for seed in range(30):
        one = new_scene()
        one.set_random(chance.Random(seed).random)
        one.catalog.error = DOWN
        times = timed(one)
        one.passes(service(ttl=2 * HOUR), seconds=HOUR)
        assert HOUR / 15 <= len(times) <= HOUR / 7.5 + 20, f"{len(times)} calls in an hour of outage"
        for time in times:
            if time > times[0] + 60:
                slots[int(time * 10)] = slots.get(int(time * 10), 0) + 1
    assert max(slots.values()) <= 8, f"{max(slots.values())} of 30 within a tenth of a second"


@pytest.mark.parametrize(("requested", "waits"), [(3.0, 3.0), (20.0, 20.0), (HOUR, LONGEST_RETRY_AFTER)])
def test_the_pause_that_a_catalogue_requests_is_respected(scene: Scene, requested: float, waits: float) -> None:
    """A Retry-After is honoured, for checks that pass meanwhile too, up to a limit: otherwise services would lapse."""
    scene.passes(service(ttl=2 * HOUR))
    scene.catalog.error = CatalogUnreachable("Unexpected response code: 429 (slow down)", retry_after=requested)
    times = timed(scene)
    scene.passes(service(ttl=2 * HOUR))
    while len(times) < 2:
        scene.passes(service(ttl=2 * HOUR), seconds=0.5)
    assert waits <= times[1] - times[0] <= 1.1 * waits + 0.5


def test_a_stale_entry_of_an_earlier_life_is_overwritten(scene: Scene) -> None:
    """The catalogue has the id, with another address: the first call that it gets has the new one."""
    scene.catalog.known["web-box"] = "critical"
    assert scene.passes()[0] == "register web-box passing"
    assert scene.catalog.known == {"web-box": "passing"}


def test_an_address_that_changed_while_nothing_could_be_removed_is_registered(scene: Scene) -> None:
    """A reload and maintenance during an outage: the catalogue still has the address of before."""
    moved = service(address="10.0.0.2")
    scene.passes()
    scene.catalog.error = DOWN
    scene.registrar.deregister(service())
    scene.run(1)
    scene.registrar.deregister(moved)
    scene.run(1)
    scene.catalog.error = None
    assert scene.passes(moved) == ["register web-box passing", "passing web-box"]


def test_a_removal_that_was_refused_is_logged_once_and_so_is_its_end(scene: Scene) -> None:
    scene.passes()
    scene.new_lines()
    scene.catalog.error = CatalogRefused("Unexpected response code: 403 (no)")
    scene.registrar.deregister(service(), lambda: None)
    scene.run(20)
    assert scene.new_lines() == [
        "info: Deregistering service: web",
        "info: Deregistering failed: Unexpected response code: 403 (no)",
    ]

    scene.catalog.error = None
    scene.run(15)

    [line] = scene.new_lines()
    assert line.startswith("info: Service deregistered: web, after ")
