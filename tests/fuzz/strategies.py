"""Inputs that Hypothesis generates for the targets: good ones that were changed a little, as bytes or as trees."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

from cp.config.json5.parser import parse
from tests.fuzz.material import SEPARATOR, joined
from tests.fuzz.of_texts import plain
from tests.fuzz.seeds import CONFIGURATIONS, CONSUL, ETCD2, ETCD3, RECORDS, SEEDS

# Pieces that mean something to one of the readers.
TOKENS = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"'", b"//", b"/*", b"*/", b"\\", b"\\u", b"\\ud800", b"\n", b"\r\n"),
    *(
        b"{{",
        b"}}",
        b"{{-",
        b" -}}",
        b"(",
        b")",
        b"|",
        b"$x",
        b":=",
        b".A",
        b"end",
        b"else",
        b"range",
        b"printf",
        b"\0",
    ),
    *(b"0", b"-1", b"1e999", b"0x", b"9" * 25, b"9" * 400, b"NaN", b"Infinity", b"null", b"true", b"1h", b"ns"),
    *(b"GET ", b"POST ", b"HEAD ", b" HTTP/1.1\r\n", b"\r\n\r\n", b"Content-Length: 5\r\n", b"0\r\n\r\n"),
    *(b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Transfer-Encoding: chunked\r\n", b"?follow=1"),
    *(b"%", b"%2F", b"%a", b"/v3/jobs/", b"(a*)*", b"[^", b"[[:alpha:]]", b"(?i)", b"\\pL", b"{1000}", b"$1", b"inf"),
    *(b"\xff", b"\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", "\u2028".encode(), "\U0001f600".encode(), b"\x1b[31m"),
    *(b"static:", b"/33", b"[999]", b"%[1]*.*d", b"\xc2\xb5s", b"\x7f"),
]


@st.composite
def changed(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A good input after a few accidents."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 0, 1, 2, 5, 20, 200))))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            piece = draw(st.sampled_from(TOKENS))
        elif kind == 1:
            piece = draw(st.binary(max_size=4))
        elif kind == 2:
            piece = data[start:end] * draw(st.sampled_from((2, 3, 50)))
        elif kind == 3:
            other = draw(st.sampled_from(seeds))
            at = draw(st.integers(0, len(other)))
            piece = other[at : at + draw(st.integers(0, 80))]
        else:
            piece = b""
        data = data[:start] + piece + data[end:]
    return data


def any_input(name: str) -> st.SearchStrategy[bytes]:
    """For a target: mostly changed good inputs, sometimes only noise."""
    return changed(SEEDS[name]) | changed(SEEDS[name]) | changed(SEEDS[name]) | st.binary(max_size=60)


# --- trees of JSON

odd_values: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        10**400,
        1.5,
        -0.0,
        1e308,
        float("inf"),
        float("nan"),
        "",
        " ",
        "x",
        "0",
        "1s",
        "-1s",
        "1d",
        "\x00",
        "�",
        "a=b",
        "é",
        "{{",
        "{{ .HOST }}",
        "x" * 300,
        "eth0[9]",
        "10.0.0.0/33",
        "http://",
        "SIGHUP",
        "exitSuccess",
        "changed",
        "unlimited",
        "never",
        [],
        {},
        [[]],
        [None],
        {"": None},
        {"name": []},
        ["a", 1],
    ]
).map(copy.deepcopy)


def paths_of(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of the values in a tree."""
    found = [path]
    if isinstance(tree, dict):
        for key, value in tree.items():
            found += paths_of(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            found += paths_of(value, (*path, index))
    return found


@st.composite
def changed_tree(draw: st.DrawFn, trees: list[Any]) -> Any:
    """A good tree with other values, or other keys, at a few places."""
    tree = json.loads(json.dumps(draw(st.sampled_from(trees))))
    for _ in range(draw(st.integers(1, 4))):
        paths = paths_of(tree)[1:]
        if not paths:
            return draw(odd_values)
        *above, last = draw(st.sampled_from(paths))
        holder = tree
        for step in above:
            holder = holder[step]
        kind = draw(st.integers(0, 5))
        if kind == 0:
            del holder[last]
        elif kind == 1 and isinstance(holder, dict):
            key = draw(st.sampled_from([path[-1] for path in paths if isinstance(path[-1], str)]))
            holder[key] = holder.pop(last)
        elif kind == 2 and isinstance(holder, list):
            holder.insert(last, holder[last])
        elif kind == 3 and isinstance(holder, dict):
            holder[draw(st.text(max_size=3))] = draw(odd_values)
        else:
            holder[last] = draw(odd_values)
    return tree


def as_bytes(tree: Any) -> bytes:
    return json.dumps(tree, separators=(",", ":")).encode()


configurations = st.builds(
    lambda selector, tree: bytes([selector]) + as_bytes(tree),
    st.integers(0, 1),
    changed_tree([plain(parse(text).root) for text in CONFIGURATIONS]),
)
consul_lists = changed_tree([json.loads(body) for body in CONSUL]).map(as_bytes)
directory_records = changed_tree([json.loads(body) for body in RECORDS]).map(as_bytes)


def _of_json(data: bytes) -> bool:
    try:
        json.loads(data[1:])
    except ValueError:
        return False
    return True


def _changed_answers(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Several answers, of which each may be the changed tree of another place."""
    answers = sorted({answer for seed in seeds for answer in seed.split(SEPARATOR) if _of_json(answer)})
    trees = changed_tree([json.loads(answer[1:]) for answer in answers]).map(as_bytes)
    changed_one = st.builds(
        lambda status, body: bytes([status]) + body, st.sampled_from((0, 0, 0, 3, 5, 16, 24)), trees
    )
    return st.lists(changed_one | st.sampled_from(answers), min_size=1, max_size=4).map(lambda parts: joined(*parts))


etcd2_answers = _changed_answers(ETCD2)
etcd3_answers = _changed_answers(ETCD3)
