"""The budgets of this program, and whether it meets them."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import checks
from benchmarks.load import LAG
from benchmarks.peers import PILOT, PILOT_SERVICE, PILOT_TLS, PYTHON
from benchmarks.readers import DELAY, REACTION
from benchmarks.samples import Key, Samples, quantile


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit, and the figure that is compared with it.

    The figure is the median (or another quantile) of `key`; with a `base`, its ratio to the median of that.
    `unit` follows the numbers in the table. `stretch` is a more ambitious limit.
    """

    what: str
    key: Key
    limit: float
    stretch: float
    unit: str = " ms"
    base: Key | None = None
    share: float = 0.5

    def figure(self, samples: Samples) -> float | None:
        """None: not measured."""
        values = samples.values.get(self.key)
        base = samples.median(*self.base) if self.base else 1.0
        return quantile(values, self.share) / base if values and base else None

    def verdict(self, samples: Samples) -> str:
        """`MISSED` beyond the limit or where a run failed, `not measured`, `within`, or `stretch`."""
        figure, failed = self.figure(samples), samples.failures.get(self.key, 0)
        if failed:
            return f"MISSED, {failed} failed"
        if figure is None:
            return "not measured"
        if figure > self.limit:
            return "MISSED"
        return "stretch" if figure <= self.stretch else "within"


BARE = ("start", PYTHON)

BESIDE_SUBCOMMANDS = ("putmetric", PYTHON)

BUDGETS = (
    Budget("exec → app, to bare Python", ("start", PILOT), 2.2, 1.7, "x", BARE),
    Budget("… as PID 1", ("start as PID 1", PILOT), 2.2, 1.7, "x", BARE),
    Budget("… one service", ("start", PILOT_SERVICE), 2.2, 1.7, "x", BARE),
    Budget("… one service, as PID 1", ("start as PID 1", PILOT_SERVICE), 2.2, 1.7, "x", BARE),
    Budget("exec → app, no bytecode", ("start without bytecode", PILOT), 90, 70),
    Budget("… one service", ("start without bytecode", PILOT_SERVICE), 90, 70),
    Budget("app's exit → ContainerPilot's exit", ("exit", PILOT), 2, 1),
    Budget("… as PID 1", ("exit as PID 1", PILOT), 2, 1),
    Budget("… of an app that ends at once", ("exit at once", PILOT), 2, 1),
    Budget("SIGTERM → app", ("term", PILOT), 1, 0.5),
    Budget("… as PID 1", ("term as PID 1", PILOT), 1, 0.5),
    Budget("subcommand to bare Python, -ping", ("ping", PILOT), 1.6, 1.5, "x", BESIDE_SUBCOMMANDS),
    Budget("… -putmetric", ("putmetric", PILOT), 1.6, 1.5, "x", BESIDE_SUBCOMMANDS),
    Budget("2000 orphans, to tini", ("orphans", PILOT), 1.3, 1.1, "x", ("orphans", "tini")),
    Budget("answers during a flood, p99", ("flood lag", PILOT), 20, 10, share=0.99),
    Budget("memory that a flood takes, file", ("flood file memory", PILOT), 8, 4, " MB"),
    Budget("… pipe", ("flood pipe memory", PILOT), 8, 4, " MB"),
    Budget("lost lines, file", ("flood file lost", PILOT), 0, 0, "", share=1.0),
    Budget("… pipe", ("flood pipe lost", PILOT), 0, 0, "", share=1.0),
    Budget("memory, no catalogue", ("rss", PILOT), 13, 12, " MB"),
    Budget("memory, 1 service, 1 watch, http", ("rss", PILOT_SERVICE), 18, 16.5, " MB"),
    Budget("… the same over TLS", ("rss", PILOT_TLS), 26, 24, " MB"),
    Budget("own CPU a minute, 1 service, 1 watch", ("cpu", PILOT_SERVICE), 20, 10),
    Budget("requests a minute, 1 service, 3 watches", ("requests", PILOT_SERVICE), 14, 13, ""),
    Budget("catalogue change → process, median", ("watch", PILOT_SERVICE), 10, 6),
    Budget("catalogue change → process, p99", ("watch", PILOT_SERVICE), 30, 30, share=0.99),
    Budget("… in the jobs dialect, median", ("watch of the jobs dialect", PILOT_SERVICE), 10, 6),
    Budget("… p99", ("watch of the jobs dialect", PILOT_SERVICE), 30, 30, share=0.99),
    Budget("loop lag of 200 jobs and 50 watches, p99", (LAG, PILOT), 20, 10, share=0.99),
    Budget("200 native http checks a second, of a core", (checks.CPU, checks.NATIVE), 8, 5, " %"),
    Budget("… loop lag, p99", (checks.LAG, checks.NATIVE), 5, 3, share=0.99),
    Budget("1000 jobs: delay of a stop by 30 readers of /metrics", (DELAY, PILOT), 50, 20),
    Budget("… signal → process meanwhile, p99", (REACTION, PILOT), 20, 10, share=0.99),
    Budget("size of the .pyz", ("size", PILOT), 4.5, 4, " MB"),
)
