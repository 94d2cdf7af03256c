"""Durations as configurations write them."""

from __future__ import annotations

import pytest

from cp.config.durations import DurationError, parse, parse_go, seconds

UNITS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


@pytest.mark.parametrize("value", [1, "1", "+1", "01"], ids=repr)
def test_a_bare_number_is_seconds(value: int | str) -> None:
    assert parse(value) == 10**9


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit(unit: str) -> None:
    assert parse(f"10{unit}") == 10 * UNITS[unit]


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1h30m", 5400 * 10**9),
        ("1.5s", 15 * 10**8),
        (".5s", 5 * 10**8),
        ("5.s", 5 * 10**9),
        ("-1ms", -(10**6)),
        ("-5", -5 * 10**9),
        ("+1m1s", 61 * 10**9),
        ("0", 0),
        ("0.1ns", 0),
        ("2540400h", 2540400 * 3600 * 10**9),
    ],
)
def test_duration(text: str, nanoseconds: int) -> None:
    assert parse(text) == nanoseconds


def test_seconds() -> None:
    assert seconds(parse("1500ms")) == 1.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xx", "time: invalid duration xx"),
        ("x", "time: invalid duration x"),
        ("asf", "time: invalid duration asf"),
        ("", "time: invalid duration "),
        ("-", "time: invalid duration -"),
        (".", "time: invalid duration ."),
        (".s", "time: invalid duration .s"),
        ("1 s", "time: unknown unit  s in duration 1 s"),
        ("20yy", "time: unknown unit yy in duration 20yy"),
        ("1d", "time: unknown unit d in duration 1d"),
        ("1.5", "time: missing unit in duration 1.5"),
        ("1h5", "time: missing unit in duration 1h5"),
        ("2562048h", "time: invalid duration 2562048h"),
        ("9" * 5000, f"time: invalid duration {'9' * 5000}"),
        ("9999999999999", "time: invalid duration 9999999999999"),
        ("\u0665", "time: invalid duration \u0665"),
    ],
)
def test_invalid_durations_give_the_errors_of_go(text: str, message: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse(text)

    assert str(caught.value) == message


def test_a_float_is_refused() -> None:
    with pytest.raises(DurationError, match="unexpected duration of type float"):
        parse(10.10)


def test_go_wants_a_unit() -> None:
    assert parse_go("40m") == 2400 * 10**9
    assert parse_go("0") == 0
    with pytest.raises(DurationError, match="missing unit in duration 40"):
        parse_go("40")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1.5", 'add the unit, such as "1.5s"'),
        ("1d", "units are ns, us, ms, s, m and h"),
        ("soon", 'write seconds, such as 10, or a duration such as "500ms", "30s" or "1h30m"'),
    ],
)
def test_a_refusal_shows_the_right_form(text: str, hint: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse(text)

    assert caught.value.hint == hint
