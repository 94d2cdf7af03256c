"""Finds the secrets of HTTP checks in the text of a configuration, so that errors and the log do not show them."""

from __future__ import annotations

from cp.config.confidential import member, texts
from cp.plan import SHORTEST_MASKED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cp.config.confidential import Secrets
    from cp.config.json5.parser import Value

# Parts of the names of headers and of parameters that have secrets, in small letters.
_CREDENTIALS = ("authorization", "cookie", "token", "key", "secret", "password")


def note_secrets_of_checks(root: Value, secrets: Secrets) -> None:
    """Learn them, before the document is checked for errors."""
    for number, http in enumerate(_checks_by_http(root)):
        for url in (*texts(http), *texts(member(http, "url"))):
            # A name and a password are refused there; the path and the query may have an @.
            authority = url.removeprefix("http://").removeprefix("https://").partition("/")[0].partition("?")[0]
            secrets.add_url(f"jobs.health.http[{number}]", authority)
            for name, parameter in _parameters(url):
                _note(f"jobs.health.http[{number}]?{name}", name, parameter, secrets)
        headers = member(http, "headers")
        if headers is not None and isinstance(headers.data, dict):
            for name, value in headers.data.items():
                for secret in texts(value):
                    _note(f"jobs.health.http[{number}].headers.{name}", name, secret, secrets)


def _note(source: str, name: str, secret: str, secrets: Secrets) -> None:
    """Learn a secret, unless the name is not that of one. To mask `1` everywhere would make the log unreadable."""
    if len(secret.strip()) >= SHORTEST_MASKED and any(word in name.lower() for word in _CREDENTIALS):
        secrets.add(source, secret)


def _parameters(url: str) -> Iterator[tuple[str, str]]:
    """The names and values of the query of a URL, as they are written."""
    for parameter in url.partition("?")[2].split("&"):
        name, _, value = parameter.partition("=")
        yield name, value


def _checks_by_http(root: Value) -> Iterator[Value]:
    """The values of `http` of all health checks of the jobs dialect."""
    for job in _elements(member(root, "jobs")):
        for check in _elements(member(job, "health")):
            http = member(check, "http")
            if http is not None:
                yield http


def _elements(value: Value | None) -> list[Value]:
    """The elements of an array, or the one value."""
    if value is None:
        return []
    return value.data if isinstance(value.data, list) else [value]
