"""Text made safe for HTML, for JavaScript strings and for the query of a URL, as Go does it."""

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
    # DEL goes through, and so does a byte that is not UTF-8: Go takes it for U+FFFD, which can be printed.
    if char.isprintable() or code == 127 or 0xD800 <= code <= 0xDFFF:
        return char
    return f"\\u{code:04X}"


def url_query(text: str) -> str:
    return form_encoded(to_bytes(text))
