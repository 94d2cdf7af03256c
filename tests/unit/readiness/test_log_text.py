"""A text in the output, also in a line that comes in pieces."""

from __future__ import annotations

from cp.engine.output import LINE_LIMIT
from cp.readiness.log_text import PIECE, LogText


def found(text: str, *lines: str) -> int:
    count = 0

    def on_found() -> None:
        nonlocal count
        count += 1

    reader = LogText(text, on_found)
    for line in lines:
        reader.read(line)
    return count


def test_the_first_line_with_the_text_counts() -> None:
    assert found("listening", "starting", "now listening on 80", "listening") == 1
    assert found("listening", "Listening", "listen", "ing") == 0


def test_a_text_across_two_pieces_of_a_long_line_counts() -> None:
    assert found("listening", "x" * LINE_LIMIT + "list", "ening on 80") == 1
    assert found("listening", "x" * LINE_LIMIT, "y" * LINE_LIMIT + "listening") == 1
    assert found("l", "x" * LINE_LIMIT, "y") == 0


def test_a_piece_is_recognised_whatever_its_characters() -> None:
    assert len("😀".encode()) * PIECE < LINE_LIMIT
    assert found("listening", "😀" * (LINE_LIMIT // 4 - 4) + "list", "ening on 80") == 1


def test_after_the_end_of_a_run_nothing_counts() -> None:
    calls: list[int] = []
    reader = LogText("listening", lambda: calls.append(1))
    reader.close()
    reader.read("listening")
    assert not calls
