"""The protocols that several modules or rooms share: what the engine needs from outside, and what it offers to others.

Only the type checker reads this module; no code imports it at run time. A protocol that a single module needs is
defined in that module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from cp.plan import HttpProbe, OnFailure, Plan, Service, SocketProbe, Status, Watch
from cp.plan import Job as JobPlan

Job = TypeVar("Job")  # the class of the jobs
Fields = tuple[tuple[str, str], ...]  # names and values
# Receives the outcome of a request once: an empty text, or why the request was refused or failed.
Done = Callable[[str], object]


class Timer(Protocol):
    def cancel(self) -> None: ...


class Loop(Protocol):
    """The part of the loop that threads need. Other threads than the loop's may call `post` and `post_lazily` only."""

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer: ...
    def post(self, callback: Callable[..., object], *args: Any) -> None: ...
    def post_lazily(self, callback: Callable[..., object], *args: Any) -> None:
        """Post a call that only has to be made before somebody looks in: the loop does not wake up for it."""


class Log(Protocol):
    def debug(self, message: str, /) -> None: ...
    def info(self, message: str, /) -> None: ...
    def warning(self, message: str, /) -> None: ...
    def error(self, message: str, /) -> None: ...


class JobLog(Log, Protocol):
    """The log of the engine: its lines have the fields of their job, and it takes the output of children."""

    def debug(self, message: str, fields: Fields = (), /) -> None: ...
    def info(self, message: str, fields: Fields = (), /) -> None: ...
    def warning(self, message: str, fields: Fields = (), /) -> None: ...
    def error(self, message: str, fields: Fields = (), /) -> None: ...
    def child_output(self, line: str, fields: Fields = (), /) -> None:
        """Log a line that a child printed, at level info."""


class Terminable(Protocol):
    """Processes that can be terminated: a run, or what runs left in the background."""

    @property
    def label(self) -> str: ...
    @property
    def target(self) -> tuple[str, list[int]]:
        """The receiver of the next signal: a description, and the pids as far as they are known."""

    @property
    def is_forbidden(self) -> bool:
        """Whether the process lives and the kernel refuses us permission to signal it."""

    def terminate(self, *, group: bool) -> None: ...
    def kill(self) -> None: ...
    def give_up(self) -> None: ...
    def obstacle(self) -> str:
        """Why it has not ended after a signal; empty if no reason is known."""


class Probe(Protocol):
    """A health check without a process that has begun."""

    def cancel(self) -> None:
        """End it without a result."""


# Begins the check of a server; the address of the job's registration may be empty, and the time limit is in seconds.
# The last argument is called once, with whether the check passed and its output in one line, and not from inside of the
# call.
OpenProbe = Callable[[HttpProbe | SocketProbe, str, float | None, Callable[[bool, str], object]], Probe]


# Counts the connections to a port without blocking the loop. The last argument is called with their number, or with
# None and the reason, and not from inside of the call. RuntimeError if that is not possible now.
CountConnections = Callable[[Any, int, Callable[[int | None, str], object]], None]


class RunMonitor(Protocol):
    """Follows the runs of one job: whether its process is ready, and whether it still reports in time."""

    def prepare(self) -> tuple[Fields, tuple[tuple[int, int], ...]]:
        """Get ready for a run: variables for its process, and descriptors, ours and the process's.

        OSError if something cannot be opened. `run_started` or `run_ended` comes next.
        """

    def run_started(self) -> None:
        """The process has started; our copies of the descriptors are not needed any more."""

    @property
    def on_line(self) -> Callable[[str], object] | None:
        """Receives each line of its output; None: the lines do not matter."""

    def was_healthy(self) -> None:
        """The job is healthy."""

    def run_ended(self) -> None:
        """The process has exited, or could not start."""

    def close(self) -> None:
        """No run follows."""

    @property
    def status(self) -> str:
        """What the process last reported about itself; empty if nothing."""

    @property
    def waits_for(self) -> str:
        """What its process has to do to be ready, as a phrase: `READY=1 on its notify socket`."""


class MonitorListener(Protocol):
    """Receives what a monitor finds out."""

    def became_ready(self) -> None:
        """The run is ready; once in each run."""

    def is_stopping(self) -> None:
        """The process has announced that it is about to end: its readiness is over."""

    def has_failed(self, why: str, then: OnFailure, abort: bool) -> bool:
        """The run has failed although its process lives; `abort`: the process gets SIGABRT, to leave a trace. False if
        it is about to end already."""


