"""The engine: runs a plan, from its first event to the exit code."""

from __future__ import annotations

from cp.engine.events import GLOBAL, Code, Event
from cp.engine.exit_status import NOT_ENDED, Exit, failure_code
from cp.engine.job import Job
from cp.engine.registrations import Registrations
from cp.engine.registry import JobRegistry
from cp.engine.reload import ChangeQueue
from cp.engine.skipping import SkippedJobs
from cp.engine.states import STOPPING_STATES, State
from cp.engine.termination import KILL_LIMIT, Termination
from cp.engine.trigger import missed
from cp.engine.watches import Watches
from cp.plan import EVENT, MAINTENANCE, RELOAD, REOPEN_LOG, STOP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cp import plan
    from cp.engine.catalogue_status import CatalogueStatus, RegistrationStatus
    from cp.engine.context import Context, Ending, OpenDiscovery
    from cp.engine.reload import Change
    from cp.engine.trigger import Skip
    from cp.engine.watch_variables import Found

DEREGISTER_LIMIT = 1.0  # seconds that a stop waits for the catalogue, and no more than a quarter of its budget
# Seconds within which a second request is the first one, come twice: `timeout` signals us and then our group,
# and a Ctrl-C comes from the terminal and from a parent that passes it on.
SAME_REQUEST = 0.2
SIGKILL = 9


