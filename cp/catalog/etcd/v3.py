"""etcd's API v3 over its JSON gateway: a lease for each service, and a key on it.

    POST /v3/lease/grant        {"ID": ..., "TTL": "10"}                   enter
    POST /v3/kv/put             {"key": ..., "value": ..., "lease": ...}
    POST /v3/lease/keepalive    {"ID": ...}                                each heartbeat
    POST /v3/kv/range           {"key": ..., "count_only": true}           ... which also looks whether the key is there
    POST /v3/kv/deleterange     {"key": ...}                               remove
    POST /v3/lease/revoke       {"ID": ...}
    POST /v3/watch              {"create_request": {...}}                  answered line by line

Keys and values are in base64, numbers of 64 bits are strings, and what is zero, empty or false is left out.

The ID of a lease follows from the key and the time to live. So every client knows it, also one of a later life: nothing
has to be remembered, and a restart goes on with the lease that is there.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

from cp.catalog.etcd.gateway import NOT_FOUND, PRECONDITION, Gateway, error_of, number
from cp.catalog.etcd.records import encode, instances, normal_prefix
from cp.catalog.http.line_stream import LineStream
from cp.catalog.protocol import CatalogClosed, CatalogError, CatalogForgotten, CatalogGarbage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from cp.catalog.etcd.endpoints import Endpoints
    from cp.catalog.etcd.records import EtcdReader
    from cp.catalog.protocol import Instance
    from cp.plan import EtcdSettings, Service, Watch

PAGE = 500  # keys
# Of one service; a server that has always more would fill the memory, and never be done.
MOST_KEYS = 100_000
MOST_PAGES = MOST_KEYS // PAGE


class Etcd3:
    """The calls of `cp.catalog.etcd.client`; `root` is the gateway's path."""

    def __init__(self, settings: EtcdSettings, endpoints: Endpoints, reader: EtcdReader, root: str) -> None:
        self._gateway = Gateway(settings, endpoints, root)
        self._reader = reader
        self._revoke = "lease/revoke" if root == "/v3" else "kv/lease/revoke"
        self._prefix = normal_prefix(settings.prefix)

    # --- registration

    def enter(self, service: Service) -> None:
        """CatalogRefused if etcd does not take it."""
        path = self._path(service)
        lease = lease_id(path, service.ttl)
        if not self._grant(lease, service.ttl) and not self._prolong(lease):
            self._grant(lease, service.ttl)  # it has ended since
        value = b64encode(encode(service, tags=True)).decode()
        self._gateway.call("kv/put", {"key": _key(path), "value": value, "lease": lease})

    def renew(self, service: Service) -> None:
        """CatalogForgotten if the lease has ended, or another program has removed the key."""
        path = self._path(service)
        if not self._prolong(lease_id(path, service.ttl)):
            raise CatalogForgotten(f"the lease of {path} has ended")
        found = self._gateway.call("kv/range", {"key": _key(path), "count_only": True})
        if number(found.get("count", "0")) == 0:
            raise CatalogForgotten(f"{path} is gone")

    def remove(self, service: Service) -> None:
        path = self._path(service)
        self._gateway.call("kv/deleterange", {"key": _key(path)})
        answer = self._gateway.ask(self._revoke, {"ID": lease_id(path, service.ttl)})
        if answer.status != 200 and error_of(answer)[0] != NOT_FOUND:
            raise self._gateway.unexpected(answer)

    def read(self, service: Service) -> bytes | None:
        """The value of its key."""
        found = self._gateway.call("kv/range", {"key": _key(self._path(service))})
        try:
            return b64decode(found["kvs"][0]["value"]) if found.get("kvs") else None
        except (ValueError, LookupError, TypeError):
            raise CatalogGarbage("etcd's answer is not a list of keys") from None

    def _grant(self, lease: str, ttl: int) -> bool:
        """False if it is there already."""
        answer = self._gateway.ask("lease/grant", {"ID": lease, "TTL": str(ttl)})
        if answer.status == 200:
            return True
        code, text = error_of(answer)
        if code == PRECONDITION and "already exists" in text:
            return False
        raise self._gateway.unexpected(answer)

    def _prolong(self, lease: str) -> bool:
        """False if it is not there any more."""
        renewed = self._gateway.call("lease/keepalive", {"ID": lease}).get("result")
        if not isinstance(renewed, dict):
            raise CatalogGarbage("etcd's answer to a keep-alive makes no sense")
        return number(renewed.get("TTL", "0")) > 0

    def _path(self, service: Service) -> str:
        return f"{self._folder(service.name)}{service.id}"

    def _folder(self, name: str) -> str:
        return f"{self._prefix}/{name}/"

    # --- watches

    def instances(self, watch: Watch) -> tuple[list[Instance], object]:
        """The cursor is etcd's revision."""
        pages = _Pages(self._gateway.call, self._folder(watch.name))
        records = self._reader.records(pages.entries())
        # A service whose name goes on after a slash has its keys below this folder too.
        own = [record for record in records if record.name in ("", watch.name)]
        return instances(r for r in own if not watch.tag or watch.tag in r.instance.tags), pages.revision

    def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        assert isinstance(cursor, int)
        change = _Change(max_wait, cursor)
        self._listen(watch, change)
        found, new_cursor = self.instances(watch)
        # Where streams fail although requests work, the watch is polled every interval instead.
        return found, None if change.failed else new_cursor

    def _listen(self, watch: Watch, change: _Change) -> None:
        request = {**_below(self._folder(watch.name)), "start_revision": str(change.after + 1), "progress_notify": True}
        try:
            answer = self._gateway.listen("watch", {"create_request": request}, change)
        except CatalogClosed:
            raise
        except CatalogError:
            return
        if answer.retry_after() > 0 and (answer.status == 429 or answer.status >= 500):
            raise self._gateway.unexpected(answer)  # reading instead is not what a watch should do
        if answer.status != 200:
            change.failed = True


