"""A registrar on a virtual clock, without threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cp.catalog.outage import Failures
from cp.catalog.registrar import Registrar
from tests.unit.catalog.fakes import Clock, Facts, FakeCatalog, FakeLog, FakeLoop, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.protocol import Catalog
    from cp.plan import Service


class Scene:
    """A registrar whose thread is the test: `run` lets time pass and makes the calls that come due."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.loop = FakeLoop(self.clock)
        self.log = FakeLog()
        self.facts = Facts()
        self.catalog = FakeCatalog()
        self.open_error: Exception | None = None
        self.shared = Failures()
        self._ends: list[Callable[[], None]] = []
        self.set_random(lambda: 1.0)

    def set_random(self, random: Callable[[], float]) -> None:
        """Starts again, with this chance in the pauses."""
        registrar = self.registrar = Registrar(
            self.open,
            self.loop,
            self.log,
            listener=self.facts,
            random=random,
            clock=self.clock,
            shared=self.shared,
            start_thread=lambda run, arguments: self._ends.append(run),
        )
        self._ends.append(registrar.stop)

    def close(self) -> None:
        """The threads run at last, and end at once: what they have open is closed."""
        for end in self._ends:
            end()

    def open(self) -> Catalog:
        if self.open_error is not None:
            raise self.open_error
        return self.catalog

    def run(self, seconds: float = 0.0) -> list[str]:
        """The calls that were made."""
        end = self.clock.time + seconds
        while True:
            pause = self.registrar.step()
            self.loop.turn()
            if pause is None or self.clock.time + pause > end:
                self.clock.time = max(end, self.clock.time)  # a call may have taken longer
                return self.catalog.new_calls()
            self.clock.time += pause

    def passes(self, one: Service | None = None, seconds: float = 0.0) -> list[str]:
        """A check has passed."""
        self.registrar.register(one or service(), "passing")
        return self.run(seconds)

    def new_reports(self) -> list[str]:
        """The reports since the last call."""
        lines, self.facts.lines = self.facts.lines, []
        return lines

    def new_lines(self) -> list[str]:
        lines, self.log.lines = self.log.lines, []
        return [line for line in lines if not line.startswith("debug")]
