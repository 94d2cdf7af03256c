"""Numbers are read and written as Go does it: what scrapers and scripts are used to."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.encoding.go_numbers import parse_float, shortest
from cp.telemetry.metrics.exposition import openmetrics_number

# As printed by Go's strconv.FormatFloat(x, 'g', -1, 64).
WRITTEN = [
    (0.0, "0"),
    (-0.0, "-0"),
    (42.0, "42"),
    (-1.0, "-1"),
    (1.5, "1.5"),
    (100000.0, "100000"),
    (999999.0, "999999"),
    (999999.5, "999999.5"),
    (1000000.0, "1e+06"),
    (1234567.0, "1.234567e+06"),
    (-2500000.0, "-2.5e+06"),
    (0.1, "0.1"),
    (0.005, "0.005"),
    (0.0001, "0.0001"),
    (0.00012, "0.00012"),
    (0.00001, "1e-05"),
    (1e21, "1e+21"),
    (1e100, "1e+100"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (5e-324, "5e-324"),
    (300105.99999434233, "300105.99999434233"),
    (1.7e9, "1.7e+09"),
    (math.inf, "+Inf"),
    (-math.inf, "-Inf"),
    (math.nan, "NaN"),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_a_number_is_written_as_go_writes_it(value: float, text: str) -> None:
    assert shortest(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(42.0, "42.0"), (0.0, "0.0"), (-1.0, "-1.0"), (1.5, "1.5"), (1e6, "1e+06"), (math.inf, "+Inf"), (math.nan, "NaN")],
)
def test_in_openmetrics_a_float_shows_that_it_is_one(value: float, text: str) -> None:
    assert openmetrics_number(value) == text


@given(st.floats(allow_nan=False))
def test_written_numbers_are_read_back_unchanged(value: float) -> None:
    for text in (shortest(value), openmetrics_number(value)):
        again = parse_float(text)
        assert again == value
        assert math.copysign(1, again) == math.copysign(1, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("84", 84.0),
        (" 42\n", 42.0),
        ("+5", 5.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e+06", 1e6),
        ("1E-3", 0.001),
        ("00012", 12.0),
        ("1e-400", 0.0),
        ("inf", math.inf),
        ("+Infinity", math.inf),
        ("-INF", -math.inf),
    ],
)
def test_a_number_is_read(text: str, value: float) -> None:
    assert parse_float(text) == value


def test_nan_is_read_in_any_case() -> None:
    assert math.isnan(parse_float("nAn"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("xxx", "invalid syntax"),
        ("1_000", "invalid syntax"),
        ("0x10", "invalid syntax"),
        ("+nan", "invalid syntax"),
        ("infin", "invalid syntax"),
        ("--1", "invalid syntax"),
        ("1e", "invalid syntax"),
        ("1 2", "invalid syntax"),
        ("\u0661", "invalid syntax"),
        ("true", "invalid syntax"),
        ("1e400", "value out of range"),
        ("-1e400", "value out of range"),
    ],
)
def test_values_that_go_does_not_read_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_float(text)
