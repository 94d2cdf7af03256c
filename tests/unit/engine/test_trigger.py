"""The trigger of a job alone: which events start it, and what is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cp.engine.events import Code, Event
from cp.engine.trigger import Trigger
from cp.engine.watch_variables import Found
from cp.plan import Job, When

if TYPE_CHECKING:
    from cp.plan import EventCode


def trigger(
    code: EventCode = Code.EXIT_SUCCESS, source: str = "first", *, each: bool = False, command: bool = True
) -> Trigger:
    when = When(code=code, source=source, each=each)
    return Trigger(Job(name="job", when=when, command=("true",) if command else None))


def test_once_starts_once() -> None:
    once = trigger()
    event = Event(*once.key)
    assert once.accepts(event)
    once.use(event)
    assert not once.accepts(event)
    assert once.exhausted


def test_each_starts_any_number_of_times() -> None:
    each = trigger(each=True)
    for _ in range(3):
        assert each.accepts(Event(*each.key))
        each.use(Event(*each.key))
    assert not each.exhausted


@pytest.mark.parametrize(("code", "exhausted"), [(Code.STOPPING, False), (Code.STOPPED, False), (Code.SHUTDOWN, True)])
def test_a_hook_on_each_end_may_be_started_again_by_another_job_of_that_name(code: EventCode, exhausted: bool) -> None:
    hook = trigger(code, each=True)
    assert hook.is_hook
    hook.use(Event(*hook.key))
    assert hook.exhausted is exhausted


def test_a_job_without_a_command_is_not_a_hook() -> None:
    assert not trigger(Code.STOPPING, command=False).is_hook


@pytest.mark.parametrize(("code", "starts"), [(Code.EXIT_FAILED, False), (Code.TIMER_EXPIRED, True)])
def test_a_job_is_not_started_by_its_own_exit(code: EventCode, starts: bool) -> None:
    assert trigger(code, "job", each=True).accepts(Event(code, "job")) is starts


def test_a_pending_event_is_taken_once() -> None:
    each = trigger(each=True)
    each.remember(Event(*each.key))
    each.remember(Event(*each.key))
    assert each.take() is not None
    assert each.take() is None


def test_a_start_serves_the_pending_event() -> None:
    each = trigger(each=True)
    each.remember(Event(*each.key))
    each.use(Event(*each.key))
    assert each.pending == []


def test_pending_events_can_be_dropped() -> None:
    each = trigger(each=True)
    each.remember(Event(*each.key))
    each.forget()
    assert each.pending == []
    assert not each.exhausted


def test_the_last_report_of_each_watch_is_remembered() -> None:
    each = trigger(Code.CHANGED, "watch.db", each=True)
    reports = [Event(*each.key, Found("db", "watch.db", slot, [])) for slot in (0, 1, 0, 1)]
    for report in reports:
        each.remember(report)
    assert each.pending == reports[2:]
    each.use(reports[3])
    assert each.take() is reports[2]
    assert each.take() is None


def test_a_closed_trigger_accepts_nothing() -> None:
    each = trigger(each=True)
    each.close()
    assert not each.accepts(Event(*each.key))
