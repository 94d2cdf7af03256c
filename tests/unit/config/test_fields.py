"""The typed reader: coercions, key paths, unknown keys."""

from __future__ import annotations

import pytest

from cp.config.errors import ConfigError, Problems
from cp.config.fields import Fields
from cp.config.json5.parser import parse
from cp.config.nearest import nearest

KEYS = ("name", "poll", "onChange", "tags")


class Reading:
    """One object `{"value": …}` at the key path `thing`, and what was complained about."""

    def __init__(self, json: str, known: tuple[str, ...] = ("value",), path: str = "thing") -> None:
        document = parse(json)
        self.problems = Problems(document, "f")
        self.fields = Fields(self.problems, document.root, path, known)

    def complaints(self) -> list[str]:
        try:
            self.problems.check()
        except ConfigError as error:
            return list(error.errors)
        return []


def value(json: str) -> Reading:
    return Reading(f'{{"value": {json}}}')


@pytest.mark.parametrize(
    ("json", "text"),
    [
        ('"a b"', "a b"),
        ("5", "5"),
        ("5.0", "5"),
        ("1.5", "1.5"),
        ("1e21", "1000000000000000000000"),
        ("0.00001", "0.00001"),
        ("-1.5e-7", "-0.00000015"),
        ("true", "1"),
        ("false", "0"),
        ("null", "default"),
    ],
)
def test_string(json: str, text: str) -> None:
    reading = value(json)

    assert reading.fields.string("value", "default") == text
    assert not reading.complaints()


@pytest.mark.parametrize(
    ("json", "number"),
    [
        ("7", 7),
        ("1.9", 1),
        ("-1.9", -1),
        ('"19"', 19),
        ('"+19"', 19),
        ('"-19"', -19),
        ('"0x10"', 16),
        ('"0X1f"', 31),
        ('"010"', 8),
        ('"0"', 0),
        ("true", 1),
        ("false", 0),
        ("null", 42),
    ],
)
def test_integer(json: str, number: int) -> None:
    reading = value(json)

    assert reading.fields.integer("value", 42) == number
    assert not reading.complaints()


@pytest.mark.parametrize(
    ("json", "complaint"),
    [
        ('"x"', 'must be a whole number, not "x"'),
        ('""', 'must be a whole number, not ""'),
        ('"1.5"', 'must be a whole number, not "1.5"'),
        ('"08"', 'must be a whole number, not "08"'),
        ('"0x"', 'must be a whole number, not "0x"'),
        ('"1_0"', 'must be a whole number, not "1_0"'),
        ('"30s"', 'must be a whole number, not "30s": it is in seconds, write 30'),
        ('"1m"', 'must be a whole number, not "1m": it is in seconds, write 60'),
        ("[]", "must be a whole number, not an array"),
        ("{}", "must be a whole number, not an object"),
        ("Infinity", "the number is out of range"),
        ("NaN", "the number is out of range"),
        ("9223372036854775808", "the number is out of range"),
        ('"9223372036854775808"', 'must be a whole number, not "9223372036854775808"'),
    ],
)
def test_not_an_integer(json: str, complaint: str) -> None:
    reading = value(json)

    assert reading.fields.integer("value") is None
    assert reading.complaints() == [f"f:1:11: thing.value: {complaint}"]


@pytest.mark.parametrize(
    ("json", "boolean"),
    [
        ("true", True),
        ("2", True),
        ("0", False),
        *((f'"{text}"', True) for text in ("1", "t", "T", "true", "TRUE", "True")),
        *((f'"{text}"', False) for text in ("0", "f", "F", "false", "FALSE", "False", "")),
        ("null", True),
    ],
)
def test_boolean(json: str, boolean: bool) -> None:
    reading = value(json)

    assert reading.fields.boolean("value", True) is boolean
    assert not reading.complaints()


def test_not_a_boolean() -> None:
    reading = value('"nope"')
    reading.fields.boolean("value")

    assert reading.complaints() == ['f:1:11: thing.value: must be true or false, not "nope"']


