"""The readiness of a job: once in each run, its process can do its work."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.context import Context
    from cp.plan import OnFailure


class Readiness:
    """`since` is when the current run became ready, and None before that. `on_ready()` is called then.

    Without `ready` a run is ready when the job is healthy for the first time, or where nothing checks it, when it has
    started. `monitor` follows the process of a job that has `ready` or a watchdog; `on_failure` is for the monitor.
    """

    __slots__ = ("_context", "_on_ready", "_plan", "monitor", "since")

    def __init__(
        self,
        context: Context,
        job: plan.Job,
        on_ready: Callable[[], None],
        on_failure: Callable[[str, OnFailure, bool], None],
    ) -> None:
        self.since: float | None = None
        self._context = context
        self._plan = job
        self._on_ready = on_ready
        follows = job.ready is not None or job.watchdog is not None
        self.monitor = context.open_monitor(job, self._reached, on_failure) if follows else None

    @property
    def may_register(self) -> bool:
        """Whether the results of checks go to the catalogue. A service that is not ready has no entry, unless it is
        registered with an initial status."""
        service = self._plan.service
        return self._plan.ready is None or self.since is not None or bool(service and service.initial_status)

    def run_started(self, *, is_checked: bool) -> None:
        if self._plan.ready is None and not is_checked:
            self._reached()

    def was_healthy(self) -> None:
        """All checks pass."""
        if self._plan.ready is None:
            self._reached()
        elif self.monitor is not None:
            self.monitor.was_healthy()

    def run_ended(self) -> None:
        if self.monitor is not None:
            self.monitor.run_ended()
        if self.since is not None:
            self.since = None
            self._context.readiness_changed(self._plan.name)

    def close(self) -> None:
        """No run follows."""
        self.run_ended()
        if self.monitor is not None:
            self.monitor.close()

    def _reached(self) -> None:
        if self.since is None:
            self.since = self._context.loop.now()
            self._on_ready()
            self._context.readiness_changed(self._plan.name)
