"""Readiness and the watchdog of the built program, with clients as they are in the field."""

from __future__ import annotations

import os
import re
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.jobs.configs import config, each, job, once
from tests.system.jobs.notifying import BARRIER, GO_NOTIFY, SD_NOTIFY, notifier, pinging
from tests.system.pilot import settle
from tests.system.scripts import Command, forever, mark, python, sh

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

NOTIFY = {"notify": True}
needs_systemd = pytest.mark.skipif(shutil.which("systemd-notify") is None, reason="no systemd-notify here")


def app(command: Command, ready: dict[str, Any] | None = NOTIFY, **more: Any) -> dict[str, Any]:
    return job("app", command, **({} if ready is None else {"ready": ready}), **more)


def scene(start: StartPilot, *jobs: dict[str, Any], env: dict[str, str] | None = None, **more: Any) -> Pilot:
    """These jobs, and one that leaves the mark `ready` each time that the job `app` is ready."""
    listener = job("listener", mark("ready"), when=each("ready", "app"))
    more = {"logging": {"level": "DEBUG"}, **more}
    return start(config(*jobs, listener, job("other", forever("other")), **more), env=env)


# --- how a process reports

REPORTS: dict[str, tuple[Command, dict[str, Any]]] = {
    "sd_notify in Python": (notifier("mark('app')\nnotify('READY=1', 'STATUS=up')"), NOTIFY),
    "sd_notify in Go": (notifier("mark('app')\nnotify('READY=1')", GO_NOTIFY), NOTIFY),
    "sd_notify of a child that exits": (
        notifier("mark('app')\nif os.fork() == 0:\n    notify('READY=1')\n    os._exit(0)\n"),
        NOTIFY,
    ),
    "with a barrier": (notifier("notify('READY=1')\nbarrier()\nmark('app')", SD_NOTIFY + BARRIER), NOTIFY),
    "s6": (sh("mark app\necho >&3\nexec 3>&-\nexec sleep 1000"), {"fd": 3}),
    "s6 with another number": (python("mark('app')\nos.write(57, b'up\\n')\ntime.sleep(1000)"), {"fd": 57}),
    "a line on standard output": (sh("mark app\necho now listening on 80\nexec sleep 1000"), {"log": "listening on"}),
    "a line on standard error": (sh("mark app\necho listening on 80 >&2\nexec sleep 1000"), {"log": "listening on"}),
    "a file": (sh("mark app\ntouch $PWD/up\nexec sleep 1000"), {"file": "PWD/up"}),
}


@pytest.mark.smoke
@pytest.mark.parametrize("way", REPORTS)
def test_a_process_reports_that_it_is_ready(way: str, pilot: StartPilot) -> None:
    command, ready = REPORTS[way]
    folder = pilot.folder()
    ready = {key: str(folder / "up") if key == "file" else value for key, value in ready.items()}
    started = scene(pilot, app(command, ready))
    started.wait_for_mark("ready")
    started.wait_for_mark("app")
    assert started.stop() == 0
    assert started.count("ready") == 1
    started.assert_nothing_is_left()


@needs_systemd
@pytest.mark.parametrize("flags", ["--ready", "--ready --no-block", "--ready --status=up"])
def test_systemd_notify_reports_for_a_shell(flags: str, pilot: StartPilot) -> None:
    """Without --no-block it waits until its message is read."""
    started = scene(pilot, app(sh(f"systemd-notify {flags} || mark failed\nmark app\nexec sleep 1000")))
    started.wait_for_mark("ready")
    started.wait_for_mark("app")
    assert started.count("failed") == 0


@pytest.mark.parametrize("ready", [NOTIFY, {"fd": 3}, {"log": "listening"}, {"file": "/nonexistent/up"}], ids=str)
def test_what_does_not_report_is_not_ready_and_the_log_says_what_it_waits_for(
    ready: dict[str, Any], pilot: StartPilot
) -> None:
    limit = {"timeout": "300ms", "onTimeout": "stop"}
    started = scene(pilot, app(forever(), {**ready, **limit}))
    waits_for = {
        "notify": "READY=1 on its notify socket",
        "fd": "a newline on its descriptor 3",
        "log": "a line of its output with 'listening'",
        "file": "the file /nonexistent/up, newer than its start",
    }[next(iter(ready))]
    started.wait_for_line(re.escape(f"app is not ready after 300ms: it waits for {waits_for}"))
    started.wait_for_state("app", "complete")
    assert started.count("ready") == 0


