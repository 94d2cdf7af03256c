"""The runs of a job's command: the current one, the last exit, and what a start and an end mean to others."""

from __future__ import annotations

from cp.engine.exit_status import NOT_ENDED, PASSED_ON, Exit
from cp.engine.process import NOT_EXECUTABLE, StartError
from cp.engine.run import Run
from cp.platform.text import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterable

    from cp import plan
    from cp.engine.context import Context
    from cp.engine.exit_status import Cause
    from cp.engine.ports import JobLog, RunMonitor
else:
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs


KEPT_LINES = 50  # of the output of the main job; the termination log takes as many as fit
LONGEST_VALUE = 1000  # characters of the output that is a metric's value; longer output is an error


class JobRuns:
    """Starts at most one run at a time. A job without a command only counts its starts.

    `current` is the run whose end has not come yet, `last_exit` the end of the one before it.
    """

    __slots__ = ("_context", "_hits", "count", "current", "last_exit", "last_lines", "started_at")

    def __init__(self, context: Context) -> None:
        self.current: Run | None = None
        self.last_exit: Exit | None = None
        self.last_lines: Iterable[str] = ()  # of the output of the run before
        self.count = 0
        self.started_at = 0.0  # the last one
        self._context = context
        self._hits: int | None = None  # how often the limit of processes was reached, at the start of the run

    def start(
        self,
        job: plan.Job,
        command: tuple[str, ...],
        environ: tuple[tuple[str, str], ...],
        on_end: Callable[[int | None, str], object],
        monitor: RunMonitor | None = None,
    ) -> bool:
        """Start a run. False if the command cannot be started.

        `on_end(code, start_error)` is called once in both cases, never from inside of this call. A code of None means
        that the process lives, and ContainerPilot goes on without it.
        """
        context = self._context
        run = self.current = _new_run(context, job, command, lambda code: on_end(code, ""))
        self.started_at = context.loop.now()
        self._hits = context.deaths.limit_hits() if context.deaths is not None else None
        try:
            if monitor is None:
                run.start(environ)
            else:
                _start_with(monitor, run, environ)
        except StartError as error:
            context.log.error(f"unable to start {run.label}: {error}", job.log_fields)
            context.loop.call_soon(on_end, error.code, str(error))
            return False
        for name in job.pid_variables:
            context.environment.set(name, str(run.pid))
        if context.observer is not None:
            context.observer.job_started(job.name)
        return True

    def end(self, job: plan.Job, run: Run, code: int | None, start_error: str) -> Exit:
        """The current run has ended, or could not start."""
        self.current = None
        self.last_lines = run.kept or ()
        if not job.keep_pid_variables:
            for name in job.pid_variables:
                self._context.environment.unset_unless_changed(name, str(run.pid))
        now = self._context.loop.now()
        if code is None:
            self.last_exit = Exit(job, NOT_ENDED, now, error="it did not end")
        else:
            # After a process that ended with 0, the time limit killed only what it had left in the background.
            failed = bool(run.failure) or (run.timed_out and code != 0)
            self.last_exit = Exit(job, code, now, error=start_error, is_failure=failed)
            self.last_exit.cause = cause = self._cause(job, run, self.last_exit)
            if cause is not None and self._context.observer is not None:
                self._context.observer.job_died(job.name, cause.code)
            report_exit(self._context.log, job, run, self.last_exit)
        return self.last_exit

    def _cause(self, job: plan.Job, run: Run, end: Exit) -> Cause | None:
        # An application that succeeds at once does not wait for an import.
        deaths = self._context.deaths if end.succeeded else self._context.watch_deaths(is_late=True)
        if deaths is None:
            return None
        return deaths.cause(job, run, end, deaths.first_hits if self._hits is None else self._hits)

    @property
    def pid(self) -> int:
        """The process id; 0 if there is no process, or it has exited and only its output is waited for."""
        return self.current.pid if self.current is not None and not self.current.exited else 0

    @property
    def is_failing(self) -> bool:
        """Whether the run counts as failed, and its process is about to be ended for that."""
        return self.current is not None and bool(self.current.failure)

    @property
    def has_succeeded(self) -> bool:
        """Whether the last run succeeded."""
        return self.last_exit is not None and self.last_exit.succeeded

    @property
    def start_error(self) -> str:
        """Why the last run could not start; empty if it could."""
        return "" if self.last_exit is None else self.last_exit.error

    @property
    def obstacle(self) -> str:
        """Why the run has not ended after a signal to end; empty if no reason is known."""
        return "" if self.current is None else self.current.obstacle()

    @property
    def refusal(self) -> str:
        """Why the process does not receive signals; empty if it does, or if there is no process."""
        return "" if self.current is None else self.current.refusal()

    def signal(self, number: int, *, group: bool) -> bool:
        """Send a signal to the process, or to its group; False if nobody received it."""
        run = self.current
        if run is None or not run.signal(number, group=group):
            return False
        if not run.exited:
            run.sent[number] = PASSED_ON
        return True


