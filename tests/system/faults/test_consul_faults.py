"""A Consul that goes wrong in every way: nobody notices but the log, and everything heals."""

from __future__ import annotations

import itertools
import json
import os
import re
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.http.client import HttpClient
from cp.catalog.protocol import CatalogGarbage
from cp.config.endpoint import parse_endpoint
from cp.plan import Tls
from tests.size import mostly_nightly
from tests.system.faults import lies
from tests.system.faults.lying_consul import LyingAgent, name_of
from tests.system.pilot import Pilot, now, settle
from tests.system.scripts import forever, mark, python, service, sh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.faults.lying import Call, Lie
    from tests.system.pilot_fixtures import StartPilot

HOST = os.uname().nodename
ID = f"app-{HOST}"
NEW = ["register", "pass", "register", "check", "pass"]  # the calls that enter a service which Consul has never seen
LOST = ["pass", "register", "check", "pass"]  # those that enter one again which it had

# Says ten times a second that it runs; on SIGTERM it exits with 3.
STEADY = python(
    "signal.signal(signal.SIGTERM, lambda *_: os._exit(3))\nwhile True:\n    mark('beat')\n    time.sleep(0.1)"
)


@pytest.fixture
def agent() -> Iterator[LyingAgent]:
    agent = LyingAgent()
    try:
        yield agent
    finally:
        agent.close()


def verbs(calls: list[Call]) -> list[str]:
    return [name_of(call).partition(" ")[0] for call in calls]


def serving(agent: LyingAgent, *services: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"consul": {"address": agent.address, "readTimeout": "400ms"}, "services": list(services), **more}


# --- the calls, in order


def test_calls_of_new_services_and_of_steady_ones(pilot: StartPilot, agent: LyingAgent) -> None:
    one = service("one", interfaces="static:10.0.0.1", tags=["t1", "t2"], consul={"enableTagOverride": True})
    two = service("two", health="/bin/true", ttl=5, consul={"deregisterCriticalServiceAfter": "90m"})
    started = pilot(serving(agent, one, two), forever())

    started.wait_for(lambda: len(agent.registrations()) >= 14, what="two heartbeats after the registrations")

    for name in ("one", "two"):
        calls = agent.registrations(f"{name}-{HOST}")
        assert verbs(calls)[:6] == [*NEW, "pass"]
        assert set(verbs(calls)[6:]) <= {"pass"}
    register, beat, again, check, _ = agent.registrations(f"one-{HOST}")[:5]
    assert register.json() == again.json() == {
        "ID": f"one-{HOST}", "Name": "one", "Tags": ["t1", "t2"], "Port": 8000, "Address": "10.0.0.1",
        "EnableTagOverride": True, "Check": None, "Checks": None,
    }  # fmt: skip
    assert check.json() == {
        "ID": f"one-{HOST}", "Name": f"one-{HOST}", "Notes": "TTL for one set by containerpilot",
        "ServiceID": f"one-{HOST}", "TTL": "10s",
    }  # fmt: skip
    assert (beat.path, beat.query, beat.body) == (f"/v1/agent/check/pass/one-{HOST}", {"note": "ok"}, b"")
    assert "x-consul-token" not in beat.headers
    checks = [call.json() for call in agent.registrations(f"two-{HOST}") if name_of(call).startswith("check ")]
    assert [(check["TTL"], check["DeregisterCriticalServiceAfter"]) for check in checks] == [("5s", "90m")]


@pytest.mark.timing
def test_a_steady_service_is_one_call_a_poll_on_one_connection(pilot: StartPilot, agent: LyingAgent) -> None:
    started = pilot(serving(agent, service(health=mark("check"))), forever())
    started.wait_for(lambda: agent.passing(ID))
    before = len(agent.registrations())

    started.wait_for(lambda: len(agent.registrations()) >= before + 3, what="three more heartbeats")

    calls = agent.registrations()[before:]
    assert set(verbs(calls)) == {"pass"}
    assert len(calls) <= started.count("check") - 1
    assert len({call.connection for call in agent.calls}) == 1
    assert all(0.5 < later.at - earlier.at < 1.8 for earlier, later in itertools.pairwise(calls))


