"""What the engine does when there is not enough of something to do it, or to tell of it."""

from __future__ import annotations

from typing import NamedTuple

from cp.engine.loop import Loop
from cp.engine.watching import ENVIRONMENT_LIMIT, _to_text


class Instance(NamedTuple):
    id: str
    address: str = "10.0.0.1"
    port: int = 80
    tags: tuple[str, ...] = ()


def test_a_fault_that_cannot_even_be_told_of_does_not_end_the_loop() -> None:
    told: list[BaseException] = []
    done: list[int] = []

    def tell(error: BaseException) -> None:
        told.append(error)
        raise MemoryError

    def fail() -> None:
        raise OSError

    loop = Loop(on_error=tell)
    loop.call_soon(fail)
    loop.call_soon(done.append, 1)

    loop.run_once()

    assert len(told) == 1
    assert done == [1]


def test_a_list_for_the_environment_fits_to_the_last_character_or_is_left_out() -> None:
    empty = len(_to_text([Instance("")]) or "")
    fits = [Instance("x" * (ENVIRONMENT_LIMIT - empty))]
    two = [
        Instance(""),
        Instance("x" * (ENVIRONMENT_LIMIT - 2 * empty + 1)),
    ]  # the brackets are there once, and a comma

    assert len(_to_text(fits) or "") == ENVIRONMENT_LIMIT
    assert len(_to_text(two) or "") == ENVIRONMENT_LIMIT
    assert _to_text([Instance(fits[0].id + "x")]) is None
    assert _to_text([two[0], Instance(two[1].id + "x")]) is None
    assert _to_text([]) == "[]"


def test_a_list_that_is_far_too_long_costs_no_more_than_what_fits() -> None:
    read: list[str] = []

    class Counted(Instance):
        @property
        def tags(self) -> tuple[str, ...]:
            read.append(self.id)
            return ()

    assert _to_text([Counted("x" * 1000) for _ in range(10_000)]) is None
    assert len(read) <= ENVIRONMENT_LIMIT // 1000 + 1
