"""Text from elsewhere stays text: it ends no line of a request, leads out of no folder, and drives no terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.directory.client import Directory
from cp.catalog.factory import open_catalog
from cp.catalog.protocol import CatalogError
from cp.plan import ConsulSettings, DirectorySettings, EtcdSettings
from tests.integration.catalog.http.test_client import Server, says
from tests.system.jobs.configs import app, config, job
from tests.system.scripts import forever, python
from tests.unit.catalog.fakes import service, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot

EVIL = "a\r\nX-Injected: yes\r\n\r\nGET /injected HTTP/1.1\r\nHost: x\r\n\r\n"
EVILS = [EVIL, "a\nX-A: b", "a\rX-A: b", "../../injected", "?dc=injected#injected", "a b\t\x00\x7f", "%0d%0a"]
SENT = {"accept-encoding", "authorization", "content-length", "content-type", "host", "user-agent", "x-consul-token"}
KINDS = pytest.mark.parametrize(("kind", "root"), [("consul", "/v1/"), ("v2", "/v2/keys/"), ("v3", "/v3")])


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"))
    yield server
    server.close()


def settings(kind: str, server: Server, evil: str) -> list[ConsulSettings | EtcdSettings]:
    """Those of this kind, each with the evil text in the place of one value."""
    values: list[dict[str, Any]]
    if kind == "consul":
        values = [{name: evil} for name in ("token", "http_auth", "namespace", "partition", "datacenter")]
        return [ConsulSettings(address=f"127.0.0.1:{server.port}", **each) for each in values]
    values = [{"prefix": f"/{evil}"}, {"username": evil, "password": "b"}, {"username": "a", "password": evil}]
    return [EtcdSettings(endpoints=(f"http://127.0.0.1:{server.port}",), api=kind, **each) for each in values]


def talk(catalog: Any, name: str, id: str, tag: str) -> None:
    """Whatever a client sends; what it makes of the answers does not matter."""
    one = service(name, id=id, tags=(tag,))
    calls: tuple[Callable[[], object], ...] = (
        lambda: catalog.register(one, "passing"),
        lambda: catalog.heartbeat(one, "passing", tag),
        lambda: catalog.heartbeat(one, "critical", tag),
        lambda: catalog.instances(watch(name, tag=tag, datacenter=tag)),
        lambda: catalog.deregister(one),
    )
    errors = []
    for call in calls:
        try:
            call()
        except CatalogError as error:
            errors.append(str(error))
    catalog.close()
    assert not [error for error in errors if "\n" in error], "an error is one line"


def assert_nothing_was_injected(server: Server, root: str) -> None:
    for request in server.requests:
        head = request.partition(b"\r\n\r\n")[0].decode("ascii")
        assert "\n" not in head.replace("\r\n", "")
        assert "\r" not in head.replace("\r\n", "")
        first, *headers = head.split("\r\n")
        method, target, version = first.split(" ")
        assert version == "HTTP/1.1"
        assert method in ("GET", "PUT", "POST", "DELETE")
        assert target.startswith((root, "/version"))
        assert "#" not in target
        assert "/../" not in target
        assert {line.partition(":")[0].lower() for line in headers} <= SENT


@pytest.mark.parametrize("evil", EVILS, ids=ascii)
@KINDS
def test_no_setting_can_add_to_a_request(server: Server, kind: str, root: str, evil: str) -> None:
    for each in settings(kind, server, evil):
        talk(open_catalog(each, environ={}), "web", "web-box", "tag")
    assert_nothing_was_injected(server, root)


@pytest.mark.parametrize("evil", EVILS, ids=ascii)
@KINDS
def test_no_name_id_or_tag_can_add_to_a_request(server: Server, kind: str, root: str, evil: str) -> None:
    where: ConsulSettings | EtcdSettings = ConsulSettings(address=f"127.0.0.1:{server.port}")
    if kind != "consul":
        where = EtcdSettings(endpoints=(f"http://127.0.0.1:{server.port}",), api=kind)
    for names in ((evil, "b", "c"), ("a", evil, "c"), ("a", "b", evil)):
        talk(open_catalog(where, environ={}), *names)
    assert server.requests
    assert_nothing_was_injected(server, root)


@pytest.mark.parametrize("evil", [*EVILS, "..", ".", "/etc/passwd", "a/../../b", "~root", "\udcff"], ids=ascii)
def test_no_name_or_id_leads_out_of_the_folder(tmp_path: Path, evil: str) -> None:
    folder = tmp_path / "one" / "shelf"
    catalog = Directory(DirectorySettings(path=str(folder)), lambda text: None)
    one = service(evil, id=evil)
    catalog.register(one, "passing")
    catalog.heartbeat(one, "passing", evil)

    assert [each.id for each in catalog.instances(watch(evil))[0]] == [evil]
    (file,) = folder.iterdir()
    assert file.is_file()
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == [file.name]
    catalog.deregister(one)
    assert list(folder.iterdir()) == []
    catalog.close()


# --- the log, and what people read

FORGED = '{"level":"error","msg":"forged","time":"2026-01-31T12:00:00Z"}'
NOISE = [
    b"one\x1b]0;title\x07\x1b[2J\x1b[31mred",
    b"eight bits \xc2\x9b2J \x9b2J",  # the same order as one character
    b"\x7f\x08\x08\x08 over there",
    b"carriage\rreturn",
    "a line \u2028 another \u2029 and \u0085 another".encode(),
    b"\x00\xff\xfe no text",
    f'quote " and\\ {FORGED}'.encode(),
]


@pytest.mark.parametrize("format", ["text", "json"])
def test_output_of_a_child_is_one_line_without_terminal_escapes(pilot: StartPilot, format: str) -> None:
    noise = b"\n".join([*NOISE, FORGED.encode(), b"end of it"])
    says_it = python(f"os.write(1, {noise!r})")
    started = pilot(config(job("noisy", says_it), app(), logging={"format": format}))

    started.wait_for_line("end of it")

    data = started.stdout_file.read_bytes()
    text = data.decode()  # all of it is UTF-8
    lines = text.split("\n")[:-1]
    assert lines == text.splitlines(), "who else splits lines finds the same ones"
    assert not [character for character in text if not character.isprintable() and character != "\n"]
    mine = [line for line in lines if "noisy" in line and "serving" not in line]
    assert len(mine) == len(NOISE) + 2
    if format == "json":
        records = [json.loads(line) for line in lines]
        assert not [record for record in records if record["msg"] == "forged"]
    else:
        assert not [line for line in lines if not line.startswith('time="')]


def test_a_terminal_obeys_nothing_that_a_check_printed(pilot: StartPilot) -> None:
    check = python(f"os.write(1, {NOISE[0]!r}); sys.exit(1)")
    started = pilot(config(job("app", forever(), health={"exec": check, "interval": 1, "ttl": 5})))
    started.wait_for(lambda: started.jobs()["app"]["health"]["output"], what="a check")

    shown = started.run("-job", "app")

    assert "its output: one" in shown.stdout
    assert shown.stdout.replace("\n", "").isprintable()


def test_requests_of_a_client_add_no_line_to_the_log(pilot: StartPilot) -> None:
    started = pilot(config(app(), logging={"level": "DEBUG"}))
    started.jobs()

    for target in ("/v3/jobs/a%0D%0AX/start", "/v3/%0aforged", "/v3/jobs/%1b%5b2J"):
        answer = started.ask("POST", target)
        assert answer.status in (404, 405)
        assert b"\x1b" not in answer.body
    for body in ({"A\nforged": "b"}, {"A": "b\nforged\x1b[2J"}):
        assert started.ask("POST", "/v3/environ", body).status in (200, 422)
    assert started.ask("POST", "/v3/jobs/app/signal", {"signal": "HUP\nforged"}).status == 422

    assert not [line for line in started.output().splitlines() if line.startswith("forged")]
    assert "\x1b" not in started.output()
