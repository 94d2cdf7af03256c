"""Parses and formats numbers as Go does. Pure."""

from __future__ import annotations

_LARGEST = 2**63 - 1
_INFINITY = float("inf")
_LETTERS = frozenset("0123456789+-.eE")
_WORDS = ("nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity")
_PLAIN_DIGITS = 6  # numbers with an exponent from this one on, or below -4, are written with the exponent


def is_finite(value: float) -> bool:
    """Whether it is neither infinite nor NaN, without an import of `math`."""
    return value - value == 0


def shortest(value: float) -> str:
    """Format a float with `%v`, the shortest text for exactly this number: `42`, `1.5`, `1e+06`, `+Inf`, `NaN`."""
    if 0 < value < 1e6 and value == int(value):
        return str(int(value))  # most numbers of a page of metrics are counts
    if not is_finite(value):
        return _not_finite(value)
    sign, digits, exponent = _digits(value)
    if not digits:
        return sign + "0"
    if -4 <= exponent < _PLAIN_DIGITS:
        return sign + _plain(digits, exponent)
    point = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}{digits[1:]}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"


def plain(value: int | float) -> str:
    """The shortest decimal text without an exponent: `5`, `1.5`, `0.00001`."""
    if not is_finite(value):
        return _not_finite(value)
    if value == int(value):
        return str(int(value))
    sign, digits, exponent = _digits(value)
    return sign + _plain(digits, exponent)


def _not_finite(value: float) -> str:
    return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"


def _digits(value: float) -> tuple[str, str, int]:
    """The sign, the digits of the shortest text without zeros at either end, and the exponent of the first digit."""
    text = repr(float(value))
    sign = "-" if text[0] == "-" else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    first = int(exponent or 0) + len(whole) - 1 - (len(whole + fraction) - len(digits))
    return sign, digits.rstrip("0"), first


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"0.{'0' * (-exponent - 1)}{digits}"
    digits = digits.ljust(exponent + 1, "0")
    whole, fraction = digits[: exponent + 1], digits[exponent + 1 :]
    return f"{whole}.{fraction}" if fraction else whole


def parse_float(text: str) -> float:
    """Parse a number, with white space around it. Raises ValueError with the reason.

    Decimal with or without an exponent, `inf`, `infinity` and `nan` in any case; neither hexadecimal nor `1_000`.
    """
    text = text.strip()
    if not text:
        raise ValueError("it is empty")
    if not _LETTERS.issuperset(text):
        if text.lower() in _WORDS:
            return float(text)
        raise ValueError("invalid syntax")
    try:
        value = float(text)
    except ValueError:
        raise ValueError("invalid syntax") from None
    if value in (_INFINITY, -_INFINITY):
        raise ValueError("value out of range")
    return value


def parse_integer(text: str) -> int | None:
    """Parse as Go's `ParseInt(text, 0, 64)`: a sign, then decimal, `0x` or `0` (octal) digits. None if invalid."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    base = 10
    if digits[:2] in ("0x", "0X"):
        base, digits = 16, digits[2:]
    elif len(digits) > 1 and digits[0] == "0":
        base, digits = 8, digits[1:]
    allowed = "0123456789abcdefABCDEF" if base == 16 else "0123456789"[:base]
    if not digits or len(digits) > 30 or digits.strip(allowed):
        return None
    value = int(digits, base)
    return in_range(-value if text[0] == "-" else value)


def in_range(value: int) -> int | None:
    """The value if it fits into 64 bits, otherwise None."""
    return value if -_LARGEST - 1 <= value <= _LARGEST else None
