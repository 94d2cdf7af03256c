"""Differences that count as a change."""

from __future__ import annotations

from cp.catalog.snapshot import Snapshot
from tests.unit.catalog.fakes import instance


def test_lists_are_compared_with_the_one_before() -> None:
    """The lists have no instance, two, none, two, and one."""
    one, two = instance("a"), instance("b")
    last = Snapshot([])
    changed = []
    for found in ([], [one, two], [], [one, two], [two]):
        snapshot = Snapshot(found)
        changed.append(snapshot.differs_from(last))
        last = snapshot
    assert changed == [False, True, True, True, True]


def test_the_order_of_an_answer_and_tags_do_not_count() -> None:
    before = Snapshot([instance("a"), instance("b")])
    assert not Snapshot([instance("b"), instance("a")]).differs_from(before)


def test_everything_differs_from_an_unknown_past_even_nothing() -> None:
    unknown = Snapshot(None)
    assert unknown.instances == []
    assert Snapshot([]).differs_from(unknown)
    assert Snapshot([instance("a")]).differs_from(unknown)
