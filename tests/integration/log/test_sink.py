"""Log lines leave without ever blocking us: kept, held back, counted."""

from __future__ import annotations

import errno
import json
import os
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.log.sink import Sink
from cp.log.streams import file_channel, stream_channel
from cp.log.thread_channel import ThreadChannel
from tests.integration.log.streams import LINE, FakeLoop, Pipe, Wire, errno_error, numbered, read_until
from tests.limits import DEADLINE

KIB = 1024


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


@pytest.fixture(params=["own description", "thread"])
def sink(pipe: Pipe, request: pytest.FixtureRequest) -> Iterator[Sink]:
    channel = ThreadChannel(pipe.write_end) if request.param == "thread" else stream_channel(pipe.write_end)
    assert isinstance(channel, ThreadChannel) == (request.param == "thread")
    sink = Sink(channel)
    yield sink
    pipe.read_all()
    sink.close()


# --- a reader that reads


def test_a_line_reaches_a_reader_without_a_loop(pipe: Pipe, sink: Sink) -> None:
    sink.write(b"first\n")
    sink.flush(5)
    assert pipe.read_all() == b"first\n"


def test_a_line_far_longer_than_the_pipe_arrives_whole(pipe: Pipe, sink: Sink, loop: FakeLoop) -> None:
    sink.attach(loop)
    line = os.urandom(500 * KIB).hex().encode() + b"\n"
    sink.write(line)
    assert read_until(pipe, loop, lambda data: len(data) >= len(line)) == line


# --- a reader that stalls


def test_a_stalled_reader_gets_every_line_in_order_later(pipe: Pipe, sink: Sink, loop: FakeLoop) -> None:
    sink.attach(loop)
    lines = numbered(5000)
    for line in lines:
        sink.write(line)
    assert pipe.is_blocking()
    assert read_until(pipe, loop, lambda data: len(data) >= 500_000) == b"".join(lines)
    loop.turn()
    assert not loop.writers


def test_lines_written_before_there_is_a_loop_are_kept_too(pipe: Pipe, sink: Sink, loop: FakeLoop) -> None:
    lines = numbered(5000)
    for line in lines:
        sink.write(line)
    sink.attach(loop)
    assert read_until(pipe, loop, lambda data: len(data) >= 500_000) == b"".join(lines)


def test_pressure_follows_the_amount_of_kept_output(pipe: Pipe, sink: Sink, loop: FakeLoop) -> None:
    seen: list[bool] = []
    sink.attach(loop, seen.append)
    for _ in range(2000):
        sink.write(LINE)
    assert seen == []
    for _ in range(3000):
        sink.write(LINE)
    assert seen == [True]
    read_until(pipe, loop, lambda data: len(data) >= 500_000)
    assert seen == [True, False]


def test_after_ten_seconds_lines_are_counted_instead_of_kept(pipe: Pipe, sink: Sink, loop: FakeLoop) -> None:
    seen: list[bool] = []
    sink.attach(loop, seen.append)
    for _ in range(5000):
        sink.write(LINE)
    loop.advance(9.9)
    assert seen == [True]
    loop.advance(0.2)
    assert seen == [True, False]
    for _ in range(42):
        sink.write(b"dropped\n")
    loop.advance(20)

    data = read_until(pipe, loop, lambda data: b"lost" in data)
    sink.write(b"after\n")
    data += read_until(pipe, loop, lambda data: b"after\n" in data)

    assert data == LINE * 5000 + b"42 log lines were lost: standard output was not read for 30 s\nafter\n"
    assert seen == [True, False]


def test_a_slow_reader_keeps_the_pressure_on_and_loses_nothing(pipe: Pipe, loop: FakeLoop) -> None:
    seen: list[bool] = []
    sink = Sink(stream_channel(pipe.write_end))
    sink.attach(loop, seen.append)
    for _ in range(8000):
        sink.write(LINE)
    received = b""
    for _ in range(5):
        loop.advance(8)
        received += os.read(pipe.read_end, 8 * KIB)
        loop.turn()
    assert seen == [True]
    received += read_until(pipe, loop, lambda data: len(received) + len(data) >= 800_000)
    assert received == LINE * 8000
    sink.close()


