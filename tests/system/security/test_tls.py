"""TLS to a catalogue: the guarantees of the defaults, and that a token goes nowhere else."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from cp.catalog.consul.client import Consul
from cp.catalog.http import tls as module
from cp.catalog.http.tls import tls_context
from cp.catalog.http.urllib3_subset import load_urllib3
from cp.catalog.protocol import CatalogError
from cp.plan import ConsulSettings, Tls
from tests.certificates import Authority
from tests.system.security.tls_server import NotingServer
from tests.unit.catalog.fakes import service, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def serve() -> Iterator[Callable[..., NotingServer]]:
    servers: list[NotingServer] = []

    def start(*arguments: object, **options: object) -> NotingServer:
        servers.append(NotingServer(*arguments, **options))  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def failure(address: str, tls: Tls = Tls(), scheme: str = "https") -> str:  # noqa: B008 - it is frozen
    """The reason why no call works there."""
    client = Consul(ConsulSettings(address=address, scheme=scheme, token=TOKEN, tls=tls), {})
    try:
        with pytest.raises(CatalogError) as caught:
            client.instances(watch())
        with pytest.raises(CatalogError):
            client.register(service(), "passing")
    finally:
        client.close()
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def test_certificates_and_names_are_checked_and_old_versions_are_not_spoken() -> None:
    context = tls_context(load_urllib3(print).tls(print), Tls(), "Consul")
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_COMPRESSION


def test_without_verification_nothing_else_is_given_up() -> None:
    context = tls_context(load_urllib3(print).tls(print), Tls(verify=False), "Consul")
    assert context.verify_mode == ssl.CERT_NONE
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_certificate_of_another_name_gets_no_token(serve: Callable[..., NotingServer], authority: Authority) -> None:
    server = serve(certificate=authority.issue("elsewhere", "DNS:elsewhere.example"))

    why = failure(server.address, Tls(ca_file=str(authority.file)))

    assert "certificate verify failed" in why
    assert "IP address mismatch" in why
    assert set(server.received) == {b""}


def test_a_server_with_an_untrusted_certificate_gets_no_token(
    serve: Callable[..., NotingServer], authority: Authority
) -> None:
    server = serve(certificate=authority.issue("self", "IP:127.0.0.1"))

    assert "certificate verify failed" in failure(server.address)
    assert set(server.received) == {b""}


def test_plain_http_is_not_tried_after_tls_fails(serve: Callable[..., NotingServer]) -> None:
    server = serve()

    assert "cannot reach Consul at https://" in failure(server.address)
    assert server.received
    for received in server.received:
        assert received.startswith(b"\x16\x03"), "only the first record of a handshake"
        assert TOKEN.encode() not in received


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(serve: Callable[..., NotingServer], status: int) -> None:
    """A redirect would carry the token to whom it names."""
    other = serve()
    moved = f"HTTP/1.1 {status} Moved\r\nLocation: http://{other.address}/v1/\r\nContent-Length: 0\r\n"
    server = serve(f"{moved}Connection: close\r\n\r\n".encode())

    assert f"Unexpected response code: {status}" in failure(server.address, scheme="http")
    assert len(server.received) == 2
    assert other.received == []


def test_authorities_of_the_environment_count(
    serve: Callable[..., NotingServer], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE, as everywhere where OpenSSL is; a configured authority takes the place of all of them."""
    server = serve(certificate=authority.issue("known", "IP:127.0.0.1"))
    monkeypatch.setattr(module, "_contexts", {})
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    client = Consul(ConsulSettings(address=server.address, scheme="https", token=TOKEN), {})
    assert client.instances(watch())[0] == []
    client.close()
    assert TOKEN.encode() in server.received[0]

    stranger = Authority(authority.file.parent / "stranger")
    assert "certificate verify failed" in failure(server.address, Tls(ca_file=str(stranger.file)))
