from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cp.catalog.lazy_client import LazyClient
from tests.unit.catalog.fakes import DOWN, FakeCatalog

if TYPE_CHECKING:
    from cp.catalog.protocol import Catalog


class Opening:
    """Opens one catalogue, or fails, or closes its client meanwhile."""

    def __init__(self) -> None:
        self.catalog = FakeCatalog()
        self.errors: list[Exception] = []
        self.count = 0
        self.client = LazyClient(self._open)
        self.closes_meanwhile = False

    def _open(self) -> Catalog:
        self.count += 1
        if self.errors:
            raise self.errors.pop()
        if self.closes_meanwhile:
            self.client.close()
        return self.catalog


@pytest.fixture
def opening() -> Opening:
    return Opening()


def test_it_is_opened_once_when_it_is_needed(opening: Opening) -> None:
    assert (opening.count, opening.client.is_open) == (0, False)
    assert opening.client.get() is opening.client.get() is opening.catalog
    assert (opening.count, opening.client.is_open) == (1, True)


def test_an_attempt_that_fails_is_repeated(opening: Opening) -> None:
    opening.errors = [DOWN]
    with pytest.raises(type(DOWN)):
        opening.client.get()
    assert not opening.client.is_open
    assert opening.client.get() is opening.catalog


@pytest.mark.parametrize("error", [DOWN, ZeroDivisionError("oops"), MemoryError()])
def test_warming_up_reports_no_failure_but_the_first_call_does(opening: Opening, error: Exception) -> None:
    opening.errors = [error, error]
    opening.client.warm_up()
    with pytest.raises(type(error)):
        opening.client.get()


def test_warming_up_opens_it_for_the_first_call(opening: Opening) -> None:
    opening.client.warm_up()
    assert opening.client.is_open
    opening.client.get()
    assert opening.count == 1


@pytest.mark.parametrize("moment", ["before", "meanwhile", "after"])
def test_whenever_it_is_closed_its_calls_fail(opening: Opening, moment: str) -> None:
    opening.closes_meanwhile = moment == "meanwhile"
    if moment == "before":
        opening.client.close()
    opening.client.get()
    if moment == "after":
        assert not opening.catalog.closed
        opening.client.close()
    assert opening.catalog.closed


def test_only_an_open_one_is_interrupted(opening: Opening) -> None:
    opening.client.interrupt()
    opening.client.get()
    assert opening.catalog.interrupted == 0
    opening.client.interrupt()
    assert (opening.catalog.interrupted, opening.catalog.closed) == (1, False)
