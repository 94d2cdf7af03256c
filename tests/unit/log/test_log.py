from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.log.channels import Channel
from cp.log.log import LEVELS, Log, LogError
from cp.log.sink import Sink
from cp.plan import LoggingSettings

if TYPE_CHECKING:
    from cp.plan import Level

MOMENT = 1501601127.609185  # 2017-08-01 15:25:27.609185 UTC
HEALTH = (("process", "health"), ("serviceName", "app"), ("serviceID", "app-host"))
JOB = (("job", "web"), ("pid", "812"))


class Memory(Channel):
    """A channel that keeps what is written, or refuses it."""

    def __init__(self) -> None:
        self.data = b""
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        if self.error is not None:
            raise self.error
        self.data += data
        return len(data)


class Stage:
    """A log with a clock that stands still, and what it wrote."""

    def __init__(self, format: str = "plain", level: str = "info") -> None:
        self.time = MOMENT
        self.out = Memory()
        self.log = Log(lambda: self.time, Sink(self.out))
        self.log.configure(LoggingSettings(format=format, level=cast("Level", level)))

    @property
    def text(self) -> str:
        return self.out.data.decode()


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def choose(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    choose("UTC0")
    yield choose
    monkeypatch.undo()
    time.tzset()


# --- formats


@pytest.mark.usefixtures("in_zone")
@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("plain", "2017/08/01 15:25:27 some text\n"),
        ("job", "2017-08-01T15:25:27.609185Z some text\n"),
        (
            "text",
            'time="2017-08-01T15:25:27Z" level=info msg="some text"'
            " process=health serviceID=app-host serviceName=app\n",
        ),
        (
            "json",
            '{"level":"info","msg":"some text","process":"health","serviceID":"app-host","serviceName":"app",'
            '"time":"2017-08-01T15:25:27.609185Z"}\n',
        ),
    ],
)
def test_a_health_check_s_line(format: str, expected: str) -> None:
    stage = Stage(format)
    for _ in range(2):
        stage.log.info("some text", HEALTH)
    assert stage.text == expected * 2


@pytest.mark.usefixtures("in_zone")
@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("plain", "2017/08/01 15:25:27 ready\n"),
        ("job", "2017-08-01T15:25:27.609185Z web 812 ready\n"),
        ("text", 'time="2017-08-01T15:25:27Z" level=info msg=ready job=web pid=812\n'),
        ("json", '{"job":"web","level":"info","msg":"ready","pid":812,"time":"2017-08-01T15:25:27.609185Z"}\n'),
    ],
)
def test_a_job_s_line(format: str, expected: str) -> None:
    stage = Stage(format)
    stage.log.info("ready", JOB)
    assert stage.text == expected


@pytest.mark.usefixtures("in_zone")
def test_the_job_format_shows_a_health_check_by_its_pid_alone() -> None:
    stage = Stage("job")
    stage.log.info("ok", (("check", "check.web"), ("pid", "7")))
    assert stage.text == "2017-08-01T15:25:27.609185Z 7 ok\n"


@pytest.mark.parametrize(
    ("zone", "plain", "job", "text"),
    [
        ("XXX4", "2017/08/01 11:25:27", "2017-08-01T11:25:27.609185-04:00", "2017-08-01T11:25:27-04:00"),
        ("XXX-5:30", "2017/08/01 20:55:27", "2017-08-01T20:55:27.609185+05:30", "2017-08-01T20:55:27+05:30"),
    ],
)
def test_times_are_local(in_zone: Callable[[str], None], zone: str, plain: str, job: str, text: str) -> None:
    in_zone(zone)
    for format, expected in (("plain", f"{plain} hi"), ("job", f"{job} hi"), ("text", f'time="{text}" level=info')):
        stage = Stage(format)
        stage.log.info("hi")
        assert stage.text.startswith(expected)