def test_a_check_that_survived_is_used_again(pilot: StartPilot, agent: LyingAgent) -> None:
    """The first registration refreshes the address, and no check is registered again."""
    first = pilot(serving(agent, service(interfaces="static:10.0.0.1")), forever())
    first.wait_for(lambda: agent.passing(ID))
    first.close()
    before = len(agent.registrations())

    second = pilot(serving(agent, service(interfaces="static:10.0.0.2")), forever())
    second.wait_for(lambda: len(agent.registrations()) >= before + 3)

    calls = agent.registrations()[before:]
    assert verbs(calls)[:3] == ["register", "pass", "pass"]
    assert calls[0].json()["Address"] == "10.0.0.2"


def test_a_consul_restarted_empty_gets_everything_with_the_next_heartbeat(pilot: StartPilot, agent: LyingAgent) -> None:
    started = pilot(serving(agent, service()), forever())
    started.wait_for(lambda: agent.passing(ID))
    before = len(agent.registrations())

    agent.forget()

    started.wait_for(lambda: agent.passing(ID))
    assert verbs(agent.registrations()[before:])[:4] == LOST


def test_maintenance_is_one_deregistration_per_service_and_then_silence(pilot: StartPilot, agent: LyingAgent) -> None:
    ids = [f"{name}-{HOST}" for name in ("one", "two")]
    started = pilot(serving(agent, service("one"), service("two")), forever())
    started.wait_for(lambda: all(map(agent.passing, ids)))
    begin = len(agent.registrations())

    started.signal("USR1")
    started.wait_for(lambda: not any(map(agent.knows, ids)))
    settle(1.3)

    names = [name_of(call) for call in agent.registrations()[begin:] if not name_of(call).startswith("pass")]
    assert sorted(names) == [f"deregister {id}" for id in ids]
    assert verbs(agent.registrations())[-2:] == ["deregister"] * 2, "there were calls after them"
    silent = len(agent.registrations())

    started.signal("USR1")
    started.wait_for(lambda: all(map(agent.passing, ids)))
    for id in ids:
        assert verbs([call for call in agent.registrations()[silent:] if name_of(call).endswith(id)])[0] == "register"


# --- what goes wrong

# Fault -> does each of the two notice it at once? A body says nothing in the answer to a registration. A query that
# waits for a change has no reason to mistrust a Consul that says nothing for minutes.
REGISTRATION, WATCH = "registration", "watch"
FAULTS: dict[str, tuple[Lie, set[str]]] = {
    "500": (lies.says(500, b"rpc error: No cluster leader"), {REGISTRATION, WATCH}),
    "redirect": (lies.says(301, b"", ("Location", "/elsewhere")), {REGISTRATION, WATCH}),
    "garbage": (lies.says(200, b"<html>\x00\xff welcome"), {WATCH}),
    "no http": (lies.speaks_no_http, {REGISTRATION, WATCH}),
    "truncated": (lies.cuts_short, {REGISTRATION, WATCH}),
    "dropped unread": (lies.drops_unread, {REGISTRATION, WATCH}),
    "dropped": (lies.drops, {REGISTRATION, WATCH}),
    "late": (lies.delays(1.5), {REGISTRATION}),
    "silent": (lies.is_silent, {REGISTRATION}),
    "endless body": (lies.drips, {REGISTRATION}),
    "endless headers": (lies.drips_headers, {REGISTRATION, WATCH}),
    "flood": (lies.floods, {REGISTRATION, WATCH}),
    "huge header": (lies.has_a_huge_header, {REGISTRATION, WATCH}),
}

BEGINS = {REGISTRATION: r"registration failed: ", WATCH: r"Failed to query web: "}
ENDS = {REGISTRATION: r"Catalogue reachable again after |registration works again: app", WATCH: r"web can be queried"}


def lines(started: Pilot, patterns: dict[str, str], side: str, since: int) -> list[str]:
    return re.findall(f"^.*(?:{patterns[side]}).*$", started.output()[since:], re.MULTILINE)


def no_more(after: tuple[int, list[str]], before: tuple[int, list[str]]) -> bool:
    """`before` may have caught a thread that the start needed for a moment."""
    return after[0] <= before[0] and after[1] == before[1]


