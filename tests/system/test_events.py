"""Events as people see them: rare ones are not pushed out, of one job, and after a pause of the reader."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.jobs.configs import app, config, job
from tests.system.pilot import PATH, archive, interpreter
from tests.system.scripts import sh

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot


def often(name: str, interval: str) -> dict[str, Any]:
    return job(name, "true", when={"interval": interval}, timeout="5s", logging={"raw": True})


def shown(started: Pilot, *flags: str) -> list[str]:
    """The events that are printed, without their times."""
    return [" ".join(line.split()[1:]) for line in started.run("-events", *flags).stdout.splitlines()]


def newest(started: Pilot) -> int:
    return int(started.ask("GET", "/v3/events").json["events"][-1]["number"])


def test_frequent_events_do_not_push_out_rare_ones(pilot: StartPilot) -> None:
    checked = [app(f"app{n}", health={"exec": "true", "interval": 1, "ttl": 5}) for n in range(20)]
    started = pilot(config(*checked, often("tick", "20ms"), job("prepare", sh("exit 3"))))

    started.wait_for(lambda: newest(started) > 600)

    found = shown(started)
    assert found[0] == "startup global"
    assert {"exitFailed prepare", "error prepare: exit status 3", "healthy app0", "healthy app19"} <= set(found)
    assert "exitSuccess check.app0" in found
    assert len(found) < 600


def test_the_events_of_one_job(pilot: StartPilot) -> None:
    ill = {"exec": sh("exit 3"), "interval": 1, "ttl": 5}
    started = pilot(config(app(health=ill), app("other", health={**ill, "exec": "true"})))

    started.wait_for(lambda: "unhealthy app" in shown(started, "-job", "app"))

    assert shown(started, "-job", "app")[:3] == [
        "exitFailed check.app",
        "error check.app: exit status 3",
        "unhealthy app",
    ]
    missing = started.run("-job", "ap", "-events")
    assert (missing.code, missing.stdout) == (1, "")
    assert "there is no job 'ap' (did you mean 'app'?)" in missing.stderr


@pytest.mark.timeout(90)
def test_following_goes_on_after_a_pause_of_the_reader(pilot: StartPilot) -> None:
    started = pilot(config(*[often(f"tick{n}", "10ms") for n in range(4)], app()))
    started.wait_for_mark("app")  # nobody is connected yet
    before = sockets(started)
    with subprocess.Popen(
        [interpreter(), str(archive()), "-config", "config.json", "-events", "-follow", "-json"],
        cwd=started.folder,
        env={"PATH": PATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stderr is not None
        numbers = [number(reader.stdout.readline())]
        started.wait_for(lambda: sockets(started) > before, what="a stream")
        last_kept = newest(started)
        started.wait_for(lambda: sockets(started) == before, timeout=60, what="the end of the stream of a slow reader")
        cut_at = newest(started)

        while numbers[-1] < cut_at + 100:
            numbers.append(number(reader.stdout.readline()))
        reader.terminate()
        errors = reader.stderr.read().decode()

    assert numbers == sorted(set(numbers))
    missed = sum(map(int, re.findall(r"^-events: (\d+) events? (?:is|are) missing here: ", errors, re.M)))
    live = [each for each in numbers if each > last_kept]
    assert 0 < missed == live[-1] - live[0] + 1 - len(live)


def number(line: bytes) -> int:
    return int(json.loads(line)["number"])


def sockets(started: Pilot) -> int:
    return sum(target.startswith("socket:") for target in started.descriptors().values())