@pytest.mark.usefixtures("in_zone")
@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (1501601127.0, "2017-08-01T15:25:27Z"),
        (1501601127.5, "2017-08-01T15:25:27.5Z"),
        (1501601127.000001, "2017-08-01T15:25:27.000001Z"),
        (1501601127.9999998, "2017-08-01T15:25:27.999999Z"),
        (1501601128.25, "2017-08-01T15:25:28.25Z"),
    ],
)
def test_parts_of_a_second_have_no_trailing_zeros(moment: float, expected: str) -> None:
    stage = Stage("job")
    stage.log.info("before")
    stage.time = moment
    stage.log.info("x")
    assert stage.text.splitlines()[1] == f"{expected} x"


@pytest.mark.usefixtures("in_zone")
@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("a-b.c9", "a-b.c9"),
        ("", ""),
        ("a b", '"a b"'),
        ("task[x]", '"task[x]"'),
        ('healthy & "x y"', r'"healthy & \"x y\""'),
        ("back\\slash", r'"back\\slash"'),
        ("two\nlines\r\t", r'"two\nlines\r\t"'),
        ("\x1b[31mred\x7f", r'"\x1b[31mred\x7f"'),
        ("grün", '"grün"'),
        ("no\u00a0break\u2028", r'"no\u00a0break\u2028"'),
        ("bytes \udcff\udc80", r'"bytes \xff\x80"'),
        ("\ud800", r'"\ud800"'),
        ("\U000e0001", r'"\U000e0001"'),
    ],
)
def test_values_of_the_text_format_are_quoted_and_escaped_when_needed(value: str, quoted: str) -> None:
    stage = Stage("text")
    stage.log.info(value or "-", (("task", value),))
    assert stage.text == f'time="2017-08-01T15:25:27Z" level=info msg={quoted or "-"} task={quoted}\n'


@pytest.mark.usefixtures("in_zone")
def test_the_text_format_leaves_an_empty_message_out() -> None:
    stage = Stage("text")
    stage.log.info("", (("b", "2"), ("a", "1")))
    assert stage.text == 'time="2017-08-01T15:25:27Z" level=info a=1 b=2\n'


@pytest.mark.usefixtures("in_zone")
@pytest.mark.parametrize(
    ("message", "written"),
    [
        ('<a> & "b" \\', r"\u003ca\u003e \u0026 \"b\" \\"),
        ("grün ☃", "grün ☃"),
        ("a\nb\x00", r"a\nb\u0000"),
        ("byte \udcff", "byte \ufffd"),
        ("\ud800", "\ufffd"),
        ("\x7f and \x9b2J", r"\u007f and \u009b2J"),
        ("next\x85line\u2028and\u2029one", r"next\u0085line\u2028and\u2029one"),
    ],
)
def test_json_strings(message: str, written: str) -> None:
    stage = Stage("json")
    stage.log.info(message, (("task", message),))
    time_member = '"time":"2017-08-01T15:25:27.609185Z"'
    assert stage.text == f'{{"level":"info","msg":"{written}","task":"{written}",{time_member}}}\n'


@given(message=st.text(st.characters(exclude_categories=())), value=st.text(st.characters(exclude_categories=())))
def test_json_is_one_line_that_every_reader_understands(message: str, value: str) -> None:
    stage = Stage("json")
    stage.log.info(message, (("a", value), ("pid", "\u0661"), ("z", value)))
    line = stage.out.data.decode("utf-8", "strict")
    assert line.endswith("\n")
    assert line.splitlines(keepends=True) == [line]
    record = json.loads(line)
    assert list(record) == sorted(record)
    assert record["msg"] == re.sub("[\ud800-\udfff]", "\ufffd", message)
    assert record["a"] == record["z"] == re.sub("[\ud800-\udfff]", "\ufffd", value)
    assert record["pid"] == "\u0661"


