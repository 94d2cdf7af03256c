"""The content of etcd's keys, and the answers that count as etcd's."""

from __future__ import annotations

import json

import pytest

from cp.catalog.etcd.client import gateways, parse_version
from cp.catalog.etcd.endpoints import Endpoints
from cp.catalog.etcd.gateway import error_of, number
from cp.catalog.etcd.records import EtcdReader, EtcdRecord, encode, instances, normal_prefix
from cp.catalog.etcd.v3 import lease_id
from cp.catalog.http.client import Response
from cp.catalog.protocol import CatalogError, CatalogGarbage, Instance
from cp.plan import EtcdSettings
from tests.unit.catalog.fakes import service

# --- keys and values


@pytest.mark.parametrize(
    ("prefix", "normal"),
    [("/containerpilot", "/containerpilot"), ("a/b", "/a/b"), ("//a///b/", "/a/b"), ("/", ""), ("", "")],
)
def test_a_prefix_has_one_slash_before_each_part(prefix: str, normal: str) -> None:
    assert normal_prefix(prefix) == normal


def test_the_json_of_api_v2_to_the_byte() -> None:
    """Go's fields in Go's order, and never any tags."""
    one = service("app", id="app-host", tags=("a", "b"))
    expected = b'{"id":"app-host","name":"app","address":"10.0.0.1","port":80,"tags":null}'
    assert encode(one, tags=False) == expected


def test_the_json_of_api_v3_has_the_tags() -> None:
    assert json.loads(encode(service("app", tags=("a", "b")), tags=True))["tags"] == ["a", "b"]
    assert json.loads(encode(service("app"), tags=True))["tags"] == []


def test_odd_characters_are_written_as_go_writes_them() -> None:
    assert b'"address":"\\u003ca\\u0026b\\u003e \xc3\xbc \\" \\u2028"' in encode(
        service(address='<a&b> ü " \u2028'), tags=False
    )
    assert json.loads(encode(service(address="\udcff"), tags=False))["address"] == "?"


GOOD = '{"address":"10.0.0.1"}'


def test_a_record_needs_very_little() -> None:
    assert EtcdRecord('{"address":"a"}', "from-the-key").instance == Instance("from-the-key", "a", 0)
    record = EtcdRecord(b'{"id":"i","name":"n","address":"a","port":5,"tags":["x"],"more":{}}', "k")
    assert (record.name, record.instance) == ("n", Instance("i", "a", 5, ("x",)))
    assert EtcdRecord('{"address":"a","tags":null}', "k").instance.tags == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"id": 5}', "its id is not a string"),
        ('{"name": null}', "its name is not a string"),
        ('{"address": []}', "its address is not a string"),
        ("{}", "it has no address"),
        ('{"address": ""}', "it has no address"),
        ('{"port": "80"}', "its port is not a number from 0 to 65535"),
        ('{"port": true}', "its port is not a number from 0 to 65535"),
        ('{"port": null}', "its port is not a number from 0 to 65535"),
        ('{"port": -1}', "its port is not a number from 0 to 65535"),
        ('{"port": 70000}', "its port is not a number from 0 to 65535"),
        ('{"tags": "a"}', "its tags are not a list of strings"),
        ('{"tags": [5]}', "its tags are not a list of strings"),
    ],
)
def test_a_value_that_is_not_a_record(text: str | bytes, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        EtcdRecord(text, "k")


def test_a_foreign_key_is_logged_again_only_if_it_was_valid_in_between() -> None:
    warnings: list[str] = []
    reader = EtcdReader(warnings.append)
    for value in ("x", "x", GOOD, "x"):
        found = instances(reader.records([("/b", "b", GOOD), ("/a", "a", value)]))
        assert [one.id for one in found] == (["a", "b"] if value == GOOD else ["b"])
    line = "the key '/a' in etcd is ignored, it is not an entry of the catalogue: it is not JSON; see etcd.prefix"
    assert warnings == [line] * 2


def test_an_impossible_place_of_a_key_is_logged_once() -> None:
    warnings: list[str] = []
    reader = EtcdReader(warnings.append)
    for key in ("/a/b", "/a/b", "/c/d"):
        reader.obstructed(key)
    line = "in etcd cannot be: one above it is not a directory; see etcd.prefix"
    assert warnings == [f"the key '/a/b' {line}", f"the key '/c/d' {line}"]


def test_a_lease_belongs_to_a_key_and_a_time() -> None:
    one = lease_id("/containerpilot/app/app-box", 10)
    assert one == "8725445090738836327"
    assert 0 < int(one) < 2**63
    assert len({one, lease_id("/containerpilot/app/app-box", 11), lease_id("/containerpilot/app/app-box2", 10)}) == 3


# --- endpoints


def test_an_endpoint_that_no_configuration_lets_through() -> None:
    with pytest.raises(CatalogError) as caught:
        Endpoints(EtcdSettings(endpoints=("http://user:geheim@etcd:2379",)), {})
    assert str(caught.value).startswith("cannot use etcd.endpoints: it must not contain a name and a password; ")
    assert "geheim" not in str(caught.value)


def test_secrets_are_masked() -> None:
    settings = EtcdSettings(endpoints=("http://etcd",), username="user", password="geheim")
    endpoints = Endpoints(settings, {})
    endpoints.know("token.1")
    assert endpoints.quoted(b"geheim token.1\n dXNlcjpnZWhlaW0= \x07") == "******** ******** ******** ?"


# --- versions


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.4.23", (3, 4)),
        ("2.3.8", (2, 3)),
        ("3.6.0-rc.1", (3, 6)),
        ("not_decided", None),
        ("3", None),
        ("a.b", None),
        (None, None),
        (3.4, None),
    ],
)
def test_a_version(text: object, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("version", "paths"),
    [((3, 3), ("/v3beta",)), ((3, 4), ("/v3",)), ((3, 6), ("/v3",)), ((4, 0), ("/v3",)), ((0, 0), ("/v3", "/v3beta"))],
)
def test_the_path_of_the_gateway(version: tuple[int, int], paths: tuple[str, ...]) -> None:
    assert gateways(version) == paths


# --- errors of the gateway


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b'{"error":"etcdserver: x","message":"etcdserver: x","code":5}', (5, "etcdserver: x")),
        (404, b'{"code":5, "message":"etcdserver: x"}', (5, "etcdserver: x")),
        (401, b'{"error":"etcdserver: x","code":16}', (16, "etcdserver: x")),
        (200, b'{"error":{"grpc_code":16,"http_code":401,"message":"etcdserver: x"}}', (16, "etcdserver: x")),
        (200, b'{"header":{}}', (None, "")),
        (404, b"404 page not found", (None, "")),
        (502, b"<html>", (None, "")),
        (500, b"[]", (None, "")),
        (500, b'{"code":"x","message":5}', (None, "")),
    ],
)
def test_an_error(status: int, body: bytes, error: tuple[int | None, str]) -> None:
    assert error_of(Response(status, {}, body)) == error


@pytest.mark.parametrize("text", [None, "", "x", [], "1" * 30, 1.5])
def test_no_number(text: object) -> None:
    with pytest.raises(CatalogGarbage):
        number(text)
