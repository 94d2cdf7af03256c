"""Plots: what they show is where it belongs, and they are well-formed whatever is in them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from benchmarks.plot import Bar, axis_for, bars

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: ET.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def lengths(picture: ET.Element) -> list[float]:
    """The widths of the bars, from the top; the first rectangle is the background."""
    return [float(element.attrib["width"]) for element in list(picture.iter(f"{SVG}rect"))[1:]]


def drawn(rows: list[Bar], *, logarithmic: bool = True) -> ET.Element:
    return ET.fromstring(bars("Start", "ms", rows, logarithmic=logarithmic))


def test_each_bar_has_its_name_and_its_median() -> None:
    picture = drawn([Bar("ours", (1.0, 2.0, 9.0)), Bar("theirs", (100.0,))])

    assert {"ours", "2.00 ms", "theirs", "100 ms"} <= set(texts(picture))


def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis() -> None:
    first, second, third = lengths(drawn([Bar("a", (1.0,)), Bar("b", (10.0,)), Bar("c", (100.0,))]))

    assert second - first == pytest.approx(third - second, abs=0.2)


def test_on_a_linear_axis_lengths_are_in_proportion() -> None:
    first, second = lengths(drawn([Bar("a", (5.0,)), Bar("b", (20.0,))], logarithmic=False))

    assert second == pytest.approx(4 * first, abs=0.5)


def test_a_line_reaches_from_the_tenth_to_the_ninetieth_percentile() -> None:
    values = tuple(float(number) for number in range(1, 102))  # of which the 10th percentile is 11, the 90th 91
    picture = drawn([Bar("a", values)])
    axis = axis_for([Bar("a", values)], logarithmic=True)

    whisker = list(picture.iter(f"{SVG}line"))[-1].attrib

    assert float(whisker["x1"]) == pytest.approx(axis.place(11), abs=0.1)
    assert float(whisker["x2"]) == pytest.approx(axis.place(91), abs=0.1)


def test_one_without_figures_has_its_reason_and_no_bar() -> None:
    picture = drawn([Bar("a", (1.0,)), Bar("b", reason="2000 left after 3 s")])

    assert "2000 left after 3 s" in texts(picture)
    assert len(lengths(picture)) == 1


@pytest.mark.parametrize("logarithmic", [True, False])
@pytest.mark.parametrize("values", [(), (0.0,), (0.0004, 3e5), (7.0, 7.0)])
def test_all_is_inside_the_picture(values: tuple[float, ...], logarithmic: bool) -> None:
    picture = drawn([Bar('<&"', values, "none")], logarithmic=logarithmic)

    width = float(picture.attrib["width"])
    places = [
        float(element.attrib[name]) for element in picture.iter() for name in ("x", "x1") if name in element.attrib
    ]
    assert all(0 <= place <= width for place in places)
    assert '<&"' in texts(picture)


def test_it_is_readable_on_a_dark_page_and_without_eyes() -> None:
    picture = drawn([Bar("a", (1.0,))])

    background = next(picture.iter(f"{SVG}rect")).attrib
    description = picture.find(f"{SVG}desc")

    assert (background["width"], background["height"]) == (picture.attrib["width"], picture.attrib["height"])
    assert background["fill"] == "#ffffff"
    assert description is not None
    assert description.text == "a: 1.00 ms"
