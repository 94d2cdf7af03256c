"""Makes the checks of a plan that need no process."""

from __future__ import annotations

from cp import plan
from cp.probes.probe import place_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.engine.loop import Loop
    from cp.platform.resolver import Resolver
    from cp.probes.probe import OnEnd, Probe
    from cp.probes.tls import Contexts

LOCALHOST = "localhost"


class Probes:
    """`start` begins one check. Modules are imported with the first one of their kind."""

    __slots__ = ("_contexts", "_loop", "_resolver")

    def __init__(self, loop: Loop, resolver: Resolver) -> None:
        self._loop = loop
        self._resolver = resolver
        self._contexts: Contexts | None = None

    def start(
        self, probe: plan.HttpProbe | plan.SocketProbe, address: str, timeout: float | None, on_end: OnEnd
    ) -> Probe:
        """Begin a check; `address` is where the job is registered, or empty. `timeout` is in seconds."""
        host = probe.host or address or LOCALHOST
        started = self._http(probe, host, timeout, on_end) if isinstance(probe, plan.HttpProbe) else None
        if started is None:
            from cp.probes.socket import SocketProbe

            what = f"unix {probe.socket}" if probe.socket else f"tcp {place_text(host, probe.port)}"
            started = SocketProbe(self._loop, self._resolver, what, timeout, on_end)
        started.start(host, probe.port, probe.socket)
        return started

    def _http(self, request: plan.HttpProbe, host: str, timeout: float | None, on_end: OnEnd) -> Probe:
        from cp.probes.http import HttpProbe

        if request.https and self._contexts is None:
            from cp.probes.tls import Contexts

            self._contexts = Contexts(self._loop)
        scheme = "https" if request.https else "http"
        place = f"unix://{request.socket}:" if request.socket else f"{scheme}://{place_text(host, request.port)}"
        what = f"{request.method} {place}{request.target}"
        contexts = self._contexts if request.https else None
        return HttpProbe(self._loop, self._resolver, request, what, timeout, on_end, host, contexts)
