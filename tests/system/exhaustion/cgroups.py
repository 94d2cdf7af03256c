"""Control groups of the tests, below the one of the tests or beside it."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.system.pilot import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


class ControlGroup:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def enter(self) -> list[str]:
        """The beginning of a command that runs in it."""
        return ["sh", "-c", f'echo $$ >"{self.folder}/cgroup.procs" && exec "$@"', "sh"]

    def limit_memory(self, size: int) -> None:
        for name in ("memory.limit_in_bytes", "memory.max"):
            if (self.folder / name).exists():
                (self.folder / name).write_text(str(size))
        for name, value in (("memory.memsw.limit_in_bytes", str(size)), ("memory.swap.max", "0")):
            if (self.folder / name).exists():
                try:
                    (self.folder / name).write_text(value)
                except OSError:
                    pass  # without swap

    def limit_processes(self, number: int) -> None:
        (self.folder / "pids.max").write_text(str(number))

    def remove(self) -> None:
        """What is in it is killed."""
        wait_for(functools.partial(_killed, self.folder), what="the end of the cgroup")
        self.folder.rmdir()


def new_group(controller: str, proof: tuple[str, ...]) -> ControlGroup | None:
    """A new group in the hierarchy of a controller (version 1), or in ours (version 2); None if none can be made.

    `proof` are files of which it must have one.
    """
    return next(_places(controller, proof), None)


def _places(controller: str, proof: tuple[str, ...]) -> Iterator[ControlGroup]:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in (controller, ""):
            continue
        root = Path("/sys/fs/cgroup", controllers)
        folder = root / path.lstrip("/") / f"containerpilot-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        if any((folder / name).exists() for name in proof):
            yield ControlGroup(folder)
        else:
            folder.rmdir()


def _killed(folder: Path) -> bool:
    pids = (folder / "cgroup.procs").read_text().split()
    for pid in pids:
        try:
            os.kill(int(pid), 9)
        except ProcessLookupError:
            continue
    return not pids
