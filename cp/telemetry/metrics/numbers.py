"""Numbers as Go reads and writes them."""

from __future__ import annotations

_INFINITY = float("inf")
_WORDS = {
    "nan": float("nan"),
    **{sign + word: _INFINITY for sign in ("", "+") for word in ("inf", "infinity")},
    **{"-" + word: -_INFINITY for word in ("inf", "infinity")},
}
_LETTERS = frozenset("0123456789+-.eE")

#: From this exponent on, and below -4, the shortest form has an exponent.
_PLAIN_DIGITS = 6


def parse_number(text: str) -> float:
    """The number that a text is, white space around it aside. ValueError says why it is none.

    Decimal with or without an exponent, `inf`, `infinity` and `nan` in any case; neither hexadecimal nor `1_000`.
    """
    text = text.strip()
    word = _WORDS.get(text.lower())
    if word is not None:
        return word
    if not text:
        raise ValueError("it is empty")
    if not _LETTERS.issuperset(text):
        raise ValueError("invalid syntax")
    try:
        value = float(text)
    except ValueError:
        raise ValueError("invalid syntax") from None
    if value in (_INFINITY, -_INFINITY):
        raise ValueError("value out of range")
    return value


def number_text(value: float) -> str:
    """The shortest text that is this number and no other: `42`, `1.5`, `1e+06`, `+Inf`, `NaN`."""
    if 0 < value < 1e6 and value == int(value):
        return str(int(value))  # most numbers of a page are counts
    if value != value:
        return "NaN"
    if value in (_INFINITY, -_INFINITY):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(float(value))
    sign = "-" if text[0] == "-" else ""
    mantissa, _, exponent_text = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # Of the first digit that is not zero.
    exponent = int(exponent_text or 0) + len(whole) - 1 - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0"
    if -4 <= exponent < _PLAIN_DIGITS:
        return sign + _plain(digits, exponent)
    point = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}{digits[1:]}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"0.{'0' * (-exponent - 1)}{digits}"
    digits = digits.ljust(exponent + 1, "0")
    whole, fraction = digits[: exponent + 1], digits[exponent + 1 :]
    return f"{whole}.{fraction}" if fraction else whole


def openmetrics_number(value: float) -> str:
    """The same, but a float shows that it is one: `42.0`."""
    text = number_text(value)
    return text if text[-1] in "Nf" or "." in text or "e" in text else text + ".0"
