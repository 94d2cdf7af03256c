"""Follows one watch and reports changes: the thread and the clock around `snapshot`."""

from __future__ import annotations

import time
from _thread import start_new_thread

from cp.catalog.instrumented import LONGER
from cp.catalog.lazy_client import LazyClient
from cp.catalog.outage import CALM, LONGEST, SHORTEST, Outage, in_words
from cp.catalog.protocol import CatalogError, CatalogRefused
from cp.catalog.reports import Reports
from cp.catalog.snapshot import Snapshot
from cp.platform.text import duration_text
from cp.platform.wakeup import Wakeup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from cp.catalog.outage import Failures
    from cp.catalog.protocol import Catalog
    from cp.engine.ports import CatalogListener, Log, Loop
    from cp.plan import Watch

    # Any, because the engine names an instance by a protocol of its own.
    Report = Callable[[list[Any]], None]

PUSH_WAIT = 300.0  # seconds of one long poll
GATHER = 0.25  # seconds between two reports
LONGEST_GATHER = 4.0  # the same, while changes keep coming
FEW = 4  # instances; a service with more has proportionally longer pauses between reports
AT_ONCE = 0.025  # seconds; a response that comes sooner reports a change during the pause before the request
HASTE = 10  # immediate responses in a row that may come without a change


