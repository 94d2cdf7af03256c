"""The flag -logs: the last lines of jobs, and those that come."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.pilot import Pilot, archive, interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def config(*jobs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"control": {"socket": "socket"}, "jobs": [*jobs, {"name": "rest", "exec": "sleep 1000"}], **more}


def reload(running: Pilot, changed: dict[str, Any]) -> None:
    running.configure(changed)
    assert running.run("-reload").code == 0


class Following:
    """`containerpilot -logs … -follow`, whose output goes to a file."""

    def __init__(self, pilot: Pilot, folder: Path, *flags: str) -> None:
        self.out, self.err = folder / "followed", folder / "complaints"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [interpreter(), str(archive()), "-config", '{control: {socket: "socket"}}', "-logs", *flags, "-follow"],
                cwd=pilot.folder,
                env={"PATH": os.environ["PATH"]},
                stdout=out,
                stderr=err,
            )

    def text(self) -> str:
        return self.out.read_text()


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., Following]]:
    started: list[Following] = []

    def begin(pilot: Pilot, *flags: str) -> Following:
        pilot.wait_for(lambda: pilot.run("-ping").code == 0, what="the control socket")
        started.append(Following(pilot, tmp_path, *flags))
        return started[-1]

    yield begin
    for each in started:
        each.process.kill()
        each.process.wait()


def test_lines_of_one_job_and_of_all(pilot: StartPilot) -> None:
    running = pilot(
        config(
            {"name": "app", "exec": sh("printf 'one\\n\\ntwo\\r\\nthr\\303\\251e\\n\\377 no UTF-8\\n'; echo err >&2")},
            {"name": "db", "exec": ["echo", "ready"], "when": {"source": "app", "once": "exitSuccess"}},
        )
    )
    running.wait_for_line("serving")
    running.wait_for_line("ready")
    found = running.run("-logs", "app")
    assert sorted(found.stdout.splitlines()) == sorted(["one", "", "two", "thrée", "\ufffd no UTF-8", "err"])
    assert found.stderr == ""
    assert running.run("-logs", "-lines", "1").stdout == "db | ready\n"
    assert running.run("-logs", "db", "app", "-lines", "all").stdout.splitlines()[-1] == "db | ready"
    (line,) = map(json.loads, running.run("-logs", "db", "-json").stdout.splitlines())
    assert line.keys() == {"job", "number", "at", "text"}
    assert (line["job"], line["number"], line["text"]) == ("db", 1, "ready")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"])


def test_an_unknown_job(pilot: StartPilot) -> None:
    running = pilot(config({"name": "app", "exec": ["echo", "x"]}))
    running.wait_for_line("serving")
    found = running.run("-logs", "ap")
    assert found.code == 1
    assert "there is no job 'ap' (did you mean 'app'?)" in found.stderr


def test_raw_output_is_not_kept(pilot: StartPilot) -> None:
    running = pilot(config({"name": "app", "exec": ["echo", "unread"], "logging": {"raw": True}}))
    running.wait_for_line("serving")
    running.wait_for_line("unread")
    found = running.run("-logs", "app")
    assert (found.code, found.stdout) == (0, "")
    assert found.stderr == "-logs: app: its output goes to ContainerPilot's own standard output, unread\n"


def test_secrets_are_masked_as_in_the_log(pilot: StartPilot) -> None:
    running = pilot(
        config({"name": "app", "exec": sh("echo pass $DB_PASSWORD")}, logging={"mask": ["DB_PASSWORD"]}),
        env={"DB_PASSWORD": "swordfish-7"},
    )
    running.wait_for_line("serving")
    running.wait_for_line("pass")
    assert running.run("-logs", "app").stdout == "pass ********\n"


def test_a_long_line_is_cut_and_the_log_has_all_of_it(pilot: StartPilot) -> None:
    running = pilot(config({"name": "app", "exec": sh("head -c 20000 /dev/zero | tr '\\0' x; echo; echo end")}))
    running.wait_for_line("end")
    assert running.run("-logs", "app").stdout.splitlines() == ["x" * 8192 + "…", "end"]
    assert "x" * 20000 in running.output()


def test_a_job_keeps_its_lines_over_a_restart_and_a_change_and_not_without_the_job(pilot: StartPilot) -> None:
    first = config({"name": "app", "exec": ["echo", "first"]})
    running = pilot(first)
    running.wait_for_line("serving")
    running.wait_for_line("first")
    running.run("-restart", "app")
    running.wait_for(lambda: running.run("-logs", "app").stdout == "first\nfirst\n")
    reload(running, config({"name": "app", "exec": ["echo", "second"]}))
    running.wait_for(lambda: running.run("-logs", "app").stdout == "first\nfirst\nsecond\n")
    reload(running, config())
    reload(running, first)
    running.wait_for(lambda: running.run("-logs", "app").stdout == "first\n")


def test_following_over_a_restart_and_a_reload_to_the_end(pilot: StartPilot, follow: Callable[..., Following]) -> None:
    job = {"name": "app", "exec": sh("echo up; exec sleep 1000")}
    running = pilot(config(job))
    running.wait_for_line("up")
    following = follow(running, "app")
    running.wait_for(lambda: following.text() == "up\n")
    running.run("-restart", "app")
    running.wait_for(lambda: following.text() == "up\nup\n")
    reload(running, config({**job, "exec": sh("trap 'echo bye; exit' TERM; echo again; sleep 1000 & wait")}))
    running.wait_for(lambda: following.text() == "up\nup\nagain\n")
    running.stop()
    assert following.process.wait(30) == 0
    assert following.text() == "up\nup\nagain\nbye\n"
    assert following.err.read_text() == ""


def test_a_flood_is_followed_and_every_line_is_printed_or_counted_as_missing(
    pilot: StartPilot, follow: Callable[..., Following]
) -> None:
    count = 200_000
    script = f"while [ ! -e go ]; do sleep 0.05; done; seq -f 'line %.0f {'x' * 80}' {count}; echo the end"
    running = pilot(config({"name": "app", "exec": sh(script)}))
    following = follow(running, "app", "-json")
    (running.folder / "go").touch()
    running.wait_for_line("the end", timeout=120)
    running.wait_for(lambda: "the end" in following.text(), timeout=60)
    lines = list(map(json.loads, following.text().splitlines()))
    numbers = [line["number"] for line in lines]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == count + 1
    missing = sum(int(number) for number in re.findall(r"(\d+) lines? of app", following.err.read_text()))
    assert numbers[-1] - numbers[0] + 1 == len(numbers) + missing
    assert len(re.findall(r"line \d+ x", running.output())) == count  # the log has lost nothing


def test_a_reader_that_does_not_read_delays_nothing(pilot: StartPilot) -> None:
    script = "while [ ! -e go ]; do sleep 0.05; done; seq -f 'line %.0f' 300000; echo the end"
    running = pilot(config({"name": "app", "exec": sh(script)}))
    read_end, write_end = os.pipe()
    flags = ["-config", '{control: {socket: "socket"}}', "-logs", "-follow"]
    process = subprocess.Popen(
        [interpreter(), str(archive()), *flags], cwd=running.folder, env={"PATH": os.environ["PATH"]}, stdout=write_end
    )
    try:
        os.close(write_end)
        (running.folder / "go").touch()
        running.wait_for_line("the end", timeout=120)
        began = time.monotonic()
        assert running.run("-logs", "app", "-lines", "1").stdout == "the end\n"
        assert time.monotonic() - began < 10
    finally:
        process.kill()
        process.wait()
        os.close(read_end)


def test_a_thousand_jobs(pilot: StartPilot) -> None:
    jobs = [{"name": f"job{number}", "exec": ["echo", f"line of {number}"]} for number in range(1000)]
    running = pilot(config(*jobs))
    running.wait_for(lambda: len(running.run("-logs", "-lines", "all").stdout.splitlines()) == 1000, timeout=120)
    assert running.run("-logs", "job7").stdout == "line of 7\n"
    names = {line.partition(" ")[0] for line in running.run("-logs", "-lines", "all").stdout.splitlines()}
    assert names == {job["name"] for job in jobs}
