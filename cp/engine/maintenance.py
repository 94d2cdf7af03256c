"""Maintenance: no checks and no registrations, while the processes go on."""

from __future__ import annotations

from cp.engine.events import Code, Event
from cp.plan import GLOBAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.engine.context import Context
    from cp.engine.phase import Phase
    from cp.engine.registrations import Registrations
    from cp.engine.registry import JobRegistry
    from cp.engine.watches import Watches


class Maintenance:
    """`active` tells whether the engine is in maintenance. A stop does not change it."""

    __slots__ = ("_context", "_phase", "_registrations", "_registry", "_watches", "active")

    def __init__(
        self,
        context: Context,
        phase: Phase,
        registry: JobRegistry,
        registrations: Registrations,
        watches: Watches,
    ) -> None:
        self.active = False
        self._context = context
        self._phase = phase
        self._registry = registry
        self._registrations = registrations
        self._watches = watches

    def set(self, active: bool) -> bool:
        """Enter or leave maintenance; False if that changes nothing, or a stop has begun."""
        if active == self.active or self._phase.is_stopping:
            return False
        self.active = active
        self._watches.pause(active)
        if active:
            self._deregister_all()
        self._context.bus.publish(Event(Code.ENTER_MAINTENANCE if active else Code.EXIT_MAINTENANCE, GLOBAL))
        if not active:
            for job in self._registry.jobs.values():
                self._context.loop.call_soon(job.resume)  # after the reports of the watches
                job.announce()
        return True

    def _deregister_all(self) -> None:
        """Deregister all services, and forget the results of checks."""
        for job in self._registry.jobs.values():
            job.health.forget()
            if job.plan.service is not None:
                self._context.log.info(f"Marking for maintenance: {job.plan.service.name}")
                self._registrations.deregister_unawaited(job.plan.service)
