"""The calls to a catalogue are counted and timed, whatever becomes of them."""

from __future__ import annotations

from typing import Any, cast
from unittest.mock import Mock

import pytest

from cp.catalog import CatalogClosed, CatalogForgotten
from cp.catalog.observed import Observed

CALLS: list[tuple[str, str, tuple[Any, ...]]] = [
    ("register", "register", ("service", "passing")),
    ("heartbeat", "heartbeat", ("service", "passing", "ok")),
    ("deregister", "deregister", ("service",)),
    ("instances", "instances", ("watch",)),
    ("wait_for_change", "wait", ("watch", 7, 60.0)),
]


def observed(catalog: Mock) -> tuple[Any, list[tuple[str, bool]]]:
    heard: list[tuple[str, bool]] = []

    def observe(verb: str, seconds: float, failed: bool) -> None:
        assert 0 <= seconds < 60
        heard.append((verb, failed))

    return Observed(cast("Any", catalog), observe), heard


@pytest.mark.parametrize(("method", "verb", "arguments"), CALLS)
def test_calls_are_passed_on_and_told(method: str, verb: str, arguments: tuple[Any, ...]) -> None:
    catalog = Mock()
    one, heard = observed(catalog)

    result = getattr(one, method)(*arguments)

    getattr(catalog, method).assert_called_once_with(*arguments)
    if verb in ("instances", "wait"):
        assert result is getattr(catalog, method).return_value
    assert heard == [(verb, False)]


@pytest.mark.parametrize(("error", "failed"), [(CatalogForgotten("gone"), True), (CatalogClosed("by us"), False)])
def test_what_we_break_off_ourselves_has_not_failed(error: Exception, failed: bool) -> None:
    catalog = Mock()
    catalog.heartbeat.side_effect = error
    one, heard = observed(catalog)

    with pytest.raises(type(error)):
        one.heartbeat("service", "passing", "ok")

    assert heard == [("heartbeat", failed)]


def test_to_interrupt_and_to_close_it_are_no_calls() -> None:
    catalog = Mock()
    one, heard = observed(catalog)

    one.interrupt()
    one.close()

    catalog.interrupt.assert_called_once_with()
    catalog.close.assert_called_once_with()
    assert not heard
