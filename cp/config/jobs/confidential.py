"""Finds the secrets of HTTP checks in the text of a configuration, so that errors and the log do not show them."""

from __future__ import annotations

from cp.config.confidential import member, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cp.config.confidential import Secrets
    from cp.config.json5.parser import Value

# Parts of the names of headers that have secrets, in small letters.
_CREDENTIALS = ("authorization", "cookie", "token", "key", "secret", "password")


def note_secrets_of_checks(root: Value, secrets: Secrets) -> None:
    """Learn them, before the document is checked for errors."""
    for number, http in enumerate(_checks_by_http(root)):
        for url in (*texts(http), *texts(member(http, "url"))):
            # A name and a password are refused there; the path and the query may have an @.
            authority = url.removeprefix("http://").removeprefix("https://").partition("/")[0].partition("?")[0]
            secrets.add_url(f"jobs.health.http[{number}]", authority)
        headers = member(http, "headers")
        if headers is not None and isinstance(headers.data, dict):
            for name, value in headers.data.items():
                if any(word in name.lower() for word in _CREDENTIALS):
                    for secret in texts(value):
                        secrets.add(f"jobs.health.http[{number}].headers.{name}", secret)


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
