"""Started by hand in a terminal, as `docker run -it` does."""

from __future__ import annotations

import os
import pty
import shlex
import signal
from typing import TYPE_CHECKING

import pytest

from tests.descriptors import is_ready
from tests.system import proc
from tests.system.jobs.configs import app, config, job
from tests.system.pilot import Pilot, archive, interpreter, settle, wait_for
from tests.system.scripts import PRELUDE, forever, mark, sh

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.system.pilot_fixtures import StartPilot

CONTROLLING = ["setsid", "--ctty"]  # the terminal at standard input becomes that of the new session


class Terminal:
    """A pseudo terminal: what is typed into it, and what it shows."""

    def __init__(self) -> None:
        self.keyboard, self.slave = pty.openpty()
        self._shown = b""

    def type(self, keys: bytes) -> None:
        os.write(self.keyboard, keys)

    def screen(self) -> str:
        while is_ready(self.keyboard):
            try:
                self._shown += os.read(self.keyboard, 4096)
            except OSError:  # nobody has the other end open any more
                break
        return self._shown.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, text: str) -> None:
        wait_for(lambda: text in self.screen(), what=f"{text!r} on the terminal")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    os.close(opened.keyboard)
    os.close(opened.slave)


def start(
    pilot: StartPilot, terminal: Terminal, settings: dict[str, object], command: list[str], by: Sequence[str] = ()
) -> Pilot:
    return pilot(
        settings,
        command,
        prefix=[*CONTROLLING, *by],
        new_session=False,
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
    )


@pytest.mark.smoke
def test_app_reads_the_terminal(pilot: StartPilot, terminal: Terminal) -> None:
    started = start(pilot, terminal, {}, sh('read -r line; echo "got <$line>"; exit 7'))

    terminal.type(b"hello\n")

    terminal.wait_for("got <hello>")
    assert started.wait_exit() == 7


def test_control_c_reaches_the_app_and_not_containerpilot(pilot: StartPilot, terminal: Terminal) -> None:
    app = sh("trap 'mark app-int; exit 4' INT\nmark app\nwhile :; do sleep 0.05; done")
    started = start(pilot, terminal, {"preStop": mark("preStop"), "postStop": mark("postStop")}, app)
    started.wait_for_mark("app")
    wait_for(lambda: os.tcgetpgrp(terminal.keyboard) == started.children()[0])

    terminal.type(b"\x03")

    assert started.wait_exit() == 4
    assert started.words() == ["app", "app-int", "postStop"]


def test_app_that_dies_of_control_c_gives_130(pilot: StartPilot, terminal: Terminal) -> None:
    started = start(pilot, terminal, {}, sh("mark app\nexec sleep 1000"))
    started.wait_for_mark("app")
    app = started.child("sleep 1000")
    wait_for(lambda: os.tcgetpgrp(terminal.keyboard) == app)

    terminal.type(b"\x03")

    assert started.wait_exit() == 130


def test_hooks_and_coprocesses_do_not_read_the_terminal(pilot: StartPilot, terminal: Terminal) -> None:
    read = "if read -r line; then mark {0}:$line\nelse mark {0}:nothing; fi"
    settings = {"preStart": sh(read.format("hook")), "coprocesses": [{"command": sh(read.format("co"))}]}
    started = start(pilot, terminal, settings, sh(read.format("app") + "\nexec sleep 1000"))
    started.wait_for_mark("hook:nothing")
    started.wait_for_mark("co:nothing")

    terminal.type(b"hello\n")

    started.wait_for_mark("app:hello")


def test_terminal_returns_to_containerpilot_after_the_app(pilot: StartPilot, terminal: Terminal) -> None:
    started = start(pilot, terminal, {"postStop": forever("postStop")}, sh("mark app\nread -r line\nexit 3"))
    started.wait_for_mark("app")
    wait_for(lambda: os.tcgetpgrp(terminal.keyboard) == started.children()[0])

    terminal.type(b"\n")
    started.wait_for_mark("postStop")

    assert os.tcgetpgrp(terminal.keyboard) == os.getpgid(started.pid)


def test_terminal_goes_from_one_job_to_another(pilot: StartPilot, terminal: Terminal) -> None:
    started = start(pilot, terminal, config(app("old", stdin="inherit"), app("other")), [])
    started.wait_for_mark("old")
    wait_for(lambda: os.tcgetpgrp(terminal.keyboard) == started.jobs()["old"]["pid"])

    started.configure(config(app("new", stdin="inherit"), app("other")))
    assert started.run("-reload").code == 0
    started.wait_for_mark("new")

    wait_for(lambda: os.tcgetpgrp(terminal.keyboard) == started.jobs()["new"]["pid"])


