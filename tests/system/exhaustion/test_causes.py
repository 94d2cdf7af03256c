"""What ContainerPilot says about a death: for a memory limit, for the limit of processes, or by somebody else."""

from __future__ import annotations

import shlex
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.exhaustion.cgroups import ControlGroup, new_group
from tests.system.jobs.configs import app, config, job
from tests.system.scripts import forever, python, sh
from tests.system.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

LIMIT = 96 << 20  # bytes
WHY = "probably out of memory: the memory limit of 96 MiB was reached"
# Ends of the processes of a test: they grow until they are killed.
GREEDY = "try:\n    data = [bytes(range(256)) * 40000 for _ in range(100)]\nexcept MemoryError:\n    pass\n"
GROW = f"def grow(*_):\n{''.join(f'    {line}' for line in GREEDY.splitlines(keepends=True))}"
GROWS_ON_REQUEST = python(
    f"{GROW}signal.signal(signal.SIGUSR1, grow)\nprint('listening')\nmark('app')\nsignal.pause()\n"
)

# What counts from a first look at the counters on must happen after it.
WAIT = "until [ -e go ]; do sleep 0.02; done; "
WAIT_IN_PYTHON = "while not os.path.exists('go'):\n    time.sleep(0.02)\n"

# A /dev with the devices that every container has, and a termination log as Kubernetes mounts it.
DEV = """
mkdir -p "$DEV" && mount -t tmpfs none "$DEV"
for each in null zero full random urandom; do : >"$DEV/$each"; mount --bind "/dev/$each" "$DEV/$each"; done
: >"$DEV/termination-log" && mount --bind "$FILE" "$DEV/termination-log"
mount --rbind "$DEV" /dev
"""
# Files that replace those of the kernel, for the process that becomes ContainerPilot.
COUNTERS = """
mkdir "$GROUP"
printf 'low 0\\nhigh 0\\nmax 0\\noom 0\\noom_kill 3\\n' >"$GROUP/memory.events"
echo 100663296 >"$GROUP/memory.max"
echo 'max 5' >"$GROUP/pids.events"
echo 20 >"$GROUP/pids.max"
echo 0::/ >"$GROUP/cgroup"
echo "31 24 0:27 / $GROUP rw - cgroup2 cgroup2 rw" >"$GROUP/mountinfo"
mount --bind "$GROUP/cgroup" "/proc/$$/cgroup"
mount --bind "$GROUP/mountinfo" "/proc/$$/mountinfo"
"""


@pytest.fixture
def memory_cgroup() -> Iterator[ControlGroup]:
    """A real group with LIMIT."""
    group = new_group("memory", ("memory.limit_in_bytes", "memory.max"))
    if group is None:
        pytest.skip("needs a memory cgroup, and none can be made here: no right to make one, or no controller in ours")
    try:
        group.limit_memory(LIMIT)
        yield group
    finally:
        group.remove()


def before(script: str, *more: str, **variables: object) -> list[str]:
    """The beginning of a command: a script in the mount namespace of ContainerPilot, as the same process."""
    setting = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in variables.items())
    return ["sh", "-ec", f'{setting}{script}exec "$@"', "sh", *more]


