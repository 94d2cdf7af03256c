"""What is taken for an answer of Consul's."""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

import pytest

from cp.catalog import CatalogGarbage, Instance, instances
from cp.catalog.instances import LARGE, parse_instances


def test_instances_with_and_without_an_address_and_tags() -> None:
    entries = [
        {"Node": {"Address": "10.0.0.9"}, "Service": {"ID": "a", "Address": "10.0.0.1", "Port": 1, "Tags": ["x", "y"]}},
        {"Node": {"Address": "10.0.0.9"}, "Service": {"ID": "b", "Address": "", "Port": 0, "Tags": None}},
    ]
    assert parse_instances(json.dumps(entries).encode()) == [
        Instance("a", "10.0.0.1", 1, ("x", "y")),
        Instance("b", "10.0.0.9", 0),
    ]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]x", b"null", b"5", b"[5]", b"[{}]", b'[{"Service": 5}]', b"\xff", b"[" * 100_000,
     b'[{"Service": {"ID": 5, "Address": "a", "Port": 1}}]', b'[{"Service": {"ID": "i", "Address": "a", "Port": "1"}}]',
     b'[{"Service": {"ID": "i", "Address": "", "Port": 1}}]'],
)  # fmt: skip
def test_anything_else_is_garbage(body: bytes) -> None:
    with pytest.raises(CatalogGarbage, match="Consul's answer is not a list of service instances"):
        parse_instances(body)


# --- large ones


def entry(number: int, **more: Any) -> dict[str, Any]:
    """As Consul writes it, with a little of what nobody here asks for."""
    return {
        "Node": {"ID": f"{number:032x}", "Node": f"node-{number}", "Address": "10.1.2.3", "Meta": {"a": '"},{"'}},
        "Service": {"ID": f"web-{number}", "Service": "web", "Tags": ["blue", "v7"],
                    "Address": f"10.0.{number % 250}.1", "Port": 1024 + number,
                    "Meta": {"text": 'x"},{"Node":{"y": ü'}, **more},
        "Checks": [{"Node": f"node-{number}", "Output": '[{"Node":{"A":"no"}},{"Node":{}}]', "Status": "passing"}],
    }  # fmt: skip


def encoded(entries: list[dict[str, Any]], **options: Any) -> bytes:
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
    found = parse_instances(body)
    assert found == [one for each in entries for one in parse_instances(encoded([each]))]
    assert found[999] == Instance("web-999", "10.0.249.1", 2023, ("blue", "v7"))
    assert found[0].tags is found[999].tags, "of which there may be thousands"


def test_what_looks_like_two_entries_in_the_depth_of_one_is_none(parser: str) -> None:
    deep = [entry(number, Proxy={"Config": [{"Node": {"n": each}} for each in range(500)]}) for number in range(100)]
    assert [one.id for one in parse_instances(encoded(deep))] == [f"web-{number}" for number in range(100)]


def test_what_only_the_slower_parser_takes_is_taken(parser: str) -> None:
    body = encoded([entry(number) for number in range(1000)]).replace(b'web-7"', b'\\ud800"')
    assert parse_instances(body)[7].id == "\ud800"


@pytest.mark.parametrize("spoil", [lambda body: body[:-3], lambda body: body + b"x", lambda body: b"{" + body,
                                   lambda body: body.replace(b"web-500\"", b"\xff\""),
                                   lambda body: body.replace(b'"Port":1524', b'"Port":"1524"'),
                                   lambda body: b" " * len(body)])  # fmt: skip
def test_a_large_answer_that_is_wrong_somewhere_is_garbage(parser: str, spoil: Any) -> None:
    body = spoil(encoded([entry(number) for number in range(1000)]))
    with pytest.raises(CatalogGarbage):
        parse_instances(body)
    assert gc.isenabled()


def test_memory_is_not_searched_for_garbage_while_a_large_answer_is_parsed(parser: str) -> None:
    """That takes as long as the parsing itself; and what was turned off by hand stays off."""
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