def test_stop_ends_an_app_in_the_foreground(pilot: StartPilot, terminal: Terminal) -> None:
    started = start(pilot, terminal, {}, sh("mark app\nread -r line"))
    started.wait_for_mark("app")

    assert started.stop() == 143


# --- the terminal is closed


@pytest.mark.parametrize("dialect", ["services", "jobs"])
def test_nothing_ends_with_its_terminal(pilot: StartPilot, terminal: Terminal, dialect: str) -> None:
    """A hang-up is a SIGHUP like any other."""
    settings = {
        "services": {"coprocesses": [{"command": forever("reloaded")}]},
        "jobs": config(app(), job("hup", mark("reloaded"), when={"source": "SIGHUP"})),
    }[dialect]
    started = start(pilot, terminal, settings, forever() if dialect == "services" else [])
    started.wait_for_mark("app")
    if dialect == "services":
        started.wait_for_mark("reloaded")
    before = started.count("reloaded")

    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, terminal.keyboard)
    os.close(nothing)

    wait_for(lambda: started.count("reloaded") == before + 1, what="what SIGHUP does")
    assert started.is_running()
    assert started.count("app") == 1
    assert started.stop() == (143 if dialect == "services" else 0)


# --- Ctrl-Z


def start_in_a_shell(pilot: StartPilot, terminal: Terminal, app: list[str], script: str) -> Pilot:
    """By a shell with job control, to whose script we are "$@". The Pilot that is returned is the shell."""
    return start(pilot, terminal, {}, app, by=["sh", "-mc", PRELUDE + script, "sh"])


def press_control_z(started: Pilot, terminal: Terminal) -> None:
    """When the application has the terminal, which it gets just after its start."""
    started.wait_for_mark("app")
    app = "/bin/sh -c"
    wait_for(lambda: proc.command_line(os.tcgetpgrp(terminal.keyboard)).startswith(app), what="the terminal of the app")
    terminal.type(b"\x1a")


ECHOES = sh("mark app\nwhile read -r line; do mark app:$line; done\nexit 7")


@pytest.mark.parametrize("program", ['"$@"', """sh -c '"$@"; exit $?' sh "$@" """], ids=["program", "script"])
def test_control_z_gives_the_shell_its_terminal_and_fg_gives_it_back(
    pilot: StartPilot, terminal: Terminal, program: str
) -> None:
    script = f"{program}; mark shell; read -r word; mark $word; fg >/dev/null; mark code:$?"
    started = start_in_a_shell(pilot, terminal, ECHOES, script)
    press_control_z(started, terminal)
    started.wait_for_mark("shell")
    terminal.type(b"to-the-shell\n")
    started.wait_for_mark("to-the-shell")
    terminal.type(b"to-the-app\n")
    started.wait_for_mark("app:to-the-app")
    terminal.type(b"\x04")

    assert started.wait_exit() == 0
    assert started.words() == ["app", "shell", "to-the-shell", "app:to-the-app", "code:7"]


def test_app_that_was_stopped_goes_on_in_the_background(pilot: StartPilot, terminal: Terminal) -> None:
    """Its end does not take the terminal from the shell."""
    # It starts nothing while it waits: a child that is stopped before its exec keeps its parent from stopping.
    app = sh("mkfifo go\nmark app\nread -r _ <go\nmark gone\nexit 7")
    script = '"$@"; mark shell; bg >/dev/null; read -r word; mark $word; wait; mark code:$?'
    started = start_in_a_shell(pilot, terminal, app, script)
    press_control_z(started, terminal)
    started.wait_for_mark("shell")
    (started.folder / "go").write_text("on\n")
    started.wait_for_mark("gone")
    terminal.type(b"to-the-shell\n")

    started.wait_for_mark("to-the-shell")
    assert started.wait_exit() == 0


def test_app_that_was_started_in_the_background_has_the_terminal_after_fg(
    pilot: StartPilot, terminal: Terminal
) -> None:
    script = '"$@" & read -r word; mark $word; fg >/dev/null; mark code:$?'
    started = start_in_a_shell(pilot, terminal, ECHOES, script)
    started.wait_for_mark("app")

    terminal.type(b"to-the-shell\n")
    started.wait_for_mark("to-the-shell")
    terminal.type(b"to-the-app\n")
    started.wait_for_mark("app:to-the-app")
    terminal.type(b"\x04")

    started.wait_for_mark("code:7")


