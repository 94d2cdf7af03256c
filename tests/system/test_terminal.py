"""Started by hand in a terminal, as `docker run -it` does."""

from __future__ import annotations

import os
import pty
from typing import TYPE_CHECKING

import pytest

from tests.descriptors import is_ready
from tests.system.pilot import Pilot, wait_for
from tests.system.scripts import forever, mark, sh

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def start(pilot: StartPilot, terminal: Terminal, config: dict[str, object], app: list[str]) -> Pilot:
    return pilot(
        config,
        app,
        prefix=CONTROLLING,
        new_session=False,
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
    )


@pytest.mark.smoke
def test_app_reads_what_is_typed(pilot: StartPilot, terminal: Terminal) -> None:
    started = start(pilot, terminal, {}, sh('read -r line; echo "got <$line>"; exit 7'))

    terminal.type(b"hello\n")

    terminal.wait_for("got <hello>")
    assert started.wait_exit() == 7


def test_control_c_reaches_the_app_and_not_us(pilot: StartPilot, terminal: Terminal) -> None:
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


def test_hooks_and_coprocesses_do_not_get_what_is_typed(pilot: StartPilot, terminal: Terminal) -> None:
    read = "if read -r line; then mark {0}:$line; else mark {0}:nothing; fi"
    config = {"preStart": sh(read.format("hook")), "coprocesses": [{"command": sh(read.format("co"))}]}
    started = start(pilot, terminal, config, sh(read.format("app") + "\nexec sleep 1000"))
    started.wait_for_mark("hook:nothing")
    started.wait_for_mark("co:nothing")

    terminal.type(b"hello\n")

    started.wait_for_mark("app:hello")


def test_terminal_is_ours_again_after_the_app(pilot: StartPilot, terminal: Terminal) -> None:
    started = start(pilot, terminal, {"postStop": forever("postStop")}, sh("mark app\nread -r line\nexit 3"))
    started.wait_for_mark("app")
    wait_for(lambda: os.tcgetpgrp(terminal.keyboard) == started.children()[0])

    terminal.type(b"\n")
    started.wait_for_mark("postStop")

    assert os.tcgetpgrp(terminal.keyboard) == os.getpgid(started.pid)


def test_stop_ends_an_app_in_the_foreground(pilot: StartPilot, terminal: Terminal) -> None:
    started = start(pilot, terminal, {}, sh("mark app\nread -r line"))
    started.wait_for_mark("app")

    assert started.stop() == 143
