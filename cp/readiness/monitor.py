"""Follows the runs of one job: whether its process has reported that it is ready, and whether it still reports."""

from __future__ import annotations

from cp.plan import NOTHING, RESTART

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from cp import plan
    from cp.engine.loop import Loop, Timer
    from cp.engine.ports import Fields, JobLog, MonitorListener
    from cp.readiness.log_text import LogText
    from cp.readiness.watchdog import Watchdog

    class Notify(Protocol):
        address: str

        def read_pending(self) -> None: ...
        def close(self) -> None: ...

    class Pipe(Protocol):
        @property
        def descriptors(self) -> tuple[tuple[int, int], ...]: ...
        def started(self) -> None: ...
        def close(self) -> None: ...

    class File(Protocol):
        error: str

        def start(self) -> None: ...
        def stop(self) -> None: ...

    class Sources(Protocol):
        """Makes what connects a monitor with the system. OSError if something cannot be opened."""

        def notify(
            self, on_assignment: Callable[[str, str], object], on_refused: Callable[[str], object]
        ) -> Notify: ...
        def pipe(self, number: int, on_newline: Callable[[], object], on_closed: Callable[[], object]) -> Pipe: ...
        def file(self, path: str, on_found: Callable[[], object]) -> File: ...
        def status(self, text: str) -> str:
            """A text of the process for people: without secrets, printable, and not too long."""


MOST_KINDS = 16  # of ignored messages that are logged, for a process that makes them up
SILENT = ("BARRIER", "MONOTONIC_USEC", "RELOADING")  # are part of the protocol, and mean nothing here


