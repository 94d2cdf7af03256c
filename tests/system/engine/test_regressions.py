"""Faults that once were in the loop, as a user saw them."""

from __future__ import annotations

import os

from cp.engine.loop import Loop


def test_a_task_that_is_due_in_some_months_does_not_end_the_program() -> None:
    loop = Loop()
    loop.call_later(100 * 86400, loop.run)
    read_end, write_end = os.pipe()
    os.close(write_end)
    loop.add_reader(read_end, loop.stop)
    loop.run()
    os.close(read_end)
