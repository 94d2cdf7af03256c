"""etcd, through its API v3 (the JSON gateway) or v2: the configured one, or else the best one that the server has."""

from __future__ import annotations

import json

from cp.catalog.etcd.endpoints import Endpoints, basic_authorization, by_chance
from cp.catalog.etcd.records import ApiMissing, EtcdReader, EtcdRecord, parse_object
from cp.catalog.etcd.v2 import Etcd2
from cp.catalog.etcd.v3 import Etcd3
from cp.catalog.protocol import CatalogEntry, CatalogGarbage, CatalogUnreachable
from cp.plan import PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from cp.catalog.http.client import Response
    from cp.catalog.protocol import Instance
    from cp.catalog.unusable_entries import Seen
    from cp.plan import EtcdSettings, Service, Status, Watch
    from cp.platform.resolver import Resolver

    T = TypeVar("T")
    Api = Etcd2 | Etcd3

UNKNOWN = (0, 0)  # the version of a server that does not report it
OLDEST_V3 = (3, 3)  # the first version whose JSON gateway has all calls that are needed
FIRST_BROKEN_V2 = (3, 5)  # cannot extend the TTL of a directory: etcd-io/etcd issue 13589


class Etcd:
    """A client of one cluster; see `cp.catalog.protocol.Catalog`. All calls are idempotent.

    In etcd an instance exists or not: it has no status. So a service that does not pass is removed, and comes back
    when it passes. `warn` gets one line for each key below a watched service that is not an instance, unless another
    client has seen it: all clients share `unusable`. `inform` gets the API that was chosen.
    """

    def __init__(
        self,
        settings: EtcdSettings,
        environ: Mapping[str, str],
        warn: Callable[[str], object],
        inform: Callable[[str], object] = lambda text: None,
        *,
        order: Callable[[str], Any] = by_chance,
        resolver: Resolver | None = None,
        unusable: Seen | None = None,
    ) -> None:
        self._settings = settings
        self._endpoints = Endpoints(settings, environ, order=order, resolver=resolver, warn=warn)
        self._reader = EtcdReader(warn, unusable)
        self._inform = inform
        self._api: Api | None = None  # once it is known
        self._not_passing: set[str] = set()  # ids of services that have no entry because of their status

    # --- registration

    def register(self, service: Service, status: Status) -> None:
        if status == PASSING:
            self._do(lambda api: api.enter(service))
            self._not_passing.discard(service.id)
        else:
            self._do(lambda api: api.remove(service))
            self._not_passing.add(service.id)

    def heartbeat(self, service: Service, status: Status, output: str) -> None:
        if status != PASSING or service.id in self._not_passing:
            self.register(service, status)
        else:
            self._do(lambda api: api.renew(service))

    def deregister(self, service: Service) -> None:
        self._do(lambda api: api.remove(service))
        self._not_passing.discard(service.id)

    def entry(self, service: Service) -> CatalogEntry | None:
        found = self._do(lambda api: api.read(service))
        if found is None:
            return None
        try:
            instance = EtcdRecord(found, service.id).instance
        except ValueError as error:
            raise CatalogGarbage(f"the entry {service.id} in etcd is none of the catalogue: {error}") from None
        return CatalogEntry(instance.address, instance.port, alive=True)

    # --- watches

    def instances(self, watch: Watch) -> tuple[list[Instance], object]:
        return self._do(lambda api: api.instances(watch))

    def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        return self._do(lambda api: api.wait_for_change(watch, cursor, max_wait))

    # --- both

    def interrupt(self) -> None:
        self._endpoints.interrupt()

    def close(self) -> None:
        self._reader.close()
        self._endpoints.close()

    def _do(self, call: Callable[[Api], T]) -> T:
        self._endpoints.begin()
        if self._api is None:
            self._api = self._choose()
        try:
            return call(self._api)
        except ApiMissing:
            self._api = None  # another server has this address now: choose again next time
            raise

    # --- which API

    def _choose(self) -> Api:
        if self._settings.api == "v2":
            return self._v2()
        version = self._version()
        spoken = ".".join(map(str, version)) if version != UNKNOWN else "of an unknown version"
        if self._settings.api == "" and self._settings.preferred_api == "v2" and self._has_v2(version):
            self._inform(f"etcd {spoken}: API v2 is used, where ContainerPilot 2 has its keys; see etcd.api")
            return self._v2()
        has_v3 = version >= OLDEST_V3 or version == UNKNOWN
        for root in gateways(version) if has_v3 else ():
            answer = self._endpoints.request(
                "POST", f"{root}/maintenance/status", headers={"Content-Type": "application/json"}, body=b"{}"
            )
            self._check(answer)
            if answer.status != 404:
                if self._settings.api == "":
                    self._inform(f"etcd {spoken}: API v3 is used; see etcd.api")
                return Etcd3(self._settings, self._endpoints, self._reader, root)
        why = "its JSON gateway is switched off (--enable-grpc-gateway=false)" if has_v3 else "it is too old"
        if self._settings.api == "v3":
            raise ApiMissing(f"this etcd {spoken} does not speak v3 over HTTP, as etcd.api demands: {why}")
        answer = self._keys()
        if answer.status == 404 and b"errorCode" not in answer.body:
            raise ApiMissing(f"this etcd {spoken} speaks neither v3 over HTTP ({why}) nor v2 (--enable-v2)")
        self._inform(f"etcd {spoken}: API v2 is used, since it does not speak v3 over HTTP: {why}")
        return self._v2()

    def _has_v2(self, version: tuple[int, int]) -> bool:
        """Whether API v2 can be used: it responds with a list of keys or with one of its errors."""
        if version >= FIRST_BROKEN_V2:
            return False
        answer = self._keys()
        self._check(answer)
        if answer.status in (401, 403):
            return True  # something has this path, and the user must see that the password is wrong
        try:
            fields = json.loads(answer.body)
        except (ValueError, RecursionError):
            return False
        return isinstance(fields, dict) and ("errorCode" in fields or (answer.status == 200 and "node" in fields))

    def _keys(self) -> Response:
        return self._endpoints.request("GET", "/v2/keys/", headers=basic_authorization(self._settings))

    def _v2(self) -> Etcd2:
        return Etcd2(self._settings, self._endpoints, self._reader)

    def _version(self) -> tuple[int, int]:
        """The version of the cluster, which is that of its oldest member."""
        answer = self._endpoints.request("GET", "/version", headers={})
        self._check(answer)
        if answer.status != 200:
            return UNKNOWN
        fields = parse_object(answer.body, self._quoted)
        return parse_version(fields.get("etcdcluster")) or parse_version(fields.get("etcdserver")) or UNKNOWN

    def _check(self, answer: Response) -> None:
        """CatalogUnreachable for a server error, which says nothing about the APIs."""
        if answer.status == 429 or answer.status >= 500:
            text = f"Unexpected response code: {answer.status} ({self._quoted(answer.body)})"
            raise CatalogUnreachable(text, retry_after=answer.retry_after())

    def _quoted(self, body: bytes) -> str:
        return self._endpoints.quoted(body)


def parse_version(text: object) -> tuple[int, int] | None:
    """The numbers of "3.4.23"; None for other texts, such as that of a cluster which has not agreed on a version."""
    parts = text.split(".") if isinstance(text, str) else []
    if len(parts) < 2 or not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts[:2]):
        return None
    return int(parts[0]), int(parts[1])


def gateways(version: tuple[int, int]) -> tuple[str, ...]:
    """The paths where the JSON gateway of a version may be, the likeliest first."""
    if version == (3, 3):
        return ("/v3beta",)
    return ("/v3", "/v3beta") if version < (3, 4) else ("/v3",)