@pytest.mark.parametrize("before", ["{} & ", "{}; mark shell; bg >/dev/null; "], ids=["&", "Ctrl-Z and bg"])
def test_app_that_reads_in_the_background_is_resumed_by_fg(pilot: StartPilot, terminal: Terminal, before: str) -> None:
    """The shell sends nothing to a job that it believes to run: it must have seen the stop."""
    seen = "until jobs >seen; grep -q Stopped seen; do sleep 0.05; done; mark stopped"
    script = f"""{before.format('"$@"')}{seen}; fg >/dev/null; mark code:$?"""
    started = start_in_a_shell(pilot, terminal, ECHOES, script)
    if "bg" in before:
        press_control_z(started, terminal)
    started.wait_for_mark("stopped")

    terminal.type(b"to-the-app\n")
    started.wait_for_mark("app:to-the-app")
    terminal.type(b"\x04")

    started.wait_for_mark("code:7")


def test_app_that_stops_itself_gives_the_shell_its_terminal(pilot: StartPilot, terminal: Terminal) -> None:
    """As a shell does for `suspend`."""
    app = sh("mark app\nkill -STOP $$\nread -r line\nmark app:$line\nexit 7")
    script = '"$@"; mark shell; read -r word; mark $word; fg >/dev/null; mark code:$?'
    started = start_in_a_shell(pilot, terminal, app, script)
    started.wait_for_mark("shell")

    terminal.type(b"to-the-shell\n")
    started.wait_for_mark("to-the-shell")
    terminal.type(b"to-the-app\n")

    started.wait_for_mark("code:7")
    assert started.words() == ["app", "shell", "to-the-shell", "app:to-the-app", "code:7"]


@pytest.mark.parametrize(
    ("pipeline", "has_terminal"),
    [
        ('(mark other; exec yes fed) | "$@"', False),
        ('"$@" | (mark other; cat >/dev/null)', True),
        ('"$@" | exec {program} -config "{{}}" sh -c {other}', True),
        ('mark other; "$@" </dev/null', False),
    ],
    ids=["fed", "feeding", "two of us", "no terminal to read"],
)
def test_control_z_stops_a_whole_pipeline(
    pilot: StartPilot, terminal: Terminal, pipeline: str, has_terminal: bool
) -> None:
    # A shell or a ContainerPilot that waits in vfork() for its child to execute a program cannot be stopped while the
    # child is stopped. So none starts a child after its mark.
    app = sh("sleep 1000 &\nmark app\nwait")
    program = f"{interpreter()} {archive()}"
    other = shlex.quote(f"{PRELUDE}mark other; exec cat >/dev/null")
    together = pipeline.format(program=program, other=other)
    script = f"{together}; mark shell; read -r word; mark $word; fg >/dev/null; mark end"
    started = start_in_a_shell(pilot, terminal, app, script)
    started.wait_for_mark("app")
    app_pid = next(pid for pid in started.family() if proc.command_line(pid).startswith("/bin/sh -c"))

    started.wait_for_mark("other")  # a process that the shell starts after Ctrl-Z would not be stopped
    if has_terminal:
        press_control_z(started, terminal)
    else:
        terminal.type(b"\x1a")
    started.wait_for_mark("shell")
    started.wait_for(lambda: proc.state(app_pid) == "T", what="the stop of the application")
    terminal.type(b"to-the-shell\n")
    started.wait_for_mark("to-the-shell")
    started.wait_for(lambda: proc.state(app_pid) not in ("T", ""), what="the application to go on")
    os.kill(app_pid, signal.SIGKILL)

    started.wait_for_mark("end")


def test_control_z_without_a_shell_is_ignored_by_the_app(pilot: StartPilot, terminal: Terminal) -> None:
    """As it would be by an application that is PID 1 of a container: nobody could resume it."""
    started = start(pilot, terminal, {}, ECHOES)
    press_control_z(started, terminal)
    terminal.type(b"goes-on\n")

    started.wait_for_mark("app:goes-on")
    terminal.type(b"\x04")
    assert started.wait_exit() == 7


def test_stop_of_the_app_by_another_than_the_terminal_stays(pilot: StartPilot, terminal: Terminal) -> None:
    started = start(pilot, terminal, {}, ECHOES)
    started.wait_for_mark("app")
    app = started.children()[0]
    wait_for(lambda: os.tcgetpgrp(terminal.keyboard) == app)

    os.kill(app, signal.SIGSTOP)
    terminal.type(b"later\n")
    settle(0.3)
    assert started.count("app:later") == 0

    os.kill(app, signal.SIGCONT)
    started.wait_for_mark("app:later")
