"""Recognises files in other languages than JSON5, such as YAML and TOML, for a helpful error.

Imported for a text that cannot be parsed.
"""

from __future__ import annotations

from cp.config.json5.errors import JsonError
from cp.config.json5.scanner import Scanner

EXAMPLE = '{consul: "localhost:8500", jobs: []}'


def other_format(name: str, text: str) -> str:
    """A hint for a text that looks like another language; empty for any other text."""
    found = _by_name(name) or _by_first_line(text)
    return f"This looks like {found}. A configuration is JSON or JSON5: one object, such as {EXAMPLE}." if found else ""


def nothing_in(text: str, *, is_rendered: bool) -> str:
    """The error for a text without a value; empty if it has one, or the beginning of one."""
    scanner = Scanner(text)
    try:
        scanner.skip("")
    except JsonError:  # a comment that is not closed
        return ""
    if scanner.offset < scanner.end:
        return ""
    what = "the rendered template" if is_rendered else "the configuration"
    return f"{what} {'has only comments' if text.strip() else 'is empty'}, expected one object, such as {EXAMPLE}"


def _by_name(name: str) -> str:
    ending = name.rpartition(".")[2].lower()
    return {"yaml": "YAML", "yml": "YAML", "toml": "TOML", "hcl": "HCL", "ini": "INI"}.get(ending, "")


def _by_first_line(text: str) -> str:
    """Recognise the first line that shows the language."""
    lines = [line for line in map(str.strip, text.split("\n")) if line and not line.startswith("#")]
    if not lines or lines[0].startswith(("//", "/*", "{", '"', "'")):
        return ""
    line = lines[0].partition(" #")[0].rstrip()
    if line.startswith(("---", "%YAML", "- ")):
        return "YAML"
    if line.startswith("[") and line.endswith("]") and _is_word(line.strip("[]").strip().replace('"', "")):
        return "TOML"
    word, _, rest = line.partition(" ")
    if line.endswith("{") and _is_word(word) and ":" not in line:
        return "HCL"
    key, sign, _ = line.partition("=")
    if sign and _is_word(key.strip()):
        return "TOML or HCL"
    key, sign, rest = line.partition(":")
    is_pair = sign and _is_word(key.strip().strip("\"'")) and (not rest or rest[0] in " \t")
    return "YAML" if is_pair and not rest.endswith((",", "{", "[")) else ""


def _is_word(text: str) -> bool:
    return bool(text) and text.replace("_", "").replace("-", "").replace(".", "").isalnum()
