"""Quantiles of a summary: exact for few values, near for many, of the last ten minutes, in bounded memory."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import pytest

from cp.telemetry.metrics.quantiles import CAPACITY, Window

if TYPE_CHECKING:
    from collections.abc import Callable

QUANTILES = (0.5, 0.9, 0.99)
ERRORS = (0.01, 0.002, 0.0002)  # a fifth of those that Go's client aims at

MINUTE = 60.0


def filled(values: list[float]) -> Window:
    window = Window(0.0)
    for value in values:
        window.add(value, 0.0)
    return window


def test_the_quantiles_of_the_go_program() -> None:
    window = filled([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    assert window.quantiles(QUANTILES, 0.0) == [5, 9, 10]
    for value in (1.0, 2.0, 3.0, 4.0, 5.0):
        window.add(value, 0.0)
    assert window.quantiles(QUANTILES, 0.0) == [4, 9, 10]


def test_the_quantiles_of_the_older_go_program() -> None:
    window = filled([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    assert window.quantiles(QUANTILES, 0.0, rounds_up=False) == [5, 9, 9]
    for value in (1.0, 2.0, 3.0, 4.0, 5.0):
        window.add(value, 0.0)
    assert window.quantiles(QUANTILES, 0.0, rounds_up=False) == [4, 8, 9]


def test_one_value_is_all_quantiles() -> None:
    assert filled([7.0]).quantiles(QUANTILES, 0.0) == [7, 7, 7]


def test_without_values_there_are_no_quantiles() -> None:
    assert all(math.isnan(value) for value in Window(0.0).quantiles(QUANTILES, 0.0))


@pytest.mark.parametrize("count", [1, 2, 10, 101, CAPACITY - 1])
def test_quantiles_of_few_values_are_exact(count: int) -> None:
    values = list(map(float, range(1, count + 1)))
    random.Random(count).shuffle(values)
    expected = [max(math.ceil(quantile * count), 1) for quantile in QUANTILES]
    assert filled(values).quantiles(QUANTILES, 0.0) == expected


def test_a_value_is_seen_for_eight_to_ten_minutes() -> None:
    window = Window(0.0)
    window.add(100.0, 1.0)  # at the start of the first two minutes
    window.add(1.0, 3 * MINUTE)
    assert window.quantiles((0.99,), 9.9 * MINUTE) == [100]
    assert window.quantiles((0.99,), 10.1 * MINUTE) == [1]
    assert window.quantiles((0.99,), 11.9 * MINUTE) == [1]
    assert math.isnan(window.quantiles((0.99,), 12.1 * MINUTE)[0])


def test_after_a_long_silence_only_new_values_count() -> None:
    window = filled([5.0] * 20)
    window.add(1.0, 1000 * MINUTE)
    assert window.quantiles(QUANTILES, 1000 * MINUTE) == [1, 1, 1]
    assert window.kept() == 1


def test_a_window_slides_in_steps_of_two_minutes() -> None:
    window = Window(0.0)
    for minute in range(60):
        window.add(float(minute), minute * MINUTE + 1)
    # Minutes 50 and 51 began ten minutes ago and are in the oldest of the five slots.
    assert window.quantiles((0.01,), 59 * MINUTE + 2) == [50]
    assert window.kept() == 10


SHAPES: dict[str, Callable[[random.Random, int], list[float]]] = {
    "random": lambda chance, count: [chance.random() for _ in range(count)],
    "long tail": lambda chance, count: [chance.expovariate(1) ** 3 for _ in range(count)],
    "rising": lambda chance, count: [float(i) for i in range(count)],
    "falling": lambda chance, count: [float(-i) for i in range(count)],
    "two in turns": lambda chance, count: [i % 2 * 1000 + i / count for i in range(count)],
    "four in turns": lambda chance, count: [i % 4 * 1000 + chance.random() for i in range(count)],
    "both ends": lambda chance, count: [float(i if i % 2 else 2 * count - i) for i in range(count)],
    "all alike": lambda chance, count: [5.0] * count,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_quantiles_of_many_values_are_nearer_than_in_go(shape: str) -> None:
    count = 30_000
    values = SHAPES[shape](random.Random(1), count)
    found = filled(values).quantiles(QUANTILES, 0.0)
    values.sort()
    for value, quantile, error in zip(found, QUANTILES, ERRORS, strict=True):
        lowest, highest = bisect_left(values, value) / count, bisect_right(values, value) / count
        assert lowest - error <= quantile <= highest + error


def test_a_million_values_are_kept_in_little_memory() -> None:
    window, count = Window(0.0), 1_000_000
    chance = random.Random(2)
    for i in range(count):
        window.add(chance.random(), i * 600 / count)  # all within ten minutes
    per_slot = CAPACITY * (math.log2(count / 5 / CAPACITY) + 2)
    assert window.kept() <= 5 * per_slot
    assert window.kept() * 8 < 300 * 1024  # bytes
    assert window.quantiles((0.5,), 600.0)[0] == pytest.approx(0.5, abs=0.05)
