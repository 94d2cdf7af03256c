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
        self.counting_since = 0.0  # the end of the last maintenance

    def _counts(self, life: Life) -> bool:
        model = self._model
        return not (model.stopping or model.maintenance or life.state in (HELD, *ENDING))

    def is_checked(self, life: Life) -> bool:
        """Before a restart there is no process to check. No event is sent when such a pause ends in waiting."""
        waits = life.state == PAUSING and not life.restarting and life.due <= self._model.now + SOON
        return life.begun and not life.failure and (waits or life.state != PAUSING) and self._counts(life)

    def may_be(self, life: Life) -> bool:
        """Whether a service is registered when it is healthy: when it is ready, too, or registered anyway."""
        service = life.job.service
        return service is not None and bool(life.job.ready is None or life.ready or service.initial_status)

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
            if wanted:
                self.ends(life)
        if not wanted:
            self.counting_since = self._model.now
            self.begin(list(self._model.lives.values()))

    def stop(self) -> None:
        self._wanted.clear()
        self._collecting = True
        self._waited_for.clear()

    def reported(self, life: Life, status: str) -> None:
        """Checks found this, and it is for the catalogue if the service is there."""
        if life.job.service is not None and self.may_be(life) and self._counts(life):
            self._wanted[life.job.service.id] = status

    # --- what the engine tells the catalogue

    def catalog_called(self, service: plan.Service, status: str) -> None:
        life = next((each for each in self._model.lives.values() if each.job.service == service), None)
        expect(life is not None and self._counts(life), "registered", f"{service.name} is registered: {life}")
        if life is None or not status:
            return
        lives = life.failure is None or life.failure.at == self._model.now  # a check may find both
        expect(self.may_be(life) and lives, "registered", f"{service.name} is {status}: {life} is not ready")
        if status == "passing" and life.job.health and life.job.health[0].is_heartbeat:
            self._model.checks.started(life, 0)  # a heartbeat alone
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
        found: dict[str, str] = {}
        for catalog in model.world.catalogs:
            found.update(catalog.wanted)
        expect(found == self._wanted, "registered", f"{found} instead of {self._wanted}")
