"""Runs the program from its sources, and records the modules of the archive that it imports. Run as a process.

    python -S -s -E -B build/recorder.py SOURCES NOTES [flags] [command [arguments]]

SOURCES is the file of all sources for the archive, from which the archive's own importer takes the modules. The words
after NOTES are the program's command line. These events are appended to the file NOTES, one on each line:

- `sought NAME`: the module was searched. Some modules are never executed, because others replace their package.
- `executed NAME`: its code ran to its end, and so did that of all modules that it imports at its top.
- `failed NAME: WHY`: its code ended with an exception.
- `started COMMAND`: a process is about to start.

Like bytecode.py it imports only what the program itself would, so that every import of a start is recorded.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

    from build.entry._bootstrap import importer
else:
    from entry._bootstrap import importer  # the folder of a script is on the path

ARCHIVE = "containerpilot.pyz"
# A start reads this to find a ContainerPilot that is PID 1. On every machine the recorder answers that it is hidden.
FIRST_PROCESS = "/proc/1/cmdline"


class Recorder(importer.Importer):
    """Takes all modules from SOURCES, and records what happens to them."""

    __slots__ = ("_notes",)

    def __init__(self, sources: str, notes: str) -> None:
        def read(name: str) -> bytes:
            with open(sources, "rb") as file:
                return file.read()

        super().__init__(ARCHIVE, read, 0, importer.modules_of(importer.sources(read)), ())
        self._notes = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def note(self, line: str) -> None:
        os.write(self._notes, f"{line}\n".encode())

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        spec = super().find_spec(name, path, target)
        if spec is not None:
            self.note(f"sought {name}")
        return spec

    def exec_module(self, module: ModuleType) -> None:
        try:
            super().exec_module(module)
        except BaseException as error:
            self.note(f"failed {module.__name__}: {error!r}")
            raise
        self.note(f"executed {module.__name__}")

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Handle an audit event of Python (sys.addaudithook)."""
        if event == "os.posix_spawn":
            self.note(f"started {os.fsdecode(arguments[0])}")
        elif event == "open" and arguments[0] == FIRST_PROCESS:
            raise PermissionError(13, "hidden", FIRST_PROCESS)


def main() -> None:
    sources, notes = sys.argv[1:3]
    del sys.argv[1:3]
    recorder = Recorder(sources, notes)
    sys.addaudithook(recorder.audit)
    importer.run(recorder)


if __name__ == "__main__":
    main()
