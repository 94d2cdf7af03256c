"""Bad inputs that the search has found, each as small as possible."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.directory import records
from cp.catalog.etcd.v3 import MOST_PAGES, _Pages
from cp.catalog.protocol import CatalogGarbage
from cp.config.json5.parser import JsonError, parse
from cp.config.nearest import nearest
from cp.config.template import TemplateError, render
from cp.encoding.percent import decoded
from cp.platform.netlink import parse_dump

if TYPE_CHECKING:
    from pathlib import Path


def test_a_deadline_of_four_hundred_digits_is_not_a_time(tmp_path: Path) -> None:
    fields = {"id": "a", "name": "b", "address": "c", "status": "passing", "port": 1, "tags": [], "deadline": 10**400}
    (tmp_path / "a.json").write_text(json.dumps(fields))
    with pytest.raises(ValueError, match="deadline is not a time"):
        records.read(str(tmp_path / "a.json"))


@pytest.mark.parametrize("keys", [1, 500, 100_000])
def test_an_etcd_that_has_always_more_keys_is_read_up_to_a_limit(keys: int) -> None:
    requests = 0

    def answer(method: str, question: dict[str, object]) -> dict[str, Any]:
        nonlocal requests
        requests += 1
        return {"header": {"revision": "1"}, "more": True, "kvs": [{"key": "YQ=="}] * keys}

    with pytest.raises(CatalogGarbage, match="always more keys"):
        list(_Pages(answer, "/containerpilot/web/").entries())
    assert requests <= MOST_PAGES


@pytest.mark.parametrize("text", ["%", "a%", "%a", "a%a", "%%", "%g1", "%1"])
def test_a_percent_sign_without_two_digits_is_itself(text: str) -> None:
    assert decoded(text.encode()) == text.encode()


@pytest.mark.parametrize("line", ["postgres://user:p@ss@host/", "a:x@y:8500 u:p@@host", "[u:@s3@host"])
def test_no_part_of_a_password_with_at_signs_is_shown(line: str) -> None:
    with pytest.raises(JsonError) as caught:
        parse(f"[{line}")
    assert "ss@" not in str(caught.value)
    assert "s3@" not in str(caught.value)


@pytest.mark.parametrize("rest", [b"", b"\x00\x00\x00", b"\x00\x00\x00\x80", b"\xff\xff\xff\xff", b"\x01\x00\x00\x00"])
def test_an_error_of_the_kernel_that_makes_no_sense_is_an_error_nevertheless(rest: bytes) -> None:
    header = (16 + len(rest)).to_bytes(4, "little") + b"\x02\x00" + bytes(10)
    with pytest.raises(OSError, match=r"\[Errno \d+\] \w+"):
        list(parse_dump(header + rest, {}))


def test_an_address_of_the_kernel_that_is_cut_off_is_ignored() -> None:
    assert list(parse_dump(b"\x14\x00\x00\x00\x14\x00" + bytes(14), {})) == []


def test_names_far_from_all_others_have_no_nearest_name() -> None:
    assert nearest("a-job-with-a-long-name-one", ["a-job-with-a-long-name-two"]) == "a-job-with-a-long-name-two"
    assert nearest("a-job-with-a-long-name-first", ["a-job-with-a-long-name-second"]) == ""
    assert nearest("", ["a"]) == ""


def test_the_time_for_regular_expressions_is_that_of_a_template_and_each_template_has_its_own() -> None:
    slow = '{{ range 3 }}{{ regexReplaceAll "(a*)*$" "x" "' + "a" * 14 + 'b" }}{{ end }}'
    assert [render(slow, {}) for _ in range(3)] == [render(slow, {})] * 3


def test_many_short_calls_of_a_regular_expression_use_up_the_time_too() -> None:
    call = '{{ regexReplaceAll "(a*)*$" "x" "' + "a" * 13 + 'b" }}'
    with pytest.raises(TemplateError, match="takes more than 1 s"):
        render("{{ range 20000 }}" + call + "{{ end }}", {})
