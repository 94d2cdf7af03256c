"""A client of the telemetry port."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.limits import DEADLINE
from tests.system.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.system.pilot import Pilot

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class HttpAnswer(NamedTuple):
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Port:
    """A free port of the loopback, and the telemetry that is served there."""

    def __init__(self) -> None:
        self.number = free_port()

    def config(self, **more: Any) -> dict[str, Any]:
        return {"port": self.number, "interfaces": ["lo"], **more}

    def ask(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """One request and its answer; OSError if there is nobody."""
        connection = HTTPConnection("127.0.0.1", self.number, timeout=DEADLINE)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return HttpAnswer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def is_served(self) -> bool:
        try:
            return self.ask("/healthz").status == 200
        except OSError:
            return False

    def value(self, sample: str) -> str:
        """The value of one sample, with its labels, as in the text; empty if it is not there."""
        for line in self.ask("/metrics").text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return value
        return ""

    def wait_for_value(self, pilot: Pilot, sample: str, *values: str) -> str:
        """Waits until the sample has one of these values, or any if there are none. Returns the value."""
        self.wait_until_served(pilot)

        def found() -> str:
            value = self.value(sample)
            return value if not values or value in values else ""

        return pilot.wait_for(found, what=f"{sample} {' or '.join(values)}")

    def wait_until_served(self, pilot: Pilot) -> None:
        pilot.wait_for(self.is_served, what=f"telemetry on port {self.number}")
