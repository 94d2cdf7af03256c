"""Queries and reports of a watcher, and their times: on a virtual clock, without threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.outage import CALM, Failures
from cp.catalog.protocol import CatalogError, CatalogRefused, CatalogUnreachable, Instance
from cp.catalog.watcher import GATHER, HASTE, LONGEST_GATHER, PUSH_WAIT, Watcher
from tests.unit.catalog.fakes import DOWN, Clock, Deaf, Facts, FakeCatalog, FakeLog, FakeLoop, instance, watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.protocol import Catalog
    from cp.plan import Watch

A, B, C = instance("a", 1), instance("b", 2), instance("c", 3)


class Scene:
    """A watcher whose thread is the test: `look` asks once."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.loop = FakeLoop(self.clock)
        self.log = FakeLog()
        self.facts = Facts()
        self.catalog = FakeCatalog()
        self.reports: list[list[Instance]] = []
        self.watcher = self.make()

    def make(self, **options: Any) -> Watcher:
        fields = {name: options.pop(name) for name in ("push", "tag", "interval") if name in options}
        options = {"random": lambda: 1.0, "clock": self.clock, **options}
        return Watcher(watch(**fields), self.open, self.loop, self.log, self.report, listener=self.facts, **options)

    def open(self) -> Catalog:
        return self.catalog

    def report(self, instances: list[Instance]) -> None:
        self.reports.append(instances)

    def look(self, *found: Instance) -> float:
        """One look, which finds these; the seconds to the next."""
        self.catalog.found = list(found)
        pause = self.watcher.step()
        self.loop.turn()
        return pause

    def new_reports(self) -> list[list[str]]:
        """The new ids since the last call."""
        reports, self.reports = self.reports, []
        return [[each.id for each in report] for report in reports]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_differences_that_count_as_a_change(scene: Scene) -> None:
    """The sequence that the Go program was observed with."""
    steps: list[tuple[str, list[Instance], bool]] = [
        ("nothing at first", [], False),
        ("the first instance", [A], True),
        ("the same again", [A], False),
        ("another id at the same place", [instance("z", 1)], False),
        ("another port", [instance("z", 9)], True),
        ("other tags", [Instance("z", "10.0.0.1", 9, ("new",))], False),
        ("one more", [instance("z", 9), B], True),
        ("in another order", [B, instance("z", 9)], False),
        ("all gone", [], True),
        ("back", [A], True),
        ("another address", [instance("a", 1, "10.0.0.9")], True),
    ]
    for what, found, changed in steps:
        scene.look(*found)
        assert len(scene.new_reports()) == int(changed), what


def test_instances_that_are_there_at_the_first_look_are_a_change(scene: Scene) -> None:
    scene.look(A)
    assert scene.new_reports() == [["a"]]


def test_two_instances_at_one_place_are_two(scene: Scene) -> None:
    scene.look(A, instance("twin", 1))
    scene.look(A)
    assert scene.new_reports() == [["a", "twin"], ["a"]]


def test_reports_come_on_the_loops_thread_only(scene: Scene) -> None:
    scene.catalog.found = [A]
    scene.watcher.step()
    assert scene.new_reports() == []
    scene.loop.turn()
    assert scene.new_reports() == [["a"]]


def test_a_pushing_catalogue_is_queried_once_for_all_and_then_for_changes(scene: Scene) -> None:
    assert scene.look(A) == GATHER
    scene.catalog.cursor = 2
    assert scene.look(A) == 0
    scene.catalog.cursor = 3
    assert scene.look(A) == 0
    assert scene.catalog.calls == ["instances", "wait_for_change 1", "wait_for_change 2"]


def test_changes_in_a_burst_are_gathered(scene: Scene) -> None:
    """The first is reported at once; then the catalogue collects for a moment, and the final state is what counts."""
    assert scene.look(A) == GATHER
    assert scene.look(A, B, C) == GATHER
    assert scene.new_reports() == [["a"], ["a", "b", "c"]]


def test_while_every_pause_misses_a_change_the_pauses_grow(scene: Scene) -> None:
    """Otherwise each watch of a service that is being started would query four times a second."""
    assert [scene.look(instance("a", port)) for port in range(1, 7)] == [GATHER, GATHER, 1.0, 4.0, 4.0, 4.0]
    assert LONGEST_GATHER == 4.0


