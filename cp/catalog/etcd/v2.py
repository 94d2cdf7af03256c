"""etcd's API v2: a directory with a time to live for each service, and the key `service` in it.

    PUT    /v2/keys/containerpilot/web/web-box1?dir=true                   ttl=10
    PUT    /v2/keys/containerpilot/web/web-box1/service                    value={"id":"web-box1",...,"tags":null}
    PUT    /v2/keys/containerpilot/web/web-box1?dir=true&prevExist=true    ttl=10         each heartbeat
    DELETE /v2/keys/containerpilot/web/web-box1?dir=true&recursive=true

Others read these keys, templates of confd above all: they are what ContainerPilot 2 wrote, to the byte. It works with
etcd 2 and up to 3.4; etcd 3.5 cannot renew a directory, and 3.6 has no API v2.
"""

from __future__ import annotations

import json
import time

from cp.catalog.etcd.endpoints import basic_authorization
from cp.catalog.etcd.records import ApiMissing, encode, instances, normal_prefix, parse_object
from cp.catalog.http.line_stream import LineStream
from cp.catalog.protocol import (
    CatalogClosed,
    CatalogError,
    CatalogForgotten,
    CatalogGarbage,
    CatalogRefused,
    CatalogUnreachable,
)
from cp.encoding import percent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from cp.catalog.etcd.endpoints import Endpoints
    from cp.catalog.etcd.records import EtcdReader
    from cp.catalog.http.client import Response
    from cp.catalog.protocol import Instance
    from cp.plan import EtcdSettings, Service, Watch

# etcd's own numbers of errors.
KEY_NOT_FOUND, NOT_A_FILE, NOT_A_DIRECTORY, UNAUTHORIZED, RAFT_INTERNAL, INDEX_CLEARED = 100, 102, 104, 110, 300, 401
LARGEST_INDEX = 2**63 - 1
MOST_TURNS = 10  # that one wait takes because of heartbeats


class Etcd2:
    """The calls of `cp.catalog.etcd.client`."""

    def __init__(self, settings: EtcdSettings, endpoints: Endpoints, reader: EtcdReader) -> None:
        self._endpoints = endpoints
        self._reader = reader
        self._prefix = normal_prefix(settings.prefix)
        self._authorization = basic_authorization(settings)
        self._is_demanded = settings.api == "v2"
        self._last: tuple[str, int | None, list[Instance]] | None = None  # what was read: name, index, instances

    # --- registration

    def enter(self, service: Service) -> None:
        """CatalogRefused if etcd does not take it."""
        directory = self._directory(service)
        if not self._make(directory, service.ttl):
            # It is there already, of an earlier life. Its time is renewed before the key is written: a key whose
            # directory has just expired would be in one that never does.
            try:
                self._renew(directory, service.ttl)
            except CatalogForgotten:
                self._make(directory, service.ttl)
        self._write(f"{directory}/service", {"value": encode(service, tags=False)})

    def renew(self, service: Service) -> None:
        """CatalogForgotten if it is not there."""
        self._renew(self._directory(service), service.ttl)

    def remove(self, service: Service) -> None:
        answer = self._call("DELETE", f"{self._directory(service)}?dir=true&recursive=true")
        if answer.status != 200 and _code(answer) != KEY_NOT_FOUND:
            raise self._unexpected(answer)

    def read(self, service: Service) -> str | None:
        """The value under its key."""
        answer = self._call("GET", f"{self._directory(service)}/service")
        if _code(answer) in (KEY_NOT_FOUND, NOT_A_DIRECTORY):
            return None
        if answer.status != 200:
            raise self._unexpected(answer)
        node = parse_object(answer.body, self._endpoints.quoted).get("node")
        value = node.get("value") if isinstance(node, dict) else None
        return value if isinstance(value, str) else ""

    def _make(self, directory: str, ttl: int) -> bool:
        """False if it is there already."""
        answer = self._call("PUT", f"{directory}?dir=true", {"ttl": str(ttl)})
        if answer.status in (200, 201):
            return True
        if _code(answer) == NOT_A_FILE:
            return False
        raise self._unexpected(answer)

    def _renew(self, directory: str, ttl: int) -> None:
        answer = self._call("PUT", f"{directory}?dir=true&prevExist=true", {"ttl": str(ttl)})
        if _code(answer) == KEY_NOT_FOUND:
            raise CatalogForgotten(self._text(answer))
        if _code(answer) == RAFT_INTERNAL and b"Not a file" in answer.body:  # etcd-io/etcd issue 13589
            # Without `etcd.api` the other API is chosen next time: this one was the choice for an older etcd.
            kind = CatalogRefused if self._is_demanded else ApiMissing
            raise kind("etcd 3.5 cannot prolong the life of a directory in API v2: see etcd.api")
        if answer.status not in (200, 201):
            raise self._unexpected(answer)

    def _write(self, key: str, form: dict[str, str | bytes]) -> None:
        answer = self._call("PUT", key, form)
        if answer.status not in (200, 201):
            raise self._unexpected(answer)

    def _directory(self, service: Service) -> str:
        return f"{self._folder(service.name)}/{_segment(service.id)}"

    def _folder(self, name: str) -> str:
        parts = [part for part in f"{self._prefix}/{name}".split("/") if part]
        if "." in parts or ".." in parts:  # which a server takes for another folder
            raise CatalogRefused(
                f"cannot use the key {self._prefix}/{name}: etcd's v2 does not allow '.' and '..' in it"
            )
        return "/v2/keys" + "".join(f"/{_segment(part)}" for part in parts)

    # --- watches

    def instances(self, watch: Watch) -> tuple[list[Instance], object]:
        """Tags are not known to this API; the cursor is etcd's index."""
        answer = self._call("GET", f"{self._folder(watch.name)}?quorum=false&recursive=true&sorted=false")
        index = _index(answer.headers)
        if _code(answer) == KEY_NOT_FOUND:
            return [], index
        if _code(answer) == NOT_A_DIRECTORY:
            self._reader.obstructed(f"{self._prefix}/{watch.name}")
            return [], index
        if answer.status != 200:
            raise self._unexpected(answer)
        node = parse_object(answer.body, self._endpoints.quoted).get("node")
        try:
            records = self._reader.records(_entries(node))
        except (LookupError, TypeError, AttributeError):
            quoted = self._endpoints.quoted(answer.body)[:60]
            raise CatalogGarbage(f"etcd's answer is not a list of keys: {quoted!r}") from None
        found = instances(records)
        self._last = (watch.name, index, found)
        return found, index

    def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        assert isinstance(cursor, int)
        end = time.monotonic() + max_wait
        new_cursor: object = cursor
        for _ in range(MOST_TURNS):
            assert isinstance(new_cursor, int)
            change = _Change(max(end - time.monotonic(), 0.001), new_cursor)
            listened = self._listen(watch, change)
            last = self._last
            found, new_cursor = self.instances(watch)
            if not change.is_over or new_cursor is None or last != (watch.name, change.after, found):
                break
        # Where streams fail although requests work, the watch is polled every interval instead.
        return found, new_cursor if listened else None

    def _listen(self, watch: Watch, change: _Change) -> bool:
        """False if that is not possible."""
        target = f"{self._folder(watch.name)}?wait=true&stream=true&recursive=true&waitIndex={change.after + 1}"
        try:
            answer = self._endpoints.stream("GET", target, change, headers=self._authorization, body=None)
        except CatalogClosed:
            raise
        except CatalogError:
            return change.has_begun
        if answer.retry_after() > 0 and (answer.status == 429 or answer.status >= 500):
            raise self._unexpected(answer)  # reading instead is not what a watch should do
        return answer.status == 200 or _code(answer) == INDEX_CLEARED

    # --- both

    def _call(self, method: str, target: str, form: Mapping[str, str | bytes] | None = None) -> Response:
        headers = dict(self._authorization)
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = None if form is None else percent.form(form.items()).encode()
        return self._endpoints.request(method, target, headers=headers, body=body)

    def _unexpected(self, answer: Response) -> CatalogError:
        code = _code(answer)
        if answer.status == 429 or answer.status >= 500:
            return CatalogUnreachable(self._text(answer), retry_after=answer.retry_after())
        if code is None and answer.status in (404, 405):
            return ApiMissing("this etcd does not speak API v2 (--enable-v2): see etcd.api")
        if answer.status in (401, 403) and code in (None, UNAUTHORIZED):
            return CatalogRefused(f"{self._text(answer)}; see etcd.username and etcd.password")
        if code in (NOT_A_FILE, NOT_A_DIRECTORY):  # another program has keys there
            return CatalogRefused(f"{self._text(answer)}; see etcd.prefix")
        return CatalogRefused(self._text(answer))

    def _text(self, answer: Response) -> str:
        """As etcd's own client says it."""
        code = _code(answer)
        if code is None:
            return f"Unexpected response code: {answer.status} ({self._endpoints.quoted(answer.body)})"
        fields = json.loads(answer.body)
        text = f"{code}: {fields.get('message')} ({fields.get('cause')}) [{fields.get('index')}]"
        return self._endpoints.quoted(text.encode())


