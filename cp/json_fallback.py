"""JSON for a Python without `json` and its C half, such as Debian's python3-minimal up to Debian 12.

It is slower, and meant for small texts. Names and results are those of the module `json`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.json5.parser import Value

_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def encode_basestring(text: str) -> str:
    """Format a JSON string. Escapes only what must be escaped."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(_SHORT.get(each) or (each if each >= " " else _code(ord(each))) for each in text)}"'


def encode_basestring_ascii(text: str) -> str:
    """Format a JSON string with ASCII characters only."""
    quoted = encode_basestring(text)
    if quoted.isascii() and "\x7f" not in quoted:
        return quoted
    return "".join(each if each < "\x7f" else _escaped(ord(each)) for each in quoted)


def _escaped(point: int) -> str:
    if point < 0x10000:
        return _code(point)
    above = point - 0x10000
    return _code(0xD800 + (above >> 10)) + _code(0xDC00 + (above & 0x3FF))


def _code(unit: int) -> str:
    return f"\\u{unit:04x}"


def dumps(value: object) -> str:
    """Format None, booleans, finite numbers, strings, lists, and dictionaries of strings. Raises TypeError,
    ValueError."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, (int, float)):
        text = repr(value)
        if text in ("inf", "-inf", "nan"):
            raise ValueError(f"{text} cannot be in JSON")
        return text
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(dumps, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(key)}: {dumps(member)}' for key, member in value.items())}}}"
    raise TypeError(f"{type(value).__name__} cannot be in JSON")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("a key must be a string")
    return encode_basestring_ascii(key)


def loads(content: str | bytes) -> object:
    """Parse JSON. Raises ValueError if it is not valid, or nested deeper than a configuration may be."""
    # Not at the top: this module may be imported while the modules of the start are still being imported.
    from cp.config.json5.parser import JsonError, parse

    text = content.decode() if isinstance(content, bytes) else content
    try:
        document = parse(text)
    except JsonError as error:
        raise ValueError(str(error)) from None
    if document.relaxed is not None:
        raise ValueError(f"{document.relaxed.reason}")
    return _plain(document.root)


def _plain(value: Value) -> object:
    data = value.data
    if isinstance(data, list):
        return [_plain(each) for each in data]
    if isinstance(data, dict):
        return {key: _plain(each) for key, each in data.items()}
    return data
