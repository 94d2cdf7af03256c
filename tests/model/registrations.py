"""The desired registrations: a service is registered while its job runs and its check has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.life import ENDING, HELD, PAUSING, Life
from tests.model.rules import SOON, expect

if TYPE_CHECKING:
    from cp import plan
    from tests.model.model import Model


class Registrations:
    """`_wanted` is the status of each service id that should be in the catalogue."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._wanted: dict[str, str] = {}
        self._confirmed_at: dict[str, float] = {}  # when deregistrations will be confirmed
        self._waited_for: set[str] = set()  # by the stop
        self._collecting = False
        self._counting_since = 0.0

    def _counts(self, life: Life) -> bool:
        model = self._model
        return not (model.stopping or model.maintenance or life.state in (HELD, *ENDING))

    def _is_checked(self, life: Life) -> bool:
        """Before a restart there is no process to check. No event is sent when such a pause ends in waiting."""
        waits = life.state == PAUSING and not life.restarting and life.due <= self._model.now + SOON
        return life.begun and (waits or life.state != PAUSING) and self._counts(life)

    def begin(self, lives: list[Life]) -> None:
        """New jobs: those with an initial status are registered at once."""
        for life in lives:
            service = life.job.service
            if service is not None and service.initial_status and self._counts(life):
                self._wanted[service.id] = service.initial_status

    def ends(self, life: Life) -> None:
        if life.job.service is not None:
            self._wanted.pop(life.job.service.id, None)

    def maintained(self, wanted: bool) -> None:
        for life in self._model.lives.values():
            life.failures = 0
            if wanted:
                self.ends(life)
        if not wanted:
            self._counting_since = self._model.now
            self.begin(list(self._model.lives.values()))

    def stop(self) -> None:
        self._wanted.clear()
        self._collecting = True
        self._waited_for.clear()

    # --- checks

    def check_started(self, name: str) -> None:
        life = self._model.lives[name.removeprefix("check-")]
        due = self._model.now >= life.first_check - SOON
        expect(due and self._is_checked(life), "checks", f"{life} is checked")
        life.last_check, life.checked_in = self._model.now, life.interruptions

    def checked(self, life: Life, passed: bool) -> None:
        """A check has ended, and that counts."""
        counts = self._is_checked(life) and life.checked_in == life.interruptions
        expect(counts, "checks", f"{life} is found {'healthy' if passed else 'unhealthy'}")
        service, (health,) = life.job.service, life.job.health
        life.failures = 0 if passed else life.failures + 1
        if passed:
            life.status = "healthy"
        elif life.failures >= health.failures:
            life.status = "unhealthy"
        if service is None:
            return
        if passed:
            self._wanted[service.id] = "passing"
        elif health.critical_after and life.failures >= health.critical_after:
            self._wanted[service.id] = "critical"

    # --- what the engine tells the catalogue

    def catalog_called(self, service: plan.Service, status: str) -> None:
        life = next((each for each in self._model.lives.values() if each.job.service == service), None)
        expect(life is not None and self._counts(life), "registered", f"{service.name} is registered: {life}")
        if life is not None and status == "passing" and life.job.health and life.job.health[0].is_heartbeat:
            self.check_started(life.name)  # a heartbeat alone
            self._wanted[service.id] = "passing"

    def deregistered(self, service: plan.Service, delay: float | None) -> None:
        model = self._model
        at = float("inf") if delay is None else model.now + delay
        earlier = self._confirmed_at.get(service.id, 0.0)
        self._confirmed_at[service.id] = min(at, earlier) if earlier >= model.now else at
        if self._collecting:
            self._waited_for.add(service.id)

    def gone(self) -> bool:
        """All deregistrations that the stop waits for were confirmed, or had their time."""
        model = self._model
        limit = model.stop_began + min(1.0, max(0.0, model.plan.stop_timeout) / 4)
        confirmed = all(self._confirmed_at[each] <= model.now + SOON for each in self._waited_for)
        if self._collecting and (confirmed or model.left or model.now >= limit - SOON):
            self._collecting = False
            model.budget.charge(min(model.now, limit) - model.stop_began)
        return not self._collecting

    def rests(self) -> None:
        model = self._model
        for life in model.lives.values():
            health = life.job.health[0] if life.job.health else None
            seen = health is not None and (not health.is_heartbeat or life.job.service is not None)
            if health is None or not seen or not self._is_checked(life):
                continue
            running = f"check-{life.name}" in model.budget.running
            late = model.now > max(life.last_check, life.resumed_at, self._counting_since) + health.interval + SOON
            expect(running or not late, "checks", f"{life} was not checked for longer than its interval")
        found: dict[str, str] = {}
        for catalog in model.world.catalogs:
            found.update(catalog.wanted)
        expect(found == self._wanted, "registered", f"{found} instead of {self._wanted}")
