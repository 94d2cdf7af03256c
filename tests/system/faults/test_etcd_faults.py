"""The built program and an etcd that goes wrong: some cells of the table of faults, seen as a user does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.size import mostly_nightly
from tests.system.faults import lies
from tests.system.faults.lying_etcd import LyingEtcd2, LyingEtcd3
from tests.system.faults.test_consul_faults import (
    BEGINS,
    ENDS,
    REGISTRATION,
    STEADY,
    WATCH,
    held,
    last_ports,
    lines,
    no_more,
)
from tests.system.scripts import mark, service, sh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.faults.lying import Lie, LyingServer
    from tests.system.pilot_fixtures import StartPilot

ID = f"app-{os.uname().nodename}"
SIDES = (REGISTRATION, WATCH)

FAULTS: dict[str, Lie | None] = {
    "connection refused": None,
    "500": lies.says(500, b"etcdserver: no leader"),
    "never read": lies.is_deaf,
    "dropped": lies.drops,
    "truncated": lies.cuts_short,
    "huge header": lies.has_a_huge_header,
    "403": lies.says(403, b"no"),
}


@pytest.fixture(params=[LyingEtcd2, LyingEtcd3], ids=["v2", "v3"])
def etcd(request: pytest.FixtureRequest) -> Iterator[LyingServer]:
    server: LyingServer = request.param()
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("fault", mostly_nightly(FAULTS, "never read", "truncated"))
def test_a_fault_is_visible_only_in_the_log_and_heals(pilot: StartPilot, etcd: LyingServer, fault: str) -> None:
    etcd.enter("web", 1)
    tell = sh('mark "web $CONTAINERPILOT_WATCH_INSTANCES"')
    api = "v2" if isinstance(etcd, LyingEtcd2) else "v3"
    config: dict[str, Any] = {
        "etcd": {"endpoints": f"http://{etcd.address}", "api": api, "readTimeout": "400ms"},
        "services": [service(health=mark("check"))],
        "backends": [{"name": "web", "poll": 1, "onChange": tell}],
    }
    started = pilot(config, STEADY)
    started.wait_for(lambda: etcd.passing(ID) and last_ports(started) == [1])
    started.wait_for(lambda: "watch" in map(etcd.verb, etcd.calls), what="a question that waits for a change")
    before_it = held(started)

    # It begins, and lasts for a while.
    before, checks = len(started.output()), started.count("check")
    begin(etcd, FAULTS[fault])
    for side in SIDES:
        started.wait_for(lambda side=side: lines(started, BEGINS, side, before))  # type: ignore[misc]
    started.wait_for_mark("check", checks + 2)
    assert last_ports(started) == [1]

    # It ends; meanwhile all was lost, and others changed.
    etcd.forget()
    etcd.enter("web", 2)
    end(etcd, FAULTS[fault])
    started.wait_for(lambda: etcd.passing(ID))
    started.wait_for(lambda: last_ports(started) == [2])
    for side in SIDES:
        started.wait_for(lambda side=side: lines(started, ENDS, side, before))  # type: ignore[misc]
        assert len(lines(started, BEGINS, side, before)) == len(lines(started, ENDS, side, before)) == 1
    assert "Traceback" not in started.output() + started.errors()
    started.wait_for(lambda: no_more(held(started), before_it), what=f"no more than {before_it}, but {held(started)}")

    # And it does not delay a stop.
    begin(etcd, FAULTS[fault])
    assert started.stop() == 3


def begin(etcd: LyingServer, lie: Lie | None) -> None:
    if lie is None:
        etcd.refuse()
    else:
        etcd.lie(lie)


def end(etcd: LyingServer, lie: Lie | None) -> None:
    if lie is None:
        etcd.accept()
    else:
        etcd.tell_truth()
