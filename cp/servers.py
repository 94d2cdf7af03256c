"""What others reach from outside, put together: the control socket and the telemetry port of the plan that runs.

Imported once the application runs, unless the plan names a socket or a port: then it is refused if they cannot be had.
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
    from cp.telemetry.port import TelemetryPort


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
        self._telemetry: TelemetryPort | None = None

    def use(self, loaded: Plan, accept: Callable[[], object] = lambda: None) -> None:
        """From now on serve what the plan says, which `accept` may still refuse by raising.

        control.ServeError if a place that the plan names cannot be had. Then, and if `accept` raises, nothing has
        changed.
        """
        self._control.use(loaded.control, lambda: self._tell(loaded, accept))

    def _tell(self, loaded: Plan, accept: Callable[[], object]) -> None:
        if self._telemetry is None:
            if loaded.telemetry is None:
                accept()
                return
            from cp.telemetry.port import TelemetryPort

            self._telemetry = TelemetryPort(self._context, self._engine, self._log)
        self._telemetry.use(loaded.telemetry, accept)

    def close(self) -> None:
        """The last act: socket file and port are free when this returns."""
        self._control.close()
        if self._telemetry is not None:
            self._telemetry.close()


def hint_at_name(name: str, names: Iterable[str]) -> str:
    """The job that was probably meant by a name that none has."""
    from cp.config.nearest import did_you_mean

    # A part of the name is how people know it: coprocess[agent], cpu.sensor.
    known = list(names)
    whole = next((each for each in known if each.endswith(f"[{name}]") or each.startswith(f"{name}.")), "")
    return f" (did you mean '{whole}'?)" if whole and name else did_you_mean(name, known)