@pytest.mark.parametrize(
    ("json", "strings"),
    [
        ('["a", 1, true, null]', ("a", "1", "1", "")),
        ("[]", ()),
        ("{}", ()),
        ("null", ()),
    ],
)
def test_strings(json: str, strings: tuple[str, ...]) -> None:
    reading = value(json)

    assert reading.fields.strings("value") == strings
    assert not reading.complaints()


def test_a_bare_string_is_a_list_only_where_that_is_meant() -> None:
    reading = value('"eth0"')

    assert reading.fields.strings("value", single=True) == ("eth0",)
    assert not reading.complaints()
    assert reading.fields.strings("value") == ()
    assert reading.complaints() == ['f:1:11: thing.value: must be an array of strings, not a string: write ["eth0"]']


def test_an_element_that_is_not_a_string_is_named_by_its_index() -> None:
    reading = value('["a", ["b"]]')
    reading.fields.strings("value")

    assert reading.complaints() == ["f:1:17: thing.value[1]: must be a string, not an array"]


def test_a_nul_character_is_refused() -> None:
    reading = value('"a\\u0000b"')
    reading.fields.string("value")

    assert reading.complaints() == ["f:1:11: thing.value: must not contain a NUL character"]


def test_keys_match_in_any_case_but_the_exact_one_comes_first() -> None:
    assert Reading('{"NAME": "a"}', KEYS).fields.string("name") == "a"

    both = Reading('{"NAME": "a", "name": "b"}', KEYS)
    assert both.fields.string("name") == "b"
    assert both.complaints() == [
        "f:1:2: thing.NAME: unknown key ('name' is set already): '' has invalid keys: NAME",
    ]


def test_top_level_keys_are_case_sensitive() -> None:
    reading = Reading('{"Name": "a"}', KEYS, path="")

    assert not reading.fields.has("name")
    assert reading.complaints() == ["f:1:2: Name: unknown key (did you mean 'name'?): Unknown config keys: [Name]"]


def test_every_unknown_key_is_named_with_the_nearest_right_one() -> None:
    reading = Reading('{\n "onchange": 1,\n "pol": 1,\n "zzz": 1}', KEYS, path="backends[3]")

    assert reading.complaints() == [
        "f:3:2: backends[3].pol: unknown key (did you mean 'poll'?): '[3]' has invalid keys: pol",
        "f:4:2: backends[3].zzz: unknown key (the keys here are name, poll, onChange, tags): "
        "'[3]' has invalid keys: zzz",
    ]


def test_a_missing_key_is_placed_at_its_object() -> None:
    reading = Reading('\n  {"x": 1}', ("x", "poll"))

    assert reading.fields.positive("poll", "`poll` must be > 0", 10) == 0
    assert reading.complaints() == ['f:2:3: thing.poll: `poll` must be > 0: add it, such as "poll": 10']


def test_null_elements_are_dropped_and_the_others_keep_their_index() -> None:
    reading = value('[null, {"a": 1}, "x", {"a": 2}]')
    objects = reading.fields.objects("value", ("a",))

    assert [one.key_path for one in objects] == ["thing.value[1]", "thing.value[3]"]
    assert [one.integer("a") for one in objects] == [1, 2]
    assert reading.complaints() == ["f:1:28: thing.value[2]: must be an object {…}, not a string"]


def test_a_value_that_is_not_an_array_is_refused() -> None:
    reading = value('{"a": 1}')

    assert reading.fields.objects("value", ("a",)) == []
    assert reading.complaints() == ["f:1:11: thing.value: must be an array [{…}], not an object"]


def test_an_unusual_key_is_shown_on_one_line() -> None:
    reading = Reading('{"a\\nb": 1}')

    assert "thing.'a\\nb': unknown key" in reading.complaints()[0]


@pytest.mark.parametrize(
    ("word", "candidate"),
    [
        ("pol", "poll"),
        ("Poll", "poll"),
        ("plol", "poll"),
        ("names", "name"),
        ("onchnage", "onChange"),
        ("onChangeCommand", "onChange"),
        ("zzz", ""),
        ("", ""),
        ("x" * 10_000, ""),
    ],
)
def test_nearest(word: str, candidate: str) -> None:
    assert nearest(word, KEYS) == candidate
