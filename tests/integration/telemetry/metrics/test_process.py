"""The metrics that all programs have, of this process."""

from __future__ import annotations

import os
import time

from cp.telemetry.metrics.process import (
    MAX_FDS,
    OPEN_FDS,
    PROCESS,
    RESIDENT_MEMORY,
    START_TIME,
    VIRTUAL_MEMORY,
    process_values,
)


def test_of_this_very_process() -> None:
    values = dict(process_values())
    assert set(values) == set(PROCESS)
    assert 0 < values[START_TIME] <= time.time() + 1
    assert 0 < values[RESIDENT_MEMORY] < values[VIRTUAL_MEMORY]
    assert 3 <= values[OPEN_FDS] <= values[MAX_FDS]
    before = values[OPEN_FDS]
    reading, writing = os.pipe()
    assert dict(process_values())[OPEN_FDS] == before + 2
    os.close(reading)
    os.close(writing)
