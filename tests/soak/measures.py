"""The resources of a process, and whether they are the same as before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.system import proc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.system.pilot import Pilot

# How much more there may be at the end than at the beginning.
MORE_MEMORY = 6 * 1024  # KiB: what a heap is fragmented by; a leak of 1 KiB per action is more within ten minutes
MORE_DESCRIPTORS = MORE_THREADS = MORE_ZOMBIES = 0


class Usage(NamedTuple):
    """KiB, and numbers."""

    memory: int
    descriptors: int
    threads: int
    zombies: int


ALLOWED = Usage(MORE_MEMORY, MORE_DESCRIPTORS, MORE_THREADS, MORE_ZOMBIES)


def usage(pilot: Pilot) -> Usage:
    return Usage(proc.resident_kilobytes(pilot.pid), len(pilot.descriptors()), pilot.threads(), len(pilot.zombies()))


def grown(before: Usage, after: Usage) -> list[str]:
    """The resources that grew more than permitted, in words."""
    rows = zip(Usage._fields, before, after, ALLOWED, strict=True)
    return [f"{name}: {now}, and {then} before" for name, then, now, more in rows if now > then + more]


def table(counts: Mapping[str, object], before: Usage, after: Usage) -> str:
    """The number of actions, and the usage before and after them."""
    lines = [f"{name:<28} {value!s:>12}" for name, value in counts.items()]
    lines += ["", f"{'':<28} {'before':>12} {'after':>12} {'at most':>12}"]
    names = ("resident memory, KiB", "descriptors", "threads", "zombies")
    for name, then, now, more in zip(names, before, after, ALLOWED, strict=True):
        lines.append(f"{name:<28} {then:>12} {now:>12} {f'+{more}':>12}")
    return "\n".join(lines)