def test_the_pauses_never_grow_beyond_the_interval(scene: Scene) -> None:
    scene.watcher = scene.make(interval=2.0)
    assert [scene.look(instance("a", port)) for port in range(1, 6)] == [GATHER, GATHER, 1.0, 2.0, 2.0]


def test_the_pauses_are_longer_for_a_service_of_many_instances(scene: Scene) -> None:
    """The change itself is reported at once; one instance more or less matters less, and all who watch it ask again."""
    twelve, forty = [[instance(f"{number:02}", number) for number in range(count)] for count in (12, 40)]
    assert scene.look(*twelve) == 3 * GATHER
    scene.watcher = scene.make()
    assert scene.look(*forty) == 10 * GATHER
    assert [len(report) for report in scene.new_reports()] == [12, 40]


def test_longer_pauses_are_half_chance(scene: Scene) -> None:
    scene.watcher = scene.make(random=lambda: 0.0)
    assert [scene.look(instance("a", port)) for port in range(1, 6)] == [GATHER, GATHER, 0.5, 2.0, 2.0]


@pytest.mark.parametrize(("lasted", "pauses"), [(0.05, [1.0, GATHER, GATHER]), (CALM, [GATHER, GATHER, GATHER])])
def test_the_pauses_shrink_if_a_query_waited_for_its_answer(scene: Scene, lasted: float, pauses: list[float]) -> None:
    def takes_time(call: str) -> None:
        scene.clock.time += lasted

    for port in range(1, 5):
        scene.look(instance("a", port))
    scene.catalog.on_call = takes_time
    assert [scene.look(instance("a", port)) for port in range(5, 8)] == pauses


def test_changes_after_an_outage_are_expected_to_be_many(scene: Scene) -> None:
    """A whole fleet registers again, and each watch of it is on its way to look."""
    scene.look(A)
    scene.catalog.error = DOWN
    scene.look()
    scene.catalog.error = None
    assert [scene.look(B), scene.look(C)] == [1.0, 4.0]
    assert scene.new_reports() == [["a"], ["b"], ["c"]]


def test_a_catalogue_that_cannot_push_is_polled_every_interval(scene: Scene) -> None:
    scene.catalog.cursor = None
    assert scene.look(A) == 5.0
    assert scene.look(A) == 5.0
    assert scene.catalog.calls == ["instances", "instances"]


def test_plain_polling_on_request(scene: Scene) -> None:
    scene.watcher = scene.make(push=False)
    assert [scene.look(A), scene.look(A), scene.look(B)] == [5.0, 5.0, 5.0]
    assert scene.catalog.calls == ["instances"] * 3


def test_a_catalogue_that_always_answers_at_once_does_not_cause_a_busy_loop(scene: Scene) -> None:
    scene.look(A)
    pauses = [scene.look(A) for _ in range(HASTE + 5)]
    assert pauses[:HASTE] == [0.0] * HASTE
    assert pauses[HASTE:] == [GATHER] * 5


def test_a_failed_query_changes_nothing_and_is_logged_once(scene: Scene) -> None:
    scene.look(A)
    scene.new_reports()
    scene.catalog.error = DOWN
    for _ in range(10):
        scene.clock.time += scene.look(A, B)
    assert scene.new_reports() == []
    assert scene.watcher.memory == [A]
    assert scene.log.lines == [f"warning: Failed to query web: {DOWN}"]
    scene.catalog.error = None
    scene.look(A)
    assert scene.new_reports() == []
    assert scene.log.lines[1:] == []
    scene.clock.time += CALM
    scene.look(A)
    assert scene.log.lines[1:] == ["info: web can be queried again after 37.5 s"]


def test_a_catalogue_that_fails_every_second_time_is_one_outage(scene: Scene) -> None:
    scene.look(A)
    for error in [DOWN, None] * 30:
        scene.catalog.error = error
        scene.look(A)
        scene.clock.time += 1
    assert scene.log.lines == [f"warning: Failed to query web: {DOWN}"]
    scene.clock.time += CALM
    scene.look(A)
    assert scene.log.lines[1:] == ["info: web can be queried again after 59.0 s"]


