"""HTTPS through a proxy: the tunnel that it opens, and what is reported if it does not."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.protocol import CatalogUnreachable
from cp.config.endpoint import parse_endpoint
from cp.plan import Tls
from tests.certificates import Authority
from tests.integration.catalog.http.test_client import OK, client, serve

if TYPE_CHECKING:
    import socket
    from pathlib import Path

__all__ = ["client", "serve"]

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def opens_a_tunnel(certificate: tuple[Path, Path], received: list[bytes], answer: bytes = ESTABLISHED) -> Any:
    """The proxy, and the server at the end of its tunnel."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def reply(connection: socket.socket, request: bytes) -> None:
        connection.sendall(answer)
        with context.wrap_socket(connection, server_side=True) as secure:
            while piece := secure.recv(65536):
                received.append(piece)
                secure.sendall(OK)

    return reply


def through(proxy: Any, authority: Authority, address: str) -> dict[str, Any]:
    return {
        "server": parse_endpoint(address),
        "environ": {"HTTPS_PROXY": f"http://user:pass@127.0.0.1:{proxy.port}"},
        "tls": Tls(ca_file=str(authority.file)),
    }


@pytest.mark.parametrize(
    ("address", "server"), [("consul.test:8501", b"consul.test:8501"), ("[fd00::1]:443", b"[fd00::1]:443")]
)
@pytest.mark.parametrize(
    "answer", [ESTABLISHED, b"HTTP/1.0 200 OK\r\nVia: x\r\nContent-Length: 0\r\n\r\n"], ids=["http11", "http10"]
)
def test_a_proxy_opens_a_tunnel_to_the_server(
    serve: Any,
    client: Any,
    authority: Authority,
    address: str,
    server: bytes,
    answer: bytes,
) -> None:
    received: list[bytes] = []
    certificate = authority.issue("consul", "DNS:consul.test,IP:fd00::1")
    proxy = serve(opens_a_tunnel(certificate, received, answer))
    http = client(**through(proxy, authority, f"https://{address}"))

    for _ in range(2):
        assert http.request("GET", "/v1/x", headers={"X-Token": "t"}).body == b"ok"

    [connect] = proxy.requests
    assert connect.startswith(b"CONNECT %s HTTP/1.1\r\n" % server)
    assert connect.count(b"\r\nHost: %s\r\n" % server) == 1
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n" in connect
    assert b"X-Token" not in connect
    assert len(received) == 2, "on one connection"
    for request in received:
        assert request.startswith(b"GET /v1/x HTTP/1.1\r\n")
        assert b"\r\nHost: %s\r\n" % server.removesuffix(b":443") in request
        assert b"Proxy-Authorization" not in request


def test_the_certificate_must_be_that_of_the_server(serve: Any, client: Any, authority: Authority) -> None:
    received: list[bytes] = []
    proxy = serve(opens_a_tunnel(authority.issue("proxy", "IP:127.0.0.1"), received))
    http = client(**through(proxy, authority, "https://consul.test:8501"))
    with pytest.raises(CatalogUnreachable, match=r"certificate verify failed.*; see consul\.tls$"):
        http.request("GET", "/", headers={})
    assert received == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "Tunnel connection failed: 403 Forbidden"),
        (b"HTTP/1.1 407 \r\n\r\n", "Tunnel connection failed: 407"),
        (b"", "Remote end closed connection without response"),
    ],
)
def test_a_proxy_that_opens_no_tunnel(serve: Any, client: Any, authority: Authority, answer: bytes, why: str) -> None:
    def reply(connection: socket.socket, request: bytes) -> None:
        connection.sendall(answer)
        connection.close()

    proxy = serve(reply)
    http = client(**through(proxy, authority, "https://consul.test:8501"))
    for _ in range(2):
        with pytest.raises(CatalogUnreachable) as caught:
            http.request("GET", "/", headers={})
        assert str(caught.value) == f"cannot reach Consul at https://consul.test:8501: {why}"
