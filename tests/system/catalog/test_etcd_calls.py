"""Requests to etcd and its keys, and features of only one of its APIs."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.etcd.client import Etcd as Client
from cp.catalog.etcd.v3 import lease_id
from cp.catalog.protocol import CatalogForgotten, CatalogRefused, CatalogUnreachable
from cp.plan import Tls
from tests.new_python import run
from tests.system.catalog.live import Relay, etcd_at, service, watch
from tests.system.etcd_server import PASSWORD, USER, decoded, encoded
from tests.system.pilot import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.certificates import Authority
    from tests.system.etcd_server import Etcd, StartEtcd

both = pytest.mark.parametrize("api", ["v2", "v3"])


@pytest.fixture
def open() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(url: str, **settings: Any) -> Client:
        clients.append(Client(etcd_at(url, **settings), {}, pytest.fail))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def relay(etcd: Etcd) -> Iterator[Relay]:
    """Before the shared etcd."""
    relay = Relay(etcd.address)
    yield relay
    relay.close()


# --- API v2


FORM = (
    "value=%7B%22id%22%3A%22{0}-box%22%2C%22name%22%3A%22{0}%22%2C%22address%22%3A%2210.0.0.1%22%2C%22port%22%3A80"
    "%2C%22tags%22%3Anull%7D"
)


def test_the_calls_of_api_v2_to_the_letter(open: Any, relay: Relay, name: str) -> None:
    """The expected calls were captured from ContainerPilot 2."""
    one = service(name, ttl=5, tags=("t1", "t2"))
    client = open(f"http://{relay.address}", api="v2")
    client.register(one, "passing")
    client.heartbeat(one, "passing", "ignored")
    client.instances(watch(name, tag="t1"))
    client.deregister(one)
    folder = f"/v2/keys/containerpilot/{name}"
    assert relay.requests() == [
        ("PUT", f"{folder}/{name}-box?dir=true", "ttl=5"),
        ("PUT", f"{folder}/{name}-box/service", FORM.format(name)),
        ("PUT", f"{folder}/{name}-box?dir=true&prevExist=true", "ttl=5"),
        ("GET", f"{folder}?quorum=false&recursive=true&sorted=false", ""),
        ("DELETE", f"{folder}/{name}-box?dir=true&recursive=true", ""),
    ]
    assert b"\r\nContent-Type: application/x-www-form-urlencoded\r\n" in relay._sent[0]


def test_the_keys_of_api_v2_to_the_byte(etcd: Etcd, open: Any, name: str) -> None:
    open(etcd.url, api="v2").register(service(name, ttl=5, tags=("t",)), "passing")
    folder = etcd.node(f"/containerpilot/{name}")
    assert folder is not None
    [directory] = folder["nodes"]
    assert directory["key"] == f"/containerpilot/{name}/{name}-box"
    assert directory["dir"] is True
    assert directory["ttl"] in (4, 5)
    [key] = directory["nodes"]
    assert key["key"] == f"/containerpilot/{name}/{name}-box/service"
    assert key["value"] == f'{{"id":"{name}-box","name":"{name}","address":"10.0.0.1","port":80,"tags":null}}'
    assert "ttl" not in key


def test_an_old_directory_does_not_prevent_a_registration(open: Any, relay: Relay, name: str) -> None:
    """Q34: the Go program gave up until it had expired."""
    one, client = service(name, ttl=5), open(f"http://{relay.address}", api="v2")
    client.register(one, "passing")
    before = len(relay.requests())
    client.register(one, "passing")
    folder = f"/v2/keys/containerpilot/{name}/{name}-box"
    assert [request[:2] for request in relay.requests()[before:]] == [
        ("PUT", f"{folder}?dir=true"),
        ("PUT", f"{folder}?dir=true&prevExist=true"),
        ("PUT", f"{folder}/service"),
    ]


def test_a_heartbeat_of_a_service_that_api_v2_does_not_know(etcd: Etcd, open: Any, name: str) -> None:
    with pytest.raises(CatalogForgotten) as caught:
        open(etcd.url, api="v2").heartbeat(service(name), "passing", "")
    assert str(caught.value).startswith("100: Key not found (/containerpilot")


@pytest.mark.timing
def test_a_watch_of_api_v2_whose_index_is_too_old_looks_again(etcd: Etcd, open: Any, name: str) -> None:
    """etcd keeps a thousand events."""
    client = open(etcd.url, api="v2")
    _, cursor = client.instances(watch(name))
    etcd.enter("v2", name, 1)
    for number in range(1100):
        etcd.call("PUT", f"/v2/keys/other-{name}", f"value={number}".encode())
    begin = time.monotonic()
    found, cursor = client.wait_for_change(watch(name), cursor, 20)
    assert [one.port for one in found] == [1]
    assert time.monotonic() - begin < 1
    assert isinstance(cursor, int)


# --- API v3


def test_the_calls_of_api_v3(open: Any, relay: Relay, name: str) -> None:
    one = service(name, ttl=5, tags=("t1", "t2"))
    client = open(f"http://{relay.address}", api="v3")
    client.register(one, "passing")
    before = len(relay.requests())
    client.heartbeat(one, "passing", "ignored")
    client.instances(watch(name))
    client.deregister(one)
    requests = [(target, json.loads(body) if body else None) for _, target, body in relay.requests()]
    assert [target for target, _ in requests[:before]] == [
        "/version",
        "/v3/maintenance/status",
        "/v3/lease/grant",
        "/v3/kv/put",
    ]
    lease = lease_id(f"/containerpilot/{name}/{name}-box", 5)
    assert requests[2][1] == {"ID": lease, "TTL": "5"}
    put = requests[3][1]
    assert put is not None
    assert put["lease"] == lease
    key = encoded(f"/containerpilot/{name}/{name}-box")
    assert put["key"] == key
    assert decoded(put["value"]) == (
        f'{{"id":"{name}-box","name":"{name}","address":"10.0.0.1","port":80,"tags":["t1","t2"]}}'
    )
    below = {"key": encoded(f"/containerpilot/{name}/"), "range_end": encoded(f"/containerpilot/{name}0")}
    assert requests[before:] == [
        ("/v3/lease/keepalive", {"ID": lease}),
        ("/v3/kv/range", {"key": key, "count_only": True}),
        ("/v3/kv/range", {**below, "limit": "500"}),
        ("/v3/kv/deleterange", {"key": key}),
        ("/v3/lease/revoke", {"ID": lease}),
    ]


def test_no_lease_is_left_behind(etcd: Etcd, open: Any, name: str) -> None:
    before = leases(etcd)  # of other tests: they may lapse meanwhile
    client, one = open(etcd.url, api="v3"), service(name, ttl=60)
    for _ in range(3):
        client.register(one, "passing")
    assert len(leases(etcd) - before) == 1
    client.deregister(one)
    assert leases(etcd) <= before


def test_another_time_to_live_is_another_lease_and_no_gap(etcd: Etcd, open: Any, name: str) -> None:
    """As after a reload: the old one ends, and the key stays."""
    client = open(etcd.url, api="v3")
    client.register(service(name, ttl=1), "passing")
    client.register(service(name, ttl=60), "passing")
    settle(2.5)
    assert etcd.ids("v3", name) == [f"{name}-box"]
    client.heartbeat(service(name, ttl=60), "passing", "")


def test_many_instances_are_read_page_by_page(etcd: Etcd, open: Any, name: str) -> None:
    for number in range(1, 1205):
        etcd.enter("v3", name, number)
    client = open(etcd.url, api="v3")
    found, cursor = client.instances(watch(name))
    assert sorted(one.port for one in found) == list(range(1, 1205))
    etcd.enter("v3", name, 1205)
    assert len(client.wait_for_change(watch(name), cursor, 20)[0]) == 1205


def leases(etcd: Etcd) -> set[str]:
    return {lease["ID"] for lease in etcd.v3("lease/leases").get("leases", [])}


def test_a_watch_by_tag(etcd: Etcd, open: Any, name: str) -> None:
    client = open(etcd.url, api="v3")
    client.register(service(name, id=f"{name}-1", tags=("blue", "x")), "passing")
    client.register(service(name, id=f"{name}-2", tags=("green",)), "passing")
    found, _ = client.instances(watch(name, tag="blue"))
    assert [(one.id, one.tags) for one in found] == [(f"{name}-1", ("blue", "x"))]


@pytest.mark.timing
def test_a_watch_over_a_compaction_looks_again(open: Any, name: str, start_etcd: StartEtcd) -> None:
    etcd = start_etcd()
    client = open(etcd.url, api="v3")
    _, cursor = client.instances(watch(name))
    etcd.enter("v3", name, 1)
    etcd.put("/other", "x")
    revision = etcd.v3("kv/range", key=encoded("/other"))["header"]["revision"]
    etcd.v3("kv/compaction", revision=revision, physical=True)
    begin = time.monotonic()
    found, cursor = client.wait_for_change(watch(name), cursor, 20)
    assert [one.port for one in found] == [1]
    assert time.monotonic() - begin < 1
    etcd.enter("v3", name, 2)
    assert len(client.wait_for_change(watch(name), cursor, 20)[0]) == 2


def test_progress_is_not_a_change(open: Any, name: str, start_etcd: StartEtcd) -> None:
    etcd = start_etcd("--experimental-watch-progress-notify-interval=100ms")
    client = open(etcd.url, api="v3")
    found, cursor = client.instances(watch(name))
    relay = Relay(etcd.address)
    try:
        follower = open(f"http://{relay.address}", api="v3")
        follower.instances(watch(name))
        before = len(relay.requests())
        begin = time.monotonic()
        assert follower.wait_for_change(watch(name), cursor, 1.0)[0] == found
        assert time.monotonic() - begin >= 1.0
        assert [target for _, target, _ in relay.requests()[before:]] == ["/v3/watch", "/v3/kv/range"]
    finally:
        relay.close()


# --- users and passwords


@pytest.fixture
def guarded(start_etcd: StartEtcd) -> Etcd:
    """Only USER with PASSWORD gets in."""
    etcd = start_etcd()
    etcd.require_passwords()
    return etcd


def whole_life(client: Client, etcd: Etcd, api: str, name: str) -> None:
    one = service(name)
    client.register(one, "passing")
    client.heartbeat(one, "passing", "")
    found, cursor = client.instances(watch(name))
    assert [each.id for each in found] == [one.id]
    etcd.enter(api, name, 1)
    assert len(client.wait_for_change(watch(name), cursor, 20)[0]) == 2
    client.deregister(one)
    assert [each.port for each in client.instances(watch(name))[0]] == [1]


@both
def test_with_a_password(guarded: Etcd, open: Any, name: str, api: str) -> None:
    client = open(guarded.url, api=api, username=USER, password=PASSWORD)
    whole_life(client, guarded, api, name)


def test_the_api_is_found_out_where_a_password_is_needed(guarded: Etcd, open: Any, name: str) -> None:
    whole_life(open(guarded.url, username=USER, password=PASSWORD), guarded, "v3", name)


@both
@pytest.mark.parametrize(
    "credentials",
    [{"username": USER, "password": "wrong-secret"}, {"username": "nobody", "password": "wrong-secret"}, {}],
)
def test_a_wrong_password_is_refused_and_not_quoted(
    guarded: Etcd, open: Any, name: str, api: str, credentials: dict[str, str]
) -> None:
    client = open(guarded.url, api=api, **credentials)
    calls: list[Callable[[], object]] = [
        lambda: client.register(service(name), "passing"),
        lambda: client.deregister(service(name)),
        lambda: client.instances(watch(name)),
    ]
    for call in calls:
        with pytest.raises(CatalogRefused) as caught:
            call()
        assert str(caught.value).startswith("Unexpected response code: 4" if api == "v3" else "110: ")
        assert str(caught.value).endswith("; see etcd.username and etcd.password")
        assert "wrong-secret" not in str(caught.value)


def test_calls_that_a_role_does_not_allow_are_refused(guarded: Etcd, open: Any, name: str) -> None:
    guarded.v3("auth/user/add", name="guest", password="guest")
    with pytest.raises(CatalogRefused, match=r"403 \(etcdserver: permission denied\); see etcd.username"):
        open(guarded.url, api="v3", username="guest", password="guest").instances(watch(name))


def test_a_token_that_has_expired_is_renewed(open: Any, name: str, start_etcd: StartEtcd) -> None:
    etcd = start_etcd("--auth-token-ttl=1")
    etcd.require_passwords()
    client, one = open(etcd.url, api="v3", username=USER, password=PASSWORD), service(name, ttl=60)
    client.register(one, "passing")
    _, cursor = client.instances(watch(name))
    old = client._api._gateway._token
    settle(2.5)  # each use of the token would give it another second
    client.deregister(one)
    assert client._api._gateway._token not in (None, "", old)
    etcd.authenticate()
    etcd.enter("v3", name, 1)
    assert len(client.wait_for_change(watch(name), cursor, 20)[0]) == 1


def test_a_token_is_renewed_when_the_users_change(guarded: Etcd, open: Any, name: str) -> None:
    client, one = open(guarded.url, api="v3", username=USER, password=PASSWORD), service(name)
    client.register(one, "passing")
    guarded.v3("auth/user/add", name="another", password="x")
    client.heartbeat(one, "passing", "")
    client.register(one, "passing")


@both
def test_a_password_that_the_server_does_not_require(etcd: Etcd, open: Any, name: str, api: str) -> None:
    whole_life(open(etcd.url, api=api, username=USER, password=PASSWORD), etcd, api, name)


def test_users_that_come_later(open: Any, name: str, start_etcd: StartEtcd) -> None:
    etcd = start_etcd()
    client, one = open(etcd.url, api="v3", username=USER, password=PASSWORD), service(name)
    client.register(one, "passing")
    etcd.require_passwords()
    client.heartbeat(one, "passing", "")
    client.register(one, "passing")


# --- TLS


def tls(authority: Authority, **changes: Any) -> Tls:
    files = {
        "ca_file": str(authority.file),
        "client_cert": str(authority.file.with_name("client.pem")),
        "client_key": str(authority.file.with_name("client.key")),
    }
    return Tls(**{**files, **changes})


@both
def test_tls_with_a_private_authority(
    open: Any, name: str, start_etcd: StartEtcd, authority: Authority, api: str
) -> None:
    etcd = start_etcd(authority=authority)
    whole_life(open(etcd.url, api=api, tls=tls(authority)), etcd, api, name)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ca_file": ""}, "certificate verify failed"),
        ({"server_name": "etcd.example"}, "certificate is not valid for 'etcd.example'|Hostname mismatch"),
        ({"client_cert": "", "client_key": ""}, "certificate required|bad certificate|connection reset|ends too early"),
    ],
)
def test_tls_that_does_not_fit(
    open: Any, name: str, start_etcd: StartEtcd, authority: Authority, changes: dict[str, str], complaint: str
) -> None:
    etcd = start_etcd(authority=authority)
    with pytest.raises(CatalogUnreachable, match=complaint) as caught:
        open(etcd.url, tls=tls(authority, **changes)).register(service(name), "passing")
    assert etcd.url in str(caught.value)


def test_tls_without_verification(open: Any, name: str, start_etcd: StartEtcd, authority: Authority) -> None:
    etcd = start_etcd(authority=authority)
    whole_life(open(etcd.url, tls=tls(authority, ca_file="", verify=False)), etcd, "v3", name)


# --- what it costs


def test_plain_http_needs_no_tls() -> None:
    code = """
import sys
from cp.catalog.etcd.v3 import lease_id
from cp.catalog.factory import open_catalog
from cp.plan import EtcdSettings
open_catalog(EtcdSettings(endpoints=("http://127.0.0.1:1",)), environ={})
lease_id("/a", 1)
print([name for name in ("ssl", "_ssl", "_hashlib", "logging") if name in sys.modules])
"""
    assert run(code) == "[]"
