"""Plan data: frozen, slotted, comparable."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from cp.plan import Job, When
from cp.record import Record


class Point(Record):
    x: int
    y: int = 0


class Point3(Point):
    z: int = 0


def test_equal_values_are_equal_and_hash_alike() -> None:
    assert Point(x=1) == Point(x=1, y=0)
    assert hash(Point(x=1)) == hash(Point(x=1, y=0))
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != Point3(x=1)
    assert Point(x=1) != (1, 0)


def test_a_record_is_frozen_and_has_no_room_for_more() -> None:
    point = Point(x=1)
    with pytest.raises(AttributeError, match="frozen"):
        point.x = 2  # type: ignore[misc]
    assert not hasattr(point, "__dict__")


def test_missing_and_unknown_fields_are_errors() -> None:
    with pytest.raises(TypeError, match="Point needs 'x'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Point has no 'w'"):
        Point(x=1, w=2)  # type: ignore[call-arg]


def test_fields_are_inherited_and_replaced() -> None:
    point = Point3(x=1, z=3).replace(y=2)
    assert (point.x, point.y, point.z) == (1, 2, 3)
    assert repr(point) == "Point3(x=1, y=2, z=3)"


def test_jobs_differ_if_anything_in_them_differs() -> None:
    job = Job(name="job", when=When(code="startup", source="global"))
    assert job == job.replace()
    assert job != job.replace(when=When(code="startup", source="global", each=True))


PEP_649 = """
from cp.record import Record

class Point(Record):
    x: Elsewhere  # a name that only type checkers know
    y: int = 0

class Point3(Point):
    z: int = 0
"""


@pytest.mark.parametrize("text", [PEP_649.replace("Elsewhere", "int"), f"from __future__ import annotations{PEP_649}"])
def test_fields_are_found_with_and_without_the_future_import(text: str) -> None:
    assert fields_of(text) == (("x", "y", "z"), ("z",))


@pytest.mark.skipif(sys.version_info < (3, 14), reason="before Python 3.14, annotations are evaluated at once")
def test_annotations_that_cannot_be_evaluated_name_fields_too() -> None:
    assert fields_of(PEP_649) == (("x", "y", "z"), ("z",))


def fields_of(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields of Point3 in such a module, and its own slots."""
    namespace: dict[str, Any] = {"__name__": "module"}
    exec(compile(text, "module", "exec", dont_inherit=True), namespace)
    point = namespace["Point3"](x=1, z=3)
    assert (point.x, point.y, point.z) == (1, 0, 3)
    with pytest.raises(AttributeError, match="frozen"):
        point.w = 1
    return point._fields, namespace["Point3"].__slots__
