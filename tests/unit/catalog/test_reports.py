"""Which facts the catalogue's threads report to the loop."""

from __future__ import annotations

from cp.catalog.protocol import CatalogRefused
from cp.catalog.reports import Reports
from tests.unit.catalog.fakes import DOWN, Clock, Facts, FakeLoop, service
from tests.unit.catalog.scene import Scene


def test_a_heartbeat_is_confirmed_with_the_time_at_which_it_was_sent(scene: Scene) -> None:
    scene.catalog.on_call = lambda verb: setattr(scene.clock, "time", scene.clock.time + 2)
    scene.passes()
    assert scene.new_reports() == ["answered registration", "confirmed web-box 10.0.0.1:80 passing 1002"]


def test_an_initial_status_is_confirmed_by_the_registration(scene: Scene) -> None:
    scene.registrar.register(service(initial_status="warning"), "")
    scene.run()
    assert scene.new_reports()[-1] == "confirmed web-box 10.0.0.1:80 warning 1000"


def test_an_outage_is_reported_once_until_its_error_changes(scene: Scene) -> None:
    scene.passes()
    scene.new_reports()
    scene.catalog.error = DOWN
    for _ in range(10):
        scene.passes(seconds=5)
    assert scene.new_reports() == [f"failed registration: {DOWN}"]
    scene.catalog.error = None
    scene.passes()
    assert scene.new_reports() == ["answered registration", "confirmed web-box 10.0.0.1:80 passing 1050"]


def test_a_refusal_is_of_the_service_and_not_of_the_catalogue(scene: Scene) -> None:
    scene.catalog.error = CatalogRefused("403")
    scene.passes()
    assert scene.new_reports() == ["answered registration", "refused web-box: 403"]


def test_an_entry_that_the_catalogue_forgot_is_reported_as_gone(scene: Scene) -> None:
    scene.passes()
    scene.new_reports()
    scene.catalog.known.clear()
    scene.passes()
    assert scene.new_reports() == ["absent web-box", "confirmed web-box 10.0.0.1:80 passing 1000"]


def test_a_removal_is_reported_once_it_is_done(scene: Scene) -> None:
    scene.passes()
    scene.new_reports()
    scene.catalog.error = DOWN
    scene.registrar.deregister(service())
    scene.run()
    assert scene.new_reports() == [f"failed registration: {DOWN}"]
    scene.catalog.error = None
    scene.run(1)
    assert scene.new_reports() == ["answered registration", "absent web-box"]


def test_a_thread_that_cannot_be_started_is_an_outage(scene: Scene) -> None:
    def refuse(run: object, arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    scene.registrar._start_thread = refuse
    scene.registrar.start()
    scene.loop.turn()
    assert scene.new_reports() == ["failed registration: cannot start a thread: can't start new thread"]


def test_nothing_arrives_after_the_end_not_even_what_was_on_its_way() -> None:
    facts, loop = Facts(), FakeLoop(Clock())
    reports = Reports(loop, facts, "watch.db")
    reports.failed("down")
    reports.close()
    loop.turn()
    assert facts.lines == []


def test_the_loop_wakes_up_for_the_first_confirmation_and_not_for_each_heartbeat() -> None:
    facts, loop = Facts(), FakeLoop(Clock())
    reports = Reports(loop, facts)
    for at in (1000, 1005, 1010):
        reports.confirmed(service(), "passing", at, "web-box")
    assert loop.wakeups == 1
    loop.turn()
    assert facts.lines == [f"confirmed web-box 10.0.0.1:80 passing {at}" for at in (1000, 1005, 1010)]

    reports.failed("down")
    reports.confirmed(service(), "passing", 1015, "web-box")
    assert loop.wakeups == 3
