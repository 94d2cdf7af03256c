"""Numbers and texts: how the one becomes the other, by Go's rules."""

from __future__ import annotations

_LARGEST = 2**63 - 1


def is_finite(value: float) -> bool:
    """Neither infinite nor NaN, without importing `math` for it."""
    return value - value == 0


def plain(value: int | float) -> str:
    """The shortest decimal text without an exponent: `5`, `1.5`, `0.00001`."""
    if not is_finite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    if value == int(value):
        return str(int(value))
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    # Only small ones come here: a float beyond 1e16 has no fraction.
    sign = "-" if mantissa.startswith("-") else ""
    digits = mantissa.lstrip("-").replace(".", "")
    return f"{sign}0.{'0' * (-int(exponent) - 1)}{digits}"


def parse_integer(text: str) -> int | None:
    """What Go's `ParseInt(text, 0, 64)` reads: a sign, then decimal, `0x` or `0` (octal) digits. None if it is none."""
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
    """The value if it fits into 64 bits."""
    return value if -_LARGEST - 1 <= value <= _LARGEST else None
