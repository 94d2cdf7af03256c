"""Requested reloads, starts and stops, one change at a time, as docs/control.md describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cp.plan import KEEP, WHEN_CHANGED
from tests.model.life import COMPLETE, HELD, WAITING, Life
from tests.model.rules import expect

if TYPE_CHECKING:
    from cp import plan
    from tests.model.model import Model

LASTING = ("exitSuccess", "exitFailed", "stopped")


class Request:
    """A request. `answers` come when it is done or refused."""

    def __init__(self, model: Model, kind: str, name: str) -> None:
        self.model, self.kind, self.name = model, kind, name
        self.answers: list[str] = []
        self.made = False  # a start that it has tried failed, and it is about to be answered so
        self.replaces: set[str] | None = None  # the jobs that end for it, once it has begun

    def answered(self, text: str) -> None:
        self.answers.append(text)
        self.model.changes.answered(self, text)


class Changes:
    """A request, the jobs that it replaces, and the earlier events that new jobs get."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.requests: list[Request] = []  # that were not answered yet, in their order
        self.free_since = 0.0  # when the last one was answered, or made
        self._happened: set[tuple[str, str]] = set()
        self._missed: set[tuple[str, str]] = set()  # reports of watches that came meanwhile
        self._change: Any = None  # the last one that has begun
        self.is_changing = False  # it has not found its end

    def delivered(self, code: str, source: str) -> None:
        if (code in LASTING and source in self.model.lives) or code == "startup":
            self._happened.add((code, source))
        if code == "changed" and self.is_changing:
            self._missed.add((code, source))

    @property
    def under_way(self) -> list[Request]:
        """The requested changes that are not made yet, in their order."""
        return [request for request in self.requests if not request.made]

    def is_made(self) -> None:
        """The change that is being made has done all that it can."""
        for request in self.under_way[:1]:
            request.made = True
            self.free_since = self.model.now

    def cannot_start(self, life: Life) -> None:
        """A process of it could not be started. A request that has not begun yet has nothing to do with its event."""
        by_hand = not life.came_for_its_event and self.may_start_by_hand(life)
        if self.under_way == self.requests and by_hand:
            self.is_made()

    def requested(self, kind: str, name: str) -> Request:
        request = Request(self.model, kind, name)
        self.requests.append(request)
        return request

    def loaded(self, new: plan.Plan) -> None:
        """A reload reads the configuration; this is what differs."""
        jobs = {job.name: job for job in new.jobs}
        for name, life in self.model.lives.items():
            if name in jobs and jobs[name] == life.job.replace(announces_ready=jobs[name].announces_ready):
                life.job = jobs[name]  # only somebody waits for its `ready` now, or not any more
        differ = {
            name
            for name, life in self.model.lives.items()
            if life.job.reload != KEEP and not (life.job.reload == WHEN_CHANGED and jobs.get(name) == life.job)
        }
        for request in self.under_way:
            if request.kind == "reload":
                request.replaces = self.with_hooks(differ)
                break
        self.model.budget.renew(new.stop_timeout)

    def with_hooks(self, names: set[str]) -> set[str]:
        found = set(names)
        while more := {h.name for h in self.model.lives.values() if h.hook and h.job.when.source in found} - found:
            found |= more
        return found

    def answered(self, request: Request, text: str) -> None:
        expect(len(request.answers) == 1, "changes", f"{request.kind} {request.name} is answered twice")
        self.requests.remove(request)
        self.free_since = self.model.now
        life = self.model.lives.get(request.name)
        if life is not None and request.kind in ("start", "restart") and text == "" and life.state in (WAITING, HELD):
            life.begin("a request", uses_event=not life.hook)

    def is_replaced(self, life: Life) -> bool:
        """Whether the change that is being made ends it, or may: the first requested one that is not made."""
        for request in self.under_way[:1]:
            return life.name in (self.with_hooks({request.name}) if request.replaces is None else request.replaces)
        return False

    def may_start_by_hand(self, life: Life) -> bool:
        return any(each.kind in ("start", "restart") and each.name == life.name for each in self.under_way[:1])

    def progresses(self, change: Any) -> None:
        """A change has begun, if it is another than before."""
        if change is self._change or change is None:
            return
        self._change, self.is_changing = change, True
        self.model.budget.renew(change.plan.stop_timeout)
        for name in change.replaced:
            life = self.model.lives[name]
            expect(self.is_replaced(life), "changes", f"{life} is replaced, and nobody requested it")
            if life.had_remembered and life.job.when.code == "changed":
                self._missed.add((life.job.when.code, life.job.when.source))
            if life.hook and life.state != COMPLETE:
                life.restarts_left = 0  # its runs are waited for
            elif life.state != COMPLETE and life.ends_in_silence():
                self.model.completes(life)

    def adopted(self, new: plan.Plan, fresh: list[plan.Job], change: Any) -> None:
        """The replaced jobs are gone, and these take their place."""
        by_hand = change.started or change.held
        for name in change.replaced:
            life = self.model.lives[name]
            expect(life.state == COMPLETE, "changes", f"{life} is replaced before its end")
            del self.model.lives[name]
            self._happened -= {(code, name) for code in LASTING}
        moved, self.model.plan = new.catalog != self.model.plan.catalog, new
        names = {job.name for job in fresh}
        wanted = {job.name for job in new.jobs if job.reload != KEEP or job.name == by_hand} - self.model.lives.keys()
        expect(names == wanted, "changes", f"{names} begin, and not {wanted}")
        if not by_hand:
            for life in self.model.lives.values():
                life.restarts_left = life.job.restarts
        self.is_made()
        lives = [Life(self.model, job, held=job.name == change.held) for job in fresh]
        self.model.lives.update((life.name, life) for life in lives)
        self.model.registrations.begin(lives)
        kept = {job.name for job in new.jobs if job.reload == KEEP} - self.model.lives.keys()
        for life in lives:
            if life.name == change.started and life.state == WAITING:
                life.begin("a request", uses_event=not life.hook)
            elif life.name != change.held:
                self.catches_up(life, kept, moved=moved)
        self._missed.clear()
        self.is_changing = False

    def catches_up(self, life: Life, skipped: set[str], *, moved: bool) -> None:
        """A new job may wait for an event that came before the job."""
        code, source = life.job.when.code, life.job.when.source
        if (code, source) in self._happened | self._missed or (code == "exitSuccess" and source in skipped):
            life.receive(code, source)
        elif source.startswith("watch.") or code in ("healthy", "unhealthy", "ready"):
            sender = self.model.lives.get(source)
            reported = not moved and self.model.world.watch_says(code, source)
            is_ready = code == "ready" and sender is not None and sender.is_ready
            if reported or is_ready or (sender is not None and sender.health.status == code):
                life.receive(code, source)
        elif life.hook and not self.model.can_come(life):
            life.over = "what it waits for has been"
