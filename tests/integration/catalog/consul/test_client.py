"""The Consul client and answers that a healthy agent of version 1.8 does not give: what each of them means."""

from __future__ import annotations

import json
import socket
import time
from base64 import b64encode
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.consul.client import Consul
from cp.catalog.http.client import Response
from cp.catalog.protocol import (
    CatalogError,
    CatalogForgotten,
    CatalogGarbage,
    CatalogRefused,
    CatalogUnreachable,
    Instance,
)
from cp.plan import ConsulSettings
from tests.integration.catalog.http.test_client import Server
from tests.unit.catalog.fakes import service, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def reply(status: int, body: bytes = b"", **headers: str) -> Callable[[socket.socket, bytes], None]:
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    content = "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body
    return lambda connection, request: connection.sendall(content)


def found(*ports: int, index: object = 10, **headers: str) -> Callable[[socket.socket, bytes], None]:
    entries = [{"Node": {}, "Service": {"ID": f"i{port}", "Address": "10.0.0.1", "Port": port}} for port in ports]
    return reply(200, json.dumps(entries).encode(), X_Consul_Index=str(index), **headers)


class Agent:
    def __init__(self) -> None:
        self._server = Server(reply(200))
        self._clients: list[Consul] = []

    def client(
        self,
        *replies: Callable[[socket.socket, bytes], None],
        warn: Callable[[str], object] = lambda text: None,
        **settings: Any,
    ) -> Consul:
        """A client of an agent that gives these answers, and repeats the last one."""
        self._server.replies = list(replies) or [reply(200)]
        self._clients.append(Consul(ConsulSettings(address=f"127.0.0.1:{self._server.port}", **settings), {}, warn))
        return self._clients[-1]

    def targets(self) -> list[str]:
        return [request.split(b" ")[1].decode() for request in self._server.requests]

    def headers(self) -> dict[str, str]:
        """The headers of the last request."""
        lines = self._server.requests[-1].decode().partition("\r\n\r\n")[0].split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._server.close()


@pytest.fixture
def agent() -> Iterator[Agent]:
    agent = Agent()
    yield agent
    agent.close()


def ports(instances: list[Instance]) -> list[int]:
    return [instance.port for instance in instances]


# --- entries that cannot be used


def test_an_entry_that_cannot_be_used_is_reported_once_and_without_secrets(agent: Agent) -> None:
    def answer(*services: dict[str, Any]) -> Callable[[socket.socket, bytes], None]:
        entries = [{"Node": {}, "Service": {"Address": "10.0.0.1", "Port": 80, **service}} for service in services]
        return reply(200, json.dumps([*entries, {}]).encode(), X_Consul_Index="10")

    reports: list[str] = []
    first = {"ID": "b-geheim\n", "Port": True}
    client = agent.client(
        answer({"ID": "a"}, first), answer({"ID": "a"}, first), answer({"ID": "a"}, first, {"ID": "c", "Port": -1}),
        warn=reports.append, token="geheim",
    )  # fmt: skip
    for _ in range(3):
        found, cursor = client.instances(watch())
        assert ([one.id for one in found], cursor) == (["a"], 10)
    port = "is ignored: its port is not a number from 0 to 65535"
    assert reports == [
        f"the entry 'b-********\\n' of web in Consul {port}",
        "an entry of web in Consul is ignored: it has no id",
        f"the entry 'c' of web in Consul {port}",
    ]


# --- heartbeats: what is an unknown check, and what is not


@pytest.mark.parametrize("separate", [True, False], ids=["services", "jobs"])
@pytest.mark.parametrize(
    ("status", "text", "meaning"),
    [
        (500, 'CheckID "web-box" does not have associated TTL', CatalogForgotten),
        (500, 'Unknown check "web-box"', CatalogForgotten),
        (404, 'Unknown check ID "web-box". Ensure that the check ID is passed, not the check name.', CatalogForgotten),
        (500, "words of no known version", CatalogForgotten),
        (500, "No cluster leader", CatalogUnreachable),
        (500, "rpc error making call: No cluster leader", CatalogUnreachable),
        (500, "No known Consul servers", CatalogUnreachable),
        (500, "rpc error getting client: failed to get conn: dial tcp: i/o timeout", CatalogUnreachable),
        (429, "rate limit exceeded, try again later or against a different server", CatalogUnreachable),
        (502, "Bad Gateway", CatalogUnreachable),
        (503, "rate limit exceeded for operation that can only be performed by the leader", CatalogUnreachable),
        (403, "Permission denied", CatalogRefused),
        (403, "ACL not found", CatalogRefused),
        (500, "rpc error making call: Permission denied", CatalogRefused),
        (400, "Invalid check status", CatalogRefused),
        (301, "", CatalogRefused),
    ],
)
def test_the_meaning_of_answers_to_a_heartbeat(
    agent: Agent, status: int, text: str, meaning: type[CatalogError], separate: bool
) -> None:
    client = agent.client(reply(status, text.encode()))
    with pytest.raises(CatalogError) as caught:
        client.heartbeat(service(separate_check=separate), "passing", "")
    assert type(caught.value) is meaning
    assert str(caught.value).startswith(f"Unexpected response code: {status} ({text})")


@pytest.mark.parametrize(("status", "text"), [(404, "Unknown service ID"), (500, 'Unknown service "web-box"')])
def test_a_removal_of_an_unknown_service_is_a_success(agent: Agent, status: int, text: str) -> None:
    agent.client(reply(status, text.encode())).deregister(service())


