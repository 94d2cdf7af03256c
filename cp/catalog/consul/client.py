"""Consul, through the HTTP API of its agent."""

from __future__ import annotations

import json

from cp.catalog.consul.instances import parse_instances
from cp.catalog.http.client import HttpClient, endpoint_of
from cp.catalog.http.credentials import Authorization, Token
from cp.catalog.protocol import (
    CatalogEntry,
    CatalogError,
    CatalogForgotten,
    CatalogGarbage,
    CatalogRefused,
    CatalogUnreachable,
)
from cp.catalog.unusable_entries import Seen, UnusableEntries, is_port
from cp.encoding import percent
from cp.plan import PASSING, WARNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cp.catalog.http.client import Response
    from cp.catalog.protocol import Instance
    from cp.plan import ConsulSettings, Service, Status, Watch
    from cp.platform.resolver import Resolver

QUOTED_BODY = 500  # characters of a response in a message
QUOTED_ID = 100
LARGEST_WRITE_BODY = 1 << 20  # bytes of the response to a write, which is empty or one sentence

# The words of an agent, in a response of status 500, about itself or its servers and not about the request.
SERVER_ERRORS = ("no cluster leader", "no known consul servers", "rpc error", "leadership", "not ready to serve")
UNKNOWN = ("unknown service",)  # to a removal; Consul from 1.11 on says 404
DENIED = ("permission denied", "acl not found")