def test_more_than_the_limit_is_counted(pipe: Pipe, loop: FakeLoop) -> None:
    sink = Sink(stream_channel(pipe.write_end), "standard error")
    sink.attach(loop)
    lines = Sink.LIMIT // len(LINE) * 2
    for _ in range(lines):
        sink.write(LINE)
    data = read_until(pipe, loop, lambda data: b"lost" in data)
    kept = data.count(LINE)
    assert Sink.LIMIT - len(LINE) < kept * len(LINE) < Sink.LIMIT + 128 * KIB
    assert data.endswith(b"\n%d log lines were lost: standard error was read too slowly\n" % (lines - kept))
    sink.close()


def test_the_callback_may_log_itself(pipe: Pipe, loop: FakeLoop) -> None:
    sink = Sink(stream_channel(pipe.write_end))
    sink.attach(loop, lambda on: sink.write(b"pressure %d\n" % on))
    for _ in range(5000):
        sink.write(LINE)
    data = read_until(pipe, loop, lambda data: b"pressure 0" in data)
    assert data.count(LINE) == 5000
    assert b"pressure 1\n" in data
    sink.close()


def test_flush_waits_for_a_reader_that_reads(pipe: Pipe, sink: Sink) -> None:
    for _ in range(3000):
        sink.write(LINE)
    received: list[bytes] = []

    def read() -> None:
        while sum(map(len, received)) < 300_000:
            received.append(os.read(pipe.read_end, 64 * KIB))

    reader = threading.Thread(target=read)
    reader.start()
    sink.flush(10)
    reader.join(DEADLINE)
    assert b"".join(received) == LINE * 3000


def test_flush_goes_on_while_a_slow_reader_reads(pipe: Pipe, sink: Sink) -> None:
    """It takes far longer than the patience with one that does not."""
    for _ in range(3000):
        sink.write(LINE)
    received: list[bytes] = []
    pause = threading.Event()

    def read() -> None:
        while sum(map(len, received)) < 300_000:
            pause.wait(0.02)
            received.append(os.read(pipe.read_end, 8 * KIB))

    reader = threading.Thread(target=read)
    reader.start()
    sink.flush(0.4, 60)
    reader.join(DEADLINE)
    assert b"".join(received) == LINE * 3000
    assert sink.unwritten == 0


@pytest.mark.timing
def test_flush_to_a_slow_reader_has_a_time_limit(pipe: Pipe, sink: Sink) -> None:
    for _ in range(3000):
        sink.write(LINE)
    done = threading.Event()

    def read() -> None:
        while not done.wait(0.02):
            os.read(pipe.read_end, 1 * KIB)

    reader = threading.Thread(target=read)
    reader.start()
    start = time.monotonic()
    sink.flush(0.2, 0.5)
    assert 0.4 < time.monotonic() - start < 3
    done.set()
    reader.join(DEADLINE)
    assert 1000 < sink.unwritten < 3000


def test_lost_lines_are_reported_where_they_are_missing(pipe: Pipe, loop: FakeLoop) -> None:
    sink = Sink(stream_channel(pipe.write_end))
    sink.attach(loop)
    for number in range(20_000):
        sink.write(b"%099d\n" % number)
    received = b""
    while b"lost" not in received:
        received += os.read(pipe.read_end, 8 * KIB)
        loop.turn()
        number += 1
        sink.write(b"%099d\n" % number)
    before, _, after = received.partition(b" log lines were lost: standard output was read too slowly\n")
    *kept, lost = before.splitlines()
    assert [int(line) for line in kept] == list(range(len(kept)))
    after += read_until(pipe, loop, lambda data: b"%099d\n" % number in after + data)
    assert int(after.splitlines()[0]) == len(kept) + int(lost)
    sink.close()


@pytest.mark.timing
def test_flush_gives_up_on_a_reader_that_does_not(sink: Sink) -> None:
    for _ in range(3000):
        sink.write(LINE)
    start = time.monotonic()
    sink.flush(0.05)
    assert 0.04 < time.monotonic() - start < 2


def test_output_of_the_application_comes_between_lines_not_inside_them() -> None:
    wire = Wire(errno_error(errno.EAGAIN))
    sink = Sink(wire)
    lines = [b"%d" % n * 300 + b"\n" for n in range(10)] * 10
    for line in lines[:-1]:
        wire.script = [errno_error(errno.EAGAIN)] * 2
        sink.write(line)
    wire.script = []
    sink.write(lines[-1])
    assert wire.data == b"".join(lines)
    assert max(wire.sizes) <= select.PIPE_BUF


