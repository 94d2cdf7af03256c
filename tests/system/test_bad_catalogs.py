"""Common mistakes with catalogues: one clear line, with the key of the configuration, and no secrets."""

from __future__ import annotations

import http.server
import re
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.certificates import Authority
from tests.system.pilot import wait_for
from tests.system.scripts import forever, service
from tests.system.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.etcd_server import Etcd, StartEtcd
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import Consul, StartConsul

SECRET = "b1gs05f0-secret"


def says_once(pilot: StartPilot, where: dict[str, Any], *lines: str, **more: Any) -> None:
    """The application still runs, each line is there once, and the secret is not."""
    started = pilot({**where, "services": [service()], **more}, forever(), env={"CONSUL_HTTP_TOKEN": SECRET})
    started.wait_for_mark("app")
    for line in lines:
        started.wait_for_line(line)
    started.stop()
    for line in lines:
        assert len(re.findall(line, started.output())) == 1
    assert SECRET not in started.output() + started.errors()
    assert "Traceback" not in started.output() + started.errors()


# --- addresses


def test_a_name_without_an_address(pilot: StartPilot) -> None:
    line = r"registration failed: cannot reach Consul at http://nowhere\.invalid:8500: "
    says_once(pilot, {"consul": "nowhere.invalid:8500"}, line)
    line = r"registration failed: cannot reach etcd at http://nowhere\.invalid:2379: "
    says_once(pilot, {"etcd": {"endpoints": "http://nowhere.invalid:2379"}}, line)


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"etcd": {}}, r"etcd\.endpoints: Must provide etcd endpoints"),
        ({"etcd": {"endpoints": []}}, r"etcd\.endpoints: .*no endpoints available"),
        ({"etcd": {"endpoints": ""}}, r"etcd\.endpoints: cannot use the endpoint '': the host is missing"),
        (
            {"etcd": {"endpoints": f"me:{SECRET}@etcd"}},
            r"etcd\.endpoints: cannot use the endpoint '…@etcd': it must not",
        ),
        ({"etcd": {"endpoints": "http://e:1", "api": "v4"}}, r'etcd\.api: must be "v2" or "v3"'),
        ({"consul": {"address": "c:1", "scheme": "ftp"}}, r"consul\.scheme: must be http or https"),
        ({"consul": ":8500"}, r"config\.json:1:12: consul: cannot use the address ':8500': the host is missing"),
        ({"consul": "[consul]"}, r"consul: cannot use the address '\[consul\]': the text in brackets"),
        ({"consul": "consul:85000"}, r"consul: cannot use the address 'consul:85000': the port is not a number"),
        (
            {"consul": f"http://me:{SECRET}@c:8500"},
            r"consul: cannot use the address '…@c:8500': it must not",
        ),
        (
            {"consul": {"address": "unix://"}},
            r"consul\.address: cannot use the address 'unix://': the path .* is missing",
        ),
        ({"etcd": {"endpoints": "http://etcd:port"}}, r"etcd\.endpoints: cannot use the endpoint 'http://etcd:port': "),
        (
            {"etcd": {"endpoints": f"http://me:{SECRET}@e:1"}},
            r"etcd\.endpoints: cannot use the endpoint 'http://…@e:1': ",
        ),
        ({"consul": 8500}, r"consul: Unexpected Consul config structure"),
        ({"directory": ""}, r"directory: must be the path of a folder"),
        ({"consul": "c:1", "etcd": {"endpoints": "http://e:1"}}, r"etcd: More than one discovery backend defined"),
    ],
)
def test_invalid_addresses_are_refused_at_the_start(pilot: StartPilot, config: dict[str, Any], line: str) -> None:
    started = pilot({**config, "services": [service()]}, forever())

    assert started.wait_exit() == 1
    assert re.search(line, started.errors() + started.output())
    assert SECRET not in started.output() + started.errors()
    assert started.words() == [], "the application was not started"


def test_a_variable_of_consul_that_can_never_work(pilot: StartPilot) -> None:
    started = pilot({"consul": "", "services": [service()]}, forever(), env={"CONSUL_HTTP_ADDR": "http://:8500"})

    assert started.wait_exit() == 1
    assert "cannot use the address (in the environment variable CONSUL_HTTP_ADDR) 'http://:8500'" in started.output()


@pytest.mark.parametrize("form", ["http://{}/", "HTTP://{}", " http://{}//\n", "{}/"])
def test_an_address_of_consul_with_a_slash(pilot: StartPilot, consul: Consul, form: str) -> None:
    name, address = f"app-{uuid.uuid4().hex[:8]}", form.format(consul.address)

    pilot({"consul": address, "services": [service(name)]}, forever())
    second = f"{name}-by-variable"
    pilot({"consul": "", "services": [service(second)]}, forever(), env={"CONSUL_HTTP_ADDR": address})

    for each in (name, second):
        wait_for(lambda each=each: consul.passing(each), what=f"{each} in Consul")  # type: ignore[misc]