class Engine:
    """Owns the jobs of a plan and takes them through start, maintenance, changes and stop.

    `load()` gives the next plan for a reload; it raises changes.Refused after having logged why there is none.
    `open_discovery` makes the catalogue's side for a plan. The engine never blocks: `loop.run()` is over when
    `exit_code` is final.
    """

    def __init__(
        self,
        context: Context,
        first: plan.Plan,
        *,
        open_discovery: OpenDiscovery,
        load: Callable[[], plan.Plan],
        reopen_log: Callable[[], None],
        started: Callable[[], None],
    ) -> None:
        self.plan = first
        self.stopping = False
        self.stop_unasked = False  # the stop began because the main job, or all jobs, had ended
        self.maintenance = False
        self.exit_code = 0
        self._context = context
        self._reopen_log = reopen_log
        self._on_started = started
        self._registrations = Registrations(context, first, open_discovery, self._deregistered)
        self.watches = Watches(context, self._registrations)
        self._registry = JobRegistry(self.watches.seen)
        self._termination = Termination(context, first.stop_timeout, self.progress, self._stuck)
        self.changes = ChangeQueue(self, self._registry, self._registrations, self._termination, load, context)
        self._skipping = SkippedJobs(self._registry, context.log, self._main_was_skipped)
        self._stop_requests = 0
        self._stop_requested = 0.0  # when, the last time
        self._stop_began = 0.0
        self._stopping_jobs = False  # the services are gone, or have had their time
        self._leaving = False  # nothing is waited for any more
        context.terminate = self._termination.terminate
        context.kill = self._termination.kill
        context.run_ended = self._termination.ended
        context.run_stuck = self._termination.stuck
        context.run_overdue = self._overdue
        context.bus.subscribe(self._heard)

    @property
    def jobs(self) -> dict[str, Job]:
        return self._registry.jobs

    @property
    def masked(self) -> Callable[[str], str]:
        """Takes secrets out of texts that others get to see."""
        return self._context.masked

    @property
    def catalogue(self) -> CatalogueStatus:
        """The facts about the catalogue of the plan; all of its times are those of `loop.elapsed`."""
        return self._registrations.catalogue

    def standing(self, job: Job) -> RegistrationStatus | None:
        """What is true of a job's registration now; None if it has no service."""
        service = job.plan.service
        if service is None:
            return None
        # A skipped job may be in the catalogue with its `initial_status`; else nothing will ever register it.
        is_out = job.state in (State.HELD, *STOPPING_STATES) or (
            job.state == State.SKIPPED and not service.initial_status
        )
        return self.catalogue.standing(service, wanted=not (self.stopping or self.maintenance or is_out))

    # --- starting

    def start(self) -> None:
        self._install(self.plan.jobs, None)
        self._context.bus.publish(Event(Code.STARTUP, GLOBAL))
        self._context.loop.call_soon(self._after_start)

    def _after_start(self) -> None:
        """What can wait until the first process runs: the catalogue's thread, and what the caller has put off."""
        self._on_started()
        self._registrations.discovery.start()

    def _install(self, fresh: list[plan.Job] | tuple[plan.Job, ...], change: Change | None) -> None:
        for name, value in self.plan.environ:
            self._context.environment.set(name, value)
        jobs = [Job(self._context, self, job) for job in fresh]
        for job in jobs:
            self._registry.add(job)
            if change is not None and job.name in change.triggers:
                job.trigger.succeed(change.triggers[job.name])
        self.watches.apply(self.plan.watches)
        for job in jobs:
            if change is not None and job.name == change.held:
                job.hold()
            else:
                job.arm()
        if change is None:
            return
        for key in self._registry.happened():
            self.watches.happened(*key)
        for job in jobs:
            if job.name == change.started:
                job.start_now()
            elif job.name != change.held:
                self._registry.catch_up(job, change.missed_by(job))

    def adopt(self, loaded: plan.Plan, fresh: list[plan.Job], change: Change) -> None:
        """A change is made up to here: what it replaces is gone, and `fresh` takes its place."""
        old, self.plan = self.plan, loaded
        for name, value in old.environ:
            self._context.environment.withdraw(name, value)  # `_install` sets those that there still are
        if loaded.catalog != old.catalog:
            self.watches.stop()
            self._registrations.move(loaded)
            self._registrations.discovery.start()
        self._registrations.wait_no_longer()
        self._install(fresh, change)
        self.review_waiting()
        self._context.loop.call_soon(self.progress)

    # --- events and signals

    def _heard(self, event: Event) -> Iterator[None]:
        change = self.changes.current
        if event.code == Code.CHANGED and change is not None:
            change.miss(event)
        yield from self._registry.hear(event)
        if not self.stopping:
            self.watches.happened(event.code, event.source)

    def signalled(self, number: int, name: str) -> None:
        """A signal came to ContainerPilot; what means nothing to it is the application's."""
        action = dict(self.plan.signals).get(name)
        if action == STOP:
            self.request_stop(number)
        elif action == RELOAD:
            self.changes.reload(_nobody_waits)
        elif action == MAINTENANCE:
            self.set_maintenance(not self.maintenance)
        elif action == EVENT:
            self._context.bus.publish(Event(Code.SIGNAL, name))
        elif action == REOPEN_LOG:
            self._reopen_log()
        else:
            for job in self.jobs.values():
                if job.plan.main and not job.signal(number, group=job.plan.stop_group) and (why := job.refusal):
                    self._context.log.warning(f"cannot pass {name} on to {job.name}: {why}")

    # --- what jobs ask of their supervisor

    def register(self, service: plan.Service, status: str, output: str) -> None:
        if not (self.maintenance or self.stopping):
            self._registrations.want(service, status, output)

    def deregister(self, service: plan.Service) -> None:
        if not self._stopping_jobs:  # a stop deregisters all, first of all
            self._registrations.remove(service)

    def found(self, source: str) -> Found | None:
        return self.watches.found(source)

    def dependents(self, job: Job) -> list[Job]:
        return self._registry.dependents(job)

    def comes_too_late(self, job: Job) -> bool:
        if self._leaving or job.trigger.pending:
            return self._leaving
        return self._registry.comes_too_late(job) or (self.stopping and self._registry.waits_in_vain(job))

    def failed(self, job: Job, code: int) -> None:
        """A job on which everything depends has failed."""
        self.exit_code = failure_code(job, code, self.jobs.values())
        self.stop()

    def completed(self, job: Job) -> None:
        self._registry.unfinished.pop(job, None)
        if job.plan.main and not self.changes.replaces(job):
            self._take_code(job)
            self.stop()
        # The others hear of it after its `stopped` event, so that jobs which wait for that have started.
        self._context.loop.call_soon(self._after_completion, job)

    def waits_again(self, hook: Job) -> None:
        """A hook has run, and waits for the end of others of that name: those that end already need not wait for it."""
        if hook.state == State.WAITING:
            for source in self._registry.named(hook.plan.when.source):
                source.completed(hook)

    def review_waiting(self, ended: Job | None = None) -> None:
        """Whether what jobs wait for can still come, now that this one has ended, or now that jobs were replaced."""
        if not self.stopping and self.changes.current is None:
            self._skipping.review(ended)

    def _main_was_skipped(self, skip: Skip) -> None:
        self.exit_code = skip.exit_code
        self.stop()

    def _take_code(self, main: Job) -> None:
        if main.last_exit is not None:
            self.exit_code = main.last_exit.outside
        elif not (main.started or self.stopping):
            self.exit_code = 1
            self._context.log.error(f"{main.name} was never started: {missed(main.plan.when)}")

    def _stuck(self, run: Ending) -> None:
        """A run cannot be ended: a stop of everything goes on without it, and a change leaves its job as it is."""
        if self.stopping:
            run.give_up()
        else:
            self.changes.stuck(run)

    def _overdue(self) -> None:
        """A run has been killed by its own time limit."""
        change = self.changes.current
        for job in self.jobs.values():
            if self.stopping or (change is not None and job.name in change.retiring):
                job.end_overdue()

    def _after_completion(self, job: Job) -> None:
        if self.stopping and not self._leaving and job.runs and job.plan.when.code == Code.STOPPING:
            # What waited for the hook has its full time: others may have spent it meanwhile.
            self._termination.renew(self.plan.stop_timeout)
        # Only who has to do with it is told: thousands of jobs may end together.
        for source in self._registry.named(job.plan.when.source):
            source.completed(job)
        job.has_ended = True
        for hook in self._registry.waiting_hooks(job, stopping=self.stopping):
            hook.stop()  # what it waits for will not come any more
        self.review_waiting(job)
        self.changes.retired(job)
        self.progress()

    # --- maintenance

    def set_maintenance(self, maintenance: bool) -> bool:
        """Enter or leave it; was that a change?"""
        if maintenance == self.maintenance or self.stopping:
            return False
        self.maintenance = maintenance
        self.watches.pause(maintenance)
        if maintenance:
            for job in self.jobs.values():
                job.health.forget()
                if job.plan.service is not None:
                    self._context.log.info(f"Marking for maintenance: {job.plan.service.name}")
                    self._registrations.withdraw(job.plan.service)
        self._context.bus.publish(Event(Code.ENTER_MAINTENANCE if maintenance else Code.EXIT_MAINTENANCE, GLOBAL))
        if not maintenance:
            for job in self.jobs.values():
                self._context.loop.call_soon(job.resume)  # after the news of the watches
                job.announce()
        return True

    # --- stopping

    def request_stop(self, number: int) -> None:
        """A signal asks for a stop. A second one ends running hooks, a third one everything."""
        now = self._context.loop.now()
        if self._stop_requests and now - self._stop_requested < SAME_REQUEST:
            return
        self._stop_requested = now
        self._stop_requests += 1
        if self._stop_requests == 1:
            for job in self.jobs.values():
                if job.plan.main and job.plan.command is not None and not self.stopping:
                    if job.state == State.COMPLETE:
                        self._take_code(job)  # it was about to be replaced
                    elif job.runs == 0:
                        self.exit_code = Exit(job.plan, -number, now).outside
            self.stop()
        elif self._stop_requests == 2:
            for job in self.jobs.values():
                if job.is_hook:
                    job.interrupt()
        elif self._stop_requests == 3:
            self._leave("asked to stop for the third time")

    def stop(self) -> None:
        """Deregister, let hooks run, terminate what runs, and end the loop when the last process is gone."""
        if self.stopping:
            return
        self.stopping = True
        self.stop_unasked = self._stop_requests == 0
        self._stop_began = self._context.loop.now()
        self._context.log.debug("stopping")
        self._context.loop.hurry()
        self._context.outputs.hurry()
        self.changes.abandon()
        self._termination.renew(self.plan.stop_timeout)
        # Armed first: whatever goes wrong on the catalogue's side, the stop goes on.
        self._context.loop.call_later(self._deregister_limit(), self._stop_jobs)
        if self.plan.shutdown_timeout:
            self._context.loop.call_later(
                self.plan.shutdown_timeout, self._leave, "the stop took longer than shutdownTimeout"
            )
        self._context.bus.publish(Event(Code.SHUTDOWN, GLOBAL))
        self.watches.stop()
        self._registrations.wait_no_longer()
        for job in self.jobs.values():
            job.quiesce()
            job.end_overdue()
            # An application that ends before its first check need not wait for a catalogue that never heard of it.
            service = job.plan.service
            if service is not None and (self._stop_requests or self._registrations.is_wanted(service)):
                self.deregister(service)
        if not self._registrations.removing:
            self._stop_jobs()

    def _deregister_limit(self) -> float:
        return min(DEREGISTER_LIMIT, max(0.0, self.plan.stop_timeout) / 4)

    def _deregistered(self) -> None:
        if self.stopping:
            self._stop_jobs()

    def _stop_jobs(self) -> None:
        if self._stopping_jobs:
            return
        self._stopping_jobs = True
        self._registrations.wait_no_longer()
        # No more than the limit, even if we were suspended meanwhile.
        self._termination.charge(min(self._deregister_limit(), self._context.loop.now() - self._stop_began))
        # All are asked before any is stopped: hooks may wait for each other.
        for job in [job for job in self.jobs.values() if self._registry.ends_in_stop(job, self._stop_began)]:
            job.stop()
        self._termination.retry()
        self.progress()

    def progress(self) -> None:
        """Take the next step of a reload or a stop, if what it waits for is done."""
        self.changes.advance()
        unfinished = self._registry.unfinished
        if self.jobs and not unfinished and not self.stopping and self.changes.current is None:
            self.stop()
        if not self._stopping_jobs:
            return
        if unfinished and all(job.plan.stops_last for job in unfinished):
            for job in tuple(unfinished):
                job.stop()
        elif not unfinished and not self._context.runs and not self._termination.end_leftovers():
            self._context.loop.call_soon(self._finish)  # everybody hears of the last event before

    def _leave(self, why: str) -> None:
        """Kill everything, and end as soon as it is gone: nothing is waited for any more, hooks included."""
        self._context.log.warning(f"killing everything: {why}")
        self._leaving = True
        self._context.loop.call_later(KILL_LIMIT, self._finish)
        for job in tuple(self.jobs.values()):
            if job.is_hook and job.state in (State.WAITING, State.HELD):
                job.stop()
        self._termination.kill_everything()
        self._stop_jobs()

    def _finish(self) -> None:
        for job in self.jobs.values():
            if job.plan.main and job.run is not None and job.pid:
                # It has not even died of that yet; or it never got it.
                self.exit_code = NOT_ENDED if job.run.is_forbidden else 128 + SIGKILL
        self._registrations.discovery.stop()
        self._context.processes.kill_left_groups()
        self._context.loop.stop()


def _nobody_waits(outcome: str) -> None:
    """For a change that a signal asked for: the log tells its outcome."""
