"""Reports of entries that cannot be used."""

from __future__ import annotations

from cp.catalog.unusable import MOST_REPORTS, Unusable


def test_each_is_reported_once_while_it_is_there() -> None:
    told: list[str] = []
    unusable = Unusable(told.append)
    for texts in ({"a": "a is bad"}, {"a": "a is bad"}, {"a": "a is worse", "b": "b is bad"}, {}, {"b": "b is bad"}):
        unusable.report(texts)
    assert told == ["a is bad", "b is bad", "b is bad"]


def test_many_at_once_are_counted() -> None:
    told: list[str] = []
    unusable = Unusable(told.append)
    many = {str(number): f"{number} is bad" for number in range(MOST_REPORTS + 3)}
    unusable.report(many)
    unusable.report(many)
    assert told[:-1] == [f"{number} is bad" for number in range(MOST_REPORTS)]
    assert told[-1] == "3 more entries of the catalogue are ignored for such reasons"
