"""Begins the checks of a plan that need no process."""

from __future__ import annotations

from cp import plan
from cp.probes.contexts import Contexts
from cp.probes.http import HttpProbe
from cp.probes.modules import Modules, kinds
from cp.probes.socket import SocketProbe
from cp.probes.target import Target, host_of, place_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.engine.loop import Loop
    from cp.platform.resolver import Resolver
    from cp.probes.probe import OnEnd, Probe

MOST_TARGETS = 4096  # that are kept; a reload brings others


class Probes:
    """`start` begins one check. Nothing blocks, except the import for a reload."""

    __slots__ = ("_contexts", "_loop", "_modules", "_resolver", "_targets")

    def __init__(self, loop: Loop, resolver: Resolver) -> None:
        self._loop = loop
        self._resolver = resolver
        self._modules = Modules(loop)
        self._contexts = Contexts(loop)
        self._targets: dict[int, Target] = {}  # by the identity of their probe

    def prepare(self, wanted: plan.Plan, *, at_once: bool) -> None:
        """Import what the checks of a plan will need, on a thread; a check reports if that fails.

        `at_once`: a reload imports h11 here, and raises what its import raises: nothing has changed yet.
        """
        needed = kinds(wanted)
        if needed and at_once:
            self._modules.import_plain()
        for kind in needed:
            self._modules.get(kind, lambda why: None)

    def start(
        self, probe: plan.HttpProbe | plan.SocketProbe, address: str, timeout: float | None, on_end: OnEnd
    ) -> Probe:
        """Begin a check; `address` is where the job is registered, or empty. `timeout` is in seconds."""
        target = self._target(probe, address)
        started: Probe
        if isinstance(probe, plan.HttpProbe):
            started = HttpProbe(
                self._loop, self._resolver, target, timeout, on_end, probe, self._modules, self._contexts
            )
        else:
            started = SocketProbe(self._loop, self._resolver, target, timeout, on_end)
        started.start()
        return started

    def _target(self, probe: plan.HttpProbe | plan.SocketProbe, address: str) -> Target:
        target = self._targets.get(id(probe))
        if target is None or target.probe is not probe or target.address != address:
            if len(self._targets) >= MOST_TARGETS:
                self._targets.clear()
            target = self._targets[id(probe)] = Target(probe, address, name_of(probe, address))
        return target


def name_of(probe: plan.HttpProbe | plan.SocketProbe, address: str) -> str:
    """The check in messages: `GET http://localhost:8000/health`, `tcp localhost:5432`."""
    place = place_text(host_of(probe, address), probe.port)
    if isinstance(probe, plan.HttpProbe):
        scheme = "https" if probe.https else "http"
        place = f"unix://{probe.socket}:" if probe.socket else f"{scheme}://{place}"
        return f"{probe.method} {place}{probe.target}"
    return f"unix {probe.socket}" if probe.socket else f"tcp {place}"
