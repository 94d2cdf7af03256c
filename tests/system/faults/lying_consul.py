"""A Consul agent that gives true answers until a test sets a lie.

It speaks the calls of a 2.x ContainerPilot (register a service, register and pass its check, deregister, healthy
instances with blocking queries). TTLs do not run out here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.system.faults.lying import DEREGISTER, HEARTBEAT, LOOK, READ, REGISTER, WATCH, LyingServer, Reply

if TYPE_CHECKING:
    from tests.system.faults.lying import Call, Exchange

LOOKS = "/v1/agent/health/service/id/"
VERBS = {"register": REGISTER, "check": REGISTER, "pass": HEARTBEAT, "deregister": DEREGISTER}


def name_of(call: Call) -> str:
    """Its action and its object: "pass app-box"."""
    if call.path == "/v1/agent/service/register":
        return f"register {call.json()['ID']}"
    if call.path == "/v1/agent/check/register":
        return f"check {call.json()['ID']}"
    verb, _, id = call.path.removeprefix("/v1/agent/").partition("/")[2].partition("/")
    return f"{verb} {unquote(id)}"


class LyingAgent(LyingServer):
    def __init__(self) -> None:
        self._services: dict[str, dict[str, Any]] = {}
        self._checks: dict[str, dict[str, Any]] = {}
        self._index = 1
        self._indexes: dict[str, int] = {}  # of each service name, as a Consul since 1.0 has them
        super().__init__()

    def verb(self, call: Call) -> str:
        if call.method == "GET":
            return LOOK if call.path.startswith(LOOKS) else WATCH if "index" in call.query else READ
        return VERBS[name_of(call).partition(" ")[0]]

    def forget(self) -> None:
        with self.changed:
            for service in (*self._services.values(),):
                self._touch(service["Name"])
            self._services.clear()
            self._checks.clear()

    def enter(self, name: str, port: Any, **more: Any) -> None:
        with self.changed:
            id = more.get("ID", f"{name}-other")
            self._services[id] = {"ID": id, "Name": name, "Address": "10.0.0.9", "Port": port, **more}
            self._touch(name)

    # --- what it knows

    def registrations(self, id: str = "") -> list[Call]:
        """The calls other than queries; those of one service if there is an id."""
        return [call for call in self.calls if call.method == "PUT" and (not id or name_of(call).endswith(f" {id}"))]

    def queries(self) -> list[Call]:
        """Of watches."""
        return [call for call in self.calls if self.verb(call) in (READ, WATCH)]

    def waiting(self) -> bool:
        """Is the last query one that waits for a change?"""
        queries = self.queries()
        return bool(queries) and "index" in queries[-1].query

    def passing(self, id: str) -> bool:
        with self.changed:
            return id in self._services and self._checks.get(id, {}).get("Status") == "passing"

    def knows(self, id: str) -> bool:
        with self.changed:
            return id in self._services

    # --- for exchanges

    def truth(self, exchange: Exchange) -> Reply:
        call = exchange.read()
        if self.verb(call) == LOOK:
            return self._entry(unquote(call.path.removeprefix(LOOKS)))
        if call.method == "GET":
            return self._health(exchange, call)
        with self.changed:
            verb, _, id = name_of(call).partition(" ")
            return getattr(self, f"_do_{verb}")(id, call)  # type: ignore[no-any-return]

    def _do_register(self, id: str, call: Call) -> Reply:
        self._services[id] = call.json()
        self._touch(self._services[id]["Name"])
        return Reply(200)

    def _do_check(self, id: str, call: Call) -> Reply:
        body = call.json()
        if body["ServiceID"] not in self._services:
            return Reply(500, f'ServiceID "{body["ServiceID"]}" does not exist'.encode())
        self._checks[id] = {**body, "Status": "critical"}
        self._touch(self._services[body["ServiceID"]]["Name"])
        return Reply(200)

    def _do_pass(self, id: str, call: Call) -> Reply:
        if id not in self._checks:
            return Reply(500, f'CheckID "{id}" does not have associated TTL'.encode())
        if self._checks[id]["Status"] != "passing":
            self._checks[id]["Status"] = "passing"
            self._touch(self._services[id]["Name"])
        return Reply(200)

    def _do_deregister(self, id: str, call: Call) -> Reply:
        service = self._services.pop(id, None)
        self._checks.pop(id, None)
        if service is None:
            return Reply(404, f'Unknown service "{id}"'.encode())
        self._touch(service["Name"])
        return Reply(200)

    def _entry(self, id: str) -> Reply:
        with self.changed:
            service = self._services.get(id)
            status = str(self._checks.get(id, {}).get("Status", "passing" if service else "critical"))
        code = 404 if service is None else {"passing": 200, "warning": 429}.get(status, 503)
        return Reply(code, json.dumps({"AggregatedStatus": status, "Service": service}).encode())

    def _health(self, exchange: Exchange, call: Call) -> Reply:
        name = unquote(call.path.removeprefix("/v1/health/service/"))
        index = int(call.query.get("index", 0))
        if index:
            wait = float(call.query["wait"].removesuffix("s"))
            self.hold(exchange, wait, lambda: self._indexes.get(name, 1) > index)
        with self.changed:
            healthy = [
                {"Node": {"Address": "10.0.0.8"}, "Service": service}
                for id, service in self._services.items()
                if service["Name"] == name and self._checks.get(id, {}).get("Status", "passing") == "passing"
            ]
            current = 1 if exchange.is_old else self._indexes.get(name, 1)
        return Reply(200, json.dumps(healthy).encode(), (("X-Consul-Index", str(current)),))

    def _touch(self, name: str) -> None:
        self._index += 1
        self._indexes[name] = self._index
        self.changed.notify_all()
