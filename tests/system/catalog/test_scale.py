"""Many watches and long answers: the loop, on which signals and exits are handled, does not feel them."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.consul.client import Consul
from cp.catalog.watcher import Watcher
from cp.engine.catalog_status import CatalogStatus
from cp.engine.loop import Loop
from cp.plan import ConsulSettings
from tests.system.catalog.live import Live, watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cp.catalog.protocol import Instance

TICK = 0.005  # seconds
# Milliseconds, at the 99th percentile. On a machine with nothing else to do it is below 20; here it guards against a
# relapse, where another test runs beside it on a slow interpreter.
LONGEST_LAG = 40.0
INSTANCES, LARGE_INSTANCES = 50, 5000


@pytest.fixture(scope="module")
def churning() -> Iterator[str]:
    """The address of a Consul whose services change all the time."""
    program = [sys.executable, str(Path(__file__).with_name("churning.py")), str(INSTANCES), str(LARGE_INSTANCES)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{process.stdout.readline().strip()}"
        assert process.stdin is not None
        process.stdin.close()


class Scale:
    """A loop that notes how late its timers are."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.lags: list[float] = []
        self.reports: dict[str, int] = {}
        self._watchers: list[Watcher] = []

    def follow(self, address: str, name: str) -> None:
        def report(now: list[Instance]) -> None:
            self.reports[name] = self.reports.get(name, 0) + 1

        settings = ConsulSettings(address=address)
        log: Any = Live()
        one = watch(name, delay=random.random() * 0.1)
        watcher = Watcher(
            one,
            lambda: Consul(settings, {}),
            self.loop,
            log,
            report,
            listener=CatalogStatus(time.monotonic),
            random=random.random,
        )
        watcher.start()
        self._watchers.append(watcher)

    def run(self, seconds: float) -> list[float]:
        """The lags in order, in milliseconds."""
        self.lags = []
        self.loop.call_later(seconds, self.loop.stop)
        self._tick()
        self.loop.run()
        return sorted(1000 * lag for lag in self.lags)

    def _tick(self) -> None:
        due = self.loop.now() + TICK

        def late() -> None:
            self.lags.append(self.loop.now() - due)
            self._tick()

        self.loop.call_later(TICK, late)

    def close(self) -> None:
        for watcher in self._watchers:
            watcher.stop()


@pytest.fixture
def scale() -> Iterator[Scale]:
    """Like the program, which looks for no garbage among what it needed to start; for the tests' own it takes long."""
    gc.collect()
    gc.freeze()
    scale = Scale()
    yield scale
    scale.close()
    gc.unfreeze()


def p99(lags: list[float]) -> float:
    return lags[len(lags) * 99 // 100]


def test_fifty_watches_that_churn_leave_the_loop_alone(scale: Scale, churning: str) -> None:
    quiet = p99(scale.run(1))
    names = [f"web-{number}" for number in range(49)] + ["large"]
    for name in names:
        scale.follow(churning, name)
    scale.run(2)  # all clients are open, and everything is imported

    scale.reports.clear()
    figures: list[float] = []
    # A machine that does much else lets the loop wait too, but not all the time.
    limit = quiet + LONGEST_LAG
    # The watches rest for up to 4 s, at random, while there are changes without pause.
    while len(scale.reports) < 50 or min(figures) >= limit:
        summary = f"{len(scale.reports)} of 50 reports; p99 with changes, in ms: {figures}; at rest {quiet:.1f}"
        assert len(figures) < 10, summary
        figures.append(p99(scale.run(2)))

    assert sum(scale.reports.values()) > 100