class _Change(LineStream):
    """Listens for the first change after a revision."""

    sends_at_once = True  # "created"

    def __init__(self, max_wait: float, after: int) -> None:
        super().__init__(max_wait)
        self.after = after
        self.failed = True  # until the stream has begun

    def receive_line(self, line: bytes) -> bool:
        try:
            result = json.loads(line)["result"]
            if result.get("created"):
                self.failed = False
                # A revision of the past: this is another store than the one that was read.
                if number(result["header"]["revision"]) < self.after:
                    return True
            if result.get("canceled"):
                # A compaction has only removed revisions that are read anyway.
                self.failed = "compact_revision" not in result
                return True
            return bool(result.get("events"))
        except (CatalogGarbage, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            self.failed = True  # an error, or nonsense
            return True


class _Pages:
    """All keys below a folder, as they were at one `revision`; some at a time.

    To parse one very large answer would take so long that the rest of the program would notice.
    """

    def __init__(self, call: Callable[[str, dict[str, object]], dict[str, Any]], folder: str) -> None:
        self._call = call
        self._question: dict[str, object] = {**_below(folder), "limit": str(PAGE)}
        self._folder = len(folder.encode(errors="replace"))
        self.revision = 0  # once the first entry was read, or there was none

    def entries(self) -> Iterator[tuple[str, str, bytes]]:
        """Key, id and value of each."""
        read = pages = 0
        while True:
            answer = self._call("kv/range", self._question)
            key = b""
            try:
                if not self.revision:
                    self.revision = number(answer["header"]["revision"])
                for pair in answer.get("kvs") or ():
                    key = b64decode(pair["key"])
                    read += 1
                    id = key[self._folder :].decode(errors="replace")
                    yield key.decode(errors="replace"), id, b64decode(pair.get("value", ""))
            except (ValueError, LookupError, TypeError, AttributeError):
                raise CatalogGarbage("etcd's answer is not a list of keys") from None
            if not answer.get("more") or not key:
                return
            pages += 1
            if read > MOST_KEYS or pages >= MOST_PAGES:
                raise CatalogGarbage(f"etcd has always more keys of one service: {read} in {pages} answers")
            self._question["key"] = b64encode(key + b"\0").decode()
            self._question["revision"] = str(self.revision)


def lease_id(path: str, ttl: int) -> str:
    """A positive number of 63 bits."""
    try:
        from _blake2 import blake2b
    except ImportError:  # as some distributions build Python; this way brings OpenSSL along, which is 4 MB
        from hashlib import blake2b

    digest = blake2b(f"{ttl} {path}".encode(errors="replace"), digest_size=8).digest()
    return str(int.from_bytes(digest, "big") >> 1 or 1)


def _below(folder: str) -> dict[str, object]:
    """The range of all keys that begin so; the end is the first one that does not, since 0 follows the slash."""
    return {"key": _key(folder), "range_end": _key(folder[:-1] + "0")}


def _key(text: str) -> str:
    return b64encode(text.encode(errors="replace")).decode()
