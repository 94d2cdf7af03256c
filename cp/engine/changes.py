"""Changes of a running engine: reloads, and the starts and stops that an operator requests.

Most engines never change. So `reload.py`, which makes the changes, is imported at the first request.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.context import Context
    from cp.engine.job import Job
    from cp.engine.ports import Done, Terminable
    from cp.engine.registrations import Registrations
    from cp.engine.registry import JobRegistry
    from cp.engine.reload import Change, ChangeQueue, Changing
    from cp.engine.termination import Termination
    from cp.plan import Plan


class Changes:
    """The front of `reload.ChangeQueue`, which describes the requests: most programs never change, so the queue is made
    and imported for the first request."""

    __slots__ = ("_context", "_engine", "_load", "_queue", "_registrations", "_registry", "_termination")

    def __init__(
        self,
        engine: Changing,
        registry: JobRegistry,
        registrations: Registrations,
        termination: Termination,
        load: Callable[[], Plan],
        context: Context,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._registrations = registrations
        self._termination = termination
        self._load = load
        self._context = context
        self._queue: ChangeQueue | None = None

    @property
    def current(self) -> Change | None:
        """The change that is being made."""
        return None if self._queue is None else self._queue.current

    # --- requests

    def reload(self, done: Done) -> None:
        """Load the configuration again and act on the difference; one that does not load changes nothing."""
        if (queue := self._queue_for(done)) is not None:
            queue.reload(done)

    def start(self, name: str, done: Done) -> None:
        """Start a job now, whatever it waits for; one that runs goes on."""
        if (queue := self._queue_for(done)) is not None:
            queue.start(name, done)

    def stop(self, name: str, done: Done) -> None:
        """End a job with its hooks. Only a request starts it again."""
        if (queue := self._queue_for(done)) is not None:
            queue.stop(name, done)

    def restart(self, name: str, done: Done) -> None:
        """End a job with its hooks, if it runs, and start it again."""
        if (queue := self._queue_for(done)) is not None:
            queue.restart(name, done)

    # --- what happens to the jobs meanwhile

    def abandon(self) -> None:
        """A stop wins over every change."""
        if self._queue is not None:
            self._queue.abandon()

    def retired(self, job: Job) -> None:
        """A job has ended, and its events are delivered."""
        if self._queue is not None:
            self._queue.retired(job)

    def stuck(self, run: Terminable) -> None:
        """A run does not end. A change goes on without its job, and is refused as far as that is concerned."""
        for job in self._registry.jobs.values():
            if job.runs.current is run:
                if self._queue is not None:
                    self._queue.leave_out(job)
                for source in self._registry.with_source(job.plan.when.source):
                    source.dependent_done(job)  # a hook has used up its time
                return

    def replaces(self, job: Job) -> bool:
        """Whether a job ends because of a change, which may have been completed without it."""
        return self._queue is not None and self._queue.replaces(job)

    def advance(self) -> None:
        """Finish the change if all that it replaces is gone."""
        if self._queue is not None:
            self._queue.advance()

    def _queue_for(self, done: Done) -> ChangeQueue | None:
        """The queue for a request. None if it cannot be imported; the request gets the reason."""
        if self._queue is None:
            try:
                from cp.engine.reload import ChangeQueue
            except (ImportError, OSError, MemoryError) as error:
                why = f"cannot change anything: {error or 'out of memory'}"
                self._context.log.error(why)
                done(why)
                return None
            self._queue = ChangeQueue(
                self._engine, self._registry, self._registrations, self._termination, self._load, self._context
            )
        return self._queue