@given(message=st.text(st.characters(exclude_categories=())), value=st.text(st.characters(exclude_categories=())))
def test_text_is_one_line_of_keys_and_values(message: str, value: str) -> None:
    stage = Stage("text")
    stage.log.info("m" + message, (("key", value),))
    line = stage.out.data.decode("utf-8", "strict")
    text = r'(?:[A-Za-z0-9.-]*|"(?:[^"\\\x00-\x1f]|\\.)*")'
    assert re.fullmatch(rf'time="[^"]+" level=info msg={text} key={text}\n', line)


@pytest.mark.parametrize("format", ["plain", "job"])
def test_bytes_that_are_not_utf_8_and_newlines_pass_as_they_came(format: str) -> None:
    stage = Stage(format)
    stage.log.info(b"caf\xe9\nau lait\n".decode("utf-8", "surrogateescape"))
    assert stage.out.data.endswith(b" caf\xe9\nau lait\n\n")
    stage.log.info("half \ud800")
    assert stage.out.data.endswith(" half \ufffd\n".encode())


@pytest.mark.parametrize("format", ["plain", "job", "text", "json"])
def test_a_record_may_have_fields_but_no_message(format: str) -> None:
    stage = Stage(format)
    stage.log.info("", HEALTH)
    assert stage.text.count("\n") == 1


# --- levels


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_hides_those_below_it(level: Level) -> None:
    stage = Stage("text", level)
    for name in ("debug", "info", "warning", "error", "fatal"):
        getattr(stage.log, name)("message")
    expected = [name for name in LEVELS if LEVELS[name] >= LEVELS[level] and name != "panic"]
    assert re.findall(r"level=(\w+)", stage.text) == expected
    assert [name for name in LEVELS if stage.log.enabled(name)] == [*expected, "panic"]


