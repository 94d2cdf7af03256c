"""Calls and log lines of the registrar, and their times: on a virtual clock, without threads."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from cp.catalog.outage import CALM
from cp.catalog.protocol import (
    CatalogClosed,
    CatalogForgotten,
    CatalogGarbage,
    CatalogNotConnected,
    CatalogRefused,
    CatalogUnreachable,
)
from cp.catalog.registrar import DEREGISTRATION_GRACE, Registrar
from tests.unit.catalog.fakes import DOWN, Deaf, service
from tests.unit.catalog.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.protocol import CatalogError


def test_the_first_passing_check_registers_and_each_later_one_is_one_heartbeat(scene: Scene) -> None:
    assert scene.passes() == ["register web-box passing", "passing web-box"]
    assert scene.new_lines() == ["info: Service registered: web"]
    for _ in range(3):
        assert scene.passes(seconds=5) == ["passing web-box"]
    assert scene.new_lines() == []


def test_nothing_is_sent_between_checks(scene: Scene) -> None:
    scene.passes()
    assert scene.run(3600) == []


def test_a_service_with_an_initial_status_is_registered_before_its_first_check(scene: Scene) -> None:
    slow = service(initial_status="critical")
    scene.registrar.register(slow, "")
    assert scene.run(60) == ["register web-box critical"]
    assert scene.new_lines() == ["info: Registering service web with initial status set to critical"]
    assert scene.passes(slow) == ["passing web-box"]


def test_the_first_registration_is_tried_until_it_succeeds(scene: Scene) -> None:
    scene.catalog.error = DOWN
    scene.registrar.register(service(initial_status="critical"), "")
    assert 100 < len(scene.run(1800)) < 200
    scene.catalog.error = None
    assert scene.run(15) == ["register web-box critical"]


def test_an_announcement_that_is_repeated_or_comes_late_changes_nothing(scene: Scene) -> None:
    slow = service(initial_status="critical")
    scene.registrar.register(slow, "")
    scene.run()
    scene.registrar.register(slow, "")
    assert scene.run() == []
    scene.passes(slow)
    scene.registrar.register(slow, "")
    assert scene.run() == []
    assert scene.catalog.known == {"web-box": "passing"}


def test_an_announcement_after_a_deregistration_that_failed_registers_again(scene: Scene) -> None:
    slow = service(initial_status="critical")
    scene.passes(slow)
    scene.catalog.error = DOWN
    scene.registrar.deregister(slow)
    scene.run(60)
    scene.catalog.error = None
    scene.registrar.register(slow, "")
    assert scene.run() == ["register web-box critical"]


def test_failed_checks_are_reported_with_their_output(scene: Scene) -> None:
    scene.passes()
    scene.registrar.register(service(), "critical", "disk full")
    assert scene.run() == ["critical web-box disk full"]
    assert scene.passes() == ["passing web-box"]


def test_a_catalogue_that_forgot_the_service_has_it_again_at_the_next_heartbeat(scene: Scene) -> None:
    scene.passes()
    scene.new_lines()
    scene.catalog.known.clear()
    assert scene.passes() == ["passing web-box", "register web-box passing", "passing web-box"]
    assert scene.new_lines() == [
        "info: Service not registered: Unexpected response code: 500 (unknown check)",
        "info: Service registered: web",
    ]


def test_a_new_address_is_registered(scene: Scene) -> None:
    scene.passes()
    assert scene.passes(service(address="10.0.0.2")) == ["register web-box passing", "passing web-box"]


def test_an_address_that_changes_during_the_registration_is_registered(scene: Scene) -> None:
    moved = service(address="10.0.0.2")
    once = iter([lambda: scene.registrar.register(moved, "passing")])
    scene.catalog.on_call = lambda verb: next(once, lambda: None)()
    assert scene.passes() == ["register web-box passing", "register web-box passing", "passing web-box"]


def test_a_catalogue_that_restarted_unnoticed_has_the_service_again_at_once(scene: Scene) -> None:
    """Its first answer says only that it does not know us: the outage is not over, and yet nothing waits."""
    scene.passes()
    scene.catalog.error = DOWN
    for _ in range(20):
        scene.passes(seconds=5)
    scene.catalog.error = None
    scene.catalog.known.clear()
    assert scene.passes() == ["passing web-box", "register web-box passing", "passing web-box"]


def test_an_outage_is_logged_at_its_start_and_at_its_end(scene: Scene) -> None:
    scene.passes()
    scene.new_lines()
    scene.catalog.error = DOWN
    for _ in range(100):
        scene.passes(seconds=5)
    assert scene.new_lines() == [f"warning: Service registration failed: {DOWN}"]
    scene.catalog.error = None
    scene.passes()
    assert scene.new_lines() == []
    scene.run(CALM)
    assert scene.new_lines() == ["info: Catalogue reachable again after 8 min 20 s"]


def test_an_outage_is_logged_once_for_all_services(scene: Scene) -> None:
    scene.catalog.error = DOWN
    for name in "abcdefgh":
        scene.passes(service(name), seconds=1)
    assert len(scene.new_lines()) == 1


def test_a_new_passing_check_is_tried_at_once_during_an_outage(scene: Scene) -> None:
    scene.catalog.error = DOWN
    scene.passes(service(ttl=600), seconds=300)  # so long that the pauses have grown
    scene.catalog.error = None
    assert scene.passes() == ["register web-box passing", "passing web-box"]


def test_after_an_outage_all_services_come_back_together(scene: Scene) -> None:
    services = [service(name, ttl=600) for name in "abc"]
    scene.catalog.error = DOWN
    for each in services:
        scene.passes(each, seconds=60)
    scene.catalog.error = None
    scene.passes(services[0])
    assert set(scene.catalog.known) == {"a-box", "b-box", "c-box"}


def test_the_attempts_of_an_outage_are_spaced_from_a_quarter_of_a_second_to_fifteen(scene: Scene) -> None:
    scene.catalog.error = DOWN
    times: list[float] = []
    scene.catalog.on_call = lambda verb: times.append(scene.clock.time)
    scene.passes(service(ttl=1000), seconds=100)
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert [round(pause, 2) for pause in pauses[:7]] == [0.5, 1, 2, 4, 8, 15, 15]


def test_chance_shortens_a_pause_by_up_to_half(scene: Scene) -> None:
    scene.set_random(lambda: 0.0)
    scene.catalog.error = DOWN
    times: list[float] = []
    scene.catalog.on_call = lambda verb: times.append(scene.clock.time)
    scene.passes(service(ttl=1000), seconds=100)
    assert round(times[1] - times[0], 2) == 0.25
    assert round(times[-1] - times[-2], 2) == 7.5


def test_many_services_together_do_not_flood_a_catalogue_that_is_down(scene: Scene) -> None:
    services = [service(f"s{number}", ttl=30) for number in range(200)]
    scene.catalog.error = DOWN
    for _ in range(10):
        for each in services:
            scene.registrar.register(each, "passing")
        scene.run(10)
    # Each new check may try, but never more often than four times a second.
    assert len(scene.run(0)) == 0
    for each in services:
        scene.registrar.register(each, "passing")
    assert len(scene.run(10)) <= 41


def test_a_passing_check_older_than_the_ttl_is_never_sent(scene: Scene) -> None:
    scene.passes()
    scene.catalog.error = DOWN
    scene.passes(seconds=9)
    scene.run(2)
    scene.catalog.error = None
    assert scene.run(3600) == []
    assert scene.passes() == ["passing web-box"]


def test_deregistration_of_a_service(scene: Scene) -> None:
    scene.passes()
    scene.new_lines()
    gone: list[str] = []
    scene.registrar.deregister(service(), lambda: gone.append("web"))
    scene.registrar.deregister(service(), lambda: gone.append("web again"))
    assert scene.run(3600) == ["deregister web-box"]
    assert gone == ["web", "web again"]
    assert scene.new_lines() == ["info: Deregistering service: web"]
    assert len(scene.registrar._desired_state) == 0


def test_a_service_that_was_never_registered_is_still_removed(scene: Scene) -> None:
    scene.registrar.deregister(service())
    assert scene.run() == ["deregister web-box"]
    assert scene.new_lines() == []


def test_only_the_deregistration_of_a_registered_service_is_logged(scene: Scene) -> None:
    refused, unknown = CatalogRefused("403 (Permission denied)"), CatalogUnreachable("did not answer within 10 s")
    nowhere = CatalogNotConnected("cannot reach it: connection refused")

    def removed(*errors: CatalogError | None) -> bool:
        for error in errors:
            scene.catalog.error = error
            scene.passes(seconds=30)
        scene.registrar.deregister(service())
        scene.run()
        is_logged = "info: Deregistering service: web" in scene.new_lines()
        scene.catalog.error = None
        assert scene.run(60) == ([] if errors[-1] is None else ["deregister web-box"]), "it is still sent"
        assert "info: Deregistering service: web" not in scene.new_lines()
        return is_logged

    assert not removed(nowhere)
    assert not removed(refused)
    assert not removed(nowhere, refused, nowhere)
    assert removed(unknown), "it may be there: the answer was lost"
    assert removed(unknown, nowhere)
    assert removed(nowhere, None)
    assert removed(None, refused)
    assert removed(None, nowhere)
    assert removed(CatalogGarbage("no answer of a catalogue"))


def test_an_earlier_deregistration_is_not_logged_again(scene: Scene) -> None:
    scene.passes()
    scene.registrar.deregister(service())
    scene.run()
    scene.new_lines()
    scene.registrar.deregister(service())
    assert scene.run() == ["deregister web-box"]
    assert scene.new_lines() == []


def test_a_deregistration_of_a_forgotten_service_is_not_logged(scene: Scene) -> None:
    scene.passes()
    scene.catalog.known.clear()
    scene.catalog.on_call = lambda verb: setattr(
        scene.catalog, "error", CatalogRefused("403") if verb.startswith("register") else None
    )
    scene.passes(seconds=30)
    scene.new_lines()
    scene.registrar.deregister(service())
    scene.run()
    assert scene.new_lines() == []


def test_a_deregistration_that_fails_lets_its_caller_go_on_and_is_tried_again(scene: Scene) -> None:
    scene.passes()
    scene.new_lines()
    gone: list[str] = []
    scene.catalog.error = DOWN
    scene.registrar.deregister(service(), lambda: gone.append("web"))
    scene.run()
    assert gone == ["web"]
    assert scene.new_lines() == ["info: Deregistering service: web", f"info: Deregistering failed: {DOWN}"]
    scene.run(3600)
    assert scene.new_lines() == []
    scene.catalog.error = None
    assert scene.run(15) == ["deregister web-box"]
    assert gone == ["web"]


def test_all_waiting_deregistrations_go_on_when_the_first_finds_the_catalogue_down(scene: Scene) -> None:
    gone: list[str] = []
    known_by_then: list[list[str]] = []

    def call(verb: str) -> None:
        scene.loop.turn()
        known_by_then.append(list(gone))

    scene.catalog.error = DOWN
    scene.catalog.on_call = call
    scene.registrar.deregister(service("a"), lambda: gone.append("a"))
    scene.registrar.deregister(service("b"), lambda: gone.append("b"))
    scene.run()
    assert known_by_then == [[], ["a", "b"]]


def test_deregistrations_come_before_everything_else(scene: Scene) -> None:
    scene.registrar.register(service("a"), "passing")
    scene.registrar.register(service("b"), "passing")
    scene.registrar.deregister(service("c"))
    assert scene.run()[0] == "deregister c-box"


def test_a_deregistration_does_not_wait_for_the_end_of_an_outage_pause(scene: Scene) -> None:
    scene.catalog.error = DOWN
    scene.passes(service("a", ttl=600), seconds=300)
    scene.registrar.deregister(service("b"))
    assert scene.run() == ["deregister b-box"]


def test_a_service_that_is_wanted_again_is_registered_after_its_deregistration(scene: Scene) -> None:
    old, new = service(port=80), service(port=81)
    scene.passes(old)
    scene.registrar.deregister(old)
    scene.registrar.register(new, "passing")
    assert scene.run() == ["deregister web-box", "register web-box passing", "passing web-box"]


def test_a_deregistration_that_could_not_be_done_is_given_up_when_the_service_is_wanted_again(scene: Scene) -> None:
    scene.passes()
    scene.catalog.error = DOWN
    scene.registrar.deregister(service())
    scene.run(60)
    scene.catalog.error = None
    assert scene.passes() == ["passing web-box"]


def test_a_desired_state_that_changes_during_a_call_is_applied_after_it(scene: Scene) -> None:
    once = iter([lambda: scene.registrar.deregister(service())])
    scene.catalog.on_call = lambda verb: next(once, lambda: None)()
    scene.registrar.register(service(), "passing")
    assert scene.run() == ["register web-box passing", "deregister web-box"]
    assert scene.catalog.known == {}


def test_desired_states_do_not_pile_up_behind_a_call_that_hangs(scene: Scene) -> None:
    def many(verb: str) -> None:
        scene.catalog.on_call = lambda verb: None
        for _ in range(1000):
            scene.registrar.register(service(), "passing")

    scene.passes()
    scene.catalog.on_call = many
    assert scene.passes() == ["passing web-box", "passing web-box"]


def test_a_deregistration_breaks_off_a_call_that_hangs(scene: Scene) -> None:
    """The call of one service hangs, another is to go: after a short grace the call is cut, and repeated later."""
    scene.passes(service("slow"))

    def hang(verb: str) -> None:
        scene.catalog.on_call = lambda verb: None
        scene.registrar.deregister(service("gone"))
        scene.loop.turn()
        assert scene.catalog.interrupted == 0
        scene.clock.time += DEREGISTRATION_GRACE
        scene.loop.turn()
        assert scene.catalog.interrupted == 1
        raise CatalogClosed("broken off")

    scene.catalog.on_call = hang
    assert scene.passes(service("slow")) == ["passing slow-box", "deregister gone-box", "passing slow-box"]
    assert "warning" not in "".join(scene.new_lines())


def test_a_call_that_ends_by_itself_is_not_broken_off(scene: Scene) -> None:
    scene.passes(service("slow"))
    once = iter([lambda: scene.registrar.deregister(service("gone"))])
    scene.catalog.on_call = lambda verb: next(once, lambda: None)()
    scene.passes(service("slow"))
    scene.clock.time += DEREGISTRATION_GRACE
    scene.loop.turn()
    assert scene.catalog.interrupted == 0


def test_a_deregistration_is_not_broken_off_for_another_deregistration(scene: Scene) -> None:
    scene.passes(service("slow"))

    def heartbeat(verb: str) -> None:
        scene.registrar.deregister(service("first"))
        scene.catalog.on_call = deregistration

    def deregistration(verb: str) -> None:
        scene.catalog.on_call = lambda verb: None
        scene.registrar.deregister(service("second"))
        scene.clock.time += DEREGISTRATION_GRACE
        scene.loop.turn()

    scene.catalog.on_call = heartbeat
    calls = scene.passes(service("slow"))
    assert calls == ["passing slow-box", "deregister first-box", "deregister second-box"]
    assert scene.catalog.interrupted == 0


def test_a_refusal_shows_that_the_catalogue_is_there_again(scene: Scene) -> None:
    scene.catalog.error = DOWN
    scene.passes()
    scene.catalog.error = CatalogRefused("Unexpected response code: 403 (Permission denied)")
    scene.passes(seconds=CALM + 1)
    assert scene.new_lines()[1:] == [
        "warning: Service registration failed: Unexpected response code: 403 (Permission denied)",
        "info: Catalogue reachable again after 0.2 s",
    ]


def test_the_refusal_of_one_service_does_not_delay_another(scene: Scene) -> None:
    def refuse(verb: str) -> None:
        if "bad" in verb:
            raise CatalogRefused("Unexpected response code: 403 (Permission denied)")

    scene.catalog.on_call = refuse
    for _ in range(20):
        scene.passes(service("bad"), seconds=1)
        scene.passes(service("good"), seconds=1)
    assert scene.catalog.known == {"good-box": "passing"}
    assert scene.new_lines() == [
        "warning: Service registration failed: Unexpected response code: 403 (Permission denied)",
        "info: Service registered: good",
    ]
    scene.catalog.on_call = lambda verb: None
    scene.passes(service("bad"), seconds=CALM)
    assert scene.new_lines() == [
        "info: Service registered: bad",
        "info: Service registration works again: bad, after 40.0 s",
    ]


def test_a_check_that_cannot_be_registered_is_named(scene: Scene) -> None:
    scene.catalog.error = CatalogRefused("Unexpected response code: 400 (Invalid check)", "Check registration")
    scene.passes()
    assert scene.new_lines() == ["warning: Check registration failed: Unexpected response code: 400 (Invalid check)"]


def test_a_catalogue_that_forgets_at_once_is_logged_once_and_not_called_in_a_loop(scene: Scene) -> None:
    def forget(verb: str) -> None:
        if verb.startswith("passing"):
            raise CatalogForgotten("Unexpected response code: 500 (unknown check)")

    scene.catalog.on_call = forget
    for _ in range(10):
        assert len(scene.passes(seconds=1)) <= 12
    assert scene.new_lines() == ["error: Failed to write heartbeat: Unexpected response code: 500 (unknown check)"]


def test_each_attempt_may_register_twice(scene: Scene) -> None:
    """In the services dialect the first registration brings no check; that must also work after failed attempts."""

    def forget(verb: str) -> None:
        if verb.startswith("passing"):
            raise CatalogForgotten("Unexpected response code: 500 (unknown check)")

    scene.catalog.on_call = forget
    scene.passes(seconds=5)
    answers = iter([forget])
    scene.catalog.on_call = lambda verb: [answer(verb) for answer in answers] if verb.startswith("passing") else None
    scene.passes(seconds=CALM)
    assert scene.catalog.known == {"web-box": "passing"}
    assert scene.new_lines()[1:] == [
        "info: Service registered: web",
        "info: Service registration works again: web, after 5.0 s",
    ]


def test_a_catalogue_that_answers_500_to_everything_is_one_outage(scene: Scene) -> None:
    scene.passes()
    scene.new_lines()
    scene.catalog.known.clear()

    def answer(verb: str) -> None:
        if not verb.startswith("passing"):
            raise CatalogUnreachable("Unexpected response code: 500 (No cluster leader)")

    scene.catalog.on_call = answer
    for _ in range(50):
        scene.passes(seconds=5)
    assert scene.new_lines() == [
        "info: Service not registered: Unexpected response code: 500 (unknown check)",
        "warning: Service registration failed: Unexpected response code: 500 (No cluster leader)",
    ]


def test_a_catalogue_that_cannot_be_opened_is_an_outage(scene: Scene) -> None:
    scene.open_error = CatalogUnreachable("cannot use consul.address 'x y'")
    scene.passes(seconds=5)
    assert scene.new_lines() == ["warning: Service registration failed: cannot use consul.address 'x y'"]
    scene.open_error = None
    scene.passes()
    assert scene.catalog.known == {"web-box": "passing"}


def test_without_memory_the_registration_is_tried_again_and_that_is_logged(scene: Scene) -> None:
    scene.catalog.error = MemoryError()
    scene.passes(seconds=1)
    assert scene.new_lines() == ["warning: Service registration failed: not enough memory"]
    scene.catalog.error = None
    scene.passes()
    assert scene.catalog.known == {"web-box": "passing"}


def test_a_fault_in_a_library_does_not_end_registration(scene: Scene) -> None:
    scene.catalog.error = ZeroDivisionError("oops")
    scene.passes(seconds=1)
    assert scene.new_lines() == ["warning: Service registration failed: unexpected ZeroDivisionError: oops"]
    scene.catalog.error = None
    scene.passes()
    assert scene.catalog.known == {"web-box": "passing"}


def test_nothing_is_done_after_the_stop(scene: Scene) -> None:
    scene.passes()
    scene.registrar.stop()
    gone: list[str] = []
    scene.registrar.register(service(), "passing")
    scene.registrar.deregister(service(), lambda: gone.append("web"))
    assert scene.run(60) == []
    assert gone == ["web"]
    assert scene.catalog.closed


def test_without_a_thread_a_deregistration_is_not_waited_for(scene: Scene) -> None:
    """The container may have no free process. The next change of the desired state tries again."""

    def refuse(run: Callable[[], None], arguments: tuple[()]) -> None:
        raise RuntimeError("can't start new thread")

    registrar = Registrar(
        scene.open, scene.loop, scene.log, listener=Deaf(), random=lambda: 0.5, clock=scene.clock, start_thread=refuse
    )
    gone: list[str] = []
    registrar.start()
    registrar.register(service(), "passing")
    registrar.deregister(service(), lambda: gone.append("web"))
    scene.loop.turn()
    assert gone == ["web"]
    assert [line for line in scene.new_lines() if "thread" in line] == [
        "warning: Service registration failed: cannot start a thread: can't start new thread"
    ]
