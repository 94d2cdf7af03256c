"""Consul, through the HTTP API of its agent."""

from __future__ import annotations

import json
import os
from urllib.parse import quote, urlencode

from cp.catalog import (
    PASSING,
    CatalogError,
    CatalogForgotten,
    CatalogGarbage,
    CatalogRefused,
    CatalogUnreachable,
    Instance,
)
from cp.catalog.address import parse_address
from cp.catalog.http import Http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cp.catalog.http import Answer
    from cp.plan import ConsulSettings, Service, Watch

QUOTED_BODY = 500  # characters of an answer in a message


class Consul:
    """A client of one agent; see `cp.catalog.Catalog`. All calls are idempotent."""

    def __init__(self, settings: ConsulSettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._token = Token(settings.token, settings.token_file)
        self._http = Http(
            "Consul",
            parse_address(settings.address, settings.scheme, "consul.address"),
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            tls=settings.tls,
            environ=environ,
            masked=self._token.masked,
        )
        # Services whose TTL check the agent turned out not to have: the next registration brings it along.
        self._without_check: set[str] = set()
        tenancy = {"ns": settings.namespace, "partition": settings.partition}
        self._tenancy = {key: value for key, value in tenancy.items() if value}

    # --- registration

    def register(self, service: Service, status: str) -> None:
        self._put("/v1/agent/service/register", body=_entry(service, status))
        if service.separate_check and service.id in self._without_check:
            try:
                self._put("/v1/agent/check/register", body=_check_entry(service))
            except CatalogError as error:
                error.operation = "Check registration"
                raise

    def heartbeat(self, service: Service, status: str, output: str) -> None:
        if service.separate_check and status == PASSING:
            answer = self._call("PUT", f"/v1/agent/check/pass/{quote(service.id, safe='')}", {"note": "ok"})
        else:
            check = service.id if service.separate_check else f"service:{service.id}"
            # A passing check always says "ok": an output that changes would be written to all of Consul's servers.
            body = {"Status": status, "Output": "ok" if status == PASSING else output}
            answer = self._call("PUT", f"/v1/agent/check/update/{quote(check, safe=':')}", body=body)
        if answer.status == 200:
            self._without_check.discard(service.id)
        elif answer.status in (401, 403, 429):
            raise self._unexpected(answer)
        else:  # 500 up to Consul 1.10 and 404 later mean an unknown check, as may anything else
            self._without_check.add(service.id)
            raise CatalogForgotten(self._text(answer))

    def deregister(self, service: Service) -> None:
        answer = self._call("PUT", f"/v1/agent/service/deregister/{quote(service.id, safe='')}")
        if answer.status not in (200, 404):
            raise self._unexpected(answer)
        self._without_check.discard(service.id)

    # --- watches

    def instances(self, watch: Watch) -> tuple[list[Instance], object]:
        return self._health(watch, {}, None)

    def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        wait = max(1, int(max_wait))
        # The agent adds up to a sixteenth of the wait at random, so that its clients do not all come back at once.
        limit = wait * 17 / 16 + self._settings.read_timeout
        return self._health(watch, {"index": str(cursor), "wait": f"{wait}s"}, limit)

    def _health(self, watch: Watch, query: dict[str, str], limit: float | None) -> tuple[list[Instance], object]:
        parameters = {"passing": "1"}
        if watch.tag:
            parameters["tag"] = watch.tag
        datacenter = watch.datacenter or self._settings.datacenter
        if datacenter:
            parameters["dc"] = datacenter
        path = f"/v1/health/service/{quote(watch.name, safe='')}"
        answer = self._call("GET", path, {**parameters, **query}, limit=limit)
        if answer.status != 200:
            raise self._unexpected(answer)
        return parse_instances(answer.body, self._token.masked), _index(answer.headers.get("x-consul-index", ""))

    # --- both

    def interrupt(self) -> None:
        self._http.interrupt()

    def close(self) -> None:
        self._http.close()

    def _put(self, path: str, body: dict[str, Any]) -> None:
        answer = self._call("PUT", path, body=body)
        if answer.status != 200:
            raise self._unexpected(answer)

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        limit: float | None = None,
    ) -> Answer:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        token = self._token.value()
        if token:
            headers["X-Consul-Token"] = token
        parameters = {**(query or {}), **self._tenancy}
        return self._http.request(
            method,
            f"{path}?{urlencode(parameters)}" if parameters else path,
            headers=headers,
            body=None if body is None else json.dumps(body, separators=(",", ":")).encode(),
            read_timeout=limit,
        )

    def _unexpected(self, answer: Answer) -> CatalogError:
        if answer.status == 429 or answer.status >= 500:
            return CatalogUnreachable(self._text(answer))
        hint = "; see consul.token" if answer.status in (401, 403) else ""
        return CatalogRefused(self._text(answer) + hint)

    def _text(self, answer: Answer) -> str:
        body = " ".join(answer.body[: 4 * QUOTED_BODY].decode(errors="replace").split())
        body = "".join(c if c.isprintable() else "?" for c in body)
        return f"Unexpected response code: {answer.status} ({self._token.masked(body)[:QUOTED_BODY]})"


