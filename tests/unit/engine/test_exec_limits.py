"""Configurations and environments that are refused because no process could start with them."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from cp.engine import exec_limits
from cp.engine.exec_limits import LONGEST, RESERVE, DoesNotFit, check_change, check_reload, size_of_environment, space
from cp.plan import Plan
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.jobs_world import refusal as order_refusal
from tests.unit.engine.plans import check, each, job, watch

if TYPE_CHECKING:
    from collections.abc import Callable

SPACE = 400_000
NOTHING: dict[str, str] = {}


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_limits, "space", lambda: SPACE)


def refusal(check: Callable[..., None], *arguments: object) -> str:
    """Why the check refuses; empty if it does not."""
    try:
        check(*arguments)
    except DoesNotFit as error:
        return str(error)
    return ""


def plan(*commands: str, **settings: Any) -> Plan:
    return Plan(dialect="jobs", jobs=tuple(job(name, pid_variables=()) for name in commands), **settings)


def big(count: int, size: int = 1000) -> dict[str, str]:
    return {f"V{index:05}": "x" * (size - len("V00000=\0")) for index in range(count)}


@pytest.mark.parametrize(("letter", "bytes_"), [("x", 1), ("é", 2), ("\udcff", 1), ("€", 3)])
def test_a_variable_is_as_long_as_the_kernel_takes_it_and_no_longer(letter: str, bytes_: int) -> None:
    rest = LONGEST - len("BIG=") - 1
    value = letter * (rest // bytes_) + "x" * (rest % bytes_)

    assert refusal(check_change, plan("app"), NOTHING, {"BIG": value}) == ""
    assert refusal(check_change, plan("app"), NOTHING, {"BIG": value + "x"}) == (
        f"BIG and its value have {LONGEST - 1} bytes, and the kernel takes {LONGEST - 2} of one variable"
    )


def test_many_small_variables_count_together() -> None:
    def variables(count: int) -> dict[str, str]:
        return {f"V{index:05}": "x" * 84 for index in range(count)}

    def refused(count: int) -> str:
        return refusal(check_change, plan("app"), NOTHING, variables(count))

    first = bisect_left(range(100_000), True, key=lambda count: refused(count) != "")
    after, why = variables(first), refused(first)
    size = size_of_environment(after.items())
    assert SPACE - RESERVE - 100 < size < SPACE - RESERVE
    assert (
        why == f"all variables have {size} bytes and the command of app 12: together the kernel takes {SPACE - RESERVE}"
    )


def test_arguments_and_checks_take_of_the_same_space() -> None:
    after = big(300)
    assert refusal(check_change, plan("app"), NOTHING, after) == ""
    assert " and the command of other 100023: together" in refusal(
        check_change,
        Plan(dialect="jobs", jobs=(job("app"), job("other", command=("other", "x" * 100_000)))),
        NOTHING,
        after,
    )
    checked = check("app").replace(command=("check", "x" * 100_000))
    assert " and the command of check.app 100023: together" in refusal(
        check_change, Plan(dialect="jobs", jobs=(job("app", health=checked),)), NOTHING, after
    )


def test_the_variables_that_come_with_the_jobs_have_their_place() -> None:
    jobs = tuple(job(f"job-{index}") for index in range(1000))
    assert refusal(check_change, Plan(dialect="jobs", jobs=jobs), NOTHING, big(340)) == ""
    assert refusal(check_change, Plan(dialect="jobs", jobs=jobs), NOTHING, big(380)) != ""
    assert refusal(check_change, plan("app"), NOTHING, big(380)) == ""


def test_changes_that_make_it_smaller_are_always_accepted() -> None:
    before = big(500)
    after = dict(list(before.items())[1:])
    assert refusal(check_change, plan("app"), before, after) == ""
    assert refusal(check_change, plan("app"), before, {**after, "V00000": "short"}) == ""
    assert refusal(check_change, plan("app"), after, before) != ""


def test_a_reload_counts_new_variables_and_not_those_of_the_old_plan() -> None:
    ours = (("CONTAINERPILOT_APP_IP", "x" * 90_000),)
    theirs = (("CONTAINERPILOT_WEB_IP", "y" * 90_000),)
    environ = {**big(300), **dict(ours)}
    assert refusal(check_reload, plan("app", environ=ours), plan("app", environ=theirs), environ) == ""
    assert refusal(check_reload, plan("app"), plan("app", environ=theirs), environ) != ""
    assert refusal(check_reload, plan("app", environ=ours), plan("app", environ=theirs), {**environ, **big(310)}) != ""


def test_the_operator_refuses_and_nothing_is_changed() -> None:
    world = JobsWorld(job("app", each("signal", "SIGHUP"))).start()
    why = order_refusal(world.admin.change_environment, {"SMALL": "1", "BIG": "x" * LONGEST})
    assert why.startswith("no process could be started any more: BIG and its value have ")
    assert world.context.environment.get() == {"PATH": "/bin"}
    for index in range(4):
        why = order_refusal(world.admin.change_environment, {f"V{index}": "x" * 120_000})
    assert why.startswith("no process could be started any more: all variables have ")
    assert "V3" not in world.context.environment.get()
    assert order_refusal(world.admin.change_environment, {"V2": None}) == ""
    assert order_refusal(world.admin.change_environment, {"V3": "x" * 120_000}) == ""


class Instance(NamedTuple):
    id: str
    address: str = "10.0.0.1"
    port: int = 80
    tags: tuple[str, ...] = ()


def test_lists_of_a_watch_that_do_not_fit_beside_the_rest_are_left_out() -> None:
    lists = ["CONTAINERPILOT_WATCH_ADDED", "CONTAINERPILOT_WATCH_INSTANCES"]
    instances = [Instance(f"instance-{index:04}" + "x" * 1000) for index in range(100)]
    for others, fitting in ((1, 2), (2, 1), (3, 0)):
        world = JobsWorld(job("app", each("changed", "watch.db")), watches=(watch(),)).start()
        assert (
            order_refusal(world.admin.change_environment, {f"V{index}": "x" * 100_000 for index in range(others)}) == ""
        )

        world.report("db", *instances)

        (process,) = world.processes.running("app")
        left_out = [name for name in lists if name not in process.environ]
        assert len(lists) - len(left_out) == fitting
        for name in left_out:
            assert f"warning: app: {name} is not set: it does not fit beside the rest" in world.log.lines
        assert process.environ["CONTAINERPILOT_WATCH"] == "db"
        assert process.environ["CONTAINERPILOT_WATCH_REMOVED"] == "[]"


def test_the_stack_limit_gives_the_space_for_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    for soft, expected in (
        (8 << 20, 2 << 20),
        (64 << 10, 128 << 10),
        (1 << 30, 6 << 20),
        (resource.RLIM_INFINITY, 6 << 20),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda which, soft=soft: (soft, soft))
        assert space() == expected
