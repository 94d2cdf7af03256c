"""Follows the runs of one job: how its process reports that it is ready, and the limit for that."""

from __future__ import annotations

from cp.plan import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.ports import Fields, JobLog, Loop, Timer
    from cp.plan import OnFailure


class Monitor:
    """`on_ready()` is called once in each run that becomes ready, and `on_failure(why, then, abort)` when a run fails
    although its process lives."""

    def __init__(
        self,
        loop: Loop,
        log: JobLog,
        job: plan.Job,
        on_ready: Callable[[], None],
        on_failure: Callable[[str, OnFailure, bool], None],
    ) -> None:
        self._loop = loop
        self._log = log
        self._job = job
        self._on_ready = on_ready
        self._on_failure = on_failure
        self._is_running = False
        self._is_ready = False
        self._limit: Timer | None = None

    def prepare(self) -> tuple[Fields, tuple[tuple[int, int], ...]]:
        self._is_running, self._is_ready = True, False
        ready = self._job.ready
        if ready is not None and ready.timeout:
            self._limit = self._loop.call_later(ready.timeout, self._is_too_late, ready)
        return (), ()

    def run_started(self) -> None:
        pass

    @property
    def on_line(self) -> Callable[[str], object] | None:
        return self._read_line if self._job.ready is not None and self._job.ready.kind == "log" else None

    def was_healthy(self) -> None:
        if self._job.ready is not None and self._job.ready.kind == "health":
            self._reached()

    def run_ended(self) -> None:
        self._is_running = self._is_ready = False
        self._cancel_limit()

    def close(self) -> None:
        self.run_ended()

    @property
    def status(self) -> str:
        return ""

    @property
    def waits_for(self) -> str:
        ready = self._job.ready
        if ready is None or self._is_ready:
            return ""
        return "a check that passes" if ready.kind == "health" else f"a line of its output with {ready.text!r}"

    def _read_line(self, line: str) -> None:
        ready = self._job.ready
        if ready is not None and ready.text in line:
            self._reached()

    def _reached(self) -> None:
        if self._is_running and not self._is_ready:
            self._is_ready = True
            self._cancel_limit()
            self._on_ready()

    def _is_too_late(self, ready: plan.Ready) -> None:
        self._limit = None
        job = self._job
        self._log.warning(
            f"{job.label} is not ready after {ready.timeout_text}: it waits for {self.waits_for}", job.log_fields
        )
        if ready.on_timeout != NOTHING:
            self._on_failure("ready.timeout", ready.on_timeout, False)

    def _cancel_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