def test_a_line_in_pieces_and_with_a_masked_value_counts(pilot: StartPilot) -> None:
    script = "import os\nos.write(1, b'x' * 65530 + b'swordfish-00 listening on 80\\n')\ntime.sleep(1000)"
    started = scene(
        pilot,
        app(python(script), {"log": "listening on 80"}),
        logging={"mask": ["PASSWORD"]},
        env={"PASSWORD": "swordfish-00"},
    )
    started.wait_for_mark("ready")
    assert "swordfish-00" not in started.output()


def test_a_file_that_an_earlier_run_left_does_not_count(pilot: StartPilot) -> None:
    up = pilot.folder() / "up"
    up.write_text("")
    command = sh(f"mark app\nread go <go\ntouch {up}\nexec sleep 1000")
    os.mkfifo(up.with_name("go"))
    started = scene(pilot, app(command, {"file": str(up)}))
    started.wait_for_mark("app")
    settle(0.8)
    assert started.count("ready") == 0
    (up.with_name("go")).write_text("\n")
    started.wait_for_mark("ready")


def test_a_descriptor_that_is_closed_without_a_newline_is_a_line_of_the_log(pilot: StartPilot) -> None:
    started = scene(pilot, app(sh("exec 3>&-\nmark app\nexec sleep 1000"), {"fd": 3}))
    started.wait_for_line("app: has closed descriptor 3 without a newline: it does not become ready")
    assert started.count("ready") == 0


def test_the_process_has_no_other_descriptors(pilot: StartPilot) -> None:
    script = "mark(' '.join(sorted(os.listdir('/proc/self/fd'), key=int)))\ntime.sleep(1000)"
    started = scene(pilot, app(python(script), {"fd": 9}, watchdog="1h"))
    started.wait_for(lambda: [word for word in started.words() if word.startswith("0 ")], what="its descriptors")
    assert "0 1 2 3 9" in started.words(), "3 is the folder that it lists"


def test_a_number_beyond_the_limit_of_descriptors_is_an_error_with_the_number(pilot: StartPilot) -> None:
    started = pilot(config(app(forever(), {"fd": 200}, main=True)), prefix=["prlimit", "--nofile=100"])
    assert started.wait_exit() == 126
    assert re.search(
        r"unable to start app: cannot prepare `ready`: a process may have descriptors below 100 only \(ulimit -n\), "
        "not 200",
        started.output(),
    )


# --- one readiness in each run


def test_each_run_has_its_own_readiness(pilot: StartPilot) -> None:
    started = scene(pilot, app(notifier("mark('app')\nnotify('READY=1')"), restarts="unlimited"))
    for count in (1, 2, 3):
        started.wait_for_mark("ready", count)
        started.run("-restart", "app")
    started.wait_for_mark("ready", 4)
    assert started.count("app") == started.count("ready") == 4


def test_other_jobs_wait_for_readiness(pilot: StartPilot) -> None:
    command = python(SD_NOTIFY + "mark('app')\nnotify('READY=1')\ntime.sleep(1000)")
    started = scene(pilot, app(command), job("web", forever("web"), when=once("ready", "app")))
    started.wait_for_mark("web")
    assert started.words().index("app") < started.words().index("web")


def test_a_process_that_reports_and_exits_at_once_was_ready(pilot: StartPilot) -> None:
    started = scene(pilot, app(python(SD_NOTIFY + "notify('READY=1')")))
    started.wait_for_mark("ready")
    started.wait_for_state("app", "complete")