def held(started: Pilot) -> tuple[int, list[str]]:
    """Threads and kinds of open files, at a moment when nothing runs but the application."""

    def is_quiet() -> bool:
        return len(started.children()) == 1

    def look() -> tuple[int, list[str]] | None:
        checks = started.count("check")
        if not is_quiet():
            return None
        files = sorted(target.partition("[")[0] for target in started.descriptors().values())
        found = started.threads(), files
        return found if is_quiet() and started.count("check") == checks else None

    return started.wait_for(look, what="a quiet moment") or (0, [])


@pytest.mark.parametrize("fault", mostly_nightly(FAULTS, "500", "dropped", "late", "flood"))
def test_a_fault_is_visible_only_in_the_log_and_heals(pilot: StartPilot, agent: LyingAgent, fault: str) -> None:
    lie, noticed_by = FAULTS[fault]
    agent.enter("web", 1)
    tell = sh('mark "web $CONTAINERPILOT_WATCH_INSTANCES"')
    config = serving(
        agent,
        service(health=mark("check")),
        backends=[{"name": "web", "poll": 1, "onChange": tell}],
    )
    started = pilot(config, STEADY)
    started.wait_for(lambda: agent.passing(ID) and agent.waiting() and last_ports(started) == [1])
    before_it = held(started)

    # It begins, and lasts for a while.
    before = len(started.output())
    checks = started.count("check")
    agent.lie(lie)
    for side in noticed_by:
        started.wait_for(lambda side=side: lines(started, BEGINS, side, before))  # type: ignore[misc]
    started.wait_for_mark("check", checks + 2)
    assert last_ports(started) == [1]
    for side in noticed_by:
        assert len(lines(started, BEGINS, side, before)) == 1
        assert lines(started, ENDS, side, before) == []

    # It ends; meanwhile all was lost, and others changed.
    agent.forget()
    agent.enter("web", 2)
    healed_at = now()
    agent.tell_truth()
    started.wait_for(lambda: agent.passing(ID) and verbs(agent.registrations())[-1] == "pass")
    started.wait_for(lambda: last_ports(started) == [2])
    assert any(call.at > healed_at for call in agent.registrations(ID))
    for side in noticed_by:
        started.wait_for(lambda side=side: lines(started, ENDS, side, before))  # type: ignore[misc]
        assert len(lines(started, ENDS, side, before)) == 1
        assert len(lines(started, BEGINS, side, before)) == 1
    assert len(started.output()[before:].splitlines()) <= 8
    assert "Traceback" not in started.output() + started.errors()
    started.wait_for(lambda: no_more(held(started), before_it), what=f"no more than {before_it}, but {held(started)}")

    # And it does not delay a stop.
    agent.lie(lie)
    assert started.stop() == 3
    assert all(call.path != "/elsewhere" for call in agent.calls)


def last_ports(started: Pilot) -> list[int] | None:
    """The last list that onChange got."""
    lists = [mark.word.removeprefix("web ") for mark in started.marks() if mark.word.startswith("web ")]
    return [instance["port"] for instance in json.loads(lists[-1])] if lists else None


def test_an_endless_answer_is_not_kept_after_it_is_refused(agent: LyingAgent) -> None:
    agent.lie(lies.floods)
    http = HttpClient(
        "Consul",
        parse_endpoint(agent.address),
        connect_timeout=2,
        read_timeout=20,
        tls=Tls(),
        environ={},
        largest_body=16 << 20,
    )
    tracemalloc.start()
    try:
        with pytest.raises(CatalogGarbage, match="more than 16 MiB") as caught:
            http.request("GET", "/", headers={})
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        http.close()

    assert caught.value.__traceback__ is not None, "which the registrar holds until its next call"
    assert held < 8 << 20


# --- entries that cannot be used


