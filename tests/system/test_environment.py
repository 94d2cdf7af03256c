"""The environment of a child at its start: variables, signals, descriptors, process group."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.system.scripts import forever, mark, python, service, sh

if TYPE_CHECKING:
    from typing import Any

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

# Every kind of child at once; `report` is what each of them runs.
KINDS = ("preStart", "app", "co", "task", "check", "preStop", "postStop")


def every_kind(report: Any) -> tuple[dict[str, Any], list[str]]:
    """A configuration and an application that run report(kind) as each kind of child."""
    config = {
        **{hook: report(hook) for hook in ("preStart", "preStop", "postStop")},
        "coprocesses": [{"name": "co", "command": report("co")}],
        "tasks": [{"name": "task", "command": report("task"), "frequency": "100ms"}],
        "directory": "shelf",
        "services": [service(health=report("check"))],
    }
    command: list[str] = report("app")
    return config, [*command[:-1], command[-1] + "\nexec sleep 1000" if command[0] == "/bin/sh" else command[-1]]


def run_every_kind(pilot: StartPilot, script: str, **options: Any) -> dict[str, str]:
    """The output of the shell script `script` in each kind of child."""
    config, app = every_kind(lambda kind: sh(f'mark "{kind}=$({script})"'))
    started = pilot(config, app, **options)
    started.wait_for(lambda: {"app", "co", "task", "check"} <= set(variables(started)), what="all kinds of children")
    started.stop()
    found = variables(started)
    assert set(found) == set(KINDS)
    return found


def variables(started: Pilot) -> dict[str, str]:
    """The first word of each kind."""
    found: dict[str, str] = {}
    for word in started.words():
        kind, _, text = word.partition("=")
        found.setdefault(kind, text)
    return found


def test_children_get_the_default_signals(pilot: StartPilot) -> None:
    found = run_every_kind(pilot, SIGNALS, blocked=[signal.SIGTERM, signal.SIGUSR2])

    for kind, signals in found.items():
        assert_default(signals, kind)


def test_children_get_the_default_signals_even_if_containerpilot_did_not(pilot: StartPilot) -> None:
    ignoring = ["/bin/sh", "-c", "trap '' HUP PIPE QUIT CHLD; exec \"$@\"", "sh"]
    started = pilot({}, sh(f'mark "app=$({SIGNALS})"'), prefix=ignoring)

    started.wait_exit()

    assert_default(started.words()[0].removeprefix("app="), "app")


# Of the shell itself: what it blocks and ignores. (What it catches is its own doing: an exec resets all handlers.)
SIGNALS = "grep -E '^Sig(Blk|Ign):' /proc/$$/status | tr '\\n\\t' '  '"


def assert_default(signals: str, kind: str) -> None:
    values = dict(zip(signals.split()[::2], signals.split()[1::2], strict=True))
    # glibc's posix_spawn ignores 32 and 33, its own for threads, in every child: a program cannot ask it not to.
    own = 0b11 << 31
    assert {name: int(value, 16) & ~own for name, value in values.items()} == {"SigBlk:": 0, "SigIgn:": 0}, kind


def test_children_get_three_descriptors_and_no_more(pilot: StartPilot) -> None:
    extra = ["/bin/sh", "-c", 'exec "$@" 5</dev/null 7>/dev/null', "sh"]

    # `ls` has the folder open itself.
    found = run_every_kind(pilot, "ls /proc/self/fd | tr '\\n' ,", prefix=extra)

    assert set(found.values()) == {"0,1,2,3,"}


def test_standard_input_of_children_is_empty(pilot: StartPilot) -> None:
    found = run_every_kind(pilot, "readlink /proc/self/fd/0")

    assert set(found.values()) == {"/dev/null"}


def test_every_child_leads_a_process_group_in_the_session_of_containerpilot(pilot: StartPilot) -> None:
    # Fields of /proc/<pid>/stat: the shell's pid, its group, its session.
    found = run_every_kind(pilot, "cut -d' ' -f1,5,6 /proc/$$/stat")

    sessions = set()
    for kind, text in found.items():
        pid, group, session = text.split()
        assert pid == group, kind
        sessions.add(session)
    assert len(sessions) == 1


def test_children_get_the_environment_with_the_pid_and_the_address_of_services(pilot: StartPilot) -> None:
    show = "echo $GREETING,$CONTAINERPILOT_PID,$CONTAINERPILOT_APP_IP"
    config, app = every_kind(lambda kind: sh(f'mark "{kind}=$({show})"'))
    started = pilot(config, app, env={"GREETING": "a=b c"})
    started.wait_for(lambda: {"app", "co", "task", "check"} <= set(variables(started)))

    started.stop()

    assert set(variables(started).values()) == {f"a=b c,{started.pid},127.0.0.1"}


@pytest.mark.parametrize(
    ("name", "variable"), [("my-app-1", "CONTAINERPILOT_MY_APP_1_IP"), ("a.b-C_d", "CONTAINERPILOT_A.B_C_D_IP")]
)
def test_name_of_the_address_variable(pilot: StartPilot, name: str, variable: str) -> None:
    config = {"directory": "shelf", "services": [service(name, interfaces="static:10.1.2.3")]}

    started = pilot(config, python(f"mark(os.environ[{variable!r}])"))

    assert started.wait_exit() == 0
    assert started.words() == ["10.1.2.3"]


def test_later_processes_know_the_pids_of_hooks_and_app(pilot: StartPilot) -> None:
    def show(kind: str) -> str:
        names = ("PRESTART", "APP", "PRESTOP", "POSTSTOP")
        return f"mark {kind}:$$:" + ",".join(f"$CONTAINERPILOT_{name}_PID" for name in names)

    config = {hook: sh(show(hook)) for hook in ("preStart", "preStop", "postStop")}
    started = pilot(config, sh(show("app") + "\nmark app\nexec sleep 1000"))
    started.wait_for_mark("app")
    started.stop()

    known_pids = [word.split(":") for word in started.words() if word != "app"]
    pids = {kind: pid for kind, pid, _ in known_pids}
    assert {kind: seen for kind, _, seen in known_pids} == {
        "preStart": ",,,",
        "app": f"{pids['preStart']},,,",
        "preStop": f"{pids['preStart']},{pids['app']},,",
        "postStop": f"{pids['preStart']},{pids['app']},{pids['preStop']},",
    }


def test_pid_of_a_coprocess_has_two_names(pilot: StartPilot) -> None:
    show = (
        "if os.environ.get('CONTAINERPILOT_MY_CO_PID') == os.environ.get('CONTAINERPILOT_COPROCESS[MY-CO]_PID', '-'):\n"
        "    mark('task:' + os.environ['CONTAINERPILOT_MY_CO_PID'])\n"
    )
    config = {
        "coprocesses": [{"name": "my-co", "command": sh("mark co:$$\nexec sleep 1000")}],
        "tasks": [{"command": python(show), "frequency": "200ms", "timeout": "5s"}],
    }
    started = pilot(config, forever())

    started.wait_for(lambda: any(word.startswith("task:") for word in started.words()))

    [of_coprocess] = {word.partition(":")[2] for word in started.words() if word.startswith("co:")}
    assert started.count(f"task:{of_coprocess}") >= 1


def test_variables_that_are_not_text_survive(pilot: StartPilot) -> None:
    started = pilot({}, python("mark(repr(os.environb[b'ODD']))"), env={"ODD": os.fsdecode(b"\xff\xfe=\n")})

    assert started.wait_exit() == 0
    assert started.words() == [r"b'\xff\xfe=\n'"]


def test_children_start_in_the_working_directory_of_containerpilot(pilot: StartPilot) -> None:
    started = pilot({"preStart": mark("$PWD")}, sh("mark $(pwd)"))

    assert started.wait_exit() == 0
    assert started.words() == [str(started.folder)] * 2
