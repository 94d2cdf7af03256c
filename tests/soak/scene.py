"""The plan of a soak: jobs that end at random, hooks, a checked service, a watch, bursts of output, orphans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.system.control import SOCKET
from tests.system.jobs.configs import app, each, job
from tests.system.scripts import deaf, mark, sh, until_term

if TYPE_CHECKING:
    from tests.system.jobs.configs import Job

LOG = "pilot.log"
SICK = "sick"  # while there is a file of this name, the check of `web` fails
OTHER = "other"  # the service that is watched
BURST_LINE = "burst-line"

FLAKY = ("flaky-0", "flaky-1", "flaky-2")
PERIODIC = ("often", "orphans", "burst")
RESTLESS = (*FLAKY, *PERIODIC)  # what runs by itself all the time; it is held while something is measured
MOVED = ("changing", "deaf", *FLAKY)  # what is started, stopped and restarted at random
STOP_TIMEOUT = 1

# `chance N` is a number from 0 to N-1.
CHANCE = "chance() { echo $(( $(od -An -N2 -tu2 /dev/urandom) % $1 )); }\n"


def flaky(name: str) -> Job:
    """Runs for up to two seconds, and ends with any code or by a signal."""
    script = (
        f"{CHANCE}mark start-{name}\nsleep 0.$(chance 10)\n[ $(chance 3) = 0 ] && sleep 1\n"
        "[ $(chance 5) = 0 ] && kill -SEGV $$\nexit $(chance 4)"
    )
    return job(name, sh(script), restarts="unlimited")


def often() -> Job:
    script = f"{CHANCE}mark start-often\nexit $(chance 2)"
    return job("often", sh(script), when={"interval": "300ms"}, timeout="5s")


def orphans() -> Job:
    """Leaves two processes behind that end later: one of its group, one of a session of its own."""
    script = "mark start-orphans\n(sleep 0.2 &)\n(setsid sleep 0.3 &)\n"
    return job("orphans", sh(script), when={"interval": "1s"}, timeout="5s")


def burst() -> Job:
    """Up to 3000 lines at once, and the number of them as a mark."""
    script = f"{CHANCE}mark start-burst\nn=$(chance 3000)\nseq -f '{BURST_LINE} %g' $n\nmark burst:$n"
    return job("burst", sh(script), when={"interval": "2s"}, timeout="20s")


def web() -> Job:
    health = {"exec": f"test ! -e {SICK}", "interval": 1, "ttl": 5, "failures": 1}
    service = {"port": 8000, "interfaces": "static:127.0.0.1", "health": health}
    return job("web", until_term("start-web"), restarts="unlimited", **service)


def configuration(variant: int, consul: str, port: int) -> dict[str, Any]:
    """Two variants differ in one job. `port` is that of telemetry."""
    jobs = [
        app("app", main=True),
        web(),
        job("changing", sh(f"mark start-changing\nexec sleep 1000.{variant}")),
        job("changing-hook", mark("start-changing-hook"), when=each("stopping", "changing")),
        job("deaf", deaf("start-deaf")),
        job("on-hup", mark("start-on-hup"), when=each("signal", "SIGHUP")),
        job("on-usr2", mark("start-on-usr2"), when=each("signal", "SIGUSR2")),
        job("on-change", mark("start-on-change"), when=each("changed", f"watch.{OTHER}")),
        *map(flaky, FLAKY),
        often(),
        orphans(),
        burst(),
    ]
    return {
        "control": {"socket": SOCKET},
        "logging": {"output": LOG},
        "consul": {"address": consul},
        "telemetry": {
            "port": port,
            "interfaces": "static:127.0.0.1",
            "metrics": [{"namespace": "soak", "name": "load", "help": "a number", "type": "gauge"}],
        },
        "stopTimeout": STOP_TIMEOUT,
        "jobs": jobs,
        "watches": [{"name": OTHER, "interval": 1}],
    }
