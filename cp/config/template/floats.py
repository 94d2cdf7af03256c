"""Formats floats for each verb as Go's strconv.FormatFloat does.

All floats are finite, because templates have no others than constants.
"""

from __future__ import annotations

from cp.encoding.go_numbers import shortest

#: Bits of a float64's fraction.
_FRACTION = 52
_SMALLEST = -1074


def format_float(value: float, verb: str, precision: int | None) -> str:
    """Format by a verb of `beEfgGxX`. Precision None, for `bgGxX`: as few digits as identify the number."""
    if verb == "b":
        return _binary(value)
    if verb in "xX":
        text = _hexadecimal(value, precision)
        return text.upper() if verb == "X" else text
    if precision is not None:
        return f"{value:.{precision}{verb}}"
    text = shortest(value)
    return text.upper() if verb == "G" else text


def _parts(value: float) -> tuple[int, int]:
    """The mantissa, with its fraction bits, and the binary exponent."""
    mantissa, _, exponent = abs(value).hex().partition("p")
    return int(mantissa.replace(".", "").ljust(16, "0"), 16), int(exponent)


def _binary(value: float) -> str:
    mantissa, exponent = _parts(value)
    exponent = exponent - _FRACTION if mantissa else _SMALLEST
    return f"{_sign(value)}{mantissa}p{exponent:+d}"


def _hexadecimal(value: float, precision: int | None) -> str:
    mantissa, exponent = _parts(value)
    missing = _FRACTION + 1 - mantissa.bit_length() if mantissa else 0
    mantissa <<= missing
    exponent -= missing
    if precision is not None and precision < _FRACTION // 4:
        unit = 1 << (_FRACTION - 4 * precision)
        mantissa, rest = divmod(mantissa, unit)
        if 2 * rest + (mantissa & 1) > unit:  # half goes to even
            mantissa += 1
        mantissa *= unit
        if mantissa >> (_FRACTION + 1):
            mantissa >>= 1
            exponent += 1
    whole, fraction = divmod(mantissa, 1 << _FRACTION)
    digits = f"{fraction:013x}"
    digits = digits.rstrip("0") if precision is None else digits[:precision].ljust(precision, "0")
    point = "." if digits else ""
    return f"{_sign(value)}0x{whole}{point}{digits}p{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _sign(value: float) -> str:
    return "-" if str(value)[0] == "-" else ""


def with_point(text: str, verb: str, precision: int | None) -> str:
    """Add what the flag `#` requires to a number without sign: a decimal point, and trailing zeros for `gGvx`."""
    body, mark, tail = text, "", ""
    for candidate in "pP" if verb in "xX" else "eE":
        if candidate in body:
            body, mark, tail = body.partition(candidate)
    digits = (6 if precision is None else precision) if verb in "vgGx" else 0
    significant = len(body.lstrip("0.").replace(".", ""))
    if "." not in body:
        if body == "0":
            digits -= 1
        body += "."
    return body + "0" * (digits - significant) + mark + tail
