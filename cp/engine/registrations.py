"""The services of a plan, as the catalogue should have them: the engine's side of registration.

What the engine wants goes out to the catalogue of the plan, through `Discovery`; what the catalogue confirms comes back
into `catalogue`. A reload may replace the catalogue; then the new one is told what the old one knew.
"""

from __future__ import annotations

from cp.engine.catalogue_status import CatalogueStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.context import Context
    from cp.engine.job import Job
    from cp.engine.ports import Discovery, OpenDiscovery
    from cp.plan import Status

OLD_CATALOG_LIMIT = 15.0  # seconds in which a catalogue that a reload replaced is still told what is gone


class _Wish:
    """A service that should be registered, with the last status and when its check found it."""

    __slots__ = ("at", "output", "service", "status")

    def __init__(self, service: plan.Service, status: Status, output: str, at: float) -> None:
        self.service = service
        self.status = status
        self.output = output
        self.at = at


class Registrations:
    """Nothing here blocks. `all_removed` is called when the last of the removals that `remove` began has ended."""

    def __init__(
        self, context: Context, first: plan.Plan, open_discovery: OpenDiscovery, all_removed: Callable[[], object]
    ) -> None:
        self._loop = context.loop
        self._log = context.log
        self._open = open_discovery
        self._all_removed = all_removed
        self._wishes: dict[str, _Wish] = {}  # by id
        self._removals: set[str] = set()  # ids whose removal is waited for
        self.catalogue = CatalogueStatus(context.loop.elapsed, context.loop.now)
        self.discovery: Discovery = open_discovery(first, self.catalogue)

    def is_wanted(self, service: plan.Service) -> bool:
        """Whether the catalogue was given it, and not told to remove it since."""
        return service.id in self._wishes

    @property
    def removing(self) -> bool:
        """Whether a removal is waited for."""
        return bool(self._removals)

    def want(self, service: plan.Service, status: Status, output: str) -> None:
        """Register it with this status; "" = no check has run yet."""
        if status or service.id not in self._wishes:
            self._wishes[service.id] = _Wish(service, status, output, self._loop.elapsed())
        self.discovery.want(service, status, output)

    def remove(self, service: plan.Service) -> None:
        """Remove it; only once, while the first removal is waited for."""
        if service.id not in self._removals:
            self._removals.add(service.id)
            self._wishes.pop(service.id, None)
            self.discovery.forget(service, lambda: self._removed(service.id))

    def _removed(self, service_id: str) -> None:
        self._removals.discard(service_id)
        if not self._removals:
            self._all_removed()

    def withdraw(self, service: plan.Service) -> None:
        """Remove it, and wait for nothing."""
        self._wishes.pop(service.id, None)
        self.discovery.forget(service, _nothing)

    def wait_no_longer(self) -> None:
        """The removals that have not ended are not waited for any more."""
        self._removals.clear()

    # --- another catalogue, or another address

    def move(self, changed: plan.Plan) -> None:
        """Use the catalogue of this plan: services are removed from the old one and registered in the new one."""
        left = self.discovery
        self.catalogue = CatalogueStatus(self._loop.elapsed, self._loop.now)
        self.discovery = self._open(changed, self.catalogue)
        for wish in self._wishes.values():
            left.forget(wish.service, _nothing)
            self._repeat(wish)
        # What was deregistered a moment ago may still be on its way to the old catalogue.
        self._loop.call_later(OLD_CATALOG_LIMIT, left.stop)

    def readdress(self, job: Job, planned: plan.Job) -> None:
        """A reload found another address for a job's service: its entry is replaced, and its process goes on."""
        was, job.plan = job.plan.service, planned
        service = planned.service
        if was is None or service is None:
            return
        self._log.info(f"{job.name}: its address is {service.address} now, it was {was.address}")
        wish = self._wishes.get(service.id)
        if wish is not None:
            wish.service = service
            self._repeat(wish)

    def _repeat(self, wish: _Wish) -> None:
        """Tell the catalogue again. A passing check counts for one `ttl`, whatever has happened since."""
        age = self._loop.elapsed() - wish.at
        if not wish.status or age < wish.service.ttl:
            self.discovery.want(wish.service, wish.status, wish.output, age=age)
        elif wish.service.initial_status:
            self.discovery.want(wish.service, "", "")


def differ_in_address(old: plan.Job, new: plan.Job) -> bool:
    """Whether the address of their service is all that differs between two jobs: a matter of the catalogue alone."""
    if old.service is None or new.service is None or old.service.address == new.service.address:
        return False
    moved = old.replace(service=old.service.replace(address=new.service.address))
    return moved == new


def _nothing() -> None:
    """For a removal that nobody waits for."""
