"""The calls to a catalogue are counted and timed, whatever becomes of them."""

from __future__ import annotations

import time
from typing import Any, cast
from unittest.mock import Mock

import pytest

from cp.catalog.instrumented import InstrumentedCatalog
from cp.catalog.protocol import CatalogClosed, CatalogForgotten, CatalogRefused, CatalogUnreachable
from cp.engine.catalog_status import PendingCalls

CALLS: list[tuple[str, str, tuple[Any, ...]]] = [
    ("register", "register", ("service", "passing")),
    ("heartbeat", "heartbeat", ("service", "passing", "ok")),
    ("deregister", "deregister", ("service",)),
    ("instances", "instances", ("watch",)),
    ("wait_for_change", "wait", ("watch", 7, 60.0)),
]


def observed(catalog: Mock) -> tuple[Any, list[tuple[str, bool]]]:
    reported: list[tuple[str, bool]] = []

    def observe(verb: str, seconds: float, failed: bool) -> None:
        assert 0 <= seconds < 60
        reported.append((verb, failed))

    return InstrumentedCatalog(cast("Any", catalog), observe, PendingCalls(time.monotonic), "app"), reported


@pytest.mark.parametrize(("method", "verb", "arguments"), CALLS)
def test_calls_are_passed_on_and_reported(method: str, verb: str, arguments: tuple[Any, ...]) -> None:
    catalog = Mock()
    one, reported = observed(catalog)

    result = getattr(one, method)(*arguments)

    getattr(catalog, method).assert_called_once_with(*arguments)
    if verb in ("instances", "wait"):
        assert result is getattr(catalog, method).return_value
    assert reported == [(verb, False)]


@pytest.mark.parametrize(("error", "failed"), [(CatalogForgotten("gone"), True), (CatalogClosed("by us"), False)])
def test_an_interrupted_call_has_not_failed(error: Exception, failed: bool) -> None:
    catalog = Mock()
    catalog.heartbeat.side_effect = error
    one, reported = observed(catalog)

    with pytest.raises(type(error)):
        one.heartbeat("service", "passing", "ok")

    assert reported == [("heartbeat", failed)]


def test_interrupting_and_closing_it_are_not_calls() -> None:
    catalog = Mock()
    one, reported = observed(catalog)

    one.interrupt()
    one.close()

    catalog.interrupt.assert_called_once_with()
    catalog.close.assert_called_once_with()
    assert not reported


@pytest.mark.parametrize(("method", "verb", "arguments"), CALLS)
@pytest.mark.parametrize(
    "error",
    [None, CatalogForgotten("gone"), CatalogRefused("no"), CatalogUnreachable("in vain"), RuntimeError("a fault")],
)
def test_an_answer_is_overdue_until_the_catalogue_has_given_one(
    error: Exception | None, method: str, verb: str, arguments: tuple[Any, ...]
) -> None:
    now = 1000.0
    awaited = PendingCalls(lambda: now)
    wait = 60.0 * 17 / 16 if verb == "wait" else 0.0
    reported: list[dict[str, float]] = []

    def call(*_: object) -> None:
        nonlocal now
        for seconds in (wait + 1.9, wait + 2.0):
            now = 1000.0 + seconds
            reported.append(awaited.overdue(lambda _: 2.0))
        if error is not None:
            raise error

    catalog = Mock(**{f"{method}.side_effect": call})
    one = InstrumentedCatalog(cast("Any", catalog), None, awaited, "app")
    if error is None:
        getattr(one, method)(*arguments)
    else:
        with pytest.raises(type(error)):
            getattr(one, method)(*arguments)

    assert reported == [{}, {"app": 2.0}]
    has_answered = error is None or isinstance(error, (CatalogForgotten, CatalogRefused))
    assert awaited.overdue(lambda _: 2.0) == ({} if has_answered else {"app": 2.0})
    assert awaited.failing_for("app") == (0.0 if has_answered else 2.0)
