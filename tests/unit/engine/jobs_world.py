"""The world of the engine for plans of the jobs dialect, with an operator at the controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cp import plan
from cp.engine.admin import Admin, NotPossible
from cp.engine.events import Event
from cp.engine.signals import act_on
from cp.plan import EVENT, REOPEN_LOG, STOP
from tests.unit.engine.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.plan import EventCode

SIGNALS = (("SIGTERM", STOP), ("SIGINT", STOP), ("SIGHUP", EVENT), ("SIGUSR2", EVENT), ("SIGUSR1", REOPEN_LOG))


def refusal(order: Callable[..., None], *arguments: object) -> str:
    """Why the engine refuses an order; empty if it carries it out."""
    try:
        order(*arguments)
    except NotPossible as error:
        return str(error)
    return ""


class JobsWorld(World):
    def __init__(self, *jobs: plan.Job, **settings: Any) -> None:
        super().__init__(*jobs, signals=SIGNALS, **settings)
        self.admin = Admin(self.context, self.engine, self.history, lambda name, names: "")

    def start(self) -> JobsWorld:
        super().start()
        return self

    def ask(self, request: str, name: str) -> list[str]:
        """Ask to `start`, `stop` or `restart` a job; what comes back is filled once there is an outcome."""
        outcomes: list[str] = []
        getattr(self.admin, f"{request}_job")(name, outcomes.append)
        self.loop.settle()
        return outcomes

    def signal(self, number: int, name: str) -> None:
        """A signal comes to ContainerPilot."""
        act_on(number, name, self.engine, self.context, lambda: self.note("log reopened"))
        self.loop.settle()

    def publish(self, code: EventCode, source: str) -> None:
        self.bus.publish(Event(code, source))
        self.loop.settle()

    def maintenance(self, wanted: bool) -> bool:
        changed = self.admin.set_maintenance(wanted)
        self.loop.settle()
        return changed

    def report(self, name: str, *instances: Any) -> None:
        """A watch tells of these instances."""
        self.discovery.watchers[name].report(list(instances))
        self.loop.settle()

    def seen(self, name: str) -> dict[str, Any]:
        """The state of a job as an operator sees it."""
        described = self.admin.job(name)
        assert described is not None
        return described

    def state(self, name: str) -> str:
        return self.engine.jobs[name].state

    def pid(self, name: str) -> int:
        return self.engine.jobs[name].runs.pid

    def count(self, event: str) -> int:
        """How often an event of this code and source was published."""
        return self.events.count(event)

    def starts(self, *names: str) -> list[str]:
        """Which commands were started, in order; only these, if any are named."""
        started = [entry.removeprefix("start ") for entry in self.story("start ")]
        return [name for name in started if not names or name in names]