def test_before_a_configuration_is_read_the_log_is_plain_at_info() -> None:
    out = Memory()
    log = Log(sink=Sink(out))
    log.debug("hidden")
    log.info("shown", HEALTH)
    assert re.fullmatch(rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d shown\n", out.data)


# --- secrets


@pytest.mark.parametrize("format", ["plain", "job", "text", "json"])
def test_secrets_are_never_written(format: str) -> None:
    stage = Stage(format)
    for secret in ("s3cr3t", "s3cr3t-and-more", 'quo"ted', "", "s3cr3t"):
        stage.log.secrets.add("a setting", secret)
    stage.log.info('tokens s3cr3t s3cr3t-and-more quo"ted end', (("job", "x-s3cr3t-x"),))
    assert "tokens ******** ******** ******** end" in stage.text
    assert "s3cr3t" not in stage.text
    assert "ted" not in stage.text


@pytest.mark.parametrize("format", ["plain", "job", "text", "json"])
def test_output_of_children_is_written_unchanged(format: str) -> None:
    stage = Stage(format)
    stage.log.secrets.add("a setting", "s3cr3t")
    stage.log.child_output("s3cr3t at http://me:s3cr3t@host", (("job", "x-s3cr3t-x"),))
    assert "s3cr3t at http://me:s3cr3t@host" in stage.text
    assert stage.text.count("s3cr3t") == 2


def test_output_of_children_is_at_level_info() -> None:
    stage = Stage("plain", level="warning")
    stage.log.child_output("hidden")
    assert stage.text == ""


def test_fields_are_masked_too_when_a_secret_is_learned_later() -> None:
    stage = Stage("text")
    stage.log.info("before", JOB)
    stage.log.secrets.add("a setting", "web")
    stage.log.info("after", JOB)
    assert "job=web" in stage.text.splitlines()[0]
    assert 'job="********"' in stage.text.splitlines()[1]


def test_records_that_are_held_have_one_time_and_come_in_order() -> None:
    stage = Stage("job")
    stage.log.hold(True)
    stage.log.info("one")
    stage.time += 0.25
    stage.log.info("two")
    assert stage.text == ""
    stage.log.hold(False)
    stage.log.info("three")
    one, two, three = (line.split() for line in stage.text.splitlines())
    assert one[0] == two[0] != three[0]
    assert [one[1], two[1], three[1]] == ["one", "two", "three"]


# --- output


def test_a_file_takes_the_log_over(tmp_path: Path) -> None:
    stage = Stage()
    stage.log.info("to the stream")
    stage.log.configure(LoggingSettings(level="debug", format="text", output=str(tmp_path / "log")))
    stage.log.debug("to the file")
    assert "to the stream" in stage.text
    assert "to the file" not in stage.text
    assert 'level=debug msg="to the file"' in (tmp_path / "log").read_text()


def test_a_file_that_cannot_be_opened_changes_nothing(tmp_path: Path) -> None:
    stage = Stage()
    path = f"{tmp_path}/missing/log"
    with pytest.raises(LogError) as caught:
        stage.log.configure(LoggingSettings(level="debug", format="json", output=path))
    assert str(caught.value) == f"Error initializing log file '{path}': open {path}: no such file or directory"
    stage.log.debug("hidden")
    stage.log.info("still plain")
    assert stage.text.endswith(" still plain\n")
    assert "hidden" not in stage.text


def test_the_log_file_is_opened_again_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Stage().log
    log.configure(LoggingSettings(output=str(path)))
    log.info("before")
    path.rename(tmp_path / "log.1")
    log.info("in between")
    log.reopen()
    log.info("after")
    assert [line[20:] for line in (tmp_path / "log.1").read_text().splitlines()] == ["before", "in between"]
    assert [line[20:] for line in path.read_text().splitlines()] == ["after"]


def test_a_rotation_that_fails_is_logged_in_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Stage().log
    log.configure(LoggingSettings(output=str(path)))
    path.rename(tmp_path / "log.1")
    path.mkdir()
    log.reopen()
    log.info("still here")
    error, still = (tmp_path / "log.1").read_text().splitlines()
    assert error.endswith(f" Error initializing log file '{path}': open {path}: is a directory")
    assert still.endswith(" still here")


def test_reopening_standard_output_changes_nothing() -> None:
    stage = Stage()
    stage.log.reopen()
    stage.log.info("same stream")
    assert stage.text.endswith(" same stream\n")


def test_reconfiguring_the_same_file_does_not_open_it_again(tmp_path: Path) -> None:
    log = Stage().log
    log.configure(LoggingSettings(output=str(tmp_path / "log")))
    before = os.listdir("/proc/self/fd")
    log.configure(LoggingSettings(output=str(tmp_path / "log"), format="json"))
    assert os.listdir("/proc/self/fd") == before


def test_lines_lost_by_a_full_disk_are_reported_in_the_log_s_format() -> None:
    stage = Stage("json", level="error")
    stage.out.error = OSError(28, "No space left on device")
    stage.log.error("lost")
    stage.log.error("lost too")
    stage.out.error = None
    stage.log.error("back")
    first, second = map(json.loads, stage.text.splitlines())
    assert (first["level"], first["msg"]) == ("warning", "2 log lines were lost: no space left on device")
    assert second["msg"] == "back"


def test_lines_that_the_old_output_did_not_take_are_reported_to_the_new_one(tmp_path: Path) -> None:
    stage = Stage()
    stage.out.error = OSError(28, "No space left on device")
    stage.log.info("lost")
    stage.log.configure(LoggingSettings(output=str(tmp_path / "log")))
    assert "1 log line was lost: standard output" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("longest", "waited"), [(-1.0, -1.0), (2.0, 2.0), (600.0, 5.0)])
def test_no_reader_is_waited_for_long_at_the_end(
    longest: float, waited: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[float, float]] = []
    monkeypatch.setattr(Sink, "flush", lambda sink, patience, longest: calls.append((patience, longest)))
    Stage().log.finish(longest)
    assert calls == [(0.5, waited)]
