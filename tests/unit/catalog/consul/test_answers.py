"""Answers that count as Consul's."""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

import pytest

from cp.catalog.consul import instances
from cp.catalog.consul.instances import LARGE, parse_instances
from cp.catalog.protocol import CatalogGarbage, Instance


def usable(body: bytes) -> list[Instance]:
    """The instances of an answer with all entries."""
    found, unusable = parse_instances(body)
    assert unusable == {}
    return found


def test_instances_with_and_without_an_address_and_tags() -> None:
    entries = [
        {"Node": {"Address": "10.0.0.9"}, "Service": {"ID": "a", "Address": "10.0.0.1", "Port": 1, "Tags": ["x", "y"]}},
        {"Node": {"Address": "10.0.0.9"}, "Service": {"ID": "b", "Address": "", "Port": 0, "Tags": None}},
    ]
    assert usable(json.dumps(entries).encode()) == [
        Instance("a", "10.0.0.1", 1, ("x", "y")),
        Instance("b", "10.0.0.9", 0),
    ]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]x", b"null", b"5", b"[5]", b"[{}]", b"{}", b'[{"Service": 5}]', b"\xff", b"[" * 100_000,
     b'[{"Service": {"ID": 5, "Address": "a", "Port": 1}}]', b'[{"Service": "text"}, null, [], "x"]'],
)  # fmt: skip
def test_anything_else_is_garbage(body: bytes) -> None:
    with pytest.raises(CatalogGarbage, match="Consul's answer is not a list of service instances"):
        parse_instances(body)


# --- entries that cannot be used

NODE = {"Address": "10.0.0.9"}
GOOD = {"ID": "good", "Address": "10.0.0.1", "Port": 80, "Tags": []}
PORT = "its port is not a number from 0 to 65535"
ADDRESS = "it has no address"
TAGS = "its tags are not a list of strings"


@pytest.mark.parametrize(
    ("fields", "node", "why"),
    [
        ({"Port": True}, NODE, PORT),
        ({"Port": False}, NODE, PORT),
        ({"Port": "80"}, NODE, PORT),
        ({"Port": None}, NODE, PORT),
        ({"Port": 80.0}, NODE, PORT),
        ({"Port": -1}, NODE, PORT),
        ({"Port": 65536}, NODE, PORT),
        ({"Port": 10**30}, NODE, PORT),
        ({"Port": [80]}, NODE, PORT),
        ({"Address": 5}, NODE, ADDRESS),
        ({"Address": ""}, {}, ADDRESS),
        ({"Address": ""}, {"Address": ""}, ADDRESS),
        ({"Address": ""}, {"Address": 5}, ADDRESS),
        ({"Address": ""}, None, ADDRESS),
        ({"Address": None}, "text", ADDRESS),
        ({"Tags": "text"}, NODE, TAGS),
        ({"Tags": 5}, NODE, TAGS),
        ({"Tags": [5]}, NODE, TAGS),
    ],
)
@pytest.mark.parametrize("pad", [0, LARGE], ids=["small", "large"])
def test_an_unusable_entry_does_not_affect_others(fields: Any, node: Any, why: str, pad: int) -> None:
    bad = {"Node": node, "Service": {**GOOD, "ID": "bad", **fields}}
    entries = [{"Node": NODE, "Service": GOOD}, bad, {"Node": {**NODE, "Pad": "x" * pad}, "Service": GOOD}]
    found, unusable = parse_instances(encoded(entries))
    assert [one.id for one in found] == ["good", "good"]
    assert unusable == {"bad": why}


@pytest.mark.parametrize("entry", [None, 5, "text", [], {}, {"Service": None}, {"Service": {"ID": 5}}])
def test_an_invalid_entry_does_not_affect_others(entry: Any) -> None:
    found, unusable = parse_instances(encoded([entry, {"Node": NODE, "Service": GOOD}, entry]))
    assert [one.id for one in found] == ["good"]
    assert unusable == {"": "it has no id"}


def test_an_answer_may_have_only_entries_that_cannot_be_used() -> None:
    """It is an answer of Consul's nevertheless: there is no instance that anybody could use."""
    assert parse_instances(encoded([{"Node": NODE, "Service": {**GOOD, "Port": -1}}])) == ([], {"good": PORT})


@pytest.mark.parametrize("service", [{"Port": 0}, {}])
def test_a_service_without_a_port_is_one(service: dict[str, Any]) -> None:
    """Consul leaves a port out that is 0."""
    (one,) = usable(encoded([{"Node": NODE, "Service": {"ID": "i", "Address": "a", "Tags": None, **service}}]))
    assert one == Instance("i", "a", 0)


@pytest.mark.parametrize(
    ("ports", "chosen"),
    [
        ([{"Name": "http", "Port": 8080, "Default": True}, {"Name": "metrics", "Port": 9090}], 8080),
        ([{"Name": "metrics", "Port": 9090}, {"Name": "http", "Port": 8080, "Default": True}], 8080),
        ([{"Name": "a", "Port": 1, "Default": False}, {"Name": "b", "Port": 2}], 1),
        ([{"Name": "a", "Port": True, "Default": True}, 5, {"Name": "b", "Port": 2}], 2),
        ([], 0),
        (None, 0),
    ],
)
@pytest.mark.parametrize("port", [{}, {"Port": 0}])
def test_of_several_named_ports_the_default_counts(ports: Any, port: dict[str, Any], chosen: int) -> None:
    (one,) = usable(encoded([{"Node": NODE, "Service": {"ID": "i", "Address": "a", "Ports": ports, **port}}]))
    assert one.port == chosen