class Watcher:
    """Calls `report` on the loop's thread, for which all methods are; none of them blocks.

    The first query is made `delay` seconds after the start. Later queries wait for a change, or come every interval if
    the catalogue has no long poll. A failed query changes nothing. `memory` has the instances that were reported last.
    If they are not known (None), the first result is reported whatever it is. `shared` has the failures of all clients
    of the catalogue.
    """

    def __init__(
        self,
        watch: Watch,
        open: Callable[[], Catalog],
        loop: Loop,
        log: Log,
        report: Report,
        *,
        listener: CatalogListener,
        memory: Iterable[Any] | None = (),
        random: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        start_thread: Callable[[Callable[[], None], tuple[()]], object] = start_new_thread,
        shared: Failures | None = None,
    ) -> None:
        self._watch = watch
        self._loop = loop
        self._log = log
        self._report = report
        self._random = random
        self._clock = clock
        self._start_thread = start_thread
        # The loop's thread only.
        self._reported = Snapshot(memory)
        self._latest = self._reported
        self._paused = False
        # The watcher's thread only.
        self._seen = self._reported
        self._cursor: object = None
        self._reports = Reports(loop, listener, watch.source)
        self._outage = Outage(random, shared, watch.source)
        self._hasty = 0
        self._rush = 0  # pauses that missed a change, minus pauses that did not, since the last calm period
        self._begin = 0.0
        # Both: written once, or by one side.
        self._wakeup: Wakeup | None = None
        self._client = LazyClient(open)
        self._stopped = False

    # --- on the loop's thread

    @property
    def memory(self) -> list[Any]:
        return self._reported.instances

    def start(self) -> None:
        """Start the thread. A second call does nothing."""
        if self._wakeup is not None or self._stopped:
            return
        self._begin = self._clock() + self._watch.delay
        wakeup = None
        try:
            wakeup = self._wakeup = Wakeup()
            self._start_thread(self._run, ())
        except (OSError, RuntimeError) as error:  # no descriptor, no thread
            if wakeup is not None:
                wakeup.close()
            self._wakeup = None
            why = f"cannot start a thread: {error}"
            self._reports.failed(why)
            if self._outage.failed(self._clock()):
                self._log.warning(f"Failed to query {self._watch.name}: {why}")
            self._loop.call_later(LONGEST, self.start)

    def pause(self) -> None:
        """Report nothing from now on."""
        self._paused = True

    def resume(self) -> None:
        """Report again, and at once if the instances have changed since the last report."""
        self._paused = False
        self._compare()

    def stop(self) -> None:
        """Report nothing any more, and end the query under way. Nothing waits for the thread."""
        self._stopped = True
        self._reports.close()
        self._client.close()
        if self._wakeup is not None:
            self._wakeup.ring()

    def _saw(self, snapshot: Snapshot) -> None:
        self._latest = snapshot
        self._compare()

    def _compare(self) -> None:
        latest = self._latest
        if self._paused or self._stopped or not latest.differs_from(self._reported):
            return
        self._reported = latest
        self._report(list(latest.instances))

    # --- on the watcher's thread

    def _run(self) -> None:
        wakeup = self._wakeup
        assert wakeup is not None
        try:
            self._client.warm_up()
            pause = self._begin - self._clock()
            while not self._stopped:
                wakeup.wait(pause)
                if not self._stopped:
                    pause = self.step()
        finally:
            self._client.close()
            wakeup.close()

    def step(self) -> float:
        """Make one query. Returns the seconds until the next one."""
        asked_at = self._clock()
        first = self._cursor is None  # the response comes at once
        # During an outage the next query comes soon, so that its end is logged.
        max_wait = CALM if self._outage.under_way else PUSH_WAIT
        wait = 0.0 if first or not self._watch.push else max_wait * LONGER
        try:
            found, self._cursor = self._ask(max_wait)
            snapshot = Snapshot(found)
        except CatalogError as error:
            refused = isinstance(error, CatalogRefused)
            self._reports.failed(str(error), answered=refused)
            return self._failed(str(error), error.retry_after, due=asked_at + wait, alone=refused)
        except Exception as error:  # an error of this program or of a library must not end the watch
            self._reports.failed(in_words(error))
            return self._failed(in_words(error), due=asked_at + wait)
        self._reports.answered()
        now = self._clock()
        self._outage.worked(now)
        lasted = self._outage.over(now)
        if lasted is not None:
            self._loop.post(self._log.info, f"{self._watch.name} can be queried again after {duration_text(lasted)}")
        return self._took(snapshot, asked_at, first)

    def _took(self, snapshot: Snapshot, asked_at: float, first: bool) -> float:
        pushes = self._watch.push and self._cursor is not None
        lasted = self._clock() - asked_at
        if snapshot.differs_from(self._seen):
            self._seen = snapshot
            self._loop.post(self._saw, snapshot)
            self._hasty = 0
            return self._gather(lasted, first) if pushes else self._watch.interval
        if not pushes:
            return self._watch.interval
        # Something else changed. A catalogue that always responds at once must not keep this process busy.
        self._hasty = self._hasty + 1 if lasted < SHORTEST else 0
        return GATHER if self._hasty > HASTE else 0.0

    def _gather(self, lasted: float, first: bool) -> float:
        """The pause after a change, which gathers further changes.

        A change of one instance makes all watchers of the service query it again. When a fleet starts, this is more
        than a catalogue can serve. So a service with more instances has longer pauses, and they grow while they miss
        changes, up to the interval of a watch that polls. Half of a longer pause is random, because all watchers
        receive a change at the same moment.
        """
        if lasted >= CALM:
            self._rush = 0
        elif not first:
            self._rush = self._rush + 1 if lasted < AT_ONCE else max(0, self._rush - 1)
        pause = GATHER * max(1.0, len(self._seen.instances) / FEW) * 4.0 ** min(max(0, self._rush - 1), 5)
        return max(GATHER, min(pause, LONGEST_GATHER, self._watch.interval) * (0.5 + 0.5 * self._random()))

    def _ask(self, max_wait: float) -> tuple[list[Any], object]:
        catalog = self._client.get()
        if self._cursor is None or not self._watch.push:
            return catalog.instances(self._watch)
        return catalog.wait_for_change(self._watch, self._cursor, max_wait)

    def _failed(self, why: str, retry_after: float = 0.0, *, due: float, alone: bool = False) -> float:
        """`due`: when the response should have come. `alone`: the failure does not concern other queries."""
        self._cursor = None  # read all instances again
        self._rush = max(self._rush, 2)  # after an outage many instances change at the same time
        if self._stopped:
            return 0.0
        # After an outage, too, a change must be seen within one interval.
        longest = min(self._watch.interval, LONGEST)
        if self._outage.failed(self._clock(), retry_after, longest, since=due, alone=alone):
            self._loop.post(self._log.warning, f"Failed to query {self._watch.name}: {why}")
        pause = self._outage.retry_at - self._clock()
        if retry_after > 0:
            return max(pause, self._watch.interval)
        return pause if self._watch.push else self._watch.interval
