"""What is taken for an answer of Consul's."""

from __future__ import annotations

import json

import pytest

from cp.catalog import CatalogGarbage, Instance
from cp.catalog.consul import parse_instances


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
