"""JSON5: what is read, what is refused and where, and what strict JSON would say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.config.json5.parser import MAX_DEPTH, JsonError, Value, parse


def plain(value: Value) -> Any:
    """Without the places."""
    if isinstance(value.data, list):
        return [plain(element) for element in value.data]
    if isinstance(value.data, dict):
        return {key: plain(member) for key, member in value.data.items()}
    return value.data


def read(text: str) -> Any:
    return plain(parse(text).root)


def error_of(text: str) -> JsonError:
    with pytest.raises(JsonError) as caught:
        parse(text)
    return caught.value


# -- JSON

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(any_json, st.booleans(), st.sampled_from([None, 2]))
def test_every_json_document_is_read_as_it_is_and_is_strict(
    document: Any, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)

    parsed = parse(text)

    assert plain(parsed.root) == json.loads(text.encode("utf-8", "surrogatepass"))
    assert parsed.relaxed is None


@given(st.text(alphabet="{}[]:,\"'\\/*+-.0123456789aeEtrufalsnN \n\tx$_\u00e9", max_size=30))
def test_any_text_is_read_or_refused_with_a_place_in_it(text: str) -> None:
    refusal = None
    try:
        document = parse(text)
    except JsonError as error:
        refusal = error

    if refusal is None:
        assert document.relaxed is not None or json.loads(text) == plain(document.root)
        return
    lines = text.split("\n")
    assert 1 <= refusal.line <= len(lines)
    assert 0 <= refusal.column <= len(lines[refusal.line - 1]) + 1
    if "out of range" not in refusal.reason:  # Python's reader makes an infinity of such a number
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


@given(st.text(alphabet='{}[]:,"1a \n', max_size=12))
def test_strict_texts_are_those_that_json_reads(text: str) -> None:
    try:
        json.loads(text)
        strict = True
    except ValueError:
        strict = False

    try:
        ours = parse(text).relaxed is None
    except JsonError:
        ours = False

    assert ours == strict


# -- JSON5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("// before\n{} // after", {}),
        ("/* a * b / c */ [/* 1, */2]", [2]),
        ("{} /* not closed, at the very end", {}),
        ("[1, 2,]", [1, 2]),
        ('{"a": 1,}', {"a": 1}),
        ("{a: 1, $b_2: 2, \u00e9t\u00e9: 3}", {"a": 1, "$b_2": 2, "\u00e9t\u00e9": 3}),
        ("{'a': 'it\\'s \"so\"'}", {"a": 'it\'s "so"'}),
        ('["a\\\nb", "a\\\r\nb"]', ["ab", "ab"]),
        ('["\\x41\\v\\0\\\'"]', ["A\v\0'"]),
        ('["a\tb"]', ["a\tb"]),
        ("[+1, .5, 5., -.05, 0x1F, -0xa, 1e3]", [1, 0.5, 5.0, -0.05, 31, -10, 1000.0]),
        ("[Infinity, -Infinity, +Infinity]", [float("inf"), float("-inf"), float("inf")]),
        ("\ufeff{}", {}),
        ("\v\f\u00a0[]\u2028", []),
        ('["\\ud83d\\ude00", "\\ud83d", "\\ude00x", "\\ud83d\\u0041"]', ["\U0001f600", "\ufffd", "\ufffdx", "\ufffdA"]),
    ],
)
def test_json5_reads(text: str, value: Any) -> None:
    assert read(text) == value


def test_nan_is_a_number() -> None:
    value = read("NaN")

    assert value != value


def test_of_a_repeated_key_the_last_one_counts_and_it_is_known() -> None:
    document = parse('{"a": 1,\n "b": 2,\n "a": 3}')

    assert plain(document.root) == {"a": 3, "b": 2}
    assert [(key, document.line_and_column(offset)) for key, offset in document.repeated] == [("a", (3, 2))]


def test_integers_stay_exact() -> None:
    assert read("[9007199254740993, 1000000]") == [9007199254740993, 1000000]


@pytest.mark.parametrize(
    ("text", "line_column", "what"),
    [
        ('{"consul": "x",}', (1, 16), "a trailing comma"),
        ('{\n"consul": "x",\n}', (3, 1), "a trailing comma"),
        ('{\n  "a": 1, // why\n  b: 2\n}', (2, 11), "a comment"),
        ("{\n  b: 2\n}", (2, 3), "a key without double quotes"),
        ("['a']", (1, 2), "single quotes"),
        ("[1, 0x10]", (1, 6), "a hexadecimal number"),
        ("[1, NaN]", (1, 5), "the number NaN"),
        ("[.5]", (1, 2), "a number that begins with a dot"),
        ("[5.]", (1, 4), "a number that ends with a dot"),
        ("[+5]", (1, 2), "a plus sign"),
        ('["\\x41"]', (1, 4), "an escape that JSON does not know"),
        ('["a\tb"]', (1, 4), "a control character in a string"),
        ("\ufeff{}", (1, 1), "a blank that JSON does not know"),
    ],
)
def test_the_first_thing_that_strict_json_refuses_is_known(text: str, line_column: tuple[int, int], what: str) -> None:
    document = parse(text)

    assert document.relaxed is not None
    assert (document.line_and_column(document.relaxed.offset), document.relaxed.what) == (line_column, what)


# -- places


def test_values_and_keys_know_their_line_and_column() -> None:
    document = parse('{\n  "one": [10,\n    {"two": "x"}]\n}')
    root = document.root
    assert isinstance(root.data, dict)
    one = root.data["one"]
    assert isinstance(one.data, list)
    inner = one.data[1]
    assert isinstance(inner.data, dict)

    assert document.line_and_column(root.offset) == (1, 1)
    assert document.line_and_column(root.keys["one"]) == (2, 3)
    assert document.line_and_column(one.offset) == (2, 10)
    assert document.line_and_column(one.data[0].offset) == (2, 11)
    assert document.line_and_column(inner.keys["two"]) == (3, 6)
    assert document.line_and_column(inner.data["two"].offset) == (3, 13)


# -- refusals


@pytest.mark.parametrize(
    ("text", "line_column", "reason"),
    [
        ("<>", (1, 1), "invalid character '<' looking for beginning of value"),
        ('{"test": , "test2": "hello"}', (1, 10), "invalid character ',' looking for beginning of value"),
        ('{\n    "test": ,\n    "test2": "hello"\n}', (2, 13), "invalid character ',' looking for beginning of value"),
        (" ", (1, 1), "unexpected end of JSON input"),
        ("", (1, 0), "unexpected end of JSON input"),
        ('{"a": 1\n\n', (1, 7), "unexpected end of JSON input"),
        ('{"a": 1 "b": 2}', (1, 9), "invalid character '\"' after object key:value pair"),
        ("[1 2]", (1, 4), "invalid character '2' after array element"),
        ('{"a" 1}', (1, 6), "invalid character '1' after object key"),
        ("{1: 2}", (1, 2), "invalid character '1' looking for beginning of object key string"),
        ("{} x", (1, 4), "invalid character 'x' after top-level value"),
        ("[1,,2]", (1, 4), "invalid character ',' looking for beginning of value"),
        ("[,1]", (1, 2), "invalid character ',' looking for beginning of value"),
        ('{"a":1,,}', (1, 8), "invalid character ',' looking for beginning of object key string"),
        ("[nul]", (1, 5), "invalid character ']' in literal null (expecting 'l')"),
        ("[012]", (1, 3), "invalid character '1' in numeric literal"),
        ("[1e]", (1, 4), "invalid character ']' in exponent of numeric literal"),
        ("[0x]", (1, 4), "invalid character ']' in hex number"),
        ("[1e999]", (1, 2), "the number 1e999 is out of range"),
        ('["\\d"]', (1, 4), "invalid character 'd' in string escape code"),
        ('["\\u12g4"]', (1, 7), "invalid character 'g' in \\u hexadecimal character escape"),
        ('["a\nb"]', (1, 4), "invalid character '\\n' in string literal"),
        ("['it's']", (1, 6), "invalid character 's' after array element"),
        ("{/* open", (1, 2), "the comment that begins here is never closed"),
        ("{a-b: 1}", (1, 3), "invalid character '-' after object key"),
        ('{"a": [1}', (1, 9), "invalid character '}' after array element"),
        ("[\0]", (1, 2), "invalid character '\\u0000' looking for beginning of value"),
    ],
)
def test_a_refusal_has_its_true_place(text: str, line_column: tuple[int, int], reason: str) -> None:
    error = error_of(text)

    assert ((error.line, error.column), error.reason) == (line_column, reason)


def test_the_report_has_the_line_before_the_line_and_a_pointer_under_the_character() -> None:
    assert str(error_of('{\n    "test": ,\n    "test2": "hello"\n}')) == (
        "Parse error at line:col [2:13]: invalid character ',' looking for beginning of value\n"
        "    1: {\n"
        '    2:     "test": ,\n'
        "-------------------^\n"
        "A value is missing before it."
    )


def test_the_pointer_of_the_first_character_has_seven_dashes() -> None:
    assert str(error_of("<>")).splitlines()[1:] == ["    1: <>", "-------^"]


@pytest.mark.parametrize("text", ["[1,,]", "[,]", '{"a": 1,,}', "{,}"])
def test_an_extra_comma_is_guessed(text: str) -> None:
    assert str(error_of(text)).endswith("\nDo you have an extra comma somewhere?")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('{"a": 1\n "b": 2}', "Is a comma missing before it?"),
        ('{"poll": 10s}', 'Write a number with a unit as a string in double quotes, such as "10s".'),
        ('{"name": app}', "Write a string in double quotes."),
        ('{"raw": True}', "Write true."),
        ('{"raw": None}', "Write null."),
        ('{\n  "a": [1, 2\n', "The '[' at line 2, column 8 is never closed."),
        ('{"a": "b\n}', 'The string that begins at line 1, column 7 has no closing "'),
        ('["\\d+"]', "Write a backslash twice: \\\\d"),
        ("{on-change: 1}", "Write a key with a dash in double quotes."),
        ('{"a" = 1}', "Write a colon between a key and its value."),
        ("[007]", "A number has no leading zeros."),
    ],
)
def test_a_refusal_shows_the_right_form(text: str, hint: str) -> None:
    assert str(error_of(text)).splitlines()[-1] == hint


@pytest.mark.parametrize(
    "line",
    [
        '{"token": "s3cret" 1}',
        "{token: s3cret}",
        "{\"Password\" : 's3cret' 1}",
        '{"exec": "login --token=s3cret", 1}',
        '{"token": "s3cret\n}',
        '{"token":\n"s3cret" 1}',
    ],
)
def test_the_excerpt_does_not_show_secrets(line: str) -> None:
    report = str(error_of(line))

    assert "s3cret" not in report
    assert "***" in report


def test_nesting_has_a_limit_and_no_recursion_error() -> None:
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None

    error = error_of("[" * 100_000)

    assert (error.line, error.column) == (1, MAX_DEPTH + 1)
    assert error.reason == f"objects and arrays are nested deeper than {MAX_DEPTH} levels"


def test_a_number_of_many_digits_is_refused_and_not_computed() -> None:
    assert "out of range" in error_of("9" * 100_000).reason
    assert "out of range" in error_of("0x" + "f" * 100_000).reason
