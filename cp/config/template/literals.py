"""Go's constants: parses strings, characters and numbers, and quotes strings."""

from __future__ import annotations

from cp.config.template.values import MAX_INT, MIN_INT, from_bytes, to_bytes

_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_SHOWN = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 92: "\\\\"}
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}
_OCTAL = "01234567"
_HEX = "0123456789abcdefABCDEF"
_DIGITS = {"x": _HEX, "o": _OCTAL, "b": "01"}
_BASES = {"x": 16, "o": 8, "b": 2}
_MAX_UINT = 2**64 - 1
_REPLACEMENT = 0xFFFD


class LiteralError(ValueError):
    """The constant is not valid in Go. The message is Go's."""


def unquote(text: str) -> str:
    """The value of a string constant with its quotes (double quotes or back quotes)."""
    inner = text[1:-1]
    if text[0] == "`":
        return inner.replace("\r", "")
    if "\\" not in inner:
        return inner
    data = bytearray()
    offset = 0
    while offset < len(inner):
        end = inner.find("\\", offset)
        if end < 0:
            end = len(inner)
        data += to_bytes(inner[offset:end])
        offset = end
        if offset < len(inner):
            code, is_byte, offset = _escape(inner, offset, '"')
            data += bytes((code,)) if is_byte else chr(code).encode()
    return from_bytes(bytes(data))


def character(text: str) -> int:
    """The code point of a character constant with its quotes."""
    if text[1] == "'":
        raise LiteralError("invalid syntax")
    code, end = ord(text[1]), 2
    if 0xD800 <= code <= 0xDFFF:  # the surrogate escape of a byte that is not UTF-8
        code = _REPLACEMENT
    if text[1] == "\\":
        code, _, end = _escape(text, 1, "'")
    if text[end:] != "'":
        raise LiteralError(f"malformed character constant: {text}")
    return code


def _escape(text: str, offset: int, quote_mark: str) -> tuple[int, bool, int]:
    """The escape sequence at `offset`: its code, whether the code is a byte instead of a character, and its end."""
    kind = text[offset + 1 : offset + 2]
    if kind == quote_mark:
        return ord(kind), False, offset + 2
    if kind in _ESCAPES:
        return _ESCAPES[kind], False, offset + 2
    if kind in _HEX_ESCAPES:
        end = offset + 2 + _HEX_ESCAPES[kind]
        digits = text[offset + 2 : end]
        if len(digits) == _HEX_ESCAPES[kind] and not digits.strip(_HEX):
            code = int(digits, 16)
            if kind == "x" or (code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF):
                return code, kind == "x", end
    elif kind and kind in _OCTAL:
        digits = text[offset + 1 : offset + 4]
        if len(digits) == 3 and not digits.strip(_OCTAL) and int(digits, 8) <= 0xFF:
            return int(digits, 8), True, offset + 4
    raise LiteralError("invalid syntax")


def number(text: str) -> int | float | complex:
    """The value of a number, with the type of its notation: an int, a float64 or (with `i` at its end) a complex128.

    An int may be too large for Go, which is an error only where the number is used.
    """
    if text[-1] == "i":
        return _complex(text)
    integer = _integer(text)
    # As in Go, only an unsigned hexadecimal number may have an `e` without being a float.
    hexadecimal = text[:2] in ("0x", "0X") and "p" not in text and "P" not in text
    looks_float = not hexadecimal and any(mark in text for mark in ".eEpP")
    if integer is not None and MIN_INT <= integer <= (MAX_INT if text[0] in "+-" else _MAX_UINT):
        return float(integer) if looks_float else integer
    value = _float(text)
    if value is None:
        raise LiteralError(f"illegal number syntax: {quote(text)}")
    if not looks_float:
        raise LiteralError(f"integer overflow: {quote(text)}")
    return value


def _integer(text: str) -> int | None:
    """Parse Go's integer notation: decimal, 0x, 0o, 0b, or a leading 0 for octal; None for any other text."""
    sign, body = _signed(text)
    base, digits, allowed = 10, body, "0123456789"
    kind = body[1:2].lower()
    if body[:1] == "0" and len(body) > 1:
        if kind in _BASES:
            base, digits, allowed = _BASES[kind], body[2:].removeprefix("_"), _DIGITS[kind]
        else:
            base, allowed = 8, _OCTAL
    if not _well_separated(digits) or digits.strip(allowed + "_"):
        return None
    digits = digits.replace("_", "").lstrip("0") or "0"
    return sign * (int(digits, base) if len(digits) <= 64 else _MAX_UINT + 1)


def _float(text: str) -> float | None:
    """Parse Go's floating-point notation; None for any other text, or beyond the largest float64."""
    sign, body = _signed(text)
    lower = body.lower()
    if lower.startswith("0x"):
        if "p" not in lower:
            return None  # Go requires the exponent of a hexadecimal float
        mantissa, _, exponent = lower[2:].removeprefix("_").partition("p")
    else:
        mantissa, _, exponent = lower.partition("e")
    if not all(part == "" or _well_separated(part) for part in (*mantissa.split("."), exponent.lstrip("+-"))):
        return None
    plain = lower.replace("_", "")
    try:
        value = float.fromhex(plain) if plain.startswith("0x") else float(plain)
    except (ValueError, OverflowError):
        return None
    return None if value == float("inf") else sign * value


def _complex(text: str) -> complex:
    """Parse `1+2i`, or an imaginary number without a real part."""
    body = text[:-1]
    split = max(
        (offset for offset, c in enumerate(body) if c in "+-" and body[offset - 1 : offset] not in ("", *"eEpP")),
        default=0,
    )
    real = _float(body[:split]) if split else 0.0
    imaginary = _float(body[split:])
    if real is None or imaginary is None:
        raise LiteralError(f"illegal number syntax: {quote(text)}")
    return complex(real, imaginary)


def _signed(text: str) -> tuple[int, str]:
    if text[:1] in ("+", "-"):
        return (-1 if text[0] == "-" else 1), text[1:]
    return 1, text


def _well_separated(digits: str) -> bool:
    """Whether there is a digit, and underscores are only between digits."""
    return bool(digits) and digits[0] != "_" and digits[-1] != "_" and "__" not in digits


def quote(text: str, mark: str = '"', ascii_only: bool = False) -> str:
    """Quote a text as a Go string constant, or with the mark `'` as a character constant."""
    if text.isascii() and text.isprintable() and "\\" not in text and mark not in text:
        return mark + text + mark
    return mark + "".join(_shown(c, mark, ascii_only) for c in text) + mark


def _shown(char: str, mark: str, ascii_only: bool) -> str:
    code = ord(char)
    if char == mark:
        return "\\" + char
    if code in _SHOWN:
        return _SHOWN[code]
    if char.isprintable() and (code < 128 or not ascii_only):
        return char
    if code < 128:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return _shown(chr(_REPLACEMENT), mark, ascii_only)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def can_backquote(text: str) -> bool:
    """Whether the text can be in back quotes."""
    return not any((c < " " and c != "\t") or c in "`\x7f\ufeff" or 0xD800 <= ord(c) <= 0xDFFF for c in text)
