"""Finds the control socket in a text with errors.

Imported for such a text, by clients of a ContainerPilot that was started with an earlier version of it.
"""

from __future__ import annotations

from cp.config.errors import ConfigError
from cp.config.json5.parser import JsonError, Parser
from cp.config.json5.scanner import AFTER_KEY, AFTER_PAIR, KEY, VALUE
from cp.config.load import control_socket, render
from cp.config.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def remaining_socket(source: Source, environ: Mapping[str, str]) -> str:
    """The path of the control socket, if a valid `control` comes before the error; otherwise empty."""
    try:
        text, is_rendered = render(source, environ), True
    except ConfigError:
        text, is_rendered = source.text, False
    start, end = _control(text)
    # A template that is not applied could remove or change everything after its beginning.
    if not end or (not is_rendered and "{{" in text[:end]):
        return ""
    try:
        return control_socket(Source(source.name, f"{{control: {text[start:end]}}}"), {} if is_rendered else environ)
    except ConfigError:
        return ""


def _control(text: str) -> tuple[int, int]:
    """The start and the end of the value of `control`; both 0 if the error comes before its end."""
    parser = Parser(text)
    found = 0, 0
    try:
        if parser.skip(VALUE) != "{":
            return found
        parser.enter()
        while (character := parser.skip(KEY)) != "}":
            key = parser.string('"') if character == '"' else parser.key(character)
            if parser.skip(AFTER_KEY) != ":":
                break
            parser.offset += 1
            character = parser.skip(VALUE)
            start = parser.offset
            parser.value(character)
            if key == "control":
                found = start, parser.offset
            if parser.skip(AFTER_PAIR) != ",":
                break
            parser.offset += 1
    except JsonError:
        pass
    return found
