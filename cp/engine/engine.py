"""The engine: runs a plan, from its first event to the exit code."""

from __future__ import annotations

from cp.engine.endings import KILL_LIMIT, Endings
from cp.engine.events import GLOBAL, Code, Event
from cp.engine.job import Job
from cp.engine.states import State
from cp.engine.watching import Watching
from cp.plan import EVENT, KEEP, MAINTENANCE, RELOAD, REOPEN_LOG, STOP, WHEN_CHANGED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.host import Discovery, Host

DEREGISTER_LIMIT = 1.0  # seconds that a stop waits for the catalogue, and no more than a quarter of its budget
OLD_CATALOG_LIMIT = 15.0  # seconds that a catalogue that a reload replaced is still told what is gone
SIGKILL = 9
CATALOG = "catalog"  # holder of the budget while services are deregistered
HOOK_KILLED = 255  # exit code for a hook that a signal killed


class Engine:
    """Owns the jobs of a plan and takes them through start, maintenance, reload and stop.

    `load()` gives the next plan for a reload, or None after having said why there is none. `open_discovery` makes the
    catalogue's side for a plan. The engine never blocks: `loop.run()` is over when `exit_code` is final.
    """

    def __init__(
        self,
        host: Host,
        first: plan.Plan,
        *,
        open_discovery: Callable[[plan.Plan], Discovery],
        load: Callable[[], plan.Plan | None],
        reopen_log: Callable[[], None],
        started: Callable[[], None],
    ) -> None:
        self.plan = first
        self.jobs: dict[str, Job] = {}
        self.stopping = False
        self.maintenance = False
        self.exit_code = 0
        self._host = host
        self._open_discovery = open_discovery
        self._load = load
        self._reopen_log = reopen_log
        self._on_started = started
        self._discovery = open_discovery(first)
        self._watching = Watching(host, self._discovery)
        self._triggers: dict[tuple[str, str], list[Job]] = {}
        self._happened: dict[tuple[str, str], Event] = {}
        self._endings = Endings(host, first.stop_timeout, self._progress)
        self._stop_requests = 0
        self._announced: set[str] = set()  # services that the catalogue has been told of
        self._deregistering: set[str] = set()
        self._stopping_jobs = False  # the services are gone, or have had their time
        self._retiring: set[str] = set()
        self._next: plan.Plan | None = None  # to be installed when all of `_retiring` are complete
        self._reload_again = False
        self._missed: dict[tuple[str, str], Event] = {}  # changes that a reload left nobody to hear of
        host.terminate = self._endings.terminate
        host.run_ended = self._endings.ended
        host.bus.subscribe(self._heard)

    # --- starting

    def start(self) -> None:
        self._install(self.plan, self.plan.jobs)
        self._host.bus.publish(Event(Code.STARTUP, GLOBAL))
        self._host.loop.call_soon(self._after_start)

    def _after_start(self) -> None:
        """What can wait until the first process runs: the catalogue's thread, and what the caller has put off."""
        self._on_started()
        self._discovery.start()

    def _install(self, installed: plan.Plan, fresh: tuple[plan.Job, ...]) -> None:
        self.plan = installed
        for name, value in installed.environ:
            self._host.environment.set(name, value)
        jobs = [Job(self._host, self, job) for job in fresh]
        for job in jobs:
            self.jobs[job.name] = job
            self._triggers.setdefault((job.plan.when.code, job.plan.when.source), []).append(job)
        self._watching.apply(installed.watches)
        for job in jobs:
            job.arm()
        for event in (*self._happened.values(), *self._missed.values()):
            self._watching.happened(event.code, event.source)
            for job in jobs:
                if (job.plan.when.code, job.plan.when.source) == (event.code, event.source):
                    job.triggered(event)

    # --- events and signals

    def _heard(self, event: Event) -> None:
        key = (event.code, event.source)
        if event.code in (Code.STARTUP, Code.EXIT_SUCCESS, Code.EXIT_FAILED):
            self._happened[key] = event
        if event.code == Code.CHANGED and self._next is not None:
            self._missed[key] = event
        for job in tuple(self._triggers.get(key, ())):
            job.triggered(event)
        if not self.stopping:
            self._watching.happened(event.code, event.source)

    def signalled(self, number: int, name: str) -> None:
        """A signal came to ContainerPilot; what means nothing to it is the application's."""
        action = dict(self.plan.signals).get(name)
        if action == STOP:
            self.request_stop(number)
        elif action == RELOAD:
            self.reload()
        elif action == MAINTENANCE:
            self.set_maintenance(not self.maintenance)
        elif action == EVENT:
            self._host.bus.publish(Event(Code.SIGNAL, name))
        elif action == REOPEN_LOG:
            self._reopen_log()
        else:
            for job in self.jobs.values():
                if job.plan.main:
                    job.signal(number)

    # --- what jobs ask of their supervisor

    def wanted(self, service: plan.Service, status: str, output: str) -> None:
        self._announced.add(service.id)
        self._discovery.want(service, status, output)

    def unwanted(self, service: plan.Service) -> None:
        if service.id not in self._deregistering and not self._stopping_jobs:  # a stop deregisters all, first of all
            self._deregistering.add(service.id)
            self._announced.discard(service.id)
            self._discovery.forget(service, lambda: self._deregistered(service.id))

    def dependents(self, job: Job) -> list[Job]:
        waiting = self._triggers.get((Code.STOPPING, job.name), [])
        return [other for other in waiting if other.state != State.COMPLETE and other is not job]

    def failed(self, job: Job, code: int) -> None:
        """A job on which everything depends has failed: its code is ours."""
        self.exit_code = code if code >= 0 else HOOK_KILLED
        self.stop()

    def completed(self, job: Job) -> None:
        if job.plan.main:
            if job.exit_code is not None:
                self.exit_code = job.exit_code if job.exit_code >= 0 else 128 - job.exit_code
            self.stop()
        # The others hear of it after its `stopped` event, so that jobs which wait for that have started.
        self._host.loop.call_soon(self._after_completion, job)

    def _after_completion(self, job: Job) -> None:
        if self.stopping and job.runs and job.plan.when.code == Code.STOPPING:
            # What waited for the hook has its full time: others may have spent it meanwhile.
            self._endings.renew(self.plan.stop_timeout)
        for other in tuple(self.jobs.values()):
            other.completed(job)
            if other.is_hook and other.plan.when.source == job.name and other.state == State.WAITING:
                other.stop()  # what it waits for will not come any more
        if job.name in self._retiring:
            self._retiring.discard(job.name)
            self._forget_job(job)
        self._progress()

    # --- maintenance

    def set_maintenance(self, maintenance: bool) -> None:
        if maintenance == self.maintenance or self.stopping:
            return
        self.maintenance = maintenance
        self._watching.pause(maintenance)
        if maintenance:
            for job in self.jobs.values():
                if job.plan.service is not None:
                    self._host.log.info(f"Marking for maintenance: {job.plan.service.name}")
                    self._discovery.forget(job.plan.service, _nothing)
        self._host.bus.publish(Event(Code.ENTER_MAINTENANCE if maintenance else Code.EXIT_MAINTENANCE, GLOBAL))
        if not maintenance:
            for job in self.jobs.values():
                self._host.loop.call_soon(job.resume)  # after the news of the watches

    # --- reload

    def reload(self) -> None:
        """Load the configuration again and act on the difference; one that does not load changes nothing."""
        if self.stopping:
            return
        if self._next is not None:
            self._reload_again = True
            return
        self._host.log.info("Reloading configuration.")
        loaded = self._load()
        if loaded is None:
            return
        self._next = loaded
        self._endings.renew(loaded.stop_timeout)
        new = {job.name: job for job in loaded.jobs}
        for job in tuple(self.jobs.values()):
            policy = job.plan.reload
            if policy == KEEP or (policy == WHEN_CHANGED and new.get(job.name) == job.plan):
                continue
            self._retiring.add(job.name)
            if job.pending is not None and job.pending.code == Code.CHANGED:
                self._missed[(job.pending.code, job.pending.source)] = job.pending
        for name in tuple(self._retiring):
            job = self.jobs[name]
            if job.state == State.COMPLETE:
                self._retiring.discard(name)
                self._forget_job(job)
            elif not job.is_hook or (job.state != State.WAITING and job.plan.when.source not in self._retiring):
                job.stop()
        self._progress()

    def _retired(self) -> bool:
        """Whether all that a reload replaces is gone. Waiting hooks go last: a stop may come before, and need them."""
        jobs = [self.jobs[name] for name in self._retiring]
        if not all(job.is_hook and job.state == State.WAITING for job in jobs):
            return False
        for job in jobs:
            job.stop()
            if job.state == State.COMPLETE:
                self._retiring.discard(job.name)
                self._forget_job(job)
        return not self._retiring

    def _forget_job(self, job: Job) -> None:
        if self.jobs.get(job.name) is job:
            del self.jobs[job.name]
        self._triggers[(job.plan.when.code, job.plan.when.source)].remove(job)
        for key in [key for key in self._happened if key[1] == job.name]:
            del self._happened[key]

    def _finish_reload(self, loaded: plan.Plan) -> None:
        self._next = None
        fresh = tuple(job for job in loaded.jobs if job.name not in self.jobs and job.reload != KEEP)
        for job in loaded.jobs:
            if job.reload == KEEP and job.name not in self.jobs:
                # A preStart that a reload adds comes too late to run, and what waits for it must not wait for ever.
                self._happened[(Code.EXIT_SUCCESS, job.name)] = Event(Code.EXIT_SUCCESS, job.name)
        if loaded.catalog != self.plan.catalog:
            self._watching.stop()
            # What was deregistered a moment ago may still be on its way to the old catalogue.
            self._host.loop.call_later(OLD_CATALOG_LIMIT, self._discovery.stop)
            self._discovery = self._open_discovery(loaded)
            self._watching.use(self._discovery)
            self._discovery.start()
        self._deregistering.clear()
        self._install(loaded, fresh)
        self._missed.clear()
        if self._reload_again:
            self._reload_again = False
            self._host.loop.call_soon(self.reload)

    # --- stopping

    def request_stop(self, number: int) -> None:
        """A signal asks for a stop. A second one ends running hooks, a third one everything."""
        self._stop_requests += 1
        if self._stop_requests == 1:
            for job in self.jobs.values():
                if job.plan.main and job.plan.command is not None and job.runs == 0 and not self.stopping:
                    self.exit_code = 128 + number
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
        self._host.log.debug("stopping")
        self._endings.renew(self.plan.stop_timeout)
        # Armed first: whatever goes wrong on the catalogue's side, the stop goes on.
        limit = min(DEREGISTER_LIMIT, max(0.0, self.plan.stop_timeout) / 4)
        self._host.loop.call_later(limit, self._stop_jobs)
        if self.plan.shutdown_timeout:
            self._host.loop.call_later(
                self.plan.shutdown_timeout, self._leave, "the stop took longer than shutdownTimeout"
            )
        self._host.bus.publish(Event(Code.SHUTDOWN, GLOBAL))
        self._watching.stop()
        self._deregistering.clear()
        for job in self.jobs.values():
            job.quiesce()
            # An application that ends before its first check need not wait for a catalogue that never heard of it.
            if job.plan.service is not None and (self._stop_requests or job.plan.service.id in self._announced):
                self.unwanted(job.plan.service)
        if self._deregistering:
            self._endings.hold(CATALOG)
        else:
            self._stop_jobs()

    def _deregistered(self, service_id: str) -> None:
        self._deregistering.discard(service_id)
        if self.stopping and not self._deregistering:
            self._stop_jobs()

    def _stop_jobs(self) -> None:
        if self._stopping_jobs:
            return
        self._stopping_jobs = True
        self._deregistering.clear()
        self._endings.release(CATALOG)
        for job in tuple(self.jobs.values()):
            if (not job.is_hook and not job.plan.stops_last) or (job.is_hook and self._never_comes(job)):
                job.stop()
        self._progress()

    def _never_comes(self, hook: Job) -> bool:
        source = self.jobs.get(hook.plan.when.source)
        return hook.state == State.WAITING and (source is None or source is hook)

    def _progress(self) -> None:
        """Take the next step of a reload or a stop, if what it waits for is done."""
        if self._next is not None and not self.stopping and self._retired():
            self._finish_reload(self._next)
        unfinished = [job for job in self.jobs.values() if job.state != State.COMPLETE]
        if not unfinished and not self.stopping and self._next is None:
            self.stop()
        if not self._stopping_jobs:
            return
        if unfinished and all(job.plan.stops_last for job in unfinished):
            for job in unfinished:
                job.stop()
        elif not unfinished and not self._host.runs:
            self._finish()

    def _leave(self, why: str) -> None:
        """Kill everything, and end as soon as it is gone: nothing is waited for any more, hooks included."""
        self._host.log.warning(f"killing everything: {why}")
        self._host.loop.call_later(KILL_LIMIT, self._finish)
        for job in tuple(self.jobs.values()):
            if job.is_hook and job.state == State.WAITING:
                job.stop()
        self._endings.kill_everything()
        self._stop_jobs()

    def _finish(self) -> None:
        for job in self.jobs.values():
            if job.plan.main and job.pid:
                self.exit_code = 128 + SIGKILL  # it has not even died of that yet
        self._discovery.stop()
        self._host.processes.kill_left_groups()
        self._host.loop.stop()


def _nothing() -> None:
    """For a deregistration that nobody waits for."""
