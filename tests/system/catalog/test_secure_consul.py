"""A real Consul with TLS and with ACLs."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.consul.client import Consul as Client
from cp.catalog.protocol import CatalogError, CatalogForgotten, CatalogRefused, CatalogUnreachable
from cp.plan import Tls
from tests.certificates import Authority, openssl
from tests.system.catalog.live import Party, consul_at, service, watch
from tests.system.catalog.test_consul import beat
from tests.system.servers import Consul, StartConsul, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from xprocess import XProcess  # type: ignore[import-untyped]

MASTER = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


class Secure:
    """A Consul whose API is at `address` with TLS; it demands a certificate of its clients."""

    def __init__(self, start: StartConsul, authority: Authority) -> None:
        certificate, key = authority.issue("server", "DNS:consul.example", "IP:127.0.0.1")
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.consul = start(
            f'ports {{ https = {port} }} ca_file = "{authority.file}" cert_file = "{certificate}" '
            f'key_file = "{key}" verify_incoming_https = true'
        )


@pytest.fixture(scope="module")
def secure(xprocess: XProcess, authority: Authority) -> Iterator[Secure]:
    start = StartConsul(xprocess)
    try:
        yield Secure(start, authority)
    finally:
        start.close()


@pytest.fixture(scope="module")
def client_tls(authority: Authority) -> Tls:
    certificate, key = authority.issue("client")
    return Tls(ca_file=str(authority.file), client_cert=str(certificate), client_key=str(key))


@pytest.fixture
def open() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(address: str, **settings: Any) -> Client:
        clients.append(Client(consul_at(address, **settings), {}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


# --- TLS


def test_with_a_certificate_on_both_sides(secure: Secure, client_tls: Tls, open: Any, name: str) -> None:
    client = open(secure.address, scheme="https", tls=client_tls)
    beat(client, service(name))
    assert [found.id for found in client.instances(watch(name))[0]] == [f"{name}-box"]
    _, cursor = client.instances(watch(name))
    assert len(client.wait_for_change(watch(name), cursor, 1)[0]) == 1


def test_another_name_than_that_of_the_address(secure: Secure, client_tls: Tls, open: Any, name: str) -> None:
    beat(open(secure.address, scheme="https", tls=client_tls.replace(server_name="consul.example")), service(name))
    mallory = open(secure.address, scheme="https", tls=client_tls.replace(server_name="mallory.example"))
    with pytest.raises(CatalogUnreachable, match=r"certificate verify failed.*not valid for 'mallory\.example'"):
        mallory.instances(watch(name))


def test_authorities_in_a_folder(
    secure: Secure, client_tls: Tls, open: Any, name: str, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.file.read_bytes())
    openssl(tmp_path, "rehash", ".")
    tls = client_tls.replace(ca_file="", ca_path=str(tmp_path))
    beat(open(secure.address, scheme="https", tls=tls), service(name))


def test_an_unknown_authority_is_refused_unless_verification_is_off(
    secure: Secure, client_tls: Tls, open: Any, name: str
) -> None:
    unknown = client_tls.replace(ca_file="")
    with pytest.raises(CatalogUnreachable, match="certificate verify failed"):
        open(secure.address, scheme="https", tls=unknown).instances(watch(name))
    beat(open(secure.address, scheme="https", tls=unknown.replace(verify=False)), service(name))


def test_without_a_certificate_of_the_clients_own(secure: Secure, authority: Authority, open: Any, name: str) -> None:
    with pytest.raises(CatalogError, match="cannot reach Consul at https://"):
        open(secure.address, scheme="https", tls=Tls(ca_file=str(authority.file))).instances(watch(name))


def test_all_connections_share_the_authorities_and_a_new_file_is_read(
    secure: Secure, authority: Authority, open: Any, name: str, tmp_path: Path
) -> None:
    certificate, key = authority.issue("mine")
    other = Authority(tmp_path / "other").issue("strange")
    mine = Tls(ca_file=str(authority.file), client_cert=str(tmp_path / "c"), client_key=str(tmp_path / "k"))
    for target, source in zip(("c", "k"), other, strict=True):
        (tmp_path / target).write_bytes(source.read_bytes())
    clients = [open(secure.address, scheme="https", tls=mine) for _ in range(5)]
    with pytest.raises(CatalogError, match="cannot reach Consul at https://"):
        clients[0].instances(watch(name))

    # The certificate is there before its key: the old pair is used, and then the new one.
    (tmp_path / "c").write_bytes(certificate.read_bytes())
    with pytest.raises(CatalogError, match="cannot reach Consul at https://"):
        clients[0].instances(watch(name))
    (tmp_path / "k").write_bytes(key.read_bytes())
    for client in clients:
        assert client.instances(watch(name))[0] == []
    assert len({id(client._http._connection.sock.context) for client in clients}) == 1


def test_plain_http_where_tls_is_spoken(secure: Secure, open: Any, name: str) -> None:
    with pytest.raises(CatalogError, match=r"400|does not answer in HTTP"):
        open(secure.address).instances(watch(name))


def test_tls_where_plain_http_is_spoken(consul: Consul, open: Any, name: str) -> None:
    with pytest.raises(CatalogUnreachable, match="cannot reach Consul at https://"):
        open(consul.address, scheme="https").instances(watch(name))


def test_a_certificate_that_has_expired(
    start_consul: StartConsul, authority: Authority, open: Any, name: str, party: Party
) -> None:
    certificate, key = authority.issue("late", "IP:127.0.0.1", days=-1)
    port = free_port()
    start_consul(f'ports {{ https = {port} }} cert_file = "{certificate}" key_file = "{key}"')
    settings = {"scheme": "https", "tls": Tls(ca_file=str(authority.file))}
    with pytest.raises(CatalogUnreachable, match="certificate has expired"):
        open(f"127.0.0.1:{port}", **settings).instances(watch(name))
    party.registrar(consul_at(f"127.0.0.1:{port}", **settings)).register(service(name), "passing")
    party.live.until(lambda: party.live.lines)
    assert "certificate has expired" in party.live.lines[0]


# --- ACLs


class Guarded:
    """A Consul that denies everything to those without a token."""

    def __init__(self, start: StartConsul) -> None:
        self.consul = start(
            f'acl {{ enabled = true default_policy = "deny" tokens {{ master = "{MASTER}" agent = "{MASTER}" }} }}',
            MASTER,
        )
        self.address = self.consul.address

    def token(self, rules: str) -> str:
        """A new one that may do this."""
        secret = str(uuid.uuid4())
        policy = f"p-{secret}"
        self.consul.put("/v1/acl/policy", {"Name": policy, "Rules": rules})
        self.consul.put("/v1/acl/token", {"SecretID": secret, "Policies": [{"Name": policy}]})
        return secret


@pytest.fixture(scope="module")
def guarded(xprocess: XProcess) -> Iterator[Guarded]:
    start = StartConsul(xprocess)
    try:
        yield Guarded(start)
    finally:
        start.close()


def both(name: str) -> str:
    return f'service "{name}" {{ policy = "write" }} node_prefix "" {{ policy = "read" }}'


@pytest.mark.parametrize("separate", [True, False], ids=["services", "jobs"])
def test_a_token_that_may_do_it(guarded: Guarded, open: Any, name: str, separate: bool) -> None:
    client, one = open(guarded.address, token=guarded.token(both(name))), service(name, separate_check=separate)
    beat(client, one)
    client.heartbeat(one, "passing", "")
    assert [found.id for found in client.instances(watch(name))[0]] == [one.id]
    client.deregister(one)
    client.deregister(one)
    with pytest.raises(CatalogForgotten):
        client.heartbeat(one, "passing", "")


@pytest.mark.parametrize("token", ["", "99999999-8888-7777-6666-555555555555"], ids=["none", "unknown"])
def test_a_token_that_may_not_is_refused_and_the_key_of_the_configuration_named(
    guarded: Guarded, open: Any, name: str, token: str
) -> None:
    with pytest.raises(CatalogRefused, match=r"Unexpected response code: 403 \(.*\); see consul\.token") as caught:
        open(guarded.address, token=token).register(service(name), "passing")
    assert not token or token not in str(caught.value)


def test_a_heartbeat_that_is_denied_does_not_cause_a_registration(guarded: Guarded, open: Any, name: str) -> None:
    one = service(name)
    beat(open(guarded.address, token=guarded.token(both(name))), one)
    weak = guarded.token(f'service "{name}" {{ policy = "read" }}')
    with pytest.raises(CatalogRefused, match="Permission denied"):
        open(guarded.address, token=weak).heartbeat(one, "passing", "")


def test_a_token_file_that_is_replaced_heals_without_a_restart(
    guarded: Guarded, party: Party, name: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("99999999-8888-7777-6666-555555555555\n")
    registrar = party.registrar(consul_at(guarded.address, token_file=str(file)))
    registrar.register(service(name, ttl=60), "passing")
    party.live.until(lambda: party.live.lines)
    assert party.live.lines[0].endswith("; see consul.tokenfile")
    file.write_text(guarded.token(both(name)) + "\n")
    registrar.register(service(name, ttl=60), "passing")
    party.live.until(lambda: guarded.consul.passing(name))


def test_a_watch_that_is_not_allowed_sees_nothing(guarded: Guarded, open: Any, name: str) -> None:
    """Consul answers without the entries that the token may not read."""
    beat(open(guarded.address, token=guarded.token(both(name))), service(name))
    assert open(guarded.address).instances(watch(name))[0] == []
