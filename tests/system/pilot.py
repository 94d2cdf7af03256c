"""Starts the built program as a user would, and looks at it from outside.

Everything here waits for a condition with a deadline; nothing sleeps and hopes.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tests.limits import DEADLINE
from tests.system import proc
from tests.system.control import SOCKET, Answer, Client
from tests.system.program import PATH, ROOT, Finished, archive, interpreter, namespaces, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

__all__ = [
    "PATH",
    "RELOADING",
    "ROOT",
    "Finished",
    "Mark",
    "Pilot",
    "archive",
    "interpreter",
    "namespaces",
    "now",
    "run",
    "settle",
    "wait_for",
    "write_config",
]

T = TypeVar("T")

POLL = 0.01  # seconds between two looks

_never = threading.Event()


def wait_for(condition: Callable[[], T], timeout: float = DEADLINE, what: str = "the condition") -> T:
    """The first true value of `condition`; AssertionError if there is none in time."""
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() > deadline  # looked at before the condition: a stalled test still gets its last look
        if value := condition():
            return value
        assert not late, f"{what} did not come true within {timeout} s"
        _never.wait(POLL)


def settle(seconds: float) -> None:
    """Let a short time pass in which something must *not* happen. For nothing else: what must happen is waited for."""
    _never.wait(seconds)


class Mark(NamedTuple):
    """A line that a child left: its text, and its time (seconds of the clock that `now` reads)."""

    at: float
    word: str


def now() -> float:
    """The clock of marks: seconds since the machine's boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Pilot:
    """A running ContainerPilot with a folder and an environment of its own.

    Children say what happens to them by `mark` (see scripts.py): lines in the file that the variable MARKS names, which
    also tells our processes from all others.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        prefix: Sequence[str] = (),
        new_session: bool = True,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = None,
        stderr: Any = None,
        blocked: Sequence[signal.Signals] = (),
    ) -> None:
        self.folder = folder
        self.stdout_file, self.stderr_file = folder / "stdout", folder / "stderr"
        self._marks = folder / "marks"
        self._is_wrapped = prefix[:1] == ("unshare",)
        # If its usual place is not available, the control socket is in the folder of the test.
        environ = {"PATH": PATH, "MARKS": str(self._marks), "TMPDIR": str(folder), **env}
        with self.stdout_file.open("wb") as out, self.stderr_file.open("wb") as err:
            mine = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)  # which the new process inherits
            self.process = subprocess.Popen(
                [*prefix, interpreter(), str(archive()), *arguments],
                cwd=folder,
                env=environ,
                stdin=stdin,
                stdout=out if stdout is None else stdout,
                stderr=err if stderr is None else stderr,
                start_new_session=new_session,
            )
            signal.pthread_sigmask(signal.SIG_SETMASK, mine)
        self.pid = self._find_init() if self._is_wrapped else self.process.pid

    def _find_init(self) -> int:
        """The pid, on this side, of the namespace's init: the only child of `unshare`, once it is our program. 0 if it
        has already ended."""

        def init() -> int | None:
            for pid in proc.children(self.process.pid):
                # Before it executes us the child of `unshare` still has the command line of its parent. The interpreter
                # may be a script (see scripts/fetch-python.py), and then the argument of another program.
                command = proc.command_line(pid)
                if interpreter() in command and not command.startswith(("unshare ", "/bin/sh ")):
                    return pid
            if self.process.poll() is None:
                return None
            assert not self.errors().startswith("unshare:"), f"unshare failed: {self.errors()}"
            return 0

        found = self.wait_for(lambda: None if (pid := init()) is None else [pid], what="an init process")
        return found[0] if found else 0

    # --- what it does

    def output(self) -> str:
        return self.stdout_file.read_text(errors="replace")

    def errors(self) -> str:
        return self.stderr_file.read_text(errors="replace")

    def marks(self) -> list[Mark]:
        if not self._marks.exists():
            return []
        lines = [line.split(" ", 1) for line in self._marks.read_text().splitlines(keepends=True)]
        return [
            Mark(float(line[0]), line[1].rstrip("\n")) for line in lines if len(line) == 2 and line[1].endswith("\n")
        ]

    def words(self) -> list[str]:
        """The marks without their times."""
        return [mark.word for mark in self.marks()]

    def count(self, word: str) -> int:
        return self.words().count(word)

    # --- waiting

    def wait_for(self, condition: Callable[[], T], timeout: float = DEADLINE, what: str = "the condition") -> T:
        try:
            return wait_for(condition, timeout, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.report()}") from None

    def wait_for_line(self, pattern: str, *, stream: str = "stdout", timeout: float = DEADLINE) -> re.Match[str]:
        """Waits until standard output (or error) has the pattern; `^` and `$` are those of a line."""
        read = self.output if stream == "stdout" else self.errors
        found = self.wait_for(lambda: re.search(pattern, read(), re.MULTILINE), timeout, f"a line with {pattern!r}")
        assert found is not None
        return found

    def wait_for_mark(self, word: str, count: int = 1, timeout: float = DEADLINE) -> Mark:
        """Waits until children have left this number of such marks. Returns the last of them."""

        def found() -> list[Mark]:
            marks = [mark for mark in self.marks() if mark.word == word]
            return marks if len(marks) >= count else []

        return self.wait_for(found, timeout, f"{count} mark(s) {word!r}")[count - 1]

    def wait_exit(self, timeout: float = DEADLINE) -> int:
        """The exit code, once the program has ended."""
        self.wait_for(lambda: self.process.poll() is not None, timeout, "the end of the program")
        return self.process.returncode

    def is_running(self) -> bool:
        return self.process.poll() is None

    # --- acting

    def signal(self, name: str) -> None:
        """Send a signal such as "TERM", from outside of its namespace."""
        self.send(signal.Signals[f"SIG{name}"])

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.signal("TERM")
        return self.wait_exit()

    def configure(self, config: Mapping[str, Any] | str) -> None:
        """Replace the configuration file, as a tool does: at once."""
        write_config(self.folder / "config.json", config)

    def reload(self, config: Mapping[str, Any] | str | None = None) -> None:
        """SIGHUP, with a new configuration if there is one; until the log says that it is at it."""
        if config is not None:
            self.configure(config)
        before = self.output().count(RELOADING)
        self.signal("HUP")
        self.wait_for(lambda: self.output().count(RELOADING) > before, what="a reload")

    # --- asking, as its operators do

    def client(self, timeout: float = DEADLINE) -> Client:
        """A connection to its control socket, as soon as it serves one where `control.socket: SOCKET` says."""

        def connected() -> Client | None:
            try:
                return Client(self.folder / SOCKET, timeout)
            except (FileNotFoundError, ConnectionRefusedError):
                return None

        found = self.wait_for(connected, what="a control socket")
        assert found is not None
        return found

    def ask(self, method: str, target: str, body: Any = None) -> Answer:
        with self.client() as client:
            return client.ask(method, target, body)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """The reports about its jobs, by name."""
        return {job["name"]: job for job in self.ask("GET", "/v3/jobs").json["jobs"]}

    def wait_for_state(self, job: str, state: str) -> dict[str, Any]:
        """Waits until a job is in this state. Returns the text about it."""
        found = self.wait_for(
            lambda: [each for each in [self.jobs()[job]] if each["state"] == state], what=f"{job} to be {state}"
        )
        return found[0]

    def run(self, *flags: str, env: Mapping[str, str] | None = None) -> Finished:
        """A subcommand, to its end, with the configuration of this one."""
        return run(["-config", "config.json", *flags], self.folder, env=env or {})

    # --- looking inside

    def children(self) -> list[int]:
        """The direct children, by the numbers of this side."""
        return proc.children(self.pid)

    def child(self, command: str) -> int:
        """The direct child with exactly this command line, once it is there."""

        def found() -> list[int]:
            return [pid for pid in self.children() if proc.command_line(pid) == command]

        return self.wait_for(found, what=f"a child {command!r}")[0]

    def zombies(self) -> list[int]:
        return [pid for pid in self.children() if proc.state(pid) == "Z"]

    def descriptors(self) -> dict[int, str]:
        return proc.descriptors(self.pid)

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def family(self) -> list[int]:
        """All living processes of this test, wherever they hang in the tree: ContainerPilot, children, orphans."""
        return proc.with_environment(f"MARKS={self._marks}")

    def leftovers(self) -> list[str]:
        """The command lines of what is still there when ContainerPilot should have cleaned up."""
        return [proc.command_line(pid) for pid in self.family() if pid not in (self.pid, self.process.pid)]

    def assert_nothing_is_left(self) -> None:
        """After the exit: what was killed needs a moment to be gone."""
        try:
            self.wait_for(lambda: not self.leftovers(), what="the end of all children")
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- left: {self.leftovers()}") from None

    def report(self) -> str:
        """The output and the marks, for a failed test."""
        return (
            f"--- exit code: {self.process.poll()}\n--- stdout:\n{self.output()[-4000:]}\n--- stderr:\n"
            f"{self.errors()[-4000:]}\n--- marks: {self.words()[-50:]}"
        )

    def close(self) -> None:
        """Kill whatever is left, orphans included."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

        def gone() -> bool:
            left = self.family()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return not left

        wait_for(gone, what="the end of all processes of this test")


RELOADING = "Reloading configuration."


def write_config(path: Path, config: Mapping[str, Any] | str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(config if isinstance(config, str) else json.dumps(config))
    beside.replace(path)