class CapturedOutput:
    """The standard output of a run, up to LONGEST_VALUE; the rest is read and dropped."""

    __slots__ = ("_text",)

    def __init__(self) -> None:
        self._text = ""

    def line(self, line: str) -> None:
        if len(self._text) <= LONGEST_VALUE:
            self._text = f"{self._text}\n{line[: LONGEST_VALUE + 1]}" if self._text else line[: LONGEST_VALUE + 1]

    @property
    def text(self) -> str:
        text = self._text.strip()
        return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _start_with(monitor: RunMonitor, run: Run, environ: tuple[tuple[str, str], ...]) -> None:
    """Start a run that a monitor follows. Raises StartError."""
    try:
        run.variables, run.descriptors = monitor.prepare()
    except (OSError, ImportError, MemoryError) as error:  # no descriptor is left
        raise StartError(f"cannot prepare `ready`: {reason_of(error)}", NOT_EXECUTABLE) from None
    run.on_line = monitor.on_line
    run.start(environ)
    monitor.run_started()


def _new_run(context: Context, job: plan.Job, command: tuple[str, ...], on_end: Callable[[int | None], object]) -> Run:
    began = context.loop.now()
    captured = CapturedOutput() if job.metric else None

    def ended(code: int | None) -> None:
        observer = context.observer
        if observer is not None and code is not None:
            observer.job_ended(job.name, code, context.loop.now() - began)
            if captured is not None and code == 0 and not run.interrupted:
                try:
                    observer.record([(job.metric, captured.text)])
                except ValueError as error:
                    context.log.error(f"{run.label}: {error}", run.log_fields)
        on_end(code)

    run = Run(
        context,
        command,
        job.label or job.name,
        ended,
        output=job.output,
        log_fields=job.log_fields,
        timeout=job.timeout,
        timeout_text=job.timeout_text,
        wait_for_output=job.wait_for_output,
        stdin=job.stdin,
        sweep=job.sweeps_group,
        log_pid=job.log_pid,
        on_printed=captured.line if captured is not None else None,
    )
    if job.keeps_notify_socket:
        run.passed_on = "NOTIFY_SOCKET"
    if job.main:
        run.kept = deque(maxlen=KEPT_LINES)
    run.kept_for = job.name
    return run


def failure_message(job: plan.Job, end: Exit) -> str:
    """The message about a failed run."""
    message = f"{job.label or job.name} {job.failure_text.format(code=max(end.code, -1), reason=end.text)}"
    if end.cause is not None and (job.names_causes or end.cause.is_limit):
        message += f" ({end.cause.text})"
    return message


def report_exit(log: JobLog, job: plan.Job, run: Run, end: Exit) -> None:
    """Log the end of a run; a failure or a failed start at the level that the plan names."""
    if end.succeeded:
        how = "without error" if end.code == 0 else f"with {end.text}, which counts as a success"
        log.debug(f"{run.label} exited {how}", run.log_fields)
        return
    message = failure_message(job, end)
    is_ours = run.interrupted and not (run.timed_out or run.failure or job.main)
    is_logged = end.error and job.failure_level == "error"  # as a start that failed
    level = "debug" if is_ours or is_logged else job.failure_level
    getattr(log, level)(message, run.log_fields)
