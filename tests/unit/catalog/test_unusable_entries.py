"""Reports of entries that cannot be used."""

from __future__ import annotations

from cp.catalog.unusable_entries import MOST_REPORTS, Seen, UnusableEntries


def test_each_is_reported_once_while_it_is_there() -> None:
    reports: list[str] = []
    unusable = UnusableEntries(reports.append)
    for texts in ({"a": "a is bad"}, {"a": "a is bad"}, {"a": "a is worse", "b": "b is bad"}, {}, {"b": "b is bad"}):
        unusable.report(texts)
    assert reports == ["a is bad", "b is bad", "b is bad"]


def test_many_at_once_are_counted() -> None:
    reports: list[str] = []
    unusable = UnusableEntries(reports.append)
    many = {str(number): f"{number} is bad" for number in range(MOST_REPORTS + 3)}
    unusable.report(many)
    unusable.report(many)
    assert reports[:-1] == [f"{number} is bad" for number in range(MOST_REPORTS)]
    assert reports[-1] == "3 more entries of the catalogue are ignored for such reasons"


def test_each_is_reported_once_to_all_clients_while_one_of_them_sees_it() -> None:
    reports: list[str] = []
    seen = Seen()
    first, second = (UnusableEntries(reports.append, seen) for _ in range(2))
    bad = {"a": "a is bad"}
    for one, texts in ((first, bad), (second, bad), (first, {}), (first, bad), (second, {}), (first, bad)):
        one.report(texts)
    assert reports == ["a is bad"]
    first.report({})
    second.report(bad)
    assert reports == ["a is bad"] * 2


def test_a_closed_client_no_longer_suppresses_reports() -> None:
    reports: list[str] = []
    seen = Seen()
    first, second = (UnusableEntries(reports.append, seen) for _ in range(2))
    first.report({"a": "a is bad", "b": "b is bad"})
    second.report({"b": "b is bad"})
    first.close()
    first.close()
    first.report({"c": "c is bad"})
    second.report({"a": "a is bad", "b": "b is bad"})
    assert reports == ["a is bad", "b is bad", "a is bad"]
    second.close()
    assert seen.clients == {}
