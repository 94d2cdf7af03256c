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
    started. `monitor` follows the process of a job that has `ready` or a watchdog, and this is its listener:
    `on_failure(why, then, abort)` is called when the monitor finds that the run has failed.
    """

    __slots__ = ("_context", "_is_over", "_on_ready", "_plan", "has_failed", "monitor", "since")

    def __init__(
        self,
        context: Context,
        job: plan.Job,
        on_ready: Callable[[], None],
        on_failure: Callable[[str, OnFailure, bool], bool],
    ) -> None:
        self.since: float | None = None
        self.has_failed = on_failure
        self._is_over = True  # no run can become ready: none lives, or its process is about to end
        self._context = context
        self._plan = job
        self._on_ready = on_ready
        follows = job.ready is not None or job.watchdog is not None
        self.monitor = context.open_monitor(job, self) if follows else None

    @property
    def may_register(self) -> bool:
        """Whether the results of checks go to the catalogue. A service that is not ready has no entry, unless it is
        registered with an initial status."""
        service = self._plan.service
        return self._plan.ready is None or self.since is not None or bool(service and service.initial_status)

    def run_started(self, *, is_checked: bool) -> None:
        self._is_over = False
        if self._plan.ready is None and not is_checked:
            self.became_ready()

    def was_healthy(self) -> None:
        """All checks pass."""
        if self._plan.ready is None:
            self.became_ready()
        elif self.monitor is not None:
            self.monitor.was_healthy()

    def run_ended(self) -> None:
        if self.monitor is not None:
            self.monitor.run_ended()
        self.is_stopping()

    def close(self) -> None:
        """No run follows."""
        self.run_ended()
        if self.monitor is not None:
            self.monitor.close()

    def is_stopping(self) -> None:
        """The process is about to end, or has ended: the run does not become ready again."""
        self._is_over = True
        if self.since is not None:
            self.since = None
            self._context.readiness_changed(self._plan.name)

    def became_ready(self) -> None:
        """The run is ready."""
        if self.since is None and not self._is_over:
            self.since = self._context.loop.now()
            self._on_ready()
            self._context.readiness_changed(self._plan.name)
