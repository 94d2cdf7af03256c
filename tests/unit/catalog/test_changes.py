"""What counts as a change."""

from __future__ import annotations

from cp.catalog.snapshot import Sighting
from tests.unit.catalog.fakes import instance


def test_lists_are_compared_with_the_one_before() -> None:
    """v3 13.5 row 102: nothing, two, nothing, two, one."""
    one, two = instance("a"), instance("b")
    last = Sighting([])
    changed = []
    for found in ([], [one, two], [], [one, two], [two]):
        sighting = Sighting(found)
        changed.append(sighting.differs_from(last))
        last = sighting
    assert changed == [False, True, True, True, True]


def test_the_order_of_an_answer_and_tags_do_not_count() -> None:
    before = Sighting([instance("a"), instance("b")])
    assert not Sighting([instance("b"), instance("a")]).differs_from(before)


def test_everything_differs_from_an_unknown_past_even_nothing() -> None:
    unknown = Sighting(None)
    assert unknown.instances == []
    assert Sighting([]).differs_from(unknown)
    assert Sighting([instance("a")]).differs_from(unknown)