@pytest.mark.parametrize("waits", [False, True])
def test_an_outage_lasts_since_the_answer_was_due(scene: Scene, waits: bool) -> None:
    """A query that waits for a change has no answer until there is one. That is not an outage."""
    if waits:
        scene.look(A)
    requested_at = scene.clock.time
    due = requested_at + (PUSH_WAIT * 17 / 16 if waits else 0)

    def hang(verb: str) -> None:
        scene.clock.time = due + 10

    scene.catalog.on_call = hang
    scene.catalog.error = DOWN
    scene.look()
    scene.catalog.on_call = lambda verb: None
    scene.catalog.error = None
    scene.clock.time += 3
    scene.look(A)
    scene.clock.time += CALM
    scene.look(A)
    assert scene.log.lines[1:] == ["info: web can be queried again after 13.0 s"]


def test_a_question_that_waits_and_is_cut_off_begins_an_outage_then(scene: Scene) -> None:
    scene.look(A)

    def cut(verb: str) -> None:
        scene.clock.time += 100

    scene.catalog.on_call = cut
    scene.catalog.error = DOWN
    scene.look()
    scene.catalog.on_call = lambda verb: None
    scene.catalog.error = None
    scene.clock.time += 3
    scene.look(A)
    scene.clock.time += CALM
    scene.look(A)
    assert scene.log.lines[1:] == ["info: web can be queried again after 3.0 s"]


@pytest.mark.parametrize(("error", "counts"), [(DOWN, True), (CatalogRefused("403"), False)])
def test_a_failure_counts_for_all_users_of_the_catalogue_unless_it_is_a_refusal(
    scene: Scene, error: CatalogError, counts: bool
) -> None:
    shared = Failures()
    scene.watcher = scene.make(shared=shared)
    scene.catalog.error = error
    scene.look()
    assert (shared.count, shared.of_others("registration"), shared.of_others("watch.web")) == (
        (1, (1, 1), (0, 0)) if counts else (0, (0, 0), (0, 0))
    )


