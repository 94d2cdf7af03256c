"""Escapes text for HTML, JavaScript strings and the query of a URL, as Go does."""

from __future__ import annotations

from cp.config.template.values import to_bytes
from cp.encoding.percent import form_encoded

_HTML = {0: "\ufffd", 34: "&#34;", 38: "&amp;", 39: "&#39;", 60: "&lt;", 62: "&gt;"}
_JAVASCRIPT = {34: '\\"', 38: "\\u0026", 39: "\\'", 60: "\\u003C", 61: "\\u003D", 62: "\\u003E", 92: "\\\\"}


def html(text: str) -> str:
    return text.translate(_HTML)


def javascript(text: str) -> str:
    return "".join(_JAVASCRIPT.get(ord(c)) or _javascript(c) for c in text)


def _javascript(char: str) -> str:
    code = ord(char)
    # DEL is not escaped, and neither is a byte that is not UTF-8: Go reads it as U+FFFD, which is printable.
    if char.isprintable() or code == 127 or 0xD800 <= code <= 0xDFFF:
        return char
    return f"\\u{code:04X}"


def url_query(text: str) -> str:
    return form_encoded(to_bytes(text))
