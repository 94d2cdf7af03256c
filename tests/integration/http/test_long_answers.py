"""Answers that may be long: once for all that ask, in steps, and whole or an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.engine.loop import Loop
from cp.http.long_answers import PIECE, LongAnswers, gathered, json_parts
from cp.http.messages import Response

STEP = 0.0001  # seconds


class Scene:
    """Pages on a loop whose time passes only while one is made."""

    def __init__(self) -> None:
        self.time = 0.0
        self.faults: list[BaseException] = []
        self.loop = Loop(clock=lambda: self.time, on_error=self.faults.append)
        self.pages = LongAnswers(self.loop)
        self.begun = self.in_work = 0
        self.fails = False

    def make(self, steps: int = 100) -> Callable[[], Generator[None, None, Response]]:
        def make() -> Generator[None, None, Response]:
            self.begun += 1
            self.in_work += 1
            number = self.begun
            try:
                for _ in range(steps):
                    self.time += STEP
                    yield
                if self.fails:
                    raise ZeroDivisionError
            finally:
                self.in_work -= 1
            return Response(200, b"%d" % number)

        return make

    def ask(self, name: str = "page") -> list[Response]:
        """Waits for the answer, and returns it."""
        answers: list[Response] = []
        self.pages.ask(name, self.make(), answers.append)
        return answers

    def run_until(self, condition: Callable[[], object]) -> None:
        for _ in range(100_000):
            if condition():
                return
            self.loop.call_later(0, lambda: None)  # whatever comes, the loop does not wait
            self.loop.run_once()
        raise AssertionError("that never came")


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    assert not scene.faults


def test_a_page_is_made_once_for_all_that_wait_for_it(scene: Scene) -> None:
    askers = [scene.ask() for _ in range(30)]
    scene.run_until(lambda: all(askers))
    assert scene.begun == 1
    assert len({id(answer) for (answer,) in askers}) == 1


def test_a_request_during_the_creation_of_a_page_gets_the_next_one(scene: Scene) -> None:
    """A value that was recorded before the question is on the page."""
    first = scene.ask()
    scene.run_until(lambda: scene.begun)
    late = [scene.ask() for _ in range(30)]
    assert not first
    scene.run_until(lambda: all(late))
    assert first[0].pieces == (b"1",)
    assert {answer.pieces for (answer,) in late} == {(b"2",)}


def test_at_most_one_page_of_a_name_is_in_work_for_all_clients(scene: Scene) -> None:
    askers: list[tuple[int, list[Response]]] = []

    def ask_again() -> bool:
        assert scene.in_work <= 1
        askers.append((scene.begun, scene.ask()))
        return scene.begun == 20

    scene.run_until(ask_again)
    scene.run_until(lambda: all(answers for _, answers in askers))
    assert len(askers) > 100
    assert scene.begun <= 22
    for begun, answers in askers:
        assert int(answers[0].pieces[0]) > begun, "a page that was begun before the question"


def test_pages_of_different_names_are_made_side_by_side(scene: Scene) -> None:
    one, other = scene.ask("one"), scene.ask("other")
    scene.run_until(lambda: scene.in_work == 2)
    scene.run_until(lambda: one and other)
    assert scene.begun == 2


def test_a_page_that_fails_is_an_error_to_all_that_wait_and_the_next_one_is_made(scene: Scene) -> None:
    scene.fails = True
    failed = [scene.ask() for _ in range(3)]
    scene.run_until(lambda: scene.begun)
    later = scene.ask()
    scene.run_until(lambda: all(failed))
    scene.fails = False
    scene.run_until(lambda: later)
    assert {answer.status for (answer,) in failed} == {500}
    assert later[0].status == 200
    assert [type(fault) for fault in scene.faults] == [ZeroDivisionError]
    scene.faults.clear()


def test_a_timer_comes_between_the_steps_of_a_page(scene: Scene) -> None:
    """A page of 10 ms, thirty of which were waited for in a row, once made every timer late."""
    late: list[float] = []

    def tick(due: float) -> None:
        late.append(scene.time - due)
        scene.loop.call_at(due + 0.005, tick, due + 0.005)

    scene.loop.call_at(0.001, tick, 0.001)
    askers = [scene.ask(str(number)) for number in range(30)]
    scene.run_until(lambda: all(askers))
    assert len(late) > 50
    assert max(late) <= 0.002


# --- what they are made of


def whole(parts: Generator[None, None, tuple[bytes, ...]]) -> tuple[int, tuple[bytes, ...]]:
    """The number of steps, and what was gathered in them."""
    for steps in range(1_000_000):
        try:
            next(parts)
        except StopIteration as end:
            return steps, end.value
    raise AssertionError("it has no end")


def test_a_body_is_gathered_one_part_a_step_in_pieces_of_some_size() -> None:
    steps, pieces = whole(gathered((b"%06d" % number for number in range(100_000)), 1 << 30))
    assert steps == 100_000
    assert b"".join(pieces) == b"".join(b"%06d" % number for number in range(100_000))
    assert all(PIECE <= len(piece) < 2 * PIECE for piece in pieces[:-1])


def test_nothing_is_gathered_far_beyond_the_limit() -> None:
    made = 0

    def parts() -> Iterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"x" * 1000

    _, pieces = whole(gathered(parts(), 1_000_000))
    assert 1_000_000 < sum(map(len, pieces)) <= 1_000_000 + 2 * PIECE
    assert made <= 1500


def test_an_empty_body_is_gathered_too() -> None:
    assert whole(gathered([], 10)) == (0, (b"",))


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
ROWS = st.lists(SCALARS | st.dictionaries(st.text(max_size=3), SCALARS, max_size=3), max_size=5)


@given(st.dictionaries(st.text(max_size=3), SCALARS | ROWS, max_size=4))
def test_json_in_parts_is_json(value: dict[str, object]) -> None:
    assert b"".join(json_parts(value)) == json.dumps(value, ensure_ascii=False).encode() + b"\n"
    iterators = {key: iter(member) if isinstance(member, list) else member for key, member in value.items()}
    assert json.loads(b"".join(json_parts(iterators, (",", ":")))) == value


def test_json_in_parts_has_an_element_a_part_and_makes_each_when_its_turn_comes() -> None:
    made: list[int] = []

    def rows() -> Iterator[object]:
        for number in range(1000):
            made.append(number)
            yield {"number": number}

    parts = json_parts({"version": 1, "rows": rows()})
    for _ in range(500):
        next(parts)
    assert 490 < len(made) < 510


def test_invalid_bytes_become_replacement_characters() -> None:
    assert json.loads(b"".join(json_parts({"rows": iter(["caf\udce9"])}))) == {"rows": ["caf\ufffd"]}