def test_after_an_outage_the_first_questions_are_short_ones(scene: Scene) -> None:
    """Otherwise the log would not show its end for minutes."""
    waits: list[float] = []
    ask = scene.catalog.wait_for_change

    def wait_for_change(watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        waits.append(max_wait)
        return ask(watch, cursor, max_wait)

    scene.catalog.wait_for_change = wait_for_change  # type: ignore[method-assign]
    scene.look(A)
    scene.catalog.error = DOWN
    scene.look(A)
    scene.catalog.error = None
    scene.look(A)
    scene.look(A)
    scene.clock.time += CALM
    scene.look(A)
    scene.look(A)
    assert waits == [PUSH_WAIT, CALM, CALM, PUSH_WAIT]


def test_the_pause_that_a_catalogue_requests_is_respected(scene: Scene) -> None:
    scene.catalog.error = CatalogUnreachable("Unexpected response code: 429 ()", retry_after=20)
    assert scene.look() == 22
    scene.catalog.error = CatalogUnreachable("Unexpected response code: 429 ()", retry_after=3600)
    assert scene.look() == 33


def test_the_attempts_of_an_outage_are_spaced_and_never_further_than_the_interval(scene: Scene) -> None:
    scene.catalog.error = DOWN
    assert [scene.look() for _ in range(7)] == [0.5, 1, 2, 4, 5, 5, 5]


def test_attempts_at_the_pace_of_the_interval_are_half_chance(scene: Scene) -> None:
    """Otherwise all watches that lost their catalogue at one moment would find it again at one moment."""
    scene.watcher = scene.make(random=lambda: 0.0)
    scene.catalog.error = DOWN
    assert [scene.look() for _ in range(7)] == [0.25, 0.5, 1, 2, 2.5, 2.5, 2.5]


def test_after_an_outage_everything_is_read_again_and_compared(scene: Scene) -> None:
    scene.look(A)
    scene.catalog.error = DOWN
    scene.look(A)
    scene.catalog.error = None
    scene.catalog.new_calls()
    scene.look(B)
    assert scene.catalog.calls == ["instances"]
    assert scene.new_reports() == [["a"], ["b"]]


def test_a_catalogue_that_cannot_be_opened_is_tried_again(scene: Scene) -> None:
    errors = iter([CatalogError("cannot use consul.address")])

    def open() -> Catalog:
        for error in errors:
            raise error
        return scene.catalog

    scene.watcher = Watcher(
        watch(), open, scene.loop, scene.log, scene.report, listener=Deaf(), random=lambda: 1.0, clock=scene.clock
    )
    scene.look(A)
    assert scene.log.lines == ["warning: Failed to query web: cannot use consul.address"]
    scene.look(A)
    assert scene.new_reports() == [["a"]]


@pytest.mark.parametrize(
    ("error", "message"), [(MemoryError(), "not enough memory"), (KeyError(), "unexpected KeyError")]
)
def test_a_fault_without_words_has_words(scene: Scene, error: Exception, message: str) -> None:
    scene.catalog.error = error
    scene.look()
    assert scene.log.lines == [f"warning: Failed to query web: {message}"]


def test_a_fault_in_a_library_does_not_end_the_watch(scene: Scene) -> None:
    scene.catalog.error = ZeroDivisionError("oops")
    assert scene.look() == 0.5
    assert scene.log.lines == ["warning: Failed to query web: unexpected ZeroDivisionError: oops"]
    scene.catalog.error = None
    scene.look(A)
    assert scene.new_reports() == [["a"]]


def test_maintenance_reports_nothing_and_its_end_reports_the_difference(scene: Scene) -> None:
    scene.look(A)
    scene.watcher.pause()
    scene.look(A, B)
    scene.look(B, C)
    assert scene.new_reports() == [["a"]]
    scene.watcher.resume()
    assert scene.new_reports() == [["b", "c"]]


def test_instances_that_came_and_went_during_maintenance_are_not_a_change(scene: Scene) -> None:
    scene.look(A)
    scene.watcher.pause()
    scene.look(A, B)
    scene.look(A)
    scene.watcher.resume()
    assert scene.new_reports() == [["a"]]
    scene.look(A, B)
    assert scene.new_reports() == [["a", "b"]]


def test_memory_of_an_earlier_watch_makes_the_first_look_no_change(scene: Scene) -> None:
    scene.look(A, B)
    scene.new_reports()
    scene.watcher = scene.make(memory=scene.watcher.memory)
    scene.look(B, A)
    assert scene.new_reports() == []
    scene.look(A)
    assert scene.new_reports() == [["a"]]


@pytest.mark.parametrize("found", [[], [A]])
def test_the_first_answer_of_a_watch_that_replaces_another_is_always_reported(
    scene: Scene, found: list[Instance]
) -> None:
    scene.watcher = scene.make(memory=None)
    scene.look(*found)
    scene.look(*found)
    assert scene.new_reports() == [[each.id for each in found]]


def test_the_stop_ends_reports_and_the_open_question(scene: Scene) -> None:
    scene.look(A)
    scene.catalog.found = [B]
    scene.watcher.step()
    scene.watcher.stop()
    scene.loop.turn()
    assert scene.new_reports() == [["a"]]
    assert scene.catalog.closed


def test_a_query_that_the_stop_interrupts_is_not_a_failure(scene: Scene) -> None:
    scene.look(A)
    scene.catalog.on_call = lambda verb: scene.watcher.stop()
    scene.catalog.error = DOWN
    scene.look(A)
    assert scene.log.lines == []


def test_without_a_thread_the_watch_is_started_later(scene: Scene) -> None:
    attempts: list[str] = []

    def refuse(run: Callable[[], None], arguments: tuple[()]) -> None:
        attempts.append("start")
        raise RuntimeError("can't start new thread")

    scene.watcher = scene.make(start_thread=refuse)
    scene.watcher.start()
    scene.clock.time += 15
    scene.loop.turn()
    assert len(attempts) == 2
    assert scene.log.lines == ["warning: Failed to query web: cannot start a thread: can't start new thread"]


def test_an_outage_of_a_watch_is_reported_and_so_is_its_end(scene: Scene) -> None:
    scene.look(A)
    scene.look(A)
    assert scene.facts.lines == ["answered watch.web"]
    scene.catalog.error = DOWN
    scene.look()
    scene.look()
    scene.catalog.error = CatalogRefused("403")
    scene.look()
    scene.catalog.error = None
    scene.look(A)
    assert scene.facts.lines[1:] == [
        f"failed watch.web: {DOWN}",
        "failed watch.web (answered): 403",
        "answered watch.web",
    ]


def test_a_watch_that_was_stopped_reports_no_outage(scene: Scene) -> None:
    scene.catalog.error = DOWN
    scene.watcher.stop()
    scene.look()
    assert scene.facts.lines == []
