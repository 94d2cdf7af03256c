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


def test_many_timers_at_once_let_a_descriptor_have_its_turn() -> None:
    """200 checks that are due together took 200 ms, in which nobody was answered."""
    loop = Loop()
    done: list[str] = []

    def take_a_while() -> None:
        end = loop.now() + 0.001
        while loop.now() < end:
            pass
        done.append("timer")
        if done.count("timer") == 40:
            loop.stop()

    def read() -> None:
        done.append("read")
        loop.remove_reader(reading)

    for _ in range(40):
        loop.call_later(0, take_a_while)
    reading, writing = os.pipe()
    try:
        os.write(writing, b"x")
        loop.add_reader(reading, read)
        loop.run()
    finally:
        os.close(reading)
        os.close(writing)

    assert done.index("read") < 10
