"""Compares basic values as Go does."""

from __future__ import annotations

from cp.config.template.errors import FunctionError
from cp.config.template.values import Byte, Slice, to_bytes, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.template.values import Value


def equal_any(first: Value, *others: Value) -> Value:
    if not others:
        raise FunctionError("missing argument for comparison")
    return any(equal(first, other) for other in others)


def equal(first: Value, other: Value) -> bool:
    kind, other_kind = _kind(first), _kind(other)
    if kind != other_kind:
        if first is None or other is None:
            return False
        raise FunctionError(f"incompatible types for comparison: {type_name(first)} and {type_name(other)}")
    if kind or first is None or other is None:
        return first == other
    # Go prints the values, too. But they may be secrets of the environment, and an error goes into a log.
    if type(first) is not type(other):
        raise FunctionError(f"non-comparable types {type_name(first)} and {type_name(other)}")
    raise FunctionError(f"non-comparable type {type_name(other)}")


def _kind(value: Value) -> str:
    """The kind of a value: values of the same kind can be compared. Empty for lists, maps and nil."""
    if isinstance(value, (Slice, dict)) or value is None:
        return ""
    return "int" if isinstance(value, Byte) else type_name(value)


def less(first: Value, second: Value) -> bool:
    kind, second_kind = _kind(first), _kind(second)
    if not kind or not second_kind or (kind == second_kind and kind in ("bool", "complex128")):
        raise FunctionError("invalid type for comparison")
    if kind != second_kind:
        raise FunctionError(f"incompatible types for comparison: {type_name(first)} and {type_name(second)}")
    if isinstance(first, str) and isinstance(second, str):
        return to_bytes(first) < to_bytes(second)
    assert isinstance(first, (int, float))
    assert isinstance(second, (int, float))
    return first < second


def less_or_equal(first: Value, second: Value) -> bool:
    return less(first, second) or equal(first, second)
