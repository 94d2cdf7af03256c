"""The `process_*` metrics of this process, which all clients of Prometheus have, from /proc (proc(5))."""

from __future__ import annotations

import os

from cp.encoding.prometheus import COUNTER, GAUGE
from cp.platform.text import to_bytes
from cp.telemetry.metrics.definition import Definition

CPU_SECONDS = Definition(
    name="process_cpu_seconds_total", kind=COUNTER, help="Total user and system CPU time spent in seconds."
)
OPEN_FDS = Definition(name="process_open_fds", kind=GAUGE, help="Number of open file descriptors.")
MAX_FDS = Definition(name="process_max_fds", kind=GAUGE, help="Maximum number of open file descriptors.")
VIRTUAL_MEMORY = Definition(name="process_virtual_memory_bytes", kind=GAUGE, help="Virtual memory size in bytes.")
RESIDENT_MEMORY = Definition(name="process_resident_memory_bytes", kind=GAUGE, help="Resident memory size in bytes.")
START_TIME = Definition(
    name="process_start_time_seconds",
    kind=GAUGE,
    help="Start time of the process since unix epoch in seconds.",
)

PROCESS = (CPU_SECONDS, OPEN_FDS, MAX_FDS, VIRTUAL_MEMORY, RESIDENT_MEMORY, START_TIME)

# Fields of /proc/PID/stat, counted from the one after the name of the program.
_USER_TICKS, _SYSTEM_TICKS, _START_TICKS, _VIRTUAL_BYTES, _RESIDENT_PAGES = 11, 12, 19, 20, 21


def process_values(proc: str = "/proc") -> list[tuple[Definition, float]]:
    """The values that are available; the others are left out (/proc is hidden or not mounted)."""
    values: list[tuple[Definition, float]] = []
    for reading in (_stat, _open_files, _limits):
        try:
            values.extend(reading(proc))
        except (OSError, ValueError, IndexError):  # missing, or not as on Linux
            continue
    return values


def _stat(proc: str) -> list[tuple[Definition, float]]:
    # The name of the program is in parentheses, and may contain spaces and parentheses.
    fields = _read(f"{proc}/self/stat").rpartition(b")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    values = [
        (CPU_SECONDS, (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / ticks),
        (VIRTUAL_MEMORY, float(fields[_VIRTUAL_BYTES])),
        (RESIDENT_MEMORY, float(int(fields[_RESIDENT_PAGES]) * os.sysconf("SC_PAGE_SIZE"))),
    ]
    try:
        booted = _read(f"{proc}/stat").partition(b"\nbtime ")[2].split(maxsplit=1)[0]
    except (OSError, IndexError):
        return values
    return [*values, (START_TIME, int(booted) + int(fields[_START_TICKS]) / ticks)]


def _open_files(proc: str) -> list[tuple[Definition, float]]:
    # One of them is the descriptor of listdir itself.
    return [(OPEN_FDS, float(len(os.listdir(to_bytes(f"{proc}/self/fd"))) - 1))]


def _limits(proc: str) -> list[tuple[Definition, float]]:
    soft = _read(f"{proc}/self/limits").partition(b"Max open files")[2].split(maxsplit=1)[0]
    return [(MAX_FDS, float("inf") if soft == b"unlimited" else float(soft))]


def _read(path: str) -> bytes:
    with open(to_bytes(path), "rb") as file:
        return file.read()
