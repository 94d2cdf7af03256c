"""Two etcds that give true answers until a test sets a lie: one speaks API v2, one the JSON gateway of v3.

They know what ContainerPilot asks for, and keep every key until it is removed: times to live do not run out here.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from tests.system.faults.lying import (
    DEREGISTER,
    HEARTBEAT,
    LOOK,
    READ,
    REGISTER,
    WATCH,
    LyingServer,
    Reply,
    chunk,
    head,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.faults.lying import Call, Exchange

PREFIX = "/containerpilot"


def value_of(id: str, name: str, port: int) -> str:
    return json.dumps({"id": id, "name": name, "address": "10.0.0.9", "port": port, "tags": None})


class LyingEtcd(LyingServer):
    """Counts its changes: `index` is the number of the last one."""

    def __init__(self) -> None:
        self.index = 10
        self.events: list[tuple[int, str, dict[str, Any]]] = []  # number, key and content of each change
        super().__init__()

    def happened(self, key: str, event: dict[str, Any]) -> None:
        """A change; the lock is held."""
        self.index += 1
        self.events.append((self.index, key, event))
        self.changed.notify_all()

    def follow(
        self, exchange: Exchange, after: int, of_interest: Callable[[str], bool], line: Callable[[Any], Any]
    ) -> None:
        """Tells of each change after a number, for as long as somebody listens."""
        position = 0
        while True:
            with self.changed:
                news = [event for event in self.events[position:] if event[0] > after and of_interest(event[1])]
                position = seen = len(self.events)
            for event in news:
                exchange.send(chunk(json.dumps(line(event)).encode() + b"\n"))
            self.hold(exchange, None, lambda seen=seen: len(self.events) > seen)  # type: ignore[misc]


class LyingEtcd2(LyingEtcd):
    def __init__(self) -> None:
        self._directories: dict[str, str | None] = {}  # of instances, each with the value of its key `service`
        super().__init__()

    def verb(self, call: Call) -> str:
        if call.method == "GET":
            return WATCH if "wait" in call.query else READ if "recursive" in call.query else LOOK
        if call.method == "DELETE":
            return DEREGISTER
        return HEARTBEAT if "prevExist" in call.query else REGISTER

    def forget(self) -> None:
        with self.changed:
            for key in (*self._directories,):
                self._remove(key)

    def enter(self, name: str, port: int) -> None:
        with self.changed:
            key = f"{PREFIX}/{name}/{name}-other"
            self._directories[key] = value_of(f"{name}-other", name, port)
            self._changed(f"{key}/service", "set")

    def passing(self, id: str) -> bool:
        with self.changed:
            return any(key.endswith(f"/{id}") and value for key, value in self._directories.items())

    def knows(self, id: str) -> bool:
        with self.changed:
            return any(key.endswith(f"/{id}") for key in self._directories)

    def answer(self, exchange: Exchange) -> None:
        call = exchange.read()
        if exchange.verb() != WATCH or exchange.is_compacted:
            super().answer(exchange)
            return
        folder = f"{self._key(call)}/"
        index = 1 if exchange.is_old else self.index
        exchange.send(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", f"X-Etcd-Index: {index}"))
        after = int(call.query["waitIndex"]) - 1
        with self.changed:
            past = [event for index, key, event in self.events if index > after and key.startswith(folder)]
            now = self.index
        if past:  # as the true one does: the first change that has been, and then nothing more
            exchange.send(chunk(json.dumps(past[0]).encode() + b"\n"))
            exchange.hold()
        self.follow(exchange, now, lambda key: key.startswith(folder), lambda event: event[2])

    def truth(self, exchange: Exchange) -> Reply:
        call = exchange.read()
        with self.changed:
            if exchange.is_compacted:
                return self._error(400, 401, "The event in requested index is outdated and cleared")
            if self.verb(call) == LOOK:
                return self._value(self._key(call))
            if call.method == "GET":
                return self._read(exchange, self._key(call))
            if call.method == "DELETE":
                return self._delete(self._key(call))
            return self._put(self._key(call), call)

    def _key(self, call: Call) -> str:
        return unquote(call.path.removeprefix("/v2/keys"))

    def _put(self, key: str, call: Call) -> Reply:
        if call.query.get("dir") != "true":
            self._directories[key.removesuffix("/service")] = dict(parse_qsl(call.body.decode()))["value"]
            self._changed(key, "set")
            return Reply(201, b"{}")
        there = key in self._directories
        if "prevExist" in call.query:
            if not there:
                return self._error(404, 100, "Key not found")
            self._changed(key, "update", dir=True)
            return Reply(200, b"{}")
        if there:
            return self._error(403, 102, "Not a file")
        self._directories[key] = None
        self._changed(key, "set", dir=True)
        return Reply(201, b"{}")

    def _delete(self, key: str) -> Reply:
        if key not in self._directories:
            return self._error(404, 100, "Key not found")
        self._remove(key)
        return Reply(200, b"{}")

    def _remove(self, key: str) -> None:
        del self._directories[key]
        self._changed(key, "delete", dir=True)

    def _changed(self, key: str, action: str, **node: Any) -> None:
        self.happened(key, {"action": action, "node": {"key": key, "modifiedIndex": self.index + 1, **node}})

    def _value(self, key: str) -> Reply:
        value = self._directories.get(key.removesuffix("/service"))
        if value is None:
            return self._error(404, 100, "Key not found")
        return Reply(200, json.dumps({"action": "get", "node": {"key": key, "value": value}}).encode())

    def _read(self, exchange: Exchange, folder: str) -> Reply:
        nodes = [
            {"key": key, "dir": True, "nodes": [{"key": f"{key}/service", "value": value}] if value else []}
            for key, value in self._directories.items()
            if key.startswith(f"{folder}/")
        ]
        index = ("X-Etcd-Index", "1" if exchange.is_old else str(self.index))
        if not nodes:
            return self._error(404, 100, "Key not found")._replace(headers=(index,))
        answer = {"action": "get", "node": {"key": folder, "dir": True, "nodes": nodes}}
        return Reply(200, json.dumps(answer).encode(), (index,))

    def _error(self, status: int, code: int, message: str) -> Reply:
        fields = {"errorCode": code, "message": message, "cause": "cause", "index": self.index}
        return Reply(status, json.dumps(fields).encode())


class LyingEtcd3(LyingEtcd):
    def __init__(self) -> None:
        self._leases: set[str] = set()
        self._keys: dict[str, tuple[str, str]] = {}  # value and lease
        super().__init__()

    def verb(self, call: Call) -> str:
        verb = {
            "/v3/lease/grant": REGISTER,
            "/v3/kv/put": REGISTER,
            "/v3/lease/keepalive": HEARTBEAT,
            "/v3/kv/deleterange": DEREGISTER,
            "/v3/lease/revoke": DEREGISTER,
            "/v3/kv/range": READ,
            "/v3/watch": WATCH,
        }.get(call.path, "")
        if verb == READ and "range_end" not in call.json():
            return HEARTBEAT if "count_only" in call.json() else LOOK
        return verb

    def forget(self) -> None:
        with self.changed:
            self._leases.clear()
            for key in (*self._keys,):
                self._remove(key)

    def enter(self, name: str, port: int) -> None:
        with self.changed:
            self._put(f"{PREFIX}/{name}/{name}-other", value_of(f"{name}-other", name, port), "")

    def passing(self, id: str) -> bool:
        return self.knows(id)

    def knows(self, id: str) -> bool:
        with self.changed:
            return any(key.endswith(f"/{id}") for key in self._keys)

    def answer(self, exchange: Exchange) -> None:
        if exchange.verb() != WATCH:
            super().answer(exchange)
            return
        request = exchange.read().json()["create_request"]
        first, end = decoded(request["key"]), decoded(request["range_end"])
        exchange.send(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
        header = self._header(exchange)
        exchange.send(chunk(json.dumps({"result": {"header": header, "created": True}}).encode() + b"\n"))
        if exchange.is_compacted:
            gone = {"header": header, "canceled": True, "compact_revision": str(self.index)}
            exchange.send(chunk(json.dumps({"result": gone}).encode() + b"\n") + chunk(b""))
            return

        def line(event: tuple[int, str, dict[str, Any]]) -> dict[str, Any]:
            return {"result": {"header": self._header(exchange), "events": [event[2]]}}

        self.follow(exchange, int(request["start_revision"]) - 1, lambda key: first <= key < end, line)

    def truth(self, exchange: Exchange) -> Reply:
        call = exchange.read()
        if call.method == "GET":
            return Reply(200, b'{"etcdserver":"3.4.30","etcdcluster":"3.4.0"}')
        with self.changed:
            do = getattr(self, "_do_" + call.path.rpartition("/")[2])
            done = do(call.json())
            if isinstance(done, Reply):
                return done
            return Reply(200, json.dumps({"header": self._header(exchange), **done}).encode())

    def _header(self, exchange: Exchange) -> dict[str, str]:
        return {"cluster_id": "1", "revision": "1" if exchange.is_old else str(self.index)}

    def _do_status(self, request: dict[str, Any]) -> dict[str, Any]:
        return {}

    def _do_grant(self, request: dict[str, Any]) -> dict[str, Any] | Reply:
        if request["ID"] in self._leases:
            return failure(400, 9, "etcdserver: lease already exists")
        self._leases.add(request["ID"])
        return {"ID": request["ID"], "TTL": request["TTL"]}

    def _do_keepalive(self, request: dict[str, Any]) -> dict[str, Any]:
        alive = {"TTL": "10"} if request["ID"] in self._leases else {}
        return {"result": {"ID": request["ID"], **alive}}

    def _do_put(self, request: dict[str, Any]) -> dict[str, Any] | Reply:
        if request["lease"] not in self._leases:
            return failure(404, 5, "etcdserver: requested lease not found")
        self._put(decoded(request["key"]), decoded(request["value"]), request["lease"])
        return {}

    def _do_range(self, request: dict[str, Any]) -> dict[str, Any]:
        first = decoded(request["key"])
        end = decoded(request["range_end"]) if "range_end" in request else first + "\0"
        keys = [key for key in self._keys if first <= key < end]
        found = [{"key": encoded(key), "value": encoded(self._keys[key][0])} for key in keys]
        count = {"count": str(len(found))} if found else {}
        return count if "count_only" in request else {"kvs": found, **count}

    def _do_deleterange(self, request: dict[str, Any]) -> dict[str, Any]:
        key = decoded(request["key"])
        if key not in self._keys:
            return {}
        self._remove(key)
        return {"deleted": "1"}

    def _do_revoke(self, request: dict[str, Any]) -> dict[str, Any] | Reply:
        if request["ID"] not in self._leases:
            return failure(404, 5, "etcdserver: requested lease not found")
        self._leases.discard(request["ID"])
        for key in [key for key, (_, lease) in self._keys.items() if lease == request["ID"]]:
            self._remove(key)
        return {}

    def _put(self, key: str, value: str, lease: str) -> None:
        self._keys[key] = (value, lease)
        self.happened(key, {"kv": {"key": encoded(key)}})

    def _remove(self, key: str) -> None:
        del self._keys[key]
        self.happened(key, {"type": "DELETE", "kv": {"key": encoded(key)}})


def failure(status: int, code: int, text: str) -> Reply:
    return Reply(status, json.dumps({"error": text, "code": code, "message": text}).encode())


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def decoded(text: str) -> str:
    return b64decode(text).decode()
