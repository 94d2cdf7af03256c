"""The endpoints of one etcd cluster: a request goes to the first one that responds."""

from __future__ import annotations

import os
from _thread import allocate_lock
from base64 import b64encode

from cp.catalog.http.client import HttpClient, endpoint_of
from cp.catalog.protocol import CatalogClosed, CatalogError, CatalogGarbage, CatalogNotConnected, CatalogUnreachable
from cp.log.redaction import without
from cp.platform.resolver import Resolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cp.catalog.http.client import Response
    from cp.catalog.http.line_stream import LineStream
    from cp.plan import EtcdSettings

KEY = "etcd.endpoints"
QUOTED = 500  # characters of a response in a message


def by_chance(url: str) -> bytes:
    return os.urandom(8)


class Endpoints:
    """For one thread at a time; `interrupt` and `close` may come from any.

    The endpoint that responded last comes first. No endpoint gets a request twice; each has the time limits of the
    settings. `order` is the order of the first attempts: random, so that a fleet spreads over a cluster.
    """

    def __init__(
        self,
        settings: EtcdSettings,
        environ: Mapping[str, str],
        *,
        order: Callable[[str], Any] = by_chance,
        resolver: Resolver | None = None,
        warn: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._resolver = resolver or Resolver()
        self._warn = warn
        self._secrets = [settings.password, _credentials(settings)] if settings.password else []
        self._token = ""
        self._endpoints = [self._endpoint(url, settings, environ) for url in sorted(settings.endpoints, key=order)]
        self._first = 0  # the endpoint for the next request
        self._guard = allocate_lock()  # over the rest; never held while anything can block
        self._active: HttpClient | None = None
        self._interrupted = False
        self._closed = False

    def _endpoint(self, url: str, settings: EtcdSettings, environ: Mapping[str, str]) -> HttpClient:
        return HttpClient(
            "etcd",
            endpoint_of(url, KEY),
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            tls=settings.tls,
            environ=environ,
            masked=self.masked,
            resolver=self._resolver,
            warn=self._warn,
        )

    # --- on the calling thread

    def begin(self) -> None:
        """Begin a task of any number of requests. An interruption ends the whole task."""
        with self._guard:
            self._interrupted = False

    def request(self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Response:
        """The response of the first endpoint that has one, and not a server error (5xx).

        CatalogUnreachable, CatalogGarbage or CatalogClosed if there is none.
        """
        failures: list[CatalogError] = []
        answer: Response | None = None
        first = self._first
        for turn in range(len(self._endpoints)):
            index = (first + turn) % len(self._endpoints)
            try:
                answer = self._ask(index, method, target, headers, body, None)
            except CatalogClosed:
                raise
            except (CatalogUnreachable, CatalogGarbage) as error:
                failures.append(error)
                continue
            if answer.status < 500:
                self._first = index
                return answer
        self._first = (first + 1) % len(self._endpoints)
        if answer is not None:
            return answer
        if len(failures) == 1:
            raise failures[0]
        connected = any(not isinstance(failure, CatalogNotConnected) for failure in failures)
        unreachable = CatalogUnreachable if connected else CatalogNotConnected
        raise unreachable(f"no endpoint of etcd answers: {'; '.join(map(str, failures))}")

    def stream(
        self, method: str, target: str, stream: LineStream, *, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        """As `request`, but at one endpoint only. If that fails, the next call goes to the next one."""
        index = self._first
        try:
            return self._ask(index, method, target, headers, body, stream)
        except CatalogClosed:
            raise
        except CatalogError:
            self._first = (index + 1) % len(self._endpoints)
            raise

    def _ask(
        self,
        index: int,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        stream: LineStream | None,
    ) -> Response:
        endpoint = self._endpoints[index]
        with self._guard:
            if self._closed or self._interrupted:
                raise CatalogClosed("the call to etcd was broken off")
            self._active = endpoint
        try:
            return endpoint.request(method, target, headers=headers, body=body, stream=stream)
        finally:
            with self._guard:
                self._active = None

    # --- secrets in messages

    def know(self, token: str) -> None:
        """Set the secret that messages must not quote, in place of the previous one."""
        self._token = token

    def masked(self, text: str) -> str:
        return without(text, (*self._secrets, self._token))

    def quoted(self, body: bytes) -> str:
        """The text of a response on one line, without secrets."""
        text = " ".join(body[: 4 * QUOTED].decode(errors="replace").split())
        text = "".join(c if c.isprintable() else "?" for c in text)
        return self.masked(text)[:QUOTED]

    # --- on any thread

    def interrupt(self) -> None:
        with self._guard:
            self._interrupted = True
            if self._active is not None:
                self._active.interrupt()

    def close(self) -> None:
        with self._guard:
            self._closed = True
        for endpoint in self._endpoints:
            endpoint.close()


def basic_authorization(settings: EtcdSettings) -> dict[str, str]:
    """The value of the HTTP header `Authorization`; empty without a user."""
    return {"Authorization": f"Basic {_credentials(settings)}"} if settings.username else {}


def _credentials(settings: EtcdSettings) -> str:
    return b64encode(f"{settings.username}:{settings.password}".encode(errors="replace")).decode()
