"""Runs the commands of a page's `console` blocks, and compares what they print with what the page shows."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.limits import DEADLINE
from tests.system.documents import ROOT, steady
from tests.system.pilot import interpreter, wait_for
from tests.system.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def make_programs(folder: Path, containerpilot: Sequence[str]) -> None:
    """Make the folder `bin` that is first on the commands' PATH; `containerpilot` is how the program is called."""
    programs = folder / "bin"
    programs.mkdir()
    for name, command in (
        ("python3", [interpreter()]),
        ("containerpilot", containerpilot),
        ("curl", [sys.executable, str(ROOT / "tests" / "system" / "curl.py")]),
    ):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        (programs / name).chmod(0o755)


def assert_prints_what_is_shown(shown: list[tuple[str, str]], beside: str, folder: Path) -> None:
    """Run commands in the folder and compare; `beside` is the configuration with which ContainerPilot runs meanwhile,
    or empty."""
    if beside:
        port = str(free_port())
        with running(beside, folder, port):
            printed = run_beside(shown, beside, folder, port)
    else:
        printed = run_in_one_shell([command for command, _ in shown], folder)

    for (command, expected), actual in zip(shown, printed, strict=True):
        assert is_as_shown(actual, expected), f"$ {command}\n{actual}--- instead of\n{expected}"


def run_beside(shown: list[tuple[str, str]], file: str, folder: Path, port: str) -> list[str]:
    """The output of each command. The first one is repeated until it prints the shown text: a start takes its time."""
    (first, expected), *others = shown
    printed = ""

    def is_ready() -> bool:
        nonlocal printed
        printed = run_in_one_shell([first], folder, CONTAINERPILOT=file, PORT=port)[0]
        return is_as_shown(printed, expected)

    with contextlib.suppress(AssertionError):  # who called compares it too, and tells what is printed instead
        wait_for(is_ready)
    return [printed, *run_in_one_shell([command for command, _ in others], folder, CONTAINERPILOT=file, PORT=port)]


@contextlib.contextmanager
def running(file: str, folder: Path, port: str) -> Iterator[None]:
    """ContainerPilot with the configuration in a file; what it prints is in the file `log`."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [folder / "bin" / "containerpilot", "-config", file],
            cwd=folder,
            env={**environment(folder), "PORT": port},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DEADLINE)
        finally:
            process.kill()


def run_in_one_shell(lines: list[str], folder: Path, **variables: str) -> list[str]:
    """The output of each command, on both streams; `$?` is that of the command before."""
    mark = "--- next command ---"
    script = "".join(f"{line}\nstatus=$?; echo '{mark}'; (exit $status)\n" for line in lines)
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env={**environment(folder), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.split(f"{mark}\n")[:-1]


def environment(folder: Path) -> dict[str, str]:
    path = f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    return {"PATH": path, "TZ": "UTC", "TMPDIR": str(folder)}


def is_as_shown(actual: str, expected: str) -> bool:
    """`…` stands for anything on its line; alone on a line, for any lines."""
    pattern = ""
    for line in steady(expected).splitlines(keepends=True):
        pattern += "(.*\n)*" if line == "…\n" else ".*".join(re.escape(part) for part in line.split("…"))
    return re.fullmatch(pattern, steady(actual)) is not None
