"""The etcd client against a server that answers nonsense: each call ends with a CatalogError, or is none the wiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.etcd.client import Etcd
from cp.catalog.protocol import CatalogError, CatalogUnreachable
from cp.plan import EtcdSettings
from tests.integration.catalog.http.test_client import client, says, serve
from tests.unit.catalog.fakes import service, watch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["client", "serve"]

VERSION = b'{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}'

NONSENSE = [
    b"",
    b"null",
    b"5",
    b"[]",
    b"{}",
    b"<html>",
    b"\xff",
    b"[" * 100_000,
    b'{"header":5}',
    b'{"header":{"revision":"x"}}',
    b'{"header":{"revision":"1"},"kvs":5}',
    b'{"header":{"revision":"1"},"kvs":[5]}',
    b'{"header":{"revision":"1"},"kvs":[{"key":"?","value":"YQ=="}]}',
    b'{"header":{"revision":"1"},"kvs":[{"key":5}]}',
    b'{"result":5}',
    b'{"result":{"TTL":"x"}}',
    b'{"result":{"TTL":[]}}',
    b'{"result":{"created":true}}',
    b'{"result":{"created":true,"header":{"revision":"soon"}}}',
    b'{"result":{"events":5}}',
    b'{"error":5}',
    b'{"error":{"message":5,"grpc_code":"x"}}',
    b'{"node":5}',
    b'{"node":{"dir":true,"nodes":5}}',
    b'{"node":{"dir":true,"nodes":[{"dir":true}]}}',
    b'{"node":{"dir":true,"nodes":[{"dir":true,"key":5}]}}',
    b'{"errorCode":"x"}',
    b'{"errorCode":102}',
]


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nX-Etcd-Index: 5\r\n\r\n%b" % (status, len(body), body)


@pytest.mark.parametrize("status", [200, 201, 400, 401, 404, 500])
@pytest.mark.parametrize("body", NONSENSE, ids=range(len(NONSENSE)))
@pytest.mark.parametrize("api", ["v2", "v3", ""])
def test_nonsense(serve: Any, api: str, body: bytes, status: int) -> None:
    one, followed = service(), watch()
    calls: list[Callable[[Etcd], object]] = [
        lambda etcd: etcd.register(one, "passing"),
        lambda etcd: etcd.heartbeat(one, "passing", ""),
        lambda etcd: etcd.deregister(one),
        lambda etcd: etcd.instances(followed),
        lambda etcd: etcd.wait_for_change(followed, 1, 0.05),
    ]
    known = [says(answer(200, VERSION)), says(answer(200, b"{}"))] if api == "v3" else []
    server = serve(*known, says(answer(status, body)))
    settings = EtcdSettings(endpoints=(f"http://127.0.0.1:{server.port}",), api=api, read_timeout=5.0)
    etcd = Etcd(settings, {}, lambda text: None)
    errors: list[CatalogError] = []
    for call in calls:
        try:
            call(etcd)
        except CatalogError as error:
            errors.append(error)
    etcd.close()
    assert all(str(error).isprintable() for error in errors)


def test_a_keep_alive_that_needs_a_token_says_so_in_an_answer_of_success(serve: Any) -> None:
    refused = b'{"error":{"grpc_code":16,"http_code":401,"message":"etcdserver: invalid auth token"}}'
    server = serve(
        says(answer(200, VERSION)),
        says(answer(200, b"{}")),
        says(answer(200, b'{"token":"one"}')),
        says(answer(200, refused)),
        says(answer(200, b'{"token":"two"}')),
        says(answer(200, b'{"result":{"TTL":"10"}}')),
        says(answer(200, b'{"count":"1"}')),
    )
    url = f"http://127.0.0.1:{server.port}"
    etcd = Etcd(EtcdSettings(endpoints=(url,), username="u", password="p"), {}, lambda text: None)
    etcd.heartbeat(service(), "passing", "")
    etcd.close()
    tokens = [line for request in server.requests for line in request.split(b"\r\n") if line.startswith(b"Authorizat")]
    assert tokens == [b"Authorization: one", b"Authorization: two", b"Authorization: two"]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("api", ["v2", "v3", ""])
def test_the_pause_that_a_server_requests_is_respected(serve: Any, api: str, status: int) -> None:
    one, followed = service(), watch()
    busy = b"HTTP/1.1 %d X\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nno" % status
    known = [says(answer(200, VERSION)), says(answer(200, b"{}"))] if api == "v3" else []
    server = serve(*known, says(busy))
    etcd = Etcd(EtcdSettings(endpoints=(f"http://127.0.0.1:{server.port}",), api=api), {}, lambda text: None)
    calls: list[Callable[[], object]] = [
        lambda: etcd.register(one, "passing"),
        lambda: etcd.heartbeat(one, "passing", ""),
        lambda: etcd.deregister(one),
        lambda: etcd.instances(followed),
        lambda: etcd.wait_for_change(followed, 1, 0.05),
    ]
    for call in calls:
        with pytest.raises(CatalogUnreachable) as caught:
            call()
        assert caught.value.retry_after == 7
    etcd.close()
    assert len(server.requests) == len(known) + len(calls), "it gets one request at most"