class Token:
    """The ACL token: what its file says, which is read again when it changes, or else what is configured."""

    def __init__(self, token: str, file: str) -> None:
        self._token = token
        self._file = file
        self._seen: tuple[int, int, int] | None = None  # of the file, when it was read
        self._read = ""

    def value(self) -> str:
        """Empty if there is none. CatalogRefused if it cannot be had."""
        token = (self._from_file() if self._file else "") or self._token
        if not token.isascii() or not all(c.isprintable() for c in token):
            key = "consul.tokenfile" if self._file else "consul.token"
            raise CatalogRefused(f"cannot use {key}: a token is one line of printable ASCII characters")
        return token

    def masked(self, text: str) -> str:
        """The text without the token: an agent may quote what it was sent."""
        for secret in (self._token, self._read):
            if secret:
                text = text.replace(secret, "********")
        return text

    def _from_file(self) -> str:
        try:
            with open(self._file, encoding="latin-1") as file:
                status = os.fstat(file.fileno())
                seen = (status.st_ino, status.st_mtime_ns, status.st_size)
                if seen != self._seen:
                    self._read = file.read(4096).strip()
                    self._seen = seen
        except OSError as error:
            raise CatalogRefused(f"cannot read consul.tokenfile '{self._file}': {error.strerror}") from None
        return self._read


def _entry(service: Service, status: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"ID": service.id, "Name": service.name}
    if service.tags:
        entry["Tags"] = list(service.tags)
    if service.port:
        entry["Port"] = service.port
    if service.address:
        entry["Address"] = service.address
    if service.enable_tag_override:
        entry["EnableTagOverride"] = True
    check: dict[str, Any] | None = None
    if not service.separate_check:
        check = {"TTL": f"{service.ttl}s"}
        if status:
            check["Status"] = status
        check["Notes"] = _notes(service)
        if service.deregister_critical_after:
            check["DeregisterCriticalServiceAfter"] = service.deregister_critical_after
    return {**entry, "Check": check, "Checks": None}


def _check_entry(service: Service) -> dict[str, Any]:
    entry = {
        "ID": service.id,
        "Name": service.id,
        "Notes": _notes(service),
        "ServiceID": service.id,
        "TTL": f"{service.ttl}s",
    }
    if service.deregister_critical_after:
        entry["DeregisterCriticalServiceAfter"] = service.deregister_critical_after
    return entry


def _notes(service: Service) -> str:
    return f"TTL for {service.name} set by containerpilot"


def _index(text: str) -> int | None:
    """What to wait from; None, and the watch is polled, if there is nothing to wait from."""
    index = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return index if index > 0 else None


def parse_instances(body: bytes, masked: Callable[[str], str] = str) -> list[Instance]:
    """Of an answer to /v1/health/service; CatalogGarbage, which quotes it without secrets, if it is none."""
    try:
        found = []
        for entry in json.loads(body):
            service = entry["Service"]
            address = service["Address"] or entry["Node"]["Address"]
            found.append(_instance(service["ID"], address, service["Port"], service.get("Tags") or ()))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        quoted = " ".join(masked(body[: 4 * QUOTED_BODY].decode(errors="replace")).split())[:60]
        raise CatalogGarbage(f"Consul's answer is not a list of service instances: {quoted!r}") from None
    return found


def _instance(id: object, address: object, port: object, tags: Any) -> Instance:
    if not isinstance(id, str) or not isinstance(address, str) or not isinstance(port, int):
        raise TypeError
    return Instance(id, address, port, tuple(map(str, tags)))
