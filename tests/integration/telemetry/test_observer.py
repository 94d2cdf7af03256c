"""A port for telemetry that cannot be served."""

from __future__ import annotations

import socket
from typing import Any, cast

import pytest

from cp.engine.context import Context, Environment
from cp.engine.events import Bus
from cp.engine.loop import Loop
from cp.telemetry.endpoint import TelemetryEndpoint, TelemetryError
from tests.integration.control.serving import FakeLog
from tests.integration.full_epoll import WHY, descriptors, fill
from tests.unit.telemetry.test_observer import SERVED
from tests.unused_parts import UNUSED


def test_a_port_that_cannot_be_watched_is_refused_and_leaves_nothing_behind() -> None:
    loop = Loop()
    nothing = cast("Any", None)
    host = Context(
        loop=loop,
        processes=nothing,
        outputs=nothing,
        environment=Environment({}),
        bus=Bus(loop.call_steps),
        log=nothing,
        random=nothing,
        **UNUSED,
    )
    telemetry = TelemetryEndpoint(host, nothing, cast("Any", FakeLog()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = SERVED.replace(port=port)
    full = fill(loop, "_epoll")
    before = descriptors()
    for full.room in (0, 1):  # neither the clients' poller, nor the listener
        with pytest.raises(TelemetryError, match=f"Error serving telemetry on 127.0.0.1:{port}: {WHY}"):
            telemetry.use(settings)
        assert descriptors() <= before
    full.room = 2
    with pytest.raises(ZeroDivisionError):
        telemetry.use(settings, lambda: 1 // 0)
    assert descriptors() <= before
    full.room = 2
    telemetry.use(settings)
    with socket.create_connection(("127.0.0.1", port)):
        pass
    telemetry.close()
    assert descriptors() <= before
