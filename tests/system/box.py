"""A container without a root file system of its own: namespaces, and a program that is PID 1 in them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

from tests.limits import DEADLINE
from tests.system import proc
from tests.system.pilot import PATH, Finished, archive, interpreter, wait_for
from tests.system.program import namespaces
from tests.system.security.users import become

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PROGRAM = (interpreter(), str(archive()))


class Box:
    """`command` is its PID 1, in the folder of the test; `env` is what its image sets."""

    def __init__(self, folder: Path, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environ = {
            "PATH": PATH,
            "TMPDIR": str(folder),
            "MARKS": str(folder / "marks"),
            "CONTAINERPILOT": str(folder / "config.json"),
            **(env or {}),
        }
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*namespaces(), *command],
                cwd=folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def words(self) -> list[str]:
        marks = self.folder / "marks"
        return [line.split()[-1] for line in marks.read_text().splitlines()] if marks.exists() else []

    def wait_for_app(self) -> None:
        try:
            wait_for(lambda: "app" in self.words(), what="the application")
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- it printed:\n{self.output()}") from None

    def output(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """The pid of PID 1 of the container, as the host sees it."""
        return wait_for(lambda: proc.children(self._process.pid), what="an init process")[0]

    def exec(self, *command: str, shell: str = "", user: int | None = None, mounts: bool = True) -> Finished:
        """As `docker exec` does; `shell` is done before, in a mount namespace of its own. Without `mounts` it sees the
        file systems of this side, with their /proc."""
        as_root = ["--user", "--preserve-credentials"] if os.geteuid() else []
        enter = [
            "nsenter",
            f"--target={self.pid}",
            *as_root,
            *(["--mount"] if mounts else []),
            "--pid",
            f"--wd={self.folder}",
            "--",
        ]
        if shell:
            enter += ["unshare", "--mount", "--", "/bin/sh", "-ec", f'{shell}; exec "$@"', "sh"]
        done = subprocess.run(
            [*enter, *(become(user) if user is not None else []), *command],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def again(self, *arguments: str, **options: Any) -> Finished:
        """Starts ContainerPilot a second time."""
        return self.exec(*PROGRAM, *arguments, **options)

    def close(self) -> None:
        # Its PID 1, and with that all others. `unshare --kill-child` does so too, but not for one that became another
        # user (prctl(2), PR_SET_PDEATHSIG).
        for init in proc.children(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(init, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        marks = f"MARKS={self.environ['MARKS']}"
        wait_for(lambda: not proc.with_environment(marks), what="the end of all processes")
