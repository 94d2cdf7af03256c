"""The real Consul client on the simulated Consul, called by code that waits for its answers.

That code runs on threads. Here there is one thread, so a call is made once to learn what it asks: it is left by an
exception that nobody catches (`Asked`), and made again when the answer is there. What comes before a request happens
twice; the code there changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.fleet.agent import Agent, Answer, Done, Question
from cp.catalog.consul.client import Consul
from cp.catalog.http.client import Response
from cp.catalog.protocol import CatalogEntry, CatalogError, CatalogUnreachable, Instance
from cp.plan import ConsulSettings, Service, Watch


class Asked(BaseException):
    """A call has come to a request whose answer is not there yet."""


class Client(Consul):
    """One for the whole fleet: between two calls it remembers nothing.

    Requests are taken before they are put into URLs and JSON, and answers given as they would be read from there: the
    one part of the client that is not run, because it would take most of the time.
    """

    def __init__(self, agent: Agent) -> None:
        super().__init__(ConsulSettings(address="consul:8500"), {})
        self._agent = agent
        self._answers: list[Answer | None] = []
        self._next = 0
        self._asked: tuple[str, dict[str, str], dict[str, Any]] = ("", {}, {})
        self._latest: Answer | None = None

    def run(self, call: Callable[[], Any], answers: list[Answer | None]) -> Any:
        """The result of a call that has had these answers."""
        self._answers, self._next = answers, 0
        return call()

    def send(self, done: Done) -> Question | None:
        """Makes the request that the latest `run` stopped at; the open question, if it may stay open."""
        path, query, body = self._asked
        _, _, kind, verb, *names = path.split("/")
        if kind == "health":
            if "index" in query:
                wait = float(query["wait"].removesuffix("s"))
                return self._agent.wait_for_change(names[0], int(query["index"]), wait, done)
            self._agent.healthy_instances(names[0], done)
        elif verb == "check":
            self._agent.heartbeat(names[1].removeprefix("service:"), done)
        elif verb == "health":
            self._agent.look(names[2], done)
        elif names[0] == "deregister":
            self._agent.deregister(names[1], done)
        else:
            check = body["Check"]
            instance = Instance(body["ID"], body["Address"], body["Port"])
            self._agent.register(body["Name"], instance, float(check["TTL"].removesuffix("s")), check["Status"], done)
        return None

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        limit: float | None = None,
    ) -> Response:
        if self._next == len(self._answers):
            self._asked = (path, query or {}, body or {})
            raise Asked
        self._latest = answer = self._answers[self._next]
        self._next += 1
        if answer is None:
            raise CatalogUnreachable("cannot reach Consul: connection refused")
        return Response(answer.status, {"x-consul-index": str(answer.index)}, b"")

    def entry(self, service: Service) -> CatalogEntry | None:
        """Ids are unique in a fleet: nobody else is there."""
        self._call("GET", f"/v1/agent/health/service/id/{service.id}")
        return None

    def _healthy(self, watch: Watch, answer: Response) -> tuple[list[Instance], object]:
        assert self._latest is not None
        return list(self._latest.instances), self._latest.index


class Call:
    """One call to the catalogue under way; `ended` gets its result, or its CatalogError, when that is there."""

    __slots__ = ("_answers", "_call", "_client", "_ended", "_question")

    def __init__(self, client: Client, call: Callable[[], object], ended: Callable[[object], object]) -> None:
        self._client = client
        self._call = call
        self._ended: Callable[[object], object] | None = ended
        self._answers: list[Answer | None] = []
        self._question: Question | None = None
        self._attempt()

    def break_off(self) -> None:
        """The connection is closed; nobody gets an answer any more."""
        self._ended = None
        if self._question is not None:
            self._question.open = False

    def _attempt(self) -> None:
        ended = self._ended
        if ended is None:
            return
        try:
            result = self._client.run(self._call, self._answers)
        except Asked:
            self._question = self._client.send(self._answered)
            return
        except CatalogError as error:
            result = error
        ended(result)

    def _answered(self, answer: Answer | None) -> None:
        self._question = None
        self._answers.append(answer)
        self._attempt()