@pytest.mark.parametrize("port", mostly_nightly([True, "80", None, -1, 70000, 80.5], "80", 70000))
def test_an_instance_with_an_invalid_port_is_left_out_and_reported_once(
    pilot: StartPilot, agent: LyingAgent, port: Any
) -> None:
    agent.enter("web", port, ID="bad")
    agent.enter("web", 1)
    agent.enter("web", 0, ID="without", Ports=[{"Name": "a", "Port": 8}, {"Name": "b", "Port": 9, "Default": True}])
    tell = sh('mark "web $CONTAINERPILOT_WATCH_INSTANCES"')
    watching = {"consul": agent.address, "backends": [{"name": "web", "poll": 1, "onChange": tell, "mode": "poll"}]}
    started = pilot(watching, forever())

    started.wait_for(lambda: last_ports(started) == [1, 9])
    query_count = len(agent.queries())
    started.wait_for(lambda: len(agent.queries()) >= query_count + 2, what="two more polls")
    agent.enter("web", 2)
    started.wait_for(lambda: last_ports(started) == [2, 9])

    ignored = "the entry 'bad' of web in Consul is ignored: its port is not a number from 0 to 65535"
    assert started.output().count(ignored) == 1
    assert "Failed to query" not in started.output()


# --- indexes


@pytest.mark.parametrize("index", [None, "1"], ids=str)
def test_a_useless_index_of_queries_neither_hides_a_change_nor_causes_a_storm(
    pilot: StartPilot, agent: LyingAgent, index: str | None
) -> None:
    """None at all, and one that is always older than what there is."""
    agent.enter("web", 1)
    agent.lie(lies.says_index(index))
    tell = sh('mark "web $CONTAINERPILOT_WATCH_INSTANCES"')
    watching = {"consul": agent.address, "backends": [{"name": "web", "poll": 1, "onChange": tell}]}
    started = pilot(watching, forever())
    started.wait_for(lambda: last_ports(started) == [1])

    agent.enter("web", 2)
    started.wait_for(lambda: last_ports(started) == [2])
    settle(1)

    assert len(agent.queries()) < 40
    assert "Failed to query" not in started.output()


# --- secrets


@pytest.mark.parametrize("place", ["variable", "configuration", "file"])
def test_a_refused_token_is_not_shown(pilot: StartPilot, agent: LyingAgent, tmp_path: Path, place: str) -> None:
    token = "b1gs05f0-77ef-secret"
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    own = {"configuration": {"token": token}, "file": {"tokenfile": str(file)}}.get(place, {})
    config = {
        "consul": {"address": agent.address, **own},
        "services": [service()],
        "backends": [{"name": "web", "poll": 1, "onChange": "/bin/true"}],
        "logging": {"level": "DEBUG"},
    }
    agent.lie(lies.denies)
    started = pilot(config, STEADY, env={"CONSUL_HTTP_TOKEN": token} if place == "variable" else None)

    started.wait_for_line(r"Service registration failed: .*403.*see consul\.token")
    started.wait_for_line(r"Failed to query web: .*403.*see consul\.token")
    started.wait_for(lambda: len(agent.registrations()) >= 2 and len(agent.queries()) >= 2)
    assert started.stop() == 3

    assert {call.headers.get("x-consul-token") for call in agent.calls} == {token}
    assert verbs(agent.registrations())[-1] == "deregister"
    assert len(re.findall("registration failed", started.output())) == 1
    assert token not in started.output() + started.errors()


@pytest.mark.parametrize("lie", [lies.echoes, lies.echoes_without_http])
def test_a_token_of_a_file_that_comes_back_in_an_answer_is_never_shown(
    pilot: StartPilot, agent: LyingAgent, tmp_path: Path, lie: Lie
) -> None:
    file = tmp_path / "token"
    file.write_text("b1gs05f0-77ef-secret\n")
    config = {
        "consul": {"address": agent.address, "tokenfile": str(file)},
        "backends": [{"name": "web", "poll": 1, "onChange": "/bin/true"}],
        "logging": {"level": "DEBUG"},
    }
    agent.lie(lie)
    started = pilot(config, STEADY)

    started.wait_for_line("Failed to query web: .*X-Consul-Token: ")
    started.stop()

    assert "secret" not in started.output() + started.errors()


def test_a_token_that_is_accepted_later_heals_everything(pilot: StartPilot, agent: LyingAgent) -> None:
    agent.lie(lies.denies)
    started = pilot(serving(agent, service()), forever(), env={"CONSUL_HTTP_TOKEN": "s3cr3t"})
    started.wait_for_line("Service registration failed")

    agent.tell_truth()

    started.wait_for(lambda: agent.passing(ID))
    started.wait_for_line("Service registration works again: app, after ")