class _Change(LineStream):
    """Listens for the next change after an index."""

    def __init__(self, max_wait: float, after: int) -> None:
        super().__init__(max_wait)
        self.after = after
        self.is_over = False  # it was a heartbeat, and the stream has no further line
        self._now = 0

    def receive_head(self, headers: Mapping[str, str]) -> bool:
        index = _index(headers)
        self._now = index or 0
        return index is not None and index < self.after  # the server has lost its past: it would be silent for long

    def receive_line(self, line: bytes) -> bool:
        try:
            change = json.loads(line)
            renewed: bool = change["action"] == "update" and change["node"].get("dir") is True
            # If changes came before the stream began, etcd sends only one of them, and nothing afterwards.
            self.is_over = renewed and change["node"]["modifiedIndex"] <= self._now
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return True  # whatever it is, something happened
        # Each heartbeat changes how long a directory lives, and nothing else.
        return not renewed or self.is_over


def _entries(node: Any) -> Iterator[tuple[str, str, str | bytes]]:
    """Key, id and value of every key that is in a directory of this one."""
    if not node.get("dir"):
        return
    for child in node.get("nodes") or ():
        if child.get("dir"):
            id = child["key"].rpartition("/")[2]
            for leaf in child.get("nodes") or ():
                if not leaf.get("dir"):
                    yield str(leaf["key"]), id, str(leaf["value"])


def _code(answer: Response) -> int | None:
    """etcd's number of an error; None for a success or a response that is not from etcd."""
    if answer.status < 400:
        return None
    try:
        code = json.loads(answer.body)["errorCode"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return code if isinstance(code, int) else None


def _index(headers: Mapping[str, str]) -> int | None:
    """What to wait from; None, and the watch is polled, if there is nothing to wait from."""
    text = headers.get("x-etcd-index", "")
    index = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return index if 0 < index < LARGEST_INDEX else None


def _segment(text: str) -> str:
    """Percent-encoded where a path needs it, and no more than that, as Go does."""
    return percent.encoded(text.encode(errors="replace"), b"$&+,:;=@")
