"""The table of faults: every fault, of every kind of request, of every catalogue that is a server.

In each cell nobody notices the fault but the log, which has one line when it begins and one when it is over; requests
stay bounded while it lasts; and all is well soon after it. `scripts/fault-table.sh` shows how soon.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

import pytest

from tests.size import mostly_nightly
from tests.system.faults.cells import LONGEST_TURN, Broken, Cell, Outcome, faults, is_logged, names_of_cells, run_all
from tests.system.faults.lying import LOOK, VERBS
from tests.system.pilot import wait_for

ROOT = Path(__file__).resolve().parents[3]
AT_ONCE = (40, 4, 1)  # cells beside each other; a cell in which much came too late is run again with fewer others
AGAIN = 30  # cells at most
RATE = 32  # requests in a second while a fault lasts; one attempt takes up to five
FIRST = 12  # and so many more at its begin


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trouble is over after half a second without another failure."""
    for module in ("outage", "watcher"):
        monkeypatch.setattr(f"cp.catalog.{module}.CALM", 0.5)


def problems(outcome: Outcome | Broken) -> list[str]:
    """The broken promises."""
    names = (outcome.catalog, outcome.fault, outcome.verb)
    if isinstance(outcome, Broken):
        return [f"{' / '.join(names)}: {outcome.why}"]
    found = []
    if outcome.begins != outcome.ends or outcome.begins > 1:
        found.append(f"{outcome.begins} begins and {outcome.ends} ends in the log: {outcome.log}")
    if is_logged(*names) and not outcome.begins:
        found.append(f"nothing was logged: {outcome.log}")
    if outcome.longest_turn > LONGEST_TURN:
        found.append(f"the loop stood still for {outcome.longest_turn:.2f} s")
    if outcome.requests > outcome.lasted * RATE + FIRST:
        found.append(f"{outcome.requests} requests in {outcome.lasted:.1f} s")
    requested_a_pause = "Retry-After" in outcome.fault and outcome.verb != LOOK  # without which all else goes on
    if requested_a_pause and outcome.requests > 3 + 2 * outcome.lasted:
        found.append(f"{outcome.requests} requests, although the server requested a pause")
    return [f"{' / '.join(names)}: {problem}" for problem in found]


@pytest.mark.timing
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("catalog", mostly_nightly(["consul", "etcd2", "etcd3"], "consul", "etcd3"))
def test_every_fault_of_every_request_is_harmless_and_heals(catalog: str) -> None:
    Cell(catalog, "500", "read").run()  # imports what all of them need
    gc.collect()
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))

    outcomes: dict[tuple[str, str], Outcome | Broken] = {}
    names = names_of_cells(catalog)
    for at_once in AT_ONCE:
        outcomes |= {(outcome.fault, outcome.verb): outcome for outcome in run_all(catalog, names, at_once)}
        names = [name for name, outcome in outcomes.items() if problems(outcome)][:AGAIN]

    write(catalog, [outcome for outcome in outcomes.values() if isinstance(outcome, Outcome)])
    found = [problem for outcome in outcomes.values() for problem in problems(outcome)]
    assert not found, "\n".join(["", *found])
    assert set(outcomes) == set(names_of_cells(catalog))
    gc.collect()
    wait_for(lambda: threading.active_count() <= threads, what="the end of all threads")
    wait_for(lambda: len(os.listdir("/proc/self/fd")) <= descriptors, what="no more open files than before")


def write(catalog: str, outcomes: list[Outcome]) -> None:
    """The seconds to heal, by fault and verb: to standard output and .cache/faults."""
    healed = {(outcome.fault, outcome.verb): f"{outcome.healed:.2f}" for outcome in outcomes}

    def row(first: str, cells: list[str]) -> str:
        return f"{first:30}{''.join(f'{cell:>12}' for cell in cells)}\n"

    table = row(catalog, list(VERBS))
    for fault in faults(catalog):
        table += row(fault, [healed.get((fault, verb), "-") for verb in VERBS])
    folder = ROOT / ".cache" / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{catalog}.txt").write_text(table)
    sys.stdout.write(f"\n{table}")
