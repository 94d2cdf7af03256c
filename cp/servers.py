"""The servers of the current plan: the control socket and the telemetry port.

Imported after the application's start, unless the plan names a socket or a port: then the start fails if these are not
available.
"""

from __future__ import annotations

from cp.control.plane import ControlPlane
from cp.engine.admin import Admin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cp.engine.context import Context
    from cp.engine.engine import Engine
    from cp.engine.history import History
    from cp.log.log import Log
    from cp.plan import Plan
    from cp.telemetry.endpoint import TelemetryEndpoint


class Servers:
    """Follows the plans, from the first through all reloads."""

    def __init__(
        self, context: Context, engine: Engine, history: History, log: Log, environ: Mapping[str, str]
    ) -> None:
        self._context = context
        self._engine = engine
        self._log = log
        admin = Admin(context, engine, history, hint_at_name)
        self._control = ControlPlane(context.loop, log, admin, environ, on_answer=context.control_answered)
        self._telemetry: TelemetryEndpoint | None = None

    def use(self, loaded: Plan, accept: Callable[[], object] = lambda: None) -> None:
        """From now on serve what the plan says, which `accept` may still refuse by raising.

        Raises ServeError if a place that the plan names is not available, or what `accept` raises. Then nothing has
        changed.
        """
        self._control.use(loaded.control, lambda: self._use_telemetry(loaded, accept))

    def _use_telemetry(self, loaded: Plan, accept: Callable[[], object]) -> None:
        if self._telemetry is None:
            if loaded.telemetry is None:
                accept()
                return
            from cp.telemetry.endpoint import TelemetryEndpoint

            self._telemetry = TelemetryEndpoint(self._context, self._engine, self._log)
        self._telemetry.use(loaded.telemetry, accept)

    def close(self) -> None:
        """The last act: socket file and port are free when this returns."""
        self._control.close()
        if self._telemetry is not None:
            self._telemetry.close()


def hint_at_name(name: str, names: Iterable[str]) -> str:
    """A hint at the job that the user probably meant by an unknown name."""
    from cp.config.nearest import did_you_mean

    # Users may know only a part of the name: coprocess[agent], cpu.sensor.
    known = list(names)
    whole = next((each for each in known if each.endswith(f"[{name}]") or each.startswith(f"{name}.")), "")
    return f" (did you mean '{whole}'?)" if whole and name else did_you_mean(name, known)
