"""Finds the secrets in the text of a configuration, so that errors and the log do not show them."""

from __future__ import annotations

from cp.plan import SHORTEST_MASKED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    from cp.config.json5.parser import Value

    class Secrets(Protocol):
        """Keeps secrets. A `source`, such as a key, has one secret at a time."""

        def add(self, source: str, secret: str, /) -> None: ...
        def add_url(self, source: str, url: str, /) -> None: ...
        def masked(self, text: str, /) -> str: ...
        def starred(self, text: str, /) -> str: ...


def note_secrets(root: Value, environ: Mapping[str, str], secrets: Secrets) -> None:
    """Learn the secrets of a whole document, before it is checked for errors."""
    for key in ("consul", "etcd"):
        catalog = member(root, key)
        for name in ("token", "password"):
            for secret in texts(member(catalog, name)):
                secrets.add(f"{key}.{name}", secret)
        for value in (catalog, member(catalog, "address"), member(catalog, "endpoints")):
            for number, url in enumerate(texts(value)):
                secrets.add_url(f"{key}[{number}]", url)
    for name in texts(member(member(root, "logging"), "mask")):
        _note_variable(name, environ, secrets)


def note_named_variables(text: str, environ: Mapping[str, str], secrets: Secrets) -> None:
    """Learn the secrets of a text that cannot be parsed: all variables whose names it quotes, if it may have `mask`."""
    if "mask" in text:
        for name in environ:
            if f'"{name}"' in text or f"'{name}'" in text:
                _note_variable(name, environ, secrets)


def _note_variable(name: str, environ: Mapping[str, str], secrets: Secrets) -> None:
    value = environ.get(name, "")
    if len(value.strip()) >= SHORTEST_MASKED:
        secrets.add(f"${name}", value)


def member(value: Value | None, name: str) -> Value | None:
    """The member with this name in any case. A key in another case is refused, but its value must not be shown."""
    if value is None or not isinstance(value.data, dict):
        return None
    return next((member for key, member in value.data.items() if key.lower() == name), None)


def texts(value: Value | None) -> Iterator[str]:
    """A string or a number as text, or those in a list."""
    data = None if value is None else value.data
    if isinstance(data, list):
        for element in data:
            yield from texts(element)
    elif isinstance(data, (str, int, float)) and not isinstance(data, bool):
        yield str(data)