class Gateway(http.server.BaseHTTPRequestHandler):
    """Takes everything, and notes where it was sent to."""

    protocol_version = "HTTP/1.1"
    paths: list[str]

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    do_GET = do_PUT

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and the requested paths."""
    paths: list[str] = []
    handler = type("OwnGateway", (Gateway,), {"paths": paths})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", paths
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("place", ["string", "object", "variable"])
def test_consul_below_a_path(pilot: StartPilot, gateway: tuple[str, list[str]], place: str) -> None:
    address, paths = gateway
    url = f"http://{address}/some/consul/"
    where: Any = {"string": url, "object": {"address": url}, "variable": {}}[place]
    backend = {"name": "web", "poll": 1, "onChange": "/bin/true"}

    env = {"CONSUL_HTTP_ADDR": url} if place == "variable" else {}
    pilot({"consul": where, "services": [service()], "backends": [backend]}, forever(), env=env)

    wait_for(lambda: "/some/consul/v1/agent/service/register" in paths, what="a registration")
    wait_for(lambda: any(path.startswith("/some/consul/v1/health/service/web?") for path in paths), what="a query")
    assert all(path.startswith("/some/consul/v1/") for path in paths)


# --- certificates


def test_certificates_of_consul_that_do_not_match(pilot: StartPilot, start_consul: StartConsul, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("server", "DNS:consul.example")
    port = free_port()
    start_consul(f'ports {{ https = {port} }} cert_file = "{certificate}" key_file = "{key}"')
    consul = {"address": f"127.0.0.1:{port}", "scheme": "https"}

    says_once(pilot, {"consul": consul}, r"registration failed: .*certificate verify failed.*; see consul\.tls")
    trusting = {**consul, "tls": {"cafile": str(authority.file)}}
    line = r"registration failed: .*certificate is not valid for '127\.0\.0\.1'.*; see consul\.tls"
    says_once(pilot, {"consul": trusting}, line)


def test_certificates_of_etcd_that_do_not_match(pilot: StartPilot, start_etcd: StartEtcd, authority: Any) -> None:
    etcd = start_etcd(authority=authority)

    line = r"registration failed: .*certificate verify failed.*; see etcd\.tls"
    says_once(pilot, {"etcd": {"endpoints": etcd.url}}, line)


def test_https_where_plain_http_is_spoken(pilot: StartPilot, start_etcd: StartEtcd) -> None:
    etcd = start_etcd()

    says_once(
        pilot,
        {"etcd": {"endpoints": etcd.url.replace("http:", "https:")}},
        r"registration failed: cannot reach etcd at https://.*; see etcd\.tls",
    )


def test_a_file_of_certificates_that_is_not_there(pilot: StartPilot) -> None:
    tls = {"cafile": "/nowhere/ca.pem"}
    consul = {"address": "127.0.0.1:1", "scheme": "https", "tls": tls}

    line = r"registration failed: cannot set up TLS for Consul at \S+ with /nowhere/ca\.pem: .*; see consul\.tls"
    says_once(pilot, {"consul": consul}, line)


# --- permissions


def test_a_token_that_is_refused(pilot: StartPilot, start_consul: StartConsul) -> None:
    consul = start_consul('acl { enabled = true default_policy = "deny" tokens { master = "m" } }', token="m")

    says_once(pilot, {"consul": consul.address}, r"registration failed: .*403.*see consul\.token")


# --- etcds that are otherwise than was thought


def test_an_etcd_without_api_v2(pilot: StartPilot, start_etcd: StartEtcd) -> None:
    etcd = start_etcd("--enable-v2=false")

    says_once(
        pilot,
        {"etcd": {"endpoints": etcd.url, "api": "v2"}},
        r"registration failed: this etcd does not speak API v2 \(--enable-v2\): see etcd\.api",
    )


@pytest.fixture
def occupied(start_etcd: StartEtcd) -> Etcd:
    """Somebody else has a key in the place of the folder, in either API."""
    etcd = start_etcd()
    etcd.call("PUT", "/v2/keys/taken", b"value=hello")
    etcd.put("/taken/web/config", "max_clients=5")
    return etcd


def test_a_prefix_that_belongs_to_somebody_else_v2(pilot: StartPilot, occupied: Etcd) -> None:
    where = {"etcd": {"endpoints": occupied.url, "api": "v2", "prefix": "/taken"}}
    backend = {"name": "web", "poll": 1, "onChange": "/bin/true"}

    says_once(
        pilot,
        where,
        r"registration failed: 104: Not a directory .*; see etcd\.prefix",
        r"the key '/taken/web' in etcd cannot be: .*; see etcd\.prefix",
        backends=[backend],
    )
    assert (occupied.node("/taken") or {})["value"] == "hello", "it was not touched"


def test_a_prefix_that_belongs_to_somebody_else_v3(pilot: StartPilot, occupied: Etcd) -> None:
    where = {"etcd": {"endpoints": occupied.url, "api": "v3", "prefix": "/taken"}}
    backend = {"name": "web", "poll": 1, "onChange": "/bin/true"}

    line = r"the key '/taken/web/config' in etcd is ignored, it is not an entry of the catalogue: .*; see etcd\.prefix"
    says_once(pilot, where, line, backends=[backend])
    assert occupied.keys("/taken/")["/taken/web/config"] == "max_clients=5"
