"""The machine under the figures: is it quiet, what does a process cost it."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

CPUCLOCK_SCHED = 2


def describe() -> str:
    """One line: kernel, processor, number of CPUs."""
    models = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return f"Linux {platform.release()}, {os.cpu_count()} x {models[0] if models else platform.machine()}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()


def _busy_and_total() -> tuple[int, int]:
    """CPU time of all CPUs since boot, in ticks: (not idle, all)."""
    ticks = [int(word) for word in _lines("/proc/stat")[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


@dataclass(slots=True)
class Gate:
    """Lets a run begin when the machine was quiet for a tenth of a second, or after `patience` seconds anyway.

    All waits together take at most `budget` seconds: on a machine that never gets quiet the run comes to its end too.
    """

    patience: float
    budget: float
    limit: float = 0.10
    passed: int = 0
    forced: int = 0

    def wait(self) -> None:
        begun = time.monotonic()
        deadline = begun + min(self.patience, self.budget)
        while True:
            busy, total = _busy_and_total()
            time.sleep(0.1)
            busy_after, total_after = _busy_and_total()
            if busy_after - busy <= self.limit * (total_after - total):
                self.passed += 1
                break
            if time.monotonic() > deadline:
                self.forced += 1
                break
        self.budget -= time.monotonic() - begun - 0.1


def cpu_ms(pid: int) -> float:
    """CPU time of a process in ms, its threads that ended included, its children not."""
    # /proc counts in ticks of 10 ms. This is what clock_getcpuclockid(3) computes; Python has it for threads only.
    return time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED) / 1e6


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return found


def supervisor_pids(pid: int, parts: tuple[str, ...] = ()) -> list[int]:
    """The supervisor and those of its children that run the same executable, or one with a name that is among `parts`:
    it may be more than one process."""
    program = os.readlink(f"/proc/{pid}/exe")
    pids = [pid]
    for child in _children(pid):
        try:
            executable = os.readlink(f"/proc/{child}/exe")
            if executable == program or os.path.basename(executable) in parts:
                pids += supervisor_pids(child, parts)
        except OSError:
            continue  # a health check that has just ended
    return pids


def rss_mb(pid: int) -> float:
    """Resident memory of one process in MB (10^6 bytes)."""
    for line in _lines(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(f"process {pid} has no memory any more")
