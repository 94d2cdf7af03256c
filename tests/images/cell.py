"""ContainerPilot in one cell of the matrix: a Python's root file system under one condition, looked at from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, TypeVar

from tests.descriptors import is_ready
from tests.images.rows import ROOT
from tests.system import proc
from tests.system.pilot import wait_for, write_config
from tests.system.program import PATH, namespaces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Any

    from tests.images.conditions import Condition
    from tests.images.rows import Row

T = TypeVar("T")

DEADLINE = 40.0  # seconds for one step; it takes one or two
WORK = "/work"  # in the cell: `work` outside

# Leaves a line: its arguments, in one piece.
MARK = 'printf "%s\\n" "$*" >>/work/marks\n'


class Failed(AssertionError):
    """A step of the scene did not happen; the text says what there was instead."""


class Cell:
    """Starts ContainerPilot; `folder` is empty, and ours."""

    def __init__(
        self, row: Row, condition: Condition, archive: Path, folder: Path, config: dict[str, Any], app: str
    ) -> None:
        self._condition = condition
        self.work = folder / "work"
        self._out, self._err = folder / "stdout", folder / "stderr"
        self._screen = b""
        for each in (self.work, folder / "root"):
            each.mkdir()
        self.work.chmod(0o777)
        (self.work / "mark.sh").write_text(MARK)
        (self.work / "app.sh").write_text(app)
        self.configure(config)
        self._keyboard, terminal = os.openpty() if condition.terminal else (-1, -1)
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                # Directly under `unshare`, which becomes PID 1 of the cell, and then what it executes.
                [
                    *(*namespaces("--mount"), sys.executable, "-B", "-m", "tests.images.enter"),
                    json.dumps(self._description(row, archive, folder)),
                ],
                cwd=ROOT,
                env={"PATH": PATH},
                stdin=terminal if condition.terminal else subprocess.DEVNULL,
                stdout=terminal if condition.terminal else out,
                stderr=terminal if condition.terminal else err,
                start_new_session=True,
            )
        if condition.terminal:
            os.close(terminal)

    def _description(self, row: Row, archive: Path, folder: Path) -> dict[str, Any]:
        condition = self._condition
        environment = {"PATH": PATH}
        if condition.home:
            environment["HOME"] = "/root"
        if not condition.bytecode:
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        shell = ["/bin/sh", f"{WORK}/app.sh"]
        return {
            "root": str(folder / "root"),
            "image": str(row.image),
            "folders": row.folders,
            "library": row.library,
            "archive": str(archive),
            "work": str(self.work),
            "command": [row.python, "/opt/containerpilot.pyz", "-config", f"{WORK}/config.json", *shell],
            "environment": environment,
            **{
                name: getattr(condition, name)
                for name in ("pid_1", "uid", "read_only", "tmp", "proc", "bytecode", "capabilities", "seccomp")
            },
            **{name: getattr(condition, name) for name in ("closed", "terminal")},
        }

    def __enter__(self) -> Cell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()  # and with it all that runs in the cell
        self._process.wait()
        if self._keyboard >= 0:
            os.close(self._keyboard)

    # --- acting

    def configure(self, config: dict[str, Any]) -> None:
        write_config(self.work / "config.json", config)

    def pilot(self) -> int:
        """ContainerPilot's pid out here."""
        [inner] = proc.children(self._process.pid)
        if not self._condition.pid_1:
            [inner] = proc.children(inner)
        return inner

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pilot(), number)

    def type(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    # --- looking

    def marks(self) -> list[str]:
        """The lines that are complete."""
        try:
            text = (self.work / "marks").read_text()
        except FileNotFoundError:
            return []
        return text.split("\n")[:-1]

    def entries(self) -> list[dict[str, Any]]:
        """The content of the catalogue: the objects of its files."""
        found = []
        for file in (self.work / "catalogue").glob("*.json"):
            try:
                found.append(json.loads(file.read_text()))
            except FileNotFoundError:  # removed meanwhile
                continue
        return found

    def foreground(self) -> int:
        """The process group that the terminal belongs to."""
        return os.tcgetpgrp(self._keyboard)

    def output(self) -> str:
        """Standard output, or all that the terminal showed; empty where it was closed."""
        if not self._condition.terminal:
            return self._out.read_text(errors="replace")
        while is_ready(self._keyboard):
            try:
                self._screen += os.read(self._keyboard, 65536)
            except OSError:  # the last process has closed its end
                break
        return self._screen.decode(errors="replace")

    def errors(self) -> str:
        return self._err.read_text(errors="replace")

    def code(self) -> int | None:
        return self._process.poll()

    # --- waiting

    def wait_for(self, condition: Callable[[], T], what: str, *, running: bool = True) -> T:
        """The first true value. Failed, at once if ContainerPilot has ended though it should be `running`."""

        def look() -> tuple[T] | None:
            ended = running and self.code() is not None
            if value := condition():
                return (value,)
            if ended:
                raise Failed(f"{what}: it ended before that{self._report()}")
            return None

        try:
            found = wait_for(look, DEADLINE, what)
        except Failed:
            raise
        except AssertionError as error:
            raise Failed(f"{error}{self._report()}") from None
        assert found is not None
        return found[0]

    def wait_for_mark(self, prefix: str) -> str:
        """The first line that begins so."""
        found = self.wait_for(
            lambda: [mark for mark in self.marks() if mark.startswith(prefix)], f"the mark {prefix!r}"
        )
        return found[0]

    def wait_exit(self) -> int:
        self.wait_for(lambda: self.code() is not None, "the end", running=False)
        return self._process.returncode

    def check(self, holds: bool, what: str) -> None:
        """Failed with this text unless it holds."""
        if not holds:
            raise Failed(what + self._report())

    def _report(self) -> str:
        parts: Sequence[tuple[str, object]] = (
            ("exit code", self.code()),
            ("marks", self.marks()),
            ("output", self.output()[-1500:]),
            ("errors", self.errors()[-1500:]),
        )
        return "".join(f"\n    {name}: {value}" for name, value in parts if value not in (None, "", []))
