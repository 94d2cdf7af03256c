"""The services of a plan, as the catalogue should have them: the engine's side of registration.

What the engine wants goes out to the catalogue of the plan, through `Discovery`; what the catalogue confirms comes back
into `catalog_status`. A reload may replace the catalogue; then the new one receives the registrations of the old one.
"""

from __future__ import annotations

from cp.engine.catalog_status import CatalogStatus
from cp.engine.states import STOPPING_STATES, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.catalog_facts import RegistrationStatus
    from cp.engine.context import Context
    from cp.engine.job import Job
    from cp.engine.ports import Discovery, OpenDiscovery
    from cp.plan import Status

OLD_CATALOG_LIMIT = 15.0  # seconds for deregistrations from a catalogue that a reload replaced


class _Desired:
    """A service that should be registered, its last status, and when its check found that."""

    __slots__ = ("at", "output", "service", "status")

    def __init__(self, service: plan.Service, status: Status, output: str, at: float) -> None:
        self.service = service
        self.status = status
        self.output = output
        self.at = at


class Registrations:
    """Nothing here blocks. `all_deregistered` is called when the last deregistration by `deregister` has ended."""

    def __init__(
        self, context: Context, first: plan.Plan, open_discovery: OpenDiscovery, all_deregistered: Callable[[], object]
    ) -> None:
        self._loop = context.loop
        self._log = context.log
        self._open = open_discovery
        self._all_deregistered = all_deregistered
        self._desired: dict[str, _Desired] = {}  # by id
        # By id: the deregistrations that are waited for, each with what is called at its end.
        self._deregistering: dict[str, list[Callable[[], object]]] = {}
        self.catalog_status = CatalogStatus(context.loop.elapsed, context.loop.now)
        self.discovery: Discovery = open_discovery(first, self.catalog_status)

    def is_desired(self, service: plan.Service) -> bool:
        """Whether it should be in the catalogue."""
        return service.id in self._desired

    @property
    def is_deregistering(self) -> bool:
        """Whether a deregistration has not ended."""
        return bool(self._deregistering)

    def register(self, service: plan.Service, status: Status, output: str) -> None:
        """Register it with this status; "" = no check has run yet."""
        if status or service.id not in self._desired:
            self._desired[service.id] = _Desired(service, status, output, self._loop.elapsed())
        self.discovery.register(service, status, output)

    def deregister(self, service: plan.Service) -> None:
        """Deregister it, unless a deregistration of it has not ended."""
        if service.id not in self._deregistering:
            awaited = self._deregistering[service.id] = []
            self._desired.pop(service.id, None)
            self.discovery.deregister(service, lambda: self._deregistered(service.id, awaited))

    def when_deregistered(self, service: plan.Service, call: Callable[[], object]) -> None:
        """Call back when its deregistration has ended: at once, if none is waited for."""
        awaited = self._deregistering.get(service.id)
        if awaited is None:
            call()
        else:
            awaited.append(call)

    def _deregistered(self, service_id: str, awaited: list[Callable[[], object]]) -> None:
        if self._deregistering.get(service_id) is not awaited:
            return  # nobody waits for it any more, perhaps for a later one: its catalogue may be the old one
        del self._deregistering[service_id]
        for call in awaited:
            call()
        if not self._deregistering:
            self._all_deregistered()

    def deregister_unawaited(self, service: plan.Service) -> None:
        """Deregister it without waiting for the end of that."""
        self._desired.pop(service.id, None)
        self.discovery.deregister(service, _nothing)

    def wait_no_longer(self) -> None:
        """Do not wait for the deregistrations any more."""
        self._deregistering.clear()

    def standing(self, job: Job, *, is_suspended: bool) -> RegistrationStatus | None:
        """The state of a job's registration; None if the job has no service.

        `is_suspended`: a stop or maintenance deregisters all services.
        """
        service = job.plan.service
        if service is None:
            return None
        # Only an `initial_status` registers a skipped job.
        is_skipped = job.state == State.SKIPPED and not service.initial_status
        is_out = is_suspended or is_skipped or job.state in (State.HELD, *STOPPING_STATES)
        return self.catalog_status.standing(service, wanted=not is_out)

    # --- another catalogue, or another address

    def move(self, changed: plan.Plan) -> None:
        """Use the catalogue of this plan: services are deregistered from the old one and registered in the new one."""
        left = self.discovery
        self.catalog_status = CatalogStatus(self._loop.elapsed, self._loop.now)
        self.discovery = self._open(changed, self.catalog_status)
        for desired in self._desired.values():
            left.deregister(desired.service, _nothing)
            self._repeat(desired)
        # A recent deregistration may not have reached the old catalogue yet.
        self._loop.call_later(OLD_CATALOG_LIMIT, left.stop)

    def readdress(self, job: Job, planned: plan.Job) -> None:
        """A reload found another address for a job's service: its entry is replaced, and its process goes on."""
        was, job.plan = job.plan.service, planned
        service = planned.service
        if was is None or service is None:
            return
        self._log.info(f"{job.name}: its address is {service.address} now, it was {was.address}")
        desired = self._desired.get(service.id)
        if desired is not None:
            desired.service = service
            self._repeat(desired)

    def _repeat(self, desired: _Desired) -> None:
        """Register it again. A passing check counts for one `ttl`, whatever has happened since."""
        age = self._loop.elapsed() - desired.at
        if not desired.status or age < desired.service.ttl:
            self.discovery.register(desired.service, desired.status, desired.output, age=age)
        elif desired.service.initial_status:
            self.discovery.register(desired.service, "", "")


def differ_in_address(old: plan.Job, new: plan.Job) -> bool:
    """Whether the address of their service is all that differs between two jobs: a matter of the catalogue alone."""
    if old.service is None or new.service is None or old.service.address == new.service.address:
        return False
    moved = old.replace(service=old.service.replace(address=new.service.address))
    return moved == new


def _nothing() -> None:
    """Ignore the end of a deregistration."""
