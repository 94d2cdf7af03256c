"""A soak from its beginning to its end: the scene, the chaos, and the verdict."""

from __future__ import annotations

import re
import time
import urllib.request
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from tests.soak.agent import Agent
from tests.soak.chaos import PATIENCE, Chaos
from tests.soak.crowd import Crowd
from tests.soak.events import Follower, classic
from tests.soak.ledger import Ledger
from tests.soak.measures import Usage, grown, table, usage
from tests.soak.scene import configuration
from tests.system.control import SOCKET
from tests.system.pilot import Pilot, wait_for, write_config
from tests.system.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REST = 35.0  # seconds after which threads that slow calls of a catalogue had made necessary are gone
SHORT_REST = 6.5  # seconds after which a client that says nothing has been let go
SHORT = 60.0  # seconds of a soak that is to be over soon
SETTLED = 90.0  # seconds in which connections and threads of what is over end; telemetry keeps clients the longest
SAMPLE = re.compile(r'^containerpilot_(\w+)\{(\w+)="([^"]*)"(?:,(\w+)="([^"]*)")?\} (\d+)$', re.MULTILINE)

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Soak:
    """`folder` has a short path: there is a socket in it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.faults: list[str] = []
        self.report = ""
        self._random = Random(seed)
        self._port = free_port()
        self._agent = Agent(folder)
        try:
            write_config(folder / "config.json", configuration(0, self._agent.address, self._port))
            self._pilot = Pilot(folder, ["-config", str(folder / "config.json")], env={})
        except BaseException:  # whatever it is, no server is left behind
            self._agent.close()
            raise
        self._events = Follower(folder / SOCKET)
        self._ledger = Ledger(folder)
        self._chaos = Chaos(self._pilot, self._agent, self._events, self._ledger, self._port, self._random)
        self._crowds: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        """`faults` is what was wrong, `report` a table of what was done."""
        rest = REST
        if seconds < SHORT:
            self._chaos.longest_freeze, rest = 0.8, SHORT_REST
        self._pilot.wait_for_mark("app", timeout=PATIENCE)
        self._with_a_crowd(self._chaos.each_once)
        self._chaos.calm()
        before = self._rested(rest)
        self._chaos.wake()
        began = time.monotonic()
        self._with_a_crowd(lambda: self._chaos.run(lambda: time.monotonic() - began >= seconds))
        self._chaos.calm()
        after = self._as_before(before)
        self._compare_events()
        minutes = (time.monotonic() - began) / 60
        self._end()
        self.faults += [*grown(before, after), *self._chaos.missed]
        self.report = table(self._counts(minutes), before, after)

    def close(self) -> None:
        self._pilot.close()
        self._events.close()
        self._agent.close()

    def _with_a_crowd(self, work: Callable[[], None]) -> None:
        crowd = Crowd(self._pilot, self._port, Random(self._random.random()))
        try:
            work()
        finally:
            crowd.close()
            self._crowds += crowd.counts
            self.faults += crowd.faults

    def _rested(self, rest: float) -> Usage:
        """The usage when it has not become less for this many seconds; a check that runs just now does not count."""
        least, since = usage(self._pilot), time.monotonic()

        def rests() -> bool:
            nonlocal least, since
            now = Usage(*map(min, least, usage(self._pilot)))
            if now[1:] != least[1:]:
                least, since = now, time.monotonic()
            return time.monotonic() - since > rest

        wait_for(rests, SETTLED, "rest")
        return least._replace(memory=usage(self._pilot).memory)

    def _as_before(self, before: Usage) -> Usage:
        """The usage as soon as it is not more than before, or the usage at the end of all time limits."""
        try:
            wait_for(lambda: not grown(before, usage(self._pilot)), SETTLED, "rest")
        except AssertionError:
            pass  # the growth is reported
        return usage(self._pilot)

    # --- the verdict

    def _samples(self) -> dict[str, Counter[tuple[str, ...]]]:
        """Our own counters: by name, then by the values of their labels."""
        with _direct.open(f"http://127.0.0.1:{self._port}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        found: dict[str, Counter[tuple[str, ...]]] = {}
        for name, first, first_value, second, second_value, count in SAMPLE.findall(text):
            labels = dict([(first, first_value), *([(second, second_value)] if second else [])])
            key = tuple(value for _, value in sorted(labels.items()))
            found.setdefault(name, Counter())[key] = int(count)
        return found

    def _compare_events(self) -> None:
        """Events, processes and marks, as three saw them: the follower, the metrics, the children."""
        samples: dict[str, Counter[tuple[str, ...]]] = {}

        def agree() -> bool:
            nonlocal samples
            earlier = self._seen()
            samples = self._samples()
            later = self._seen()
            counted = samples["events"]
            return set(counted) <= set(later) and all(earlier[key] <= counted[key] <= later[key] for key in later)

        try:
            wait_for(agree, PATIENCE, "that events and their metrics agree")
        except AssertionError:
            self.faults += [f"events: {line}" for line in differences(self._seen(), samples.get("events", Counter()))]
        if self._events.gaps:
            self.faults.append(f"events that never came, or came twice: {self._events.gaps[:5]}")
        self._ledger.read()
        self.faults += self._compare_processes(samples)

    def _seen(self) -> Counter[tuple[str, ...]]:
        return Counter({(classic(code), source): count for (code, source), count in self._events.snapshot().items()})

    def _compare_processes(self, samples: dict[str, Counter[tuple[str, ...]]]) -> Iterator[str]:
        """Each start has its end, each end its event; and no process was started that nobody knows of."""
        running = {name: job["pid"] is not None for name, job in self._pilot.jobs().items()}
        ended: Counter[str] = Counter()
        for (_, name), count in samples["job_exits"].items():
            ended[name] += count
        for name, is_running in running.items():
            if name == "containerpilot":
                continue
            started = samples["job_starts"][name,]
            reported = self._events.count("exitSuccess", name) + self._events.count("exitFailed", name)
            marked = self._ledger.marks[f"start-{name}" if name != "app" else "app"]
            if started != ended[name] + is_running or reported != ended[name]:
                yield f"{name}: {started} starts, {ended[name]} ends, {reported} events of them, running: {is_running}"
            if not marked <= started <= marked + self._chaos.interfered[name]:
                yield f"{name}: {started} starts, of which {marked} left a mark"

    def _end(self) -> None:
        code = self._pilot.stop()
        if code != 0 and code != 143:
            self.faults.append(f"the exit code of a stop is {code}")
        wait_for(lambda: not self._pilot.leftovers(), PATIENCE, "the end of all processes")
        self._ledger.finish()
        if self._ledger.printed != self._ledger.logged:
            self.faults.append(f"children printed {self._ledger.printed} lines, the log has {self._ledger.logged}")
        self.faults += [f"in the log: {line}" for line in self._ledger.forbidden[:5]]
        if self._pilot.errors():
            self.faults.append(f"on standard error: {self._pilot.errors()[:500]}")

    def _counts(self, minutes: float) -> dict[str, object]:
        did = self._chaos.counts
        return {
            "minutes": f"{minutes:.1f}",
            "reloads": did["reloads"],
            "processes that ended": sum(
                count for (code, _), count in self._events.snapshot().items() if code in ("exitSuccess", "exitFailed")
            ),
            "catalogue killed": did["kill catalogue"],
            "catalogue frozen": did["freeze catalogue"],
            "maintenance": did["maintenance"],
            "jobs moved": did["move"],
            "signals": sum(did[each] for each in ("hang up", "user signal", "rotate", "suspend")),
            **dict(sorted(self._crowds.items())),
            "events": self._events.last,
            "lines in bursts": self._ledger.logged,
        }


def differences(seen: Counter[tuple[str, ...]], counted: Counter[tuple[str, ...]]) -> list[str]:
    keys = sorted({*seen, *counted})
    return [f"{key}: {seen[key]} came, {counted[key]} were counted" for key in keys if seen[key] != counted[key]][:10]
