"""How often a job is started again."""

from __future__ import annotations

import pytest

from cp.engine.restart_policy import RestartPolicy
from cp.plan import When
from tests.unit.engine.plans import STARTUP, job, once


def restarts(when: When = STARTUP, left: int | None = 0, command: tuple[str, ...] | None = ("app",)) -> RestartPolicy:
    return RestartPolicy(job("app", when, restarts=left, command=command), lambda: 0.5)


def test_so_many_are_taken_and_can_be_renewed() -> None:
    two = restarts(left=2)
    assert two.count == 0  # those that happened are counted by the job
    assert [two.take() for _ in range(4)] == [True, True, False, False]
    two.renew()
    assert two.left == 2
    two.forbid()
    assert not two.take()


def test_unlimited_ones_are_not_used_up() -> None:
    unlimited = restarts(left=None)
    assert all(unlimited.take() for _ in range(1000))
    unlimited.forbid()
    assert not unlimited.take()


def test_first_run_of_a_periodic_job_takes_none() -> None:
    one = restarts(left=1)
    assert one.take(first=True)
    assert one.left == 1
    assert restarts().take(first=True)


@pytest.mark.parametrize(
    ("code", "command", "restarted"),
    [("stopping", ("app",), False), ("stopping", None, True), ("stopped", ("app",), True)],
)
def test_unlimited_restarts_never_delay_the_end_of_another_job(
    code: str, command: tuple[str, ...] | None, restarted: bool
) -> None:
    assert restarts(once(code, "other"), None, command).take() is restarted