class Monitor:
    """A `RunMonitor`. The job has one socket for all its runs; a pipe and the search for a text belong to one run."""

    def __init__(self, loop: Loop, log: JobLog, job: plan.Job, listener: MonitorListener, sources: Sources) -> None:
        self.status = ""
        self._loop = loop
        self._log = log
        self._job = job
        self._listener = listener
        self._sources = sources
        self._kind = job.ready.kind if job.ready is not None else ""
        self._is_running = False
        self._is_ready = False  # or was, in this run
        self._is_over = False  # the process has announced its end, or the run has failed
        self._limit: Timer | None = None
        self._notify: Notify | None = None
        self._pipe: Pipe | None = None
        self._file: File | None = None
        self._text: LogText | None = None
        self._watchdog: Watchdog | None = None
        self._logged: set[str] = set()  # kinds of ignored messages

    # --- a run

    def prepare(self) -> tuple[Fields, tuple[tuple[int, int], ...]]:
        variables: list[tuple[str, str]] = []
        if self._kind == "notify" or self._job.watchdog is not None:
            variables.append(("NOTIFY_SOCKET", self._open_notify().address))
        if self._job.watchdog is not None:
            variables.append(("WATCHDOG_USEC", str(round(self._job.watchdog * 1e6))))
        self._is_running, self._is_ready, self._is_over = True, False, False
        ready = self._job.ready
        descriptors: tuple[tuple[int, int], ...] = ()
        if ready is not None:
            if ready.kind == "fd":
                self._pipe = self._sources.pipe(ready.fd, self._reached, self._is_closed)
                descriptors = self._pipe.descriptors
            elif ready.kind == "log":
                from cp.readiness.log_text import LogText

                self._text = LogText(ready.text, self._reached)
            elif ready.kind == "file":
                self._file = self._file or self._sources.file(ready.path, self._reached)
                self._file.start()
            if ready.timeout:
                self._limit = self._loop.call_later(ready.timeout, self._is_too_late, ready)
        return tuple(variables), descriptors

    def run_started(self) -> None:
        if self._pipe is not None:
            self._pipe.started()
        if self._kind != "notify":
            self._start_watchdog()

    @property
    def on_line(self) -> Callable[[str], object] | None:
        return None if self._text is None else self._text.read

    def was_healthy(self) -> None:
        if self._kind == "health":
            self._reached()

    def run_ended(self) -> None:
        if self._is_running:
            # It may have written before it exited, and nobody has read it yet.
            if self._notify is not None:
                self._notify.read_pending()
            if self._pipe is not None:
                self._pipe.close()
                self._pipe = None
        if self._text is not None:
            self._text.close()
            self._text = None
        if self._file is not None:
            self._file.stop()
        if self._watchdog is not None:
            self._watchdog.stop()
        self._cancel_limit()
        self._is_running = self._is_ready = False
        self.status = ""

    def close(self) -> None:
        self.run_ended()
        if self._notify is not None:
            self._notify.close()
            self._notify = None

    # --- readiness

    @property
    def waits_for(self) -> str:
        ready = self._job.ready
        if ready is None or self._is_ready:
            return ""
        if ready.kind == "notify":
            return "READY=1 on its notify socket"
        if ready.kind == "fd":
            return f"a newline on its descriptor {ready.fd}"
        if ready.kind == "file":
            error = self._file.error if self._file is not None else ""
            return f"the file {ready.path}, newer than its start{f' ({error})' if error else ''}"
        return "a check that passes" if ready.kind == "health" else f"a line of its output with {ready.text!r}"

    def _reached(self) -> None:
        if self._is_running and not self._is_ready and not self._is_over:
            self._is_ready = True
            self._cancel_limit()
            if self._kind == "notify":
                self._start_watchdog()
            self._listener.became_ready()

    def _is_closed(self) -> None:
        ready = self._job.ready
        if ready is not None and self._is_running:
            self._debug(f"has closed descriptor {ready.fd} without a newline: it does not become ready")

    def _is_too_late(self, ready: plan.Ready) -> None:
        self._limit = None
        job = self._job
        self._log.warning(
            f"{job.label} is not ready after {ready.timeout_text}: it waits for {self.waits_for}", job.log_fields
        )
        if ready.on_timeout != NOTHING:
            self._fail("ready.timeout", ready.on_timeout, abort=False)

    def _cancel_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _fail(self, why: str, then: plan.OnFailure, *, abort: bool) -> bool:
        self._is_over = self._listener.has_failed(why, then, abort) or self._is_over
        return self._is_over

    # --- the watchdog

    def _start_watchdog(self) -> None:
        if self._job.watchdog is None or self._notify is None:
            return
        if self._watchdog is None:
            from cp.readiness.watchdog import Watchdog

            self._watchdog = Watchdog(self._loop, self._job.watchdog, self._notify.read_pending, self._is_silent)
        self._watchdog.start()

    def _is_silent(self) -> None:
        self._bite(f"has sent no WATCHDOG=1 for {self._job.watchdog_text}")

    def _bite(self, why: str) -> None:
        if not self._is_over and self._fail("watchdog", RESTART, abort=True):
            self._log.warning(f"{self._job.label} {why}: it gets SIGABRT", self._job.log_fields)

    # --- messages

    def _open_notify(self) -> Notify:
        if self._notify is None:
            self._notify = self._sources.notify(self._assigned, self._refused)
        else:
            self._notify.read_pending()  # what a process of an earlier run has sent does not count for this one
        return self._notify

    def _assigned(self, name: str, value: str) -> None:
        """A process of the job has sent this."""
        if not self._is_running:
            return
        if name == "READY":
            if value == "1" and self._kind == "notify":
                self._reached()
        elif name == "STATUS":
            self.status = self._sources.status(value)
        elif name == "WATCHDOG":
            self._watchdog_said(value)
        elif name == "STOPPING":
            if value == "1":
                self._is_stopping()
        elif name not in SILENT:
            self._log_once(f"{name}=", f"{self._sources.status(name)} on its notify socket has no effect")

    def _watchdog_said(self, value: str) -> None:
        if self._watchdog is not None and value == "1":
            self._watchdog.reported()
        elif self._job.watchdog is not None and value == "trigger":
            self._bite("has sent WATCHDOG=trigger")

    def _is_stopping(self) -> None:
        """What ends does not report any more, and may take its time."""
        if not self._is_over:
            self._is_over = True
            if self._watchdog is not None:
                self._watchdog.stop()
            self._listener.is_stopping()

    def _refused(self, why: str) -> None:
        self._log_once(why, f"a message on its notify socket is ignored: it is {why}")

    def _log_once(self, kind: str, text: str) -> None:
        if kind not in self._logged and len(self._logged) < MOST_KINDS:
            self._logged.add(kind)
            self._debug(text)

    def _debug(self, text: str) -> None:
        self._log.debug(f"{self._job.label}: {text}", self._job.log_fields)