OpenMonitor = Callable[[JobPlan, MonitorListener], RunMonitor]


class Supervisor(Protocol[Job]):
    """What a job needs from the engine that owns it."""

    @property
    def stopping(self) -> bool: ...
    @property
    def stop_unasked(self) -> bool: ...
    @property
    def maintenance(self) -> bool: ...
    @property
    def kill_after(self) -> float:
        """Seconds from the stop signal to SIGKILL; negative: SIGKILL at once."""

    @property
    def ends_jobs(self) -> bool:
        """Whether a stop of everything has got to the jobs, after all drains."""

    def register(self, service: Service, status: Status, output: str) -> None: ...
    def deregister(self, service: Service) -> None: ...
    def when_deregistered(self, service: Service, call: Callable[[], object]) -> None:
        """Call back when the deregistration of a service has ended, or the time for that is over; perhaps twice."""

    def drained(self) -> None:
        """The drain of a job is over, in a stop that waits for all drains."""

    def dependents(self, job: Job) -> list[Job]: ...
    def comes_too_late(self, job: Job) -> bool: ...
    def failed(self, job: Job, code: int) -> None: ...
    def completed(self, job: Job) -> None: ...
    def waits_again(self, hook: Job) -> None: ...


class Observer(Protocol):
    """Counts what happens. It exists only where the plan has telemetry."""

    def job_started(self, job: str) -> None: ...
    def job_restarted(self, job: str) -> None: ...
    def job_ended(self, job: str, code: int, seconds: float) -> None: ...
    def job_died(self, job: str, cause: str) -> None: ...
    def check_ended(self, job: str, seconds: float) -> None: ...
    def control_answered(self, path: str, status: int) -> None: ...
    def catalog_called(self, verb: str, seconds: float, failed: bool) -> None: ...

    def record(self, values: list[tuple[str, str]]) -> None:
        """Record all of these values of metrics, or none and raise ValueError, which says why."""


class Instance(Protocol):
    """A healthy instance of a watched service."""

    @property
    def id(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


# Receives the healthy instances of a watch.
Report = Callable[[list[Instance]], None]


class Watcher(Protocol):
    """Follows one watch. It reports the healthy instances on the loop's thread whenever they change."""

    @property
    def memory(self) -> list[Instance]: ...
    def start(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def stop(self) -> None: ...


class PendingCalls(Protocol):
    """Records the calls to a catalogue that have no answer yet.

    The threads that make the calls use it; its methods do not block.
    """

    def begin(self, who: str, wait: float = 0.0) -> object:
        """Record a call of the registrar or of a watch; `wait` is how many seconds it may wait for a change."""

    def end(self, call: object, *, answered: bool = True) -> None:
        """Record the end of the call that `begin` returned; `answered`: the catalogue answered it."""


class CatalogListener(Protocol):
    """Keeps the facts about a catalogue. All methods are called on the loop's thread."""

    def confirmed(self, service: Service, status: Status, at: float, id: str) -> None:
        """The catalogue accepted a registration or a heartbeat, which was sent at `at` on the registrar's clock.

        `id` is the id of the entry. It differs from the service's id if another program uses that one.
        """

    def absent(self, service: Service) -> None:
        """The catalogue has no entry of this service."""

    def refused(self, service: Service, why: str) -> None:
        """The catalogue answered and did not accept this service."""

    def taken(self, service: Service, place: str) -> None:
        """Another program, at `place`, is registered under the service's id; this service is not registered."""

    def answered(self, who: str) -> None:
        """The catalogue answered the registrar (reports.REGISTRATION) or a watch (its source)."""

    def failed(self, who: str, why: str, answered: bool) -> None:
        """A call of theirs failed; `answered`: the catalogue answered with an error."""


class CatalogFacts(CatalogListener, Protocol):
    @property
    def awaited(self) -> PendingCalls: ...


class Discovery(Protocol):
    """The catalogue as the engine uses it: desired registrations go out, reports of watches come in. Nothing blocks."""

    def start(self) -> None: ...
    def register(self, service: Service, status: Status, output: str = "", *, age: float = 0.0) -> None: ...
    def deregister(self, service: Service, done: Callable[[], None]) -> None: ...
    def watch(self, watch: Watch, report: Report, memory: list[Instance] | None) -> Watcher: ...
    def stop(self) -> None: ...


# Makes the discovery of a plan. The facts receive what the catalogue answers.
OpenDiscovery = Callable[[Plan, CatalogFacts], Discovery]