class Consul:
    """A client of one agent; see `cp.catalog.protocol.Catalog`. All calls are idempotent."""

    def __init__(
        self,
        settings: ConsulSettings,
        environ: Mapping[str, str],
        warn: Callable[[str], object] = lambda text: None,
        resolver: Resolver | None = None,
        unusable: Seen | None = None,
    ) -> None:
        """`warn` gets one line for each unusable entry of a watched service that no other client has seen: all clients
        share `unusable`."""
        self._settings = settings
        self._unusable = UnusableEntries(warn, unusable)
        self._token = Token(settings.token, settings.token_file)
        self._authorization = Authorization(settings.http_auth)
        self._http = HttpClient(
            "Consul",
            endpoint_of(settings.address, "consul.address", settings.scheme),
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            tls=settings.tls,
            environ=environ,
            masked=self._masked,
            resolver=resolver,
            warn=warn,
        )
        # Services whose TTL check the agent turned out not to have: the next registration brings it along.
        self._without_check: set[str] = set()
        tenancy = {"ns": settings.namespace, "partition": settings.partition}
        self._tenancy = {key: value for key, value in tenancy.items() if value}

    # --- registration

    def register(self, service: Service, status: Status) -> None:
        self._put("/v1/agent/service/register", body=_entry(service, status))
        if service.separate_check and service.id in self._without_check:
            try:
                self._put("/v1/agent/check/register", body=_check_entry(service))
            except CatalogError as error:
                error.operation = "Check registration"
                raise

    def heartbeat(self, service: Service, status: Status, output: str) -> None:
        if service.separate_check and status == PASSING:
            answer = self._call("PUT", f"/v1/agent/check/pass/{percent.encoded(service.id.encode())}", {"note": "ok"})
        else:
            check = service.id if service.separate_check else f"service:{service.id}"
            # A passing check always says "ok": an output that changes would be written to all of Consul's servers.
            body = {"Status": status, "Output": "ok" if status == PASSING else output}
            answer = self._call("PUT", f"/v1/agent/check/update/{percent.encoded(check.encode(), b':')}", body=body)
        if answer.status == 200:
            self._without_check.discard(service.id)
            return
        # An unknown check is 500 up to Consul 1.10 and 404 later, in different words. So every 500 counts that does not
        # concern the agent itself. A needless registration does no harm.
        if answer.status == 404 or (answer.status == 500 and not _says(answer, (*SERVER_ERRORS, *DENIED))):
            self._without_check.add(service.id)
            raise CatalogForgotten(self._text(answer))
        raise self._unexpected(answer)

    def deregister(self, service: Service) -> None:
        answer = self._call("PUT", f"/v1/agent/service/deregister/{percent.encoded(service.id.encode())}")
        # A 404 without these words does not come from Consul, but from a proxy that does not know the path.
        unknown = answer.status in (404, 500) and _says(answer, UNKNOWN)
        if answer.status != 200 and not unknown:
            raise self._unexpected(answer)
        self._without_check.discard(service.id)

    def entry(self, service: Service) -> CatalogEntry | None:
        answer = self._call("GET", f"/v1/agent/health/service/id/{percent.encoded(service.id.encode())}")
        try:
            # The status of the response is that of the service: 200, 429 (warning), 503 (critical), 404 (unknown).
            fields = json.loads(answer.body)
            found, status = fields["Service"], fields["AggregatedStatus"]
            if answer.status == 404 and found is None:
                return None
            address, port = found["Address"], found["Port"]
            if not isinstance(address, str) or not is_port(port):
                raise TypeError
        except (ValueError, LookupError, TypeError, RecursionError):
            if answer.status == 200:
                raise CatalogGarbage(f"Consul's answer is not a service: {self._text(answer)}") from None
            raise self._unexpected(answer) from None  # an agent before 1.3 does not know this path
        return CatalogEntry(address, port, alive=status in (PASSING, WARNING))

    # --- watches

    def instances(self, watch: Watch) -> tuple[list[Instance], object]:
        return self._healthy(watch, self._query(watch))

    def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        wait = max(1, int(max_wait))
        # The agent adds a random time, up to a sixteenth of the wait, so that its clients do not return at once.
        limit = wait * 17 / 16 + self._settings.read_timeout
        answer = self._query(watch, {"index": str(cursor), "wait": f"{wait}s", "stale": ""}, limit)
        # With `stale`, any server may respond, not only the leader. Consul's documentation advises this for frequent
        # reads of many clients. It costs nothing here: a server behind the index of the request waits until it has
        # reached it. Only a response without a change may come from a server that lags (its index is lower) or that has
        # lost the others (it knows no leader). After a restore of the servers, or a restart of a single one, indexes
        # start again. In all these cases, forget the index and query the leader.
        index = _index(answer)
        went_back = index is None or (isinstance(cursor, int) and index < cursor)
        if went_back or answer.headers.get("x-consul-knownleader") == "false":
            answer.body = b""  # it may be large
            answer = self._query(watch)
        return self._healthy(watch, answer)

    def _query(self, watch: Watch, more: dict[str, str] | None = None, limit: float | None = None) -> Response:
        """The response to a query for the healthy instances. CatalogError if it reports an error."""
        parameters = {"passing": "1"}
        if watch.tag:
            parameters["tag"] = watch.tag
        datacenter = watch.datacenter or self._settings.datacenter
        if datacenter:
            parameters["dc"] = datacenter
        path = f"/v1/health/service/{percent.encoded(watch.name.encode())}"
        answer = self._call("GET", path, {**parameters, **(more or {})}, limit=limit)
        if answer.status != 200:
            raise self._unexpected(answer)
        return answer

    def _healthy(self, watch: Watch, answer: Response) -> tuple[list[Instance], object]:
        found, unusable = parse_instances(answer.body, self._masked)
        self._unusable.report(
            {
                f"{watch.name}/{id}": f"{self._quoted_entry(id)} of {watch.name} in Consul is ignored: {why}"
                for id, why in unusable.items()
            }
        )
        return found, _index(answer)

    def _quoted_entry(self, id: str) -> str:
        return f"the entry {self._masked(id)[:QUOTED_ID]!r}" if id else "an entry"

    # --- both

    def interrupt(self) -> None:
        self._http.interrupt()

    def close(self) -> None:
        self._unusable.close()
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
    ) -> Response:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        token = self._token.value()
        if token:
            headers["X-Consul-Token"] = token
        if self._authorization.header:
            headers["Authorization"] = self._authorization.header
        parameters = {**(query or {}), **self._tenancy}
        return self._http.request(
            method,
            f"{path}?{percent.form(parameters.items())}" if parameters else path,
            headers=headers,
            body=None if body is None else json.dumps(body, separators=(",", ":")).encode(),
            read_timeout=limit,
            largest_body=LARGEST_WRITE_BODY if method == "PUT" else None,
        )

    def _unexpected(self, answer: Response) -> CatalogError:
        """The error for a response that reports none of the expected statuses."""
        text = self._text(answer)
        if answer.status in (401, 403) or (answer.status == 500 and _says(answer, DENIED)):
            return CatalogRefused(f"{text}; see {self._token.key}")
        if answer.status == 429 or answer.status >= 500:
            return CatalogUnreachable(text, retry_after=answer.retry_after())
        return CatalogRefused(text)

    def _text(self, answer: Response) -> str:
        body = " ".join(answer.body[: 4 * QUOTED_BODY].decode(errors="replace").split())
        body = "".join(c if c.isprintable() else "?" for c in body)
        return f"Unexpected response code: {answer.status} ({self._masked(body)[:QUOTED_BODY]})"

    def _masked(self, text: str) -> str:
        return self._authorization.masked(self._token.masked(text))


def _entry(service: Service, status: Status) -> dict[str, Any]:
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


def _says(answer: Response, phrases: tuple[str, ...]) -> bool:
    text = answer.body[: 4 * QUOTED_BODY].decode(errors="replace").lower()
    return any(phrase in text for phrase in phrases)


def _index(answer: Response) -> int | None:
    """The index from which to wait. None if there is none; then the watch is polled."""
    text = answer.headers.get("x-consul-index", "")
    index = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return index if index > 0 else None