def test_after_a_reader_that_did_not_read_new_lines_wait_until_all_old_ones_are_read() -> None:
    class Small(Sink):
        LIMIT = 400
        HIGH_WATER = 250
        LOW_WATER = 150

    again = errno_error(errno.EAGAIN)
    loop, asked = FakeLoop(), list[bool]()
    wire = Wire(*[again] * 4)
    sink = Small(wire)
    sink.attach(loop, asked.append)
    for _ in range(3):
        sink.write(LINE)
    loop.advance(Small.PATIENCE)
    assert asked == [True, False]
    wire.script = [2 * len(LINE), again]
    assert wire.watcher is not None
    wire.watcher()
    assert wire.data == LINE * 2
    sink.write(b"dropped, though it fits\n")
    wire.watcher()
    assert wire.data == LINE * 3 + b"1 log line was lost: standard output was not read for 10 s\n"
    sink.write(b"kept\n")
    assert wire.data.endswith(b"10 s\nkept\n")
    assert asked == [True, False]


# --- a reader that goes away


def test_a_reader_that_has_gone_does_no_harm(pipe: Pipe, sink: Sink, loop: FakeLoop) -> None:
    seen: list[bool] = []
    sink.attach(loop, seen.append)
    for _ in range(5000):
        sink.write(LINE)
    os.close(pipe.read_end)
    deadline = time.monotonic() + DEADLINE
    while seen != [True, False]:
        assert time.monotonic() < deadline
        loop.turn()
        loop.rung.wait(0.001)
    sink.write(LINE)
    sink.flush()
    assert not loop.writers
    pipe.read_end = os.open("/dev/null", os.O_RDONLY)


def test_a_new_reader_of_a_fifo_gets_the_number_of_lost_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    os.mkfifo(path)
    sink = Sink(file_channel(str(path)), str(path))
    sink.write(b"nobody is there\n")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink.write(b"one\n")
    assert os.read(reader, 1000) == b"1 log line was lost: broken pipe\none\n"
    os.close(reader)
    for _ in range(3):
        sink.write(b"gone\n")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink.write(b"two\n")
    assert os.read(reader, 1000) == b"3 log lines were lost: broken pipe\ntwo\n"
    os.close(reader)
    assert sink.close() == 0


def test_lost_lines_are_counted_by_the_thread_as_well() -> None:
    reader, writer = socket.socketpair()
    reader.close()
    sink = Sink(ThreadChannel(writer.fileno()))
    for _ in range(5):
        sink.write(LINE)
        sink.flush(5)
    writer.close()
    sink.write(LINE)
    assert sink.close() == 6


# --- a full disk


def test_dev_full_takes_nothing_and_does_no_harm() -> None:
    sink = Sink(file_channel("/dev/full"))
    for _ in range(7):
        sink.write(LINE)
    assert sink.close() == 7


def test_a_disk_that_has_room_again_gets_the_number_of_lost_lines() -> None:
    wire = Wire(*[errno_error(errno.ENOSPC)] * 5)
    sink = Sink(wire)
    for n in range(5):
        sink.write(b"%d\n" % n)
    sink.write(b"5\n")
    assert wire.data == b"5 log lines were lost: no space left on device\n5\n"


def test_a_line_cut_by_a_full_disk_does_not_swallow_the_next_one() -> None:
    wire = Wire(3, errno_error(errno.ENOSPC))
    sink = Sink(wire)
    sink.write(b"first line\n")
    sink.write(b"second line\n")
    assert wire.data == b"fir\n1 log line was lost: no space left on device\nsecond line\n"


@pytest.mark.parametrize("taken_at_first", [1, 5, 1000], ids=["the line feed alone", "a part", "all"])
def test_a_cut_line_is_followed_by_one_line_feed(taken_at_first: int) -> None:
    wire = Wire(3, errno_error(errno.ENOSPC), taken_at_first, errno_error(errno.EAGAIN))
    sink = Sink(wire)
    for line in (b"first line\n", b"second line\n", b"third line\n", b"fourth line\n"):
        sink.write(line)
    lost = b"1 log line was lost: no space left on device\n"
    assert wire.data == b"fir\n" + lost + b"second line\nthird line\nfourth line\n"


def test_a_line_whose_rest_came_later_is_not_cut() -> None:
    again, full = errno_error(errno.EAGAIN), errno_error(errno.ENOSPC)
    wire = Wire(3, again, 1000, again, full)
    sink = Sink(wire)
    sink.write(b"first line\n")
    assert wire.data == b"fir"
    sink.write(b"second line\n")
    assert wire.data == b"first line\nsecond line\n"
    sink.write(b"third line\n")  # lost
    sink.write(b"fourth line\n")
    assert wire.data.partition(b"second line\n")[2] == b"1 log line was lost: no space left on device\nfourth line\n"


