"""The facts about a catalogue: what is true of each registration, and whether the catalogue answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cp.engine.catalog_status import CatalogStatus
from cp.plan import REGISTRATION, STATUSES
from tests.unit.engine.plans import advertised

if TYPE_CHECKING:
    from cp.plan import Status

WEB = advertised("web")  # its ttl is 10 s
MOVED = WEB.replace(address="10.0.0.2")
DOWN = "connection refused"


class Facts:
    def __init__(self) -> None:
        self.time = 1000.0
        self.catalog = CatalogStatus(lambda: self.time)

    def confirm(self, status: Status = "passing") -> None:
        self.catalog.confirmed(WEB, status, self.time, WEB.id)

    def fail(self, why: str = DOWN) -> None:
        self.catalog.failed(REGISTRATION, why, False)

    def seen(self, service: object = WEB, *, wanted: bool = True) -> str:
        """The state of a service, and since how many seconds, if it is a failure."""
        assert isinstance(service, type(WEB))
        standing = self.catalog.standing(service, wanted=wanted)
        return standing.state if standing.since is None else f"{standing.state} {self.time - standing.since:g}"


@pytest.fixture
def facts() -> Facts:
    return Facts()


def test_nothing_is_registered_before_the_catalogue_confirmed_it(facts: Facts) -> None:
    assert facts.seen() == "not yet"
    assert facts.catalog.is_reachable is None


@pytest.mark.parametrize("status", STATUSES)
def test_a_confirmed_status_counts_for_one_ttl(facts: Facts, status: Status) -> None:
    facts.confirm(status)
    facts.time += 9.9
    assert facts.seen() == status
    facts.time += 0.1
    assert facts.seen() == "lapsed 0"
    facts.time += 60
    assert facts.seen() == "lapsed 60"
    facts.confirm(status)
    assert facts.seen() == status


def test_a_confirmation_counts_from_the_time_of_its_request(facts: Facts) -> None:
    facts.catalog.confirmed(WEB, "passing", facts.time - 10, WEB.id)
    assert facts.seen() == "lapsed 0"


def test_a_catalogue_that_never_answered_is_unreachable_and_nothing_is_passing(facts: Facts) -> None:
    facts.fail()
    facts.time += 30
    facts.fail("another reason")
    assert facts.seen() == "unreachable 30"
    assert facts.catalog.standing(WEB, wanted=True).why == "another reason"
    assert facts.catalog.is_reachable is False
    assert facts.catalog.since == 1000


def test_a_confirmed_state_is_valid_for_its_ttl_although_the_catalogue_went_away(facts: Facts) -> None:
    facts.confirm()
    facts.time += 5
    facts.fail()
    assert facts.seen() == "passing"
    facts.time += 5
    assert facts.seen() == "unreachable 5"


def test_an_outage_that_is_over_is_not_shown_any_more_but_its_error_is(facts: Facts) -> None:
    facts.fail()
    facts.time += 5
    facts.catalog.answered(REGISTRATION)
    assert facts.seen() == "not yet"
    assert facts.catalog.is_reachable is True
    assert facts.catalog.since == 1005
    assert facts.catalog.last_error == (1000, DOWN)
    facts.time += 1
    facts.catalog.answered(REGISTRATION)
    assert facts.catalog.since == 1005


def test_a_service_that_is_refused_is_shown_as_such_beside_one_that_is_not(facts: Facts) -> None:
    facts.catalog.answered(REGISTRATION)
    facts.catalog.refused(WEB, "403")
    facts.time += 7
    facts.catalog.refused(WEB, "403 again")
    assert facts.seen() == "refused 7"
    assert facts.catalog.standing(WEB, wanted=True).why == "403 again"
    assert facts.seen(advertised("other")) == "not yet"
    assert facts.catalog.is_reachable is True
    facts.confirm()
    assert facts.seen() == "passing"


def test_an_entry_with_the_old_address_does_not_confirm_the_new_one(facts: Facts) -> None:
    facts.confirm()
    assert facts.seen(MOVED) == "not yet"
    facts.catalog.confirmed(MOVED, "passing", facts.time, MOVED.id)
    assert facts.seen(MOVED) == "passing"


def test_a_service_that_the_catalogue_has_forgotten_is_not_registered(facts: Facts) -> None:
    facts.confirm()
    facts.catalog.absent(WEB)
    assert facts.seen() == "not yet"


def test_a_removed_service_is_shown_until_the_catalogue_confirms_the_removal(facts: Facts) -> None:
    assert facts.seen(wanted=False) == "no"
    facts.confirm()
    facts.time += 1
    assert facts.seen(wanted=False) == "deregistering"
    facts.fail()
    facts.time += 10
    assert facts.seen(wanted=False) == "unreachable 10"
    facts.catalog.absent(WEB)
    assert facts.seen(wanted=False) == "no"


def test_each_watch_and_the_registration_may_fail_on_their_own(facts: Facts) -> None:
    catalog = facts.catalog
    facts.confirm()
    facts.time += 1
    catalog.failed("watch.db", "500 (no cluster leader)", False)
    assert catalog.is_reachable is False
    facts.time += 1
    facts.confirm()
    assert catalog.is_reachable is False
    assert catalog.since == 1001
    assert list(catalog.failures) == ["watch.db"]
    assert facts.seen() == "passing"
    facts.time += 1
    catalog.answered("watch.db")
    assert catalog.is_reachable is True
    assert catalog.since == 1003


def test_a_watch_that_is_refused_does_not_make_the_catalogue_unreachable(facts: Facts) -> None:
    facts.catalog.failed("watch.db", "403", True)
    assert facts.catalog.is_reachable is True
    assert facts.catalog.since == 1000
    assert facts.catalog.failures["watch.db"].why == "403"


def test_a_watch_that_a_reload_took_away_fails_no_more(facts: Facts) -> None:
    facts.confirm()
    facts.catalog.failed("watch.db", DOWN, False)
    facts.time += 1
    facts.catalog.dropped("watch.db")
    assert facts.catalog.is_reachable is True
    assert facts.catalog.since == 1001


def test_an_answer_that_is_overdue_shows_until_it_comes(facts: Facts) -> None:
    catalog = facts.catalog
    facts.confirm()
    facts.time += 4
    call = catalog.awaited.begin("watch.db")
    facts.time += 1.9
    assert (catalog.is_reachable, catalog.since) == (True, 1000)
    facts.time += 0.1
    assert (catalog.is_reachable, catalog.since) == (False, 1004)
    assert catalog.reach.overdue == {"watch.db": 1004}
    assert not catalog.reach.has_failed
    assert facts.seen() == "passing"
    catalog.awaited.end(call)
    assert (catalog.is_reachable, catalog.since) == (True, 1000)


def test_an_answer_to_the_registration_is_overdue_once_the_ttl_is_over(facts: Facts) -> None:
    facts.confirm()
    facts.time += 9.5
    facts.catalog.awaited.begin(REGISTRATION)
    facts.catalog.awaited.begin("watch.db")
    facts.time += 0.4
    assert facts.catalog.is_reachable is True
    facts.time += 0.1
    assert facts.seen() == "lapsed 0"
    assert facts.catalog.reach.overdue == {REGISTRATION: 1009.5}


def test_a_question_of_a_moment_ago_is_not_overdue_although_the_ttl_is_over(facts: Facts) -> None:
    facts.confirm()
    facts.time += 15
    facts.catalog.awaited.begin(REGISTRATION)
    facts.time += 0.1
    assert facts.catalog.is_reachable is True


def test_a_catalogue_that_has_not_answered_the_first_question_in_time_is_not_reachable(facts: Facts) -> None:
    facts.catalog.awaited.begin(REGISTRATION)
    facts.time += 1
    assert facts.catalog.is_reachable is None
    facts.time += 1
    assert facts.catalog.is_reachable is False


def test_an_outage_began_with_its_first_failure_however_long_the_next_answer_takes(facts: Facts) -> None:
    facts.fail()
    facts.time += 1
    facts.catalog.awaited.begin(REGISTRATION)
    facts.time += 5
    assert facts.catalog.reach.has_failed
    assert facts.catalog.since == 1000


@pytest.mark.parametrize("asker", [REGISTRATION, "watch.db"])
def test_an_outage_has_one_beginning_from_the_first_overdue_answer_to_the_end(facts: Facts, asker: str) -> None:
    """Whatever becomes of its questions: calls that end in vain, one after another, and the pauses between them."""
    catalog = facts.catalog
    facts.confirm()
    facts.time += 1
    since = []

    def passes(seconds: int) -> None:
        for _ in range(seconds):
            facts.time += 1
            since.append((catalog.is_reachable, catalog.since))

    for attempt in range(3):
        call = catalog.awaited.begin(asker)
        passes(10)
        catalog.awaited.end(call, answered=False)
        passes(1)
        if attempt:  # what looks at our entry reports nothing
            catalog.failed(asker, DOWN, False)
    assert since == [(True, 1000)] + [(False, 1001)] * 32
    assert catalog.failures[asker].since == 1001
    assert facts.seen() == ("unreachable 33" if asker == REGISTRATION else "lapsed 24")

    call = catalog.awaited.begin(asker)
    catalog.awaited.end(call)
    catalog.answered(asker)
    assert (catalog.is_reachable, catalog.since) == (True, facts.time)


def test_the_beginning_of_an_outage_is_that_of_the_question_that_waited_longest(facts: Facts) -> None:
    facts.confirm()
    watch = facts.catalog.awaited.begin("watch.db")
    facts.time += 5
    assert facts.catalog.since == 1000
    facts.fail("connection reset")
    assert facts.catalog.since == 1000
    facts.catalog.awaited.end(watch, answered=False)
    facts.catalog.failed("watch.db", DOWN, False)
    assert {who: failure.since for who, failure in facts.catalog.failures.items()} == {
        REGISTRATION: 1005,
        "watch.db": 1000,
    }
    assert facts.catalog.since == 1000


def test_the_answer_to_a_question_that_is_left_open_is_due_after_its_wait(facts: Facts) -> None:
    facts.confirm()
    call = facts.catalog.awaited.begin("watch.db", 300.0)
    facts.time += 310
    assert facts.catalog.since == 1300
    facts.catalog.awaited.end(call, answered=False)
    facts.catalog.failed("watch.db", DOWN, False)
    assert facts.catalog.failures["watch.db"].since == facts.catalog.since == 1300


def test_a_question_that_is_left_open_and_broken_off_fails_now(facts: Facts) -> None:
    facts.confirm()
    call = facts.catalog.awaited.begin("watch.db", 300.0)
    facts.time += 100
    facts.catalog.awaited.end(call, answered=False)
    assert facts.catalog.is_reachable is True
    facts.catalog.failed("watch.db", DOWN, False)
    assert facts.catalog.since == 1100


def test_a_refusal_fails_since_it_came(facts: Facts) -> None:
    call = facts.catalog.awaited.begin("watch.db")
    facts.time += 1
    facts.catalog.awaited.end(call)
    facts.catalog.failed("watch.db", "403", True)
    assert facts.catalog.failures["watch.db"].since == 1001


def test_a_service_that_lapsed_before_an_outage_has_lapsed_since_then(facts: Facts) -> None:
    """Its checks failed long before anybody queried the catalogue again."""
    facts.confirm()
    facts.time += 60
    call = facts.catalog.awaited.begin(REGISTRATION)
    facts.time += 10
    assert facts.seen() == "lapsed 60"
    facts.catalog.awaited.end(call, answered=False)
    facts.fail()
    assert facts.seen() == "lapsed 60"
    assert facts.catalog.standing(WEB, wanted=True).why == DOWN


def test_the_oldest_overdue_answer_counts(facts: Facts) -> None:
    facts.confirm()
    for _ in range(3):
        facts.catalog.awaited.begin(REGISTRATION)
        facts.time += 1
    assert facts.catalog.reach.overdue == {REGISTRATION: 1000}


def test_the_query_of_a_watch_that_a_reload_removed_is_not_overdue(facts: Facts) -> None:
    facts.confirm()
    facts.catalog.awaited.begin("watch.db")
    facts.time += 60
    facts.catalog.dropped("watch.db")
    assert facts.catalog.is_reachable is True


def test_time_of_a_suspended_machine_does_not_count_against_the_catalogue() -> None:
    slept = 0.0
    catalog = CatalogStatus(lambda: 1000.0 + slept, lambda: 500.0)
    catalog.answered(REGISTRATION)
    catalog.awaited.begin(REGISTRATION)
    slept = 3600.0
    assert catalog.is_reachable is True
