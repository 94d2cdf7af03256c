"""The limits for one input."""

from __future__ import annotations

LARGEST = 4096  # bytes of an input that is searched for
# Seconds of the processor's time. An input is small; the product's own limits (regular expressions, the work of a
# template) end it after about a second, and the search itself makes everything some times slower.
LONGEST = 10.0
HANG = 60.0  # seconds, after which it is taken for one that never ends
MEMORY = 1024  # MiB of a process


def check_time(seconds: float) -> None:
    assert seconds < LONGEST, f"it took {seconds:.1f} s"