def test_a_port_counts_more_than_several() -> None:
    service = {"ID": "i", "Address": "a", "Port": 80, "Ports": [{"Name": "b", "Port": 81, "Default": True}]}
    assert usable(encoded([{"Node": NODE, "Service": service}]))[0].port == 80


@pytest.mark.parametrize("ports", [5, "text", {"http": 80}, ["text"], [{"Port": 70000}], [{"Name": "a"}]])
def test_invalid_named_ports(ports: Any) -> None:
    service = {"ID": "i", "Address": "a", "Ports": ports}
    assert parse_instances(encoded([{"Node": NODE, "Service": service}])) == ([], {"i": PORT})


# --- large ones


def entry(number: int, **more: Any) -> dict[str, Any]:
    """An entry as Consul writes it, with a few keys that the client does not use."""
    return {
        "Node": {"ID": f"{number:032x}", "Node": f"node-{number}", "Address": "10.1.2.3", "Meta": {"a": '"},{"'}},
        "Service": {"ID": f"web-{number}", "Service": "web", "Tags": ["blue", "v7"],
                    "Address": f"10.0.{number % 250}.1", "Port": 1024 + number,
                    "Meta": {"text": 'x"},{"Node":{"y": ü'}, **more},
        "Checks": [{"Node": f"node-{number}", "Output": '[{"Node":{"A":"no"}},{"Node":{}}]', "Status": "passing"}],
    }  # fmt: skip


def encoded(entries: list[Any], **options: Any) -> bytes:
    options = {"separators": (",", ":"), "ensure_ascii": False, **options}
    return json.dumps(entries, **options).encode() + b"\n"


@pytest.fixture(params=["orjson", "json"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With orjson, and where it is not installed."""
    monkeypatch.setattr(instances, "_fast", None)
    if request.param == "json":
        monkeypatch.setitem(sys.modules, "orjson", None)
    return str(request.param)


@pytest.mark.parametrize("options", [{}, {"indent": 1}, {"separators": (", ", ": ")}], ids=["compact", "lines", "wide"])
def test_a_large_answer_is_understood_like_a_small_one(parser: str, options: dict[str, Any]) -> None:
    entries = [entry(number) for number in range(1000)]
    body = encoded(entries, **options)
    assert len(body) > 2 * LARGE
    found = usable(body)
    assert found == [one for each in entries for one in usable(encoded([each]))]
    assert found[999] == Instance("web-999", "10.0.249.1", 2023, ("blue", "v7"))
    assert found[0].tags is found[999].tags, "of which there may be thousands"


def test_nested_objects_that_look_like_entries_are_not_entries(parser: str) -> None:
    deep = [entry(number, Proxy={"Config": [{"Node": {"n": each}} for each in range(500)]}) for number in range(100)]
    assert [one.id for one in usable(encoded(deep))] == [f"web-{number}" for number in range(100)]


def test_text_that_only_the_slower_parser_reads_is_read(parser: str) -> None:
    body = encoded([entry(number) for number in range(1000)]).replace(b'web-7"', b'\\ud800"')
    assert usable(body)[7].id == "\ud800"


@pytest.mark.parametrize("spoil", [lambda body: body[:-3], lambda body: body + b"x", lambda body: b"{" + body,
                                   lambda body: body.replace(b"web-500\"", b"\xff\""),
                                   lambda body: b" " * len(body)])  # fmt: skip
def test_a_large_answer_that_is_wrong_somewhere_is_garbage(parser: str, spoil: Any) -> None:
    body = spoil(encoded([entry(number) for number in range(1000)]))
    with pytest.raises(CatalogGarbage):
        parse_instances(body)
    assert gc.isenabled()


def test_entries_of_a_large_answer_that_cannot_be_used(parser: str) -> None:
    body = encoded([entry(number) for number in range(1000)])
    body = body.replace(b'"Port":1524', b'"Port":"1524"').replace(b'web-7"', b'\\ud800"')
    found, unusable = parse_instances(body.replace(b'"Port":1525', b'"Port":true'))
    assert len(found) == 998
    assert unusable == {"web-500": PORT, "web-501": PORT}


def test_memory_is_not_searched_for_garbage_while_a_large_answer_is_parsed(parser: str) -> None:
    """A collection takes as long as the parsing itself. A collector that was turned off by hand stays off."""
    body = encoded([entry(number) for number in range(2000)])
    runs: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        runs.append(phase)

    gc.collect()
    gc.callbacks.append(note)
    try:
        instances._parse_large(body)
        assert len(runs) <= 2
        gc.disable()
        parse_instances(body)
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.callbacks.remove(note)


def test_orjson_is_loaded_for_large_answers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "_fast", None)
    parse_instances(encoded([entry(1)]))
    assert instances._fast is None
    parse_instances(encoded([entry(number) for number in range(1000)]))
    assert instances._fast.__module__ == "orjson"
