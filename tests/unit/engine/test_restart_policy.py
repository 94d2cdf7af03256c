"""How often a job is started again, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.engine.restart_policy import RestartPolicy
from cp.plan import Restarts, When
from tests.unit.engine.plans import STARTUP, every, job, once


def restarts(
    when: When = STARTUP,
    left: int | None = 0,
    command: tuple[str, ...] | None = ("app",),
    rules: Restarts | None = None,
) -> RestartPolicy:
    return RestartPolicy(job("app", when, restarts=left, restart_rules=rules, command=command), lambda: 0.5)


def again(policy: RestartPolicy, now: float = 0.0, *, failed: bool = True, lasted: float = 60.0) -> float | None:
    """The time of the next start after a run that ends now; the restart then happens."""
    start = policy.next_start(now, lasted, failed=failed)
    if start is not None:
        policy.restarted(start)
    return start


def test_so_many_are_taken_and_can_be_renewed() -> None:
    two = restarts(left=2)
    assert [again(two) is not None for _ in range(4)] == [True, True, False, False]
    assert two.count == 2
    two.renew()
    assert two.left(0.0) == 2
    two.forbid()
    assert again(two) is None
    assert not two.gave_up  # the job has no rules


def test_unlimited_ones_are_not_used_up() -> None:
    unlimited = restarts(left=None)
    assert all(again(unlimited) is not None for _ in range(1000))
    unlimited.forbid()
    assert again(unlimited) is None


def test_first_run_of_a_periodic_job_takes_none() -> None:
    one = restarts(every(1), left=1)
    assert one.take_run(first=True)
    assert one.left(0.0) == 1
    assert one.take_run(first=False)
    assert not one.take_run(first=False)
    assert restarts().take_run(first=True)


@pytest.mark.parametrize("rules", [None, Restarts(), Restarts(on_failure=True)])
@pytest.mark.parametrize(
    ("code", "command", "restarted"),
    [("stopping", ("app",), False), ("stopping", None, True), ("stopped", ("app",), True)],
)
def test_unlimited_restarts_never_delay_the_end_of_another_job(
    code: str, command: tuple[str, ...] | None, restarted: bool, rules: Restarts | None
) -> None:
    policy = restarts(once(code, "other"), None, command, rules)
    assert (again(policy) is not None) is restarted
    assert not policy.gave_up


# --- after which runs


def test_only_failed_runs_are_repeated_with_on_failure() -> None:
    policy = restarts(left=2, rules=Restarts(on_failure=True))
    assert again(policy, failed=False) is None
    assert (policy.left(0.0), policy.gave_up) == (2, False)  # it is done, and has not given up
    assert again(policy, failed=True) is not None
    assert again(restarts(left=1, rules=Restarts()), failed=False) is not None


def test_a_job_with_rules_gives_up_after_its_last_restart() -> None:
    policy = restarts(left=1, rules=Restarts())
    assert again(policy) is not None
    assert again(policy) is None
    assert (policy.gave_up, policy.used_up) == (True, "1 restart")
    never = restarts(left=0, rules=Restarts())
    assert again(never) is None
    assert not never.gave_up


# --- after which pause


def pauses(rules: Restarts, lengths: list[float], random: float = 0.5) -> list[float]:
    policy = RestartPolicy(job("app", restarts=None, restart_rules=rules), lambda: random)
    return [round(policy.next_start(0.0, length, failed=True) or 0.0, 3) for length in lengths]


SHORT = [0.5] * 9


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Restarts(), [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10]),
        (Restarts(pause=1), [1, 2, 4, 8, 10, 10, 10, 10, 10]),
        (Restarts(pause=1, max_pause=5), [1, 2, 4, 5, 5, 5, 5, 5, 5]),
        (Restarts(max_pause=0.3), [0, 0.1, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]),
        (Restarts(pause=60), [60] * 9),
        (Restarts(pause=2, max_pause=2), [2] * 9),
        (Restarts(max_pause=30), [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8]),
    ],
)
def test_pauses_grow_from_the_first_to_the_longest_one(rules: Restarts, expected: list[float]) -> None:
    assert pauses(rules, SHORT) == expected


@pytest.mark.parametrize("random", [0.0, 0.999])
def test_chance_never_leaves_the_limits_that_are_set(random: float) -> None:
    assert all(1 <= pause <= 5 for pause in pauses(Restarts(pause=1, max_pause=5), SHORT, random))
    assert set(pauses(Restarts(pause=2, max_pause=2), SHORT, random)) == {2}


def test_a_run_of_a_second_is_followed_by_the_shortest_pause_and_one_of_ten_resets_them() -> None:
    assert pauses(Restarts(pause=1), [0.5, 0.5, 0.5, 1.5, 0.5, 10, 0.5]) == [1, 2, 4, 1, 8, 1, 2]


# --- in which time


def test_each_restart_comes_back_when_it_is_old_enough() -> None:
    policy = restarts(left=2, rules=Restarts(per=10, delays=True))
    assert [again(policy, 0.0), again(policy, 4.0)] == [0.0, 4.0]
    assert policy.left(9.9) == 0
    assert policy.left(10.0) == 1
    assert policy.left(14.0) == 2
    assert policy.next_start(5.0, 60.0, failed=True) == 10.0
    assert (policy.is_delayed, policy.used_up) == (True, "2 restarts in 10 s")
    policy.restarted(10.0)
    assert not policy.is_delayed
    assert policy.left(10.0) == 0


def test_without_a_restart_left_the_job_gives_up() -> None:
    policy = restarts(left=2, rules=Restarts(per=600))
    assert [again(policy, at) for at in (0.0, 1.0, 2.0)] == [0.0, 1.0, None]
    assert (policy.gave_up, policy.used_up) == (True, "2 restarts in 10 minutes")


def test_a_pause_that_ends_when_a_restart_is_left_is_no_delay() -> None:
    policy = restarts(left=1, rules=Restarts(per=2, pause=3))
    assert [again(policy, at) for at in (0.0, 4.0, 8.0)] == [3.0, 7.0, 11.0]


def test_a_reload_does_not_forget_the_last_restarts() -> None:
    policy = restarts(left=1, rules=Restarts(per=10))
    again(policy, 0.0)
    policy.renew()
    assert policy.left(5.0) == 0
    policy.forbid()
    assert policy.left(20.0) == 0
    assert again(policy, 20.0) is None


@pytest.mark.parametrize(
    ("number", "per", "text"),
    [
        (1, 60, "1 restart in 1 minute"),
        (5, 600, "5 restarts in 10 minutes"),
        (5, 3600, "5 restarts in 1 hour"),
        (5, 7200, "5 restarts in 2 hours"),
        (5, 90, "5 restarts in 90 s"),
        (5, 0.5, "5 restarts in 0.5 s"),
    ],
)
def test_what_is_used_up_in_words(number: int, per: float, text: str) -> None:
    assert restarts(left=number, rules=Restarts(per=per)).used_up == text


@given(
    number=st.integers(1, 4),
    per=st.integers(1, 20),
    pause=st.sampled_from([None, 1, 3]),
    delays=st.booleans(),
    # For each run: how long it takes, whether it fails, whether somebody starts it before its pause is over.
    runs=st.lists(st.tuples(st.integers(1, 12), st.booleans(), st.booleans()), max_size=40),
)
def test_the_window_is_that_of_a_plain_list_of_times(
    number: int, per: int, pause: int | None, delays: bool, runs: list[tuple[int, bool, bool]]
) -> None:
    policy = restarts(left=number, rules=Restarts(per=per, pause=pause, delays=delays, on_failure=True))
    times: list[float] = []  # of all restarts
    now = 0.0

    def used(at: float) -> int:
        return sum(at - per < time <= at for time in times)

    for seconds, failed, by_hand in runs:
        now += seconds
        assert policy.left(now) == max(0, number - used(now))
        start = policy.next_start(now, seconds, failed=failed)
        if not failed:
            assert start is None
            continue
        first = now + (pause or 0)
        candidates = [first, *(time + per for time in times if time + per > first)]
        free = min(at for at in candidates if used(at) < number)
        assert policy.is_delayed == (delays and free > first)
        assert policy.gave_up == (not delays and free > first)
        assert start == (None if policy.gave_up else free)
        if start is not None:
            now = now if by_hand else start
            policy.restarted(now)
            times.append(now)
    assert policy.count == len(times)
