"""The command of a job: how a run of it begins, and what its start and its end mean to others."""

from __future__ import annotations

from cp.engine.exit_status import NOT_ENDED, Exit, report_exit
from cp.engine.run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.context import Context


LONGEST_VALUE = 1000  # characters of what is printed as a metric's value; whatever is longer is none


class CapturedOutput:
    """What a run prints on its standard output, bounded: the rest of a flood is read and forgotten."""

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


def new_run(context: Context, job: plan.Job, command: tuple[str, ...], on_end: Callable[[int | None], None]) -> Run:
    """A run of a job's command, not yet started."""
    began = context.loop.now()
    captured = CapturedOutput() if job.metric else None

    def ended(code: int | None) -> None:
        observer = context.observer
        if observer is not None and code is not None:
            observer.job_ended(job.name, code, context.loop.now() - began)
            if captured is not None and code == 0 and not run.interrupted:
                fault = observer.record([(job.metric, captured.text)])
                if fault:
                    context.log.error(f"{run.label}: {fault}", run.log_fields)
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
    return run


def note_start(context: Context, job: plan.Job, run: Run) -> None:
    """A run has begun: others may want its process."""
    for name in job.pid_variables:
        context.environment.set(name, str(run.pid))
    if context.observer is not None:
        context.observer.job_started(job.name)


def note_end(context: Context, job: plan.Job, run: Run, code: int | None, start_error: str) -> Exit:
    """A run has ended, or could not begin; or, with None as its code, its process lives and we go on without it."""
    if not job.keep_pid_variables:
        for name in job.pid_variables:
            context.environment.withdraw(name, str(run.pid))
    now = context.loop.now()
    if code is None:
        return Exit(job, NOT_ENDED, now, error="it did not end")
    end = Exit(job, code, now, error=start_error, timed_out=run.timed_out)
    report_exit(context.log, job, run, end)
    return end