def test_all_runs_have_one_socket_which_is_removed_at_the_end(pilot: StartPilot, tmp_path: Path) -> None:
    command = notifier("mark(os.environ['NOTIFY_SOCKET'])\nnotify('READY=1')")
    started = scene(pilot, app(command, restarts=1))
    started.wait_for_mark("ready")
    started.run("-signal", "app=KILL")
    started.wait_for_mark("ready", 2)
    first, second = [word for word in started.words() if "containerpilot-" in word]
    assert first == second
    assert os.stat(first).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(first)).st_mode & 0o777 == 0o700
    started.stop()
    assert not os.path.lexists(first)


def test_what_a_killed_containerpilot_left_is_removed_by_the_next(pilot: StartPilot) -> None:
    command = notifier("mark(os.environ['NOTIFY_SOCKET'])\nnotify('READY=1')")
    killed = scene(pilot, app(command))
    killed.wait_for_mark("ready")
    [left] = [word for word in killed.words() if "containerpilot-" in word]
    killed.signal("KILL")
    killed.wait_exit()
    assert os.path.exists(left)
    started = scene(pilot, app(command))
    started.wait_for_mark("ready")
    assert not os.path.lexists(left)
    started.stop()


def test_without_a_writable_folder_the_socket_has_no_file(pilot: StartPilot) -> None:
    command = notifier(
        "mark(os.environ['NOTIFY_SOCKET'])\nnotify('READY=1')\nbarrier()\nmark('done')", SD_NOTIFY + BARRIER
    )
    listener = job("listener", mark("ready"), when=each("ready", "app"))
    read_only = (
        "mount -t tmpfs -o ro none /run; mount --bind /tmp /tmp; mount --bind $PWD $PWD;"
        'mount -o remount,bind,ro /tmp; exec "$@"'
    )
    started = pilot(
        config(app(command), listener),
        init=True,
        env={"TMPDIR": "/nonexistent"},
        prefix=["/bin/sh", "-c", read_only, "sh"],
    )
    started.wait_for_mark("ready")
    started.wait_for_mark("done")
    assert any(word.startswith("@containerpilot-") for word in started.words())


def test_a_process_that_announces_its_end_is_not_ready_any_more(pilot: StartPilot) -> None:
    script = "notify('READY=1')\nopen('go').read()\nnotify('STOPPING=1')\nmark('stopping')"
    os.mkfifo(pilot.folder() / "go")
    started = scene(pilot, app(notifier(script), watchdog="1h"))
    started.wait_for_mark("ready")
    (started.folder / "go").write_text("\n")
    started.wait_for_mark("stopping")
    assert started.count("ready") == 1


def test_what_has_no_effect_is_one_line_of_the_log(pilot: StartPilot) -> None:
    script = (
        "for _ in range(5): notify('MAINPID=1', 'FDSTORE=1', 'RELOADING=1', 'EXTEND_TIMEOUT_USEC=9')\nnotify('READY=1')"
    )
    started = scene(pilot, app(notifier(script)))
    started.wait_for_mark("ready")
    found = re.findall(r"app: (\w+) on its notify socket has no effect", started.output())
    assert found == ["MAINPID", "FDSTORE", "EXTEND_TIMEOUT_USEC"]


# --- reload, maintenance


def reload(started: Pilot, configuration: dict[str, Any]) -> None:
    started.configure(configuration)
    assert started.run("-reload").code == 0


def test_a_job_that_a_reload_keeps_keeps_its_readiness_and_its_socket(pilot: StartPilot) -> None:
    first = app(pinging(), watchdog="2s")
    started = scene(pilot, first)
    started.wait_for_mark("ready")
    listener = job("listener", mark("ready"), when=each("ready", "app"))
    late = job("late", mark("late"), when=once("ready", "app"))
    reload(started, config(first, listener, late))
    started.wait_for_mark("late")  # the readiness of before counts for a job that is new
    settle(2.5)
    assert (started.count("app"), started.count("ready")) == (1, 1)


def test_a_job_that_a_reload_replaces_becomes_ready_again(pilot: StartPilot) -> None:
    started = scene(pilot, app(pinging(), watchdog="60s"))
    started.wait_for_mark("ready")
    listener = job("listener", mark("ready"), when=each("ready", "app"))
    reload(started, config(app(pinging(), watchdog="50s"), listener, job("other", forever("other"))))
    started.wait_for_mark("ready", 2)
    assert started.count("app") == 2


