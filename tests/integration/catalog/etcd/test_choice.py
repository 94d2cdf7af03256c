"""Which of etcd's two APIs is used where the configuration does not say."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from cp.catalog.discovery import Discovery
from cp.catalog.etcd.client import Etcd
from cp.catalog.etcd.v2 import Etcd2
from cp.catalog.etcd.v3 import Etcd3
from cp.catalog.protocol import CatalogError, CatalogUnreachable
from cp.engine.catalog_status import CatalogStatus
from cp.plan import EtcdSettings
from tests.integration.catalog.http.test_client import Server, serve
from tests.unit.catalog.fakes import Clock, FakeLog, FakeLoop, service, watch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["serve"]

V2, V3 = "/v2/keys/", "/v3/maintenance/status"
KEYS = (200, b'{"action":"get","node":{"dir":true}}')
NO_PATH = (404, b"404 page not found\n")


def version(text: str) -> tuple[int, bytes]:
    return 200, json.dumps({"etcdserver": text, "etcdcluster": text}).encode()


class Etcds:
    """A server with an answer for each path of `answers`, and 404 for all other paths."""

    def __init__(self, serve: Callable[..., Server]) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self._server = serve(self._reply)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self.informed: list[str] = []

    def _reply(self, connection: socket.socket, request: bytes) -> None:
        status, body = self.answers.get(request.split(b" ")[1].decode(), NO_PATH)
        connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    def requests(self) -> list[bytes]:
        return self._server.requests

    def client(self, **settings: Any) -> Etcd:
        return Etcd(EtcdSettings(endpoints=(self.url,), **settings), {}, pytest.fail, self.informed.append)


@pytest.fixture
def etcds(serve: Any) -> Etcds:
    return Etcds(serve)


def chosen(client: Etcd) -> type:
    kind: type = client._do(type)
    client.close()
    return kind


PREFERS_V2 = "etcd 3.4: API v2 is used, where ContainerPilot 2 has its keys; see etcd.api"
V2_ALONE = "etcd 3.4: API v2 is used, since it does not speak v3 over HTTP: "


@pytest.mark.parametrize(
    ("number", "speaks", "preferred", "api", "line"),
    [
        ("3.4.23", {V2: KEYS, V3: (200, b"{}")}, "v2", Etcd2, PREFERS_V2),
        ("3.4.23", {V2: KEYS, V3: (200, b"{}")}, "v3", Etcd3, "etcd 3.4: API v3 is used; see etcd.api"),
        ("3.4.23", {V3: (200, b"{}")}, "v2", Etcd3, "etcd 3.4: API v3 is used; see etcd.api"),
        ("3.4.23", {V3: (200, b"{}")}, "v3", Etcd3, "etcd 3.4: API v3 is used; see etcd.api"),
        ("3.4.23", {V2: KEYS}, "v2", Etcd2, PREFERS_V2),
        ("3.4.23", {V2: KEYS}, "v3", Etcd2, V2_ALONE),
        (
            "2.2.5",
            {V2: KEYS},
            "v2",
            Etcd2,
            "etcd 2.2: API v2 is used, where ContainerPilot 2 has its keys; see etcd.api",
        ),
        ("2.2.5", {V2: KEYS}, "v3", Etcd2, "etcd 2.2: API v2 is used, since it does not speak v3 over HTTP: it is too"),
        # Its v2 cannot renew a directory.
        ("3.5.9", {V2: KEYS, V3: (200, b"{}")}, "v2", Etcd3, "etcd 3.5: API v3 is used; see etcd.api"),
        # A server that requires a password knows the path, whether it is etcd itself or a proxy.
        ("3.4.23", {V2: (401, b'{"errorCode":110}'), V3: (200, b"{}")}, "v2", Etcd2, PREFERS_V2),
        ("3.4.23", {V2: (401, b"<html>"), V3: (200, b"{}")}, "v2", Etcd2, PREFERS_V2),
        ("3.4.23", {V2: (404, b'{"errorCode":100}'), V3: (200, b"{}")}, "v2", Etcd2, PREFERS_V2),
        # What answers everything does not know it.
        ("3.4.23", {V2: (200, b"<html>"), V3: (200, b"{}")}, "v2", Etcd3, "etcd 3.4: API v3 is used; see etcd.api"),
        ("3.4.23", {V2: (200, b"[]"), V3: (200, b"{}")}, "v2", Etcd3, "etcd 3.4: API v3 is used; see etcd.api"),
        ("3.4.23", {V2: (200, b"{}"), V3: (200, b"{}")}, "v2", Etcd3, "etcd 3.4: API v3 is used; see etcd.api"),
    ],
)
def test_the_preferred_api_is_used_where_it_is_spoken(
    etcds: Etcds, number: str, speaks: dict[str, tuple[int, bytes]], preferred: str, api: type, line: str
) -> None:
    etcds.answers = {"/version": version(number), **speaks}
    assert chosen(etcds.client(preferred_api=preferred)) is api
    (informed,) = etcds.informed
    assert informed.startswith(line)


@pytest.mark.parametrize("preferred", ["v2", "v3"])
@pytest.mark.parametrize(("api", "kind"), [("v2", Etcd2), ("v3", Etcd3)])
def test_a_configured_api_is_used_without_a_log_line(etcds: Etcds, api: str, kind: type, preferred: str) -> None:
    etcds.answers = {"/version": version("3.4.23"), V2: KEYS, V3: (200, b"{}")}
    assert chosen(etcds.client(api=api, preferred_api=preferred)) is kind
    assert etcds.informed == []


def test_a_server_that_does_not_report_its_version(etcds: Etcds) -> None:
    etcds.answers = {V2: KEYS, V3: (200, b"{}")}
    assert chosen(etcds.client(preferred_api="v2")) is Etcd2
    assert chosen(etcds.client()) is Etcd3
    assert etcds.informed == [
        "etcd of an unknown version: API v2 is used, where ContainerPilot 2 has its keys; see etcd.api",
        "etcd of an unknown version: API v3 is used; see etcd.api",
    ]


@pytest.mark.parametrize("outage", ["/version", V2])
def test_an_api_is_chosen_when_a_failing_server_answers_again(etcds: Etcds, outage: str) -> None:
    well = {"/version": version("3.4.23"), V2: KEYS, V3: (200, b"{}")}
    etcds.answers = {**well, outage: (503, b"no leader")}
    client = etcds.client(preferred_api="v2")
    with pytest.raises(CatalogUnreachable):
        client._do(type)
    assert etcds.informed == []
    etcds.answers = well
    assert chosen(client) is Etcd2


def test_the_password_is_sent_with_the_question(etcds: Etcds) -> None:
    etcds.answers = {"/version": version("3.4.23"), V2: KEYS}
    assert chosen(etcds.client(preferred_api="v2", username="u", password="p")) is Etcd2
    question = next(request for request in etcds.requests() if request.startswith(b"GET /v2/keys/ "))
    assert b"\r\nAuthorization: Basic dTpw\r\n" in question


def test_an_etcd_that_was_upgraded_past_its_v2_gets_v3(etcds: Etcds) -> None:
    directory = "/v2/keys/containerpilot/web/web-box?dir=true&prevExist=true"
    well = {"/version": version("3.4.23"), V2: KEYS, directory: (200, b"{}")}
    etcds.answers = well
    client = etcds.client(preferred_api="v2")
    client.heartbeat(service(), "passing", "")
    broken = (400, b'{"errorCode":300,"message":"Raft Internal Error","cause":"Not a file","index":1}')
    etcds.answers = {"/version": version("3.5.1"), V2: KEYS, V3: (200, b"{}"), directory: broken}
    with pytest.raises(CatalogUnreachable, match="cannot prolong the life of a directory"):
        client.heartbeat(service(), "passing", "")
    assert chosen(client) is Etcd3


def test_all_clients_of_a_catalogue_log_their_choice_once(etcds: Etcds) -> None:
    etcds.answers = {"/version": version("3.4.23"), V2: KEYS, V3: (200, b"{}")}
    loop, log = FakeLoop(Clock()), FakeLog()
    settings = EtcdSettings(endpoints=(etcds.url,), preferred_api="v2")
    discovery = Discovery(
        settings, cast("Any", loop), cast("Any", log), lambda: 0.5, facts=CatalogStatus(time.monotonic)
    )
    for _ in range(3):
        client = discovery._open("app")
        with pytest.raises(CatalogError):
            client.instances(watch())
        client.close()
    loop.turn()
    assert log.lines == [f"info: {PREFERS_V2}"]
