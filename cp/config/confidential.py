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


# Parts of the names of headers that have secrets, in small letters.
_CREDENTIALS = ("authorization", "cookie", "token", "key", "secret", "password")


def note_secrets(root: Value, environ: Mapping[str, str], secrets: Secrets) -> None:
    """Learn the secrets of a whole document, before it is checked for errors."""
    for key in ("consul", "etcd"):
        catalog = _member(root, key)
        for name in ("token", "password"):
            for secret in _texts(_member(catalog, name)):
                secrets.add(f"{key}.{name}", secret)
        for value in (catalog, _member(catalog, "address"), _member(catalog, "endpoints")):
            for number, url in enumerate(_texts(value)):
                secrets.add_url(f"{key}[{number}]", url)
    for name in _texts(_member(_member(root, "logging"), "mask")):
        _note_variable(name, environ, secrets)
    for number, http in enumerate(_checks_by_http(root)):
        for url in (*_texts(http), *_texts(_member(http, "url"))):
            # A name and a password are refused there; the path and the query may have an @.
            authority = url.removeprefix("http://").removeprefix("https://").partition("/")[0].partition("?")[0]
            secrets.add_url(f"jobs.health.http[{number}]", authority)
        headers = _member(http, "headers")
        if headers is not None and isinstance(headers.data, dict):
            for name, value in headers.data.items():
                if any(word in name.lower() for word in _CREDENTIALS):
                    for secret in _texts(value):
                        secrets.add(f"jobs.health.http[{number}].headers.{name}", secret)


def _checks_by_http(root: Value) -> Iterator[Value]:
    """The values of `http` of all health checks of the jobs dialect."""
    for job in _elements(_member(root, "jobs")):
        for check in _elements(_member(job, "health")):
            http = _member(check, "http")
            if http is not None:
                yield http


def _elements(value: Value | None) -> list[Value]:
    """The elements of an array, or the one value."""
    if value is None:
        return []
    return value.data if isinstance(value.data, list) else [value]


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


def _member(value: Value | None, name: str) -> Value | None:
    """The member with this name in any case. A key in another case is refused, but its value must not be shown."""
    if value is None or not isinstance(value.data, dict):
        return None
    return next((member for key, member in value.data.items() if key.lower() == name), None)


def _texts(value: Value | None) -> Iterator[str]:
    """A string or a number as text, or those in a list."""
    data = None if value is None else value.data
    if isinstance(data, list):
        for element in data:
            yield from _texts(element)
    elif isinstance(data, (str, int, float)) and not isinstance(data, bool):
        yield str(data)