def test_readiness_and_watchdog_go_on_in_maintenance(pilot: StartPilot) -> None:
    started = scene(pilot, app(pinging(hangs_after=1.0), watchdog="400ms", restarts=1))
    started.wait_for_mark("ready")
    started.run("-maintenance", "enable")
    started.wait_for_mark("app", 2)
    assert started.wait_for_line("app has sent no WATCHDOG=1 for 400ms")


# --- the watchdog


@pytest.mark.smoke
def test_a_silent_process_is_aborted_and_started_again(pilot: StartPilot) -> None:
    started = scene(pilot, app(pinging(hangs_after=1.0), watchdog="500ms", restarts=1))
    started.wait_for_mark("ready", 2)
    output = started.output()
    assert "app has sent no WATCHDOG=1 for 500ms: it gets SIGABRT" in output
    assert re.search(r"app exited with error: signal: aborted.*watchdog", output), output
    assert started.count("app") == 2


def test_a_process_that_reports_in_time_goes_on(pilot: StartPilot) -> None:
    started = scene(pilot, app(pinging(), watchdog="1s"))
    started.wait_for_mark("ready")
    settle(3.0)
    assert (started.count("app"), started.is_running()) == (1, True)
    assert "WATCHDOG=1 for" not in started.output()


def test_a_process_that_is_stopped_is_silent(pilot: StartPilot) -> None:
    """SIGABRT of a stopped process waits until SIGCONT."""
    started = scene(pilot, app(pinging(), watchdog="1s", restarts=1))
    started.wait_for_mark("ready")
    started.run("-signal", "app=STOP")
    started.wait_for_mark("ready", 2)
    assert "signal: aborted" in started.output()


def test_a_container_that_was_paused_is_not_silent(pilot: StartPilot) -> None:
    """`docker pause` stops ContainerPilot and the process, and the clock goes on."""
    started = scene(pilot, app(pinging(), watchdog="1s", restarts=1))
    started.wait_for_mark("ready")
    for _ in range(3):
        family = [started.pid, *(pid for pid in started.family() if pid != started.pid)]
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        settle(1.6)
        for pid in family:
            os.kill(pid, signal.SIGCONT)
        settle(0.7)
    assert (started.count("app"), started.is_running()) == (1, True)


def test_a_process_may_trigger_its_watchdog(pilot: StartPilot) -> None:
    command = notifier("notify('READY=1')\nmark('app')\nnotify('WATCHDOG=trigger')")
    started = scene(pilot, app(command, watchdog="1h", restarts=1))
    started.wait_for_mark("app", 2)
    started.wait_for_state("app", "complete")
    assert started.output().count("app has sent WATCHDOG=trigger: it gets SIGABRT") == 2


def test_the_watchdog_of_a_job_without_notify_begins_with_its_run(pilot: StartPilot) -> None:
    started = scene(pilot, app(forever(), None, watchdog="300ms", restarts=1))
    started.wait_for_state("app", "complete")
    assert started.output().count("app has sent no WATCHDOG=1 for 300ms") == 2
    started.wait_for_mark("ready", 2)  # it has no `ready`: it was ready when it ran


def test_the_time_until_readiness_is_not_watched(pilot: StartPilot) -> None:
    os.mkfifo(pilot.folder() / "go")
    command = notifier("mark('app')\nopen('go').read()\nnotify('READY=1')")
    started = scene(pilot, app(command, watchdog="300ms", restarts=0))
    started.wait_for_mark("app")
    settle(0.9)
    assert "has sent no WATCHDOG" not in started.output()
    (started.folder / "go").write_text("\n")
    started.wait_for_line("app has sent no WATCHDOG=1 for 300ms")


def test_a_main_job_that_its_watchdog_ends_fails(pilot: StartPilot) -> None:
    started = pilot(config(app(forever(), None, watchdog="200ms", main=True)))
    assert started.wait_exit() == 134
