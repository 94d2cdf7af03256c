"""The last lines of jobs in memory: what is kept, what is dropped first, and what is masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cp.engine.job_output import BLOCK_SIZE, JOB_LIMIT, LIMIT, LINE_LIMIT, JobLines, JobOutput

if TYPE_CHECKING:
    from cp.engine.job_output import Block, Matcher


class Stars:
    """Masks one word."""

    def __init__(self, word: bytes) -> None:
        self.word = word

    def masked(self, data: bytes, /) -> bytes:
        return data.replace(self.word, b"****")


class Masks:
    matcher: Matcher | None = None


@pytest.fixture
def masks() -> Masks:
    return Masks()


@pytest.fixture
def output(masks: Masks) -> JobOutput:
    return JobOutput(masks)


def texts(job: JobLines) -> list[str]:
    return [line.text for block in job.blocks for line in job.lines(block)]


def assert_consistent(output: JobOutput, *names: str) -> None:
    jobs = output.select(names)
    for job in jobs:
        assert job.size == sum(len(block[4]) + BLOCK_SIZE for block in job.blocks) <= JOB_LIMIT
    assert output.size == sum(job.size for job in jobs) <= LIMIT


def test_lines_have_a_number_among_all_and_one_of_their_own(output: JobOutput, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cp.engine.job_output.time", lambda: 5.25)
    output.of("app").keep("a\n\nü\nbegun".encode(), 3)
    output.of("db").keep(b"b\r", 1)
    output.of("app").keep(b"\xff\n", 1)

    app, db = output.select(["app", "none", "db"])
    lines = [line for block in app.blocks for line in app.lines(block)]
    assert [(line.job, line.number, line.own, line.moment, line.text) for line in lines] == [
        ("app", 1, 1, 5.25, "a"),
        ("app", 2, 2, 5.25, ""),
        ("app", 3, 3, 5.25, "ü"),
        ("app", 5, 4, 5.25, "\udcff"),
    ]
    (line,) = db.lines(db.blocks[0])
    assert (line.number, line.own, line.text) == (4, 1, "b")
    assert output.number == 5


def test_a_job_keeps_its_last_lines(output: JobOutput) -> None:
    app = output.of("app")
    for number in range(10_000):
        app.keep(b"%d\n" % number, 1)

    assert_consistent(output, "app")
    kept = texts(app)
    assert kept == [str(number) for number in range(10_000 - len(kept), 10_000)]
    assert app.size > JOB_LIMIT - 2 * BLOCK_SIZE


def test_the_largest_job_makes_room_and_the_others_keep_all(output: JobOutput) -> None:
    for name in ("quiet", "silent"):
        output.of(name).keep((b"x" * 100 + b"\n") * 10, 10)
    names = [f"loud{number}" for number in range(20)]
    for _ in range(200):
        for name in names:
            output.of(name).keep((b"y" * 99 + b"\n") * 10, 10)

    assert_consistent(output, "quiet", "silent", *names)
    assert all(len(texts(job)) == 10 for job in output.select(["quiet", "silent"]))
    sizes = [job.size for job in output.select(names)]
    assert max(sizes) - min(sizes) < 3000
    assert output.size > LIMIT * 7 // 8


def test_a_thousand_jobs_together_stay_within_the_limit(output: JobOutput) -> None:
    names = [f"job{number}" for number in range(1000)]
    for round_ in range(4):
        for name in names:
            output.of(name).keep(b"%d" % round_ * 4000, 1)
            assert output.size <= LIMIT

    assert_consistent(output, *names)


def test_a_long_line_is_cut_between_two_characters(output: JobOutput) -> None:
    app = output.of("app")
    lines = [b"short", b"x" + "ü".encode() * LINE_LIMIT, b"\xff" * 3 * LINE_LIMIT, b"y" * LINE_LIMIT, b"begun"]
    app.keep(b"\n".join(lines), 4)

    short, long, bytes_, fits = texts(app)
    assert short == "short"
    assert long == "x" + "ü" * (LINE_LIMIT // 2 - 1) + "…"
    assert bytes_ == "\udcff" * LINE_LIMIT + "…"
    assert fits == "y" * LINE_LIMIT
    assert_consistent(output, "app")


def test_a_secret_that_became_known_later_is_masked(output: JobOutput, masks: Masks) -> None:
    app = output.of("app")
    app.keep(b"swordfish", 1)
    masks.matcher = Stars(b"swordfish")
    app.keep(b"then swordfish", 1)  # which has been masked before it came here

    assert texts(app) == ["****", "then swordfish"]
    masks.matcher = None
    assert texts(app) == ["swordfish", "then swordfish"]


def test_a_removed_job_loses_its_lines_and_gets_no_more(output: JobOutput) -> None:
    gone, kept = output.of("gone"), output.of("kept")
    gone.keep(b"1", 1)
    kept.keep(b"2", 1)
    output.keep_only(["kept", "fresh"])
    gone.keep(b"3", 1)  # of what it left in the background

    assert output.select(["gone"]) == []
    assert texts(kept) == ["2"]
    assert_consistent(output, "kept")
    output.of("gone").keep(b"4", 1)  # a job of that name in a later configuration
    assert [line.own for line in output.of("gone").lines(output.of("gone").blocks[0])] == [1]


def test_followers_get_each_block_until_they_leave(output: JobOutput) -> None:
    seen: list[tuple[str, bytes]] = []

    def add(job: JobLines, block: Block) -> None:
        seen.append((job.name, block[4]))

    leave = output.follow(add)
    output.of("app").keep(b"a\nb", 2)
    leave()
    leave()
    output.of("app").keep(b"c", 1)
    assert seen == [("app", b"a\nb")]