def test_a_note_that_does_not_fit_is_not_forgotten() -> None:
    wire = Wire(errno_error(errno.ENOSPC), 4, errno_error(errno.ENOSPC))
    sink = Sink(wire)
    sink.write(b"first\n")
    sink.write(b"second\n")
    sink.write(b"third\n")
    assert wire.data == b"1 lo\n2 log lines were lost: no space left on device\nthird\n"


NOTE = re.compile(
    rb"\d+ log lines? (was|were) lost: "
    rb"(no space left on device|broken pipe|standard output was (read too slowly|not read for \d+ s))"
)
FAULTS = [errno_error(errno.EAGAIN), errno_error(errno.ENOSPC), errno_error(errno.EPIPE)]


@given(
    script=st.lists(st.one_of(st.integers(1, 30), st.sampled_from(FAULTS)), max_size=60),
    bursts=st.lists(st.integers(1, 20), min_size=1, max_size=10),
    looped=st.booleans(),
)
def test_every_line_is_delivered_or_counted(script: list[int | OSError], bursts: list[int], looped: bool) -> None:
    class Small(Sink):
        LIMIT = 100
        HIGH_WATER = 60
        LOW_WATER = 20

    loop = FakeLoop()
    wire = Wire(*script)
    sink = Small(wire)
    if looped:
        sink.attach(loop)
    number = 0
    for burst in bursts:
        for _ in range(burst):
            sink.write(b"line %05d\n" % number)
            number += 1
        loop.advance(6)
        if wire.watcher is not None:
            wire.watcher()
    wire.script = []
    lost = sink.close()

    lines = wire.data.split(b"\n")
    delivered = [int(line[5:]) for line in lines if re.fullmatch(rb"line \d{5}", line)]
    counted = [int(line.split()[0]) for line in lines if NOTE.fullmatch(line)]
    assert delivered == sorted(set(delivered))
    assert len(delivered) + sum(counted) + lost == number
    come = 0
    for line in lines:
        if NOTE.fullmatch(line):
            come += int(line.split()[0])
        elif re.fullmatch(rb"line \d{5}", line):
            assert int(line[5:]) == come, "the note is not in the place of what was lost"
            come += 1


def test_the_note_has_the_format_of_the_log() -> None:
    wire = Wire(errno_error(errno.ENOSPC))
    sink = Sink(wire)
    sink.note = lambda text: json.dumps({"msg": text}).encode() + b"\n"
    sink.write(b"{}\n")
    sink.write(b"{}\n")
    assert wire.data.splitlines()[0] == b'{"msg": "1 log line was lost: no space left on device"}'


# --- lines that are written together


def test_records_of_a_read_are_written_together_at_its_end() -> None:
    wire = Wire()
    sink = Sink(wire)
    sink.hold(True)
    for n in range(5):
        sink.write(b"%d\n" % n)
    assert wire.data == b""
    sink.hold(False)
    assert wire.data == b"0\n1\n2\n3\n4\n"
    sink.write(b"5\n")
    assert wire.data.endswith(b"4\n5\n")


def test_records_that_are_held_are_bounded_as_well() -> None:
    class Small(Sink):
        LIMIT = 10

    wire = Wire()
    sink = Small(wire)
    sink.hold(True)
    for n in range(9):
        sink.write(b"%d\n" % n)
    assert len(wire.data) >= 8
    sink.hold(False)
    assert wire.data == b"".join(b"%d\n" % n for n in range(9))


def test_held_records_that_cannot_be_written_are_counted() -> None:
    wire = Wire(errno_error(errno.ENOSPC))
    sink = Sink(wire)
    sink.hold(True)
    sink.write(b"0\n")
    sink.write(b"1\n")
    sink.hold(False)
    sink.hold(True)
    sink.write(b"2\n")
    sink.hold(False)
    assert wire.data == b"2 log lines were lost: no space left on device\n2\n"


def test_a_channel_that_begins_to_fail_is_reported_once() -> None:
    reported: list[str] = []
    full = errno_error(errno.ENOSPC)
    sink = Sink(Wire(full, full, 100, full))
    sink.on_broken = reported.append
    sink.write(b"0\n")
    sink.write(b"1\n")
    assert reported == ["no space left on device"]
    sink.write(b"2\n")
    sink.write(b"3\n")
    assert reported == ["no space left on device"] * 2