def test_a_removal_that_something_else_does_not_know_the_path_of_is_not_done(agent: Agent) -> None:
    with pytest.raises(CatalogRefused):
        agent.client(reply(404, b"404 page not found")).deregister(service())


def test_a_removal_without_a_leader_is_not_done(agent: Agent) -> None:
    with pytest.raises(CatalogUnreachable):
        agent.client(reply(500, b"No cluster leader")).deregister(service())


@pytest.mark.parametrize(
    ("settings", "key"), [({"token": "t0ken"}, "token"), ({}, "token"), ({"file": 1}, "tokenfile")]
)
def test_a_refusal_names_the_key_and_not_the_token(
    agent: Agent, settings: dict[str, Any], key: str, tmp_path: Any
) -> None:
    if settings.pop("file", None):
        (tmp_path / "token").write_text("t0ken\n")
        settings = {"token_file": str(tmp_path / "token")}
    with pytest.raises(CatalogRefused) as caught:
        agent.client(reply(403, b"Permission denied: t0ken is not allowed"), **settings).register(service(), "passing")
    assert str(caught.value).endswith(f"; see consul.{key}")
    assert not settings or "t0ken" not in str(caught.value)


# --- rate limits


@pytest.mark.parametrize(
    ("header", "seconds"), [("17", 17), ("0", 0), ("", 0), ("soon", 0), ("-5", 0), ("9" * 40, 1e9)]
)
def test_retry_after_in_seconds(agent: Agent, header: str, seconds: float) -> None:
    with pytest.raises(CatalogUnreachable) as caught:
        agent.client(reply(429, b"slow down", Retry_After=header)).register(service(), "passing")
    assert caught.value.retry_after == pytest.approx(seconds, abs=1)


def test_retry_after_as_a_date() -> None:
    def retry_after(seconds: float) -> float:
        return Response(429, {"retry-after": formatdate(time.time() + seconds, usegmt=True)}, b"").retry_after()

    assert 50 < retry_after(60) < 61
    assert retry_after(-60) == 0


# --- indexes


def test_a_question_that_waits_may_be_answered_by_any_server(agent: Agent) -> None:
    client = agent.client(found(1, index=10), found(2, index=11))
    _, cursor = client.instances(watch())
    assert ports(client.wait_for_change(watch(), cursor, 60)[0]) == [2]
    assert agent.targets()[0] == "/v1/health/service/web?passing=1"
    assert agent.targets()[1] == "/v1/health/service/web?passing=1&index=10&wait=60s&stale="


@pytest.mark.parametrize("index", [9, 0, -1, "", "x", 10**30])
def test_an_index_that_went_back_or_makes_no_sense_is_forgotten(agent: Agent, index: object) -> None:
    """The list in its answer may be old: the client queries the leader for everything, and uses that answer."""
    client = agent.client(found(1, index=10), found(666, index=index), found(2, index=3), found(3, index=4))
    _, cursor = client.instances(watch())
    now, cursor = client.wait_for_change(watch(), cursor, 60)
    assert ports(now) == [2]
    assert agent.targets()[2] == "/v1/health/service/web?passing=1"
    assert ports(client.wait_for_change(watch(), cursor, 60)[0]) == [3]
    assert "index=3&" in agent.targets()[3]


def test_a_server_that_has_lost_its_leader_is_not_believed(agent: Agent) -> None:
    client = agent.client(
        found(1), found(666, index=11, X_Consul_KnownLeader="false"), reply(500, b"No cluster leader")
    )
    _, cursor = client.instances(watch())
    with pytest.raises(CatalogUnreachable, match="No cluster leader"):
        client.wait_for_change(watch(), cursor, 60)


def test_without_an_index_there_is_nothing_to_wait_from(agent: Agent) -> None:
    assert agent.client(found(1, index=0)).instances(watch())[1] is None


# --- what goes along


def test_tenancy_and_datacenter(agent: Agent) -> None:
    client = agent.client(found(), namespace="team a", partition="p1", datacenter="dc2")
    client.instances(watch())
    client.instances(watch(datacenter="dc3"))
    assert agent.targets() == [
        "/v1/health/service/web?passing=1&dc=dc2&ns=team+a&partition=p1",
        "/v1/health/service/web?passing=1&dc=dc3&ns=team+a&partition=p1",
    ]
    agent.client(reply(200), namespace="n").deregister(service())
    assert agent.targets()[-1] == "/v1/agent/service/deregister/web-box?ns=n"


def test_name_and_password_for_a_proxy_before_the_agent(agent: Agent) -> None:
    client = agent.client(reply(200), http_auth="user:pässword:x", token="t")
    client.deregister(service())
    assert agent.headers()["Authorization"] == f"Basic {b64encode('user:pässword:x'.encode()).decode()}"
    assert agent.headers()["X-Consul-Token"] == "t"


def test_name_and_password_are_in_no_message(agent: Agent) -> None:
    encoded = b64encode(b"user:geheim").decode()
    client = agent.client(
        reply(401, f"no: Basic {encoded}, that is user:geheim, geheim!".encode()), http_auth="user:geheim"
    )
    with pytest.raises(CatalogRefused) as caught:
        client.deregister(service())
    assert "geheim" not in str(caught.value)
    assert encoded not in str(caught.value)


def test_an_answer_to_a_registration_is_a_sentence_at_the_most(agent: Agent) -> None:
    client = agent.client(reply(200, b"x" * (1 << 20)), reply(200, b"x" * (1 << 20) + b"x"))
    client.register(service(), "passing")
    with pytest.raises(CatalogGarbage, match="answered with more than 1 MiB"):
        client.register(service(), "passing")