def deaths(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return [line for line in lines if line.startswith("containerpilot_job_deaths{")]


def go_on(started: Pilot) -> None:
    """Let the processes with WAIT go on: ContainerPilot has looked at the counters, which it does before this line."""
    started.wait_for_line("ready after")
    (started.folder / "go").touch()


def telemetry(port: int) -> dict[str, Any]:
    return {"telemetry": {"port": port, "interfaces": "static:127.0.0.1"}}


def test_application_that_a_real_memory_limit_kills(pilot: StartPilot, memory_cgroup: ControlGroup) -> None:
    port = free_port()
    started = pilot(
        config(job("hog", python(GREEDY)), job("app", GROWS_ON_REQUEST, main=True), **telemetry(port)),
        init=True,
        prefix=memory_cgroup.enter,
    )
    started.wait_for_line(rf"hog exited with error: signal: killed \({WHY}\)$")
    last = started.wait_for_state("hog", "complete")["lastExit"]
    assert (last["code"], last["text"], last["cause"], last["causeCode"]) == (-9, "signal: killed", WHY, "oom")
    assert deaths(port) == ['containerpilot_job_deaths{job="hog",cause="oom"} 1']
    assert f"killed by signal 9 ({WHY})" in started.run("-job", "hog").stdout
    assert f"killed by signal 9 ({WHY})" in started.run("-jobs").stdout

    started.wait_for_mark("app")
    assert started.ask("POST", "/v3/jobs/app/signal", {"signal": "USR1"}).status == 200
    assert started.wait_exit() == 137
    started.wait_for_line(rf"app exited with error: signal: killed \({WHY}\)$")


def test_somebody_else_kills_in_a_group_with_a_real_memory_limit(
    pilot: StartPilot, memory_cgroup: ControlGroup
) -> None:
    started = pilot(config(job("app", sh(f"{WAIT}kill -KILL $$"), main=True)), prefix=memory_cgroup.enter)
    go_on(started)
    assert started.wait_exit() == 137
    started.wait_for_line(
        r"app exited with error: signal: killed \(killed by somebody else: the kernel counted no kill"
    )


@pytest.fixture
def message(tmp_path: Path) -> Path:
    """The file that Kubernetes mounts as the termination log."""
    file = tmp_path / "message"
    file.touch()
    return file


def with_message(file: Path, *more: str) -> list[str]:
    return before(DEV, *more, DEV=file.parent / "dev", FILE=file)


def test_termination_log_names_the_real_memory_limit(
    pilot: StartPilot, memory_cgroup: ControlGroup, message: Path
) -> None:
    started = pilot(
        config(job("app", python(WAIT_IN_PYTHON + GREEDY), main=True)),
        init=True,
        prefix=with_message(message, *memory_cgroup.enter),
    )
    go_on(started)
    assert started.wait_exit() == 137
    assert message.read_text() == f"app exited with error: signal: killed ({WHY})\n"


def test_termination_log_has_the_last_lines_of_output_without_secrets(pilot: StartPilot, message: Path) -> None:
    started = pilot(
        config(
            job("app", sh('echo "connecting with $DB_PASSWORD"; echo giving up >&2; exit 3'), main=True),
            job("other", sh("echo from another job; exit 4")),
            logging={"terminationLog": True, "mask": "DB_PASSWORD"},
        ),
        init=True,
        prefix=with_message(message),
        env={"DB_PASSWORD": "swordfish-0"},
    )
    assert started.wait_exit() == 3
    first, *lines = message.read_text().splitlines()
    assert (first, sorted(lines)) == (
        "app exited with error: exit status 3",
        ["connecting with ********", "giving up"],
    )


def test_termination_log_stays_empty_after_a_success_and_in_the_services_dialect(
    pilot: StartPilot, message: Path
) -> None:
    well = pilot(config(job("app", sh("exit 0"), main=True)), init=True, prefix=with_message(message))
    assert well.wait_exit() == 0
    assert pilot({}, sh("exit 3"), init=True, prefix=with_message(message)).wait_exit() == 3
    assert message.read_text() == ""


@pytest.mark.smoke
def test_application_that_a_memory_limit_kills_according_to_files_that_replace_the_counters(
    pilot: StartPilot, tmp_path: Path
) -> None:
    group, port = tmp_path / "group", free_port()
    counted = f"{WAIT}sed -i 's/oom_kill 3/oom_kill 4/' {group}/memory.events; kill -KILL $$"
    started = pilot(
        config(job("hog", sh(counted)), app(main=True), **telemetry(port)),
        init=True,
        prefix=before(COUNTERS, GROUP=group),
    )
    go_on(started)
    started.wait_for_line(rf"hog exited with error: signal: killed \({WHY}\)$")
    assert started.jobs()["hog"]["lastExit"]["causeCode"] == "oom"
    assert deaths(port) == ['containerpilot_job_deaths{job="hog",cause="oom"} 1']
    assert started.stop() == 143


def test_limit_of_processes_according_to_files_that_replace_the_counters(pilot: StartPilot, tmp_path: Path) -> None:
    group = tmp_path / "group"
    reached = f"{WAIT}echo 'max 7' >{group}/pids.events; exit 2"
    started = pilot(config(job("app", sh(reached), main=True)), init=True, prefix=before(COUNTERS, GROUP=group))
    go_on(started)
    assert started.wait_exit() == 2
    started.wait_for_line(r"app exited with error: exit status 2 \(the limit of 20 processes was reached\)$")


def test_limit_of_processes_of_a_real_group(pilot: StartPilot) -> None:
    group = new_group("pids", ("pids.events",))
    if group is None:
        pytest.skip("needs a pids cgroup, and none can be made here")
    try:
        group.limit_processes(40)
        forks = "try:\n    for _ in range(100):\n        if os.fork() == 0:\n            time.sleep(1000)\n"
        script = f"{WAIT_IN_PYTHON}{forks}except OSError:\n    os._exit(3)\n"
        started = pilot(config(job("app", python(script), main=True, logging={"raw": True})), prefix=group.enter)
        go_on(started)
        assert started.wait_exit() == 3
        started.wait_for_line(r"app exited with error: exit status 3 \(the limit of 40 processes was reached\)$")
    finally:
        group.remove()


def test_requests_and_limits_of_containerpilot_are_named(pilot: StartPilot) -> None:
    started = pilot(
        config(app("stopped"), app("killed"), job("slow", forever("slow"), timeout="500ms"), app(), stopTimeout=1)
    )
    for name in ("stopped", "killed"):
        started.wait_for_mark(name)
    assert started.ask("POST", "/v3/jobs/stopped/stop").status == 200
    assert started.ask("POST", "/v3/jobs/killed/signal", {"signal": "KILL"}).status == 200
    started.wait_for_line(r"killed exited with error: signal: killed \(the signal came through ContainerPilot\)$")
    started.wait_for_line(r"slow exited with error: signal: killed \(its `timeout` of 500ms is over\)$")
    last = started.jobs()["killed"]["lastExit"]
    assert (last["cause"], last["causeCode"]) == ("the signal came through ContainerPilot", "signal")
    assert started.stop() == 0
