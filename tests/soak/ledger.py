"""The actions that children noted, and what the log has of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.soak.scene import BURST_LINE, LOG

if TYPE_CHECKING:
    from pathlib import Path

# What may never be in a log.
FORBIDDEN = ("internal error", "Traceback", "were lost", "was lost", "cannot serve clients", "cannot accept clients")


class Ledger:
    """Reads only what is new: a soak may take hours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = 0
        self.marks: Counter[str] = Counter()  # by their word
        self.printed = 0  # lines that children say they have printed in bursts
        self.logged = 0  # of these, in the log files that were rotated
        self.forbidden: list[str] = []

    def read(self) -> None:
        """The notes of children since the last call."""
        marks = self._folder / "marks"
        if not marks.exists():
            return
        with marks.open() as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind("\n") + 1]
        self._read += len(whole.encode())
        for line in whole.splitlines():
            word = line.partition(" ")[2]
            if word.startswith("burst:"):
                self.printed += int(word.partition(":")[2])
                word = "burst"
            self.marks[word] += 1

    def take_log(self, path: Path) -> None:
        """Count a log file that nobody writes any more, and remove it."""
        with path.open(errors="replace") as log:
            for line in log:
                self.logged += f" {BURST_LINE} " in line
                if any(words in line for words in FORBIDDEN):
                    self.forbidden.append(line.strip()[:300])
        path.unlink()

    def finish(self) -> None:
        """Everything, when ContainerPilot has ended."""
        self.read()
        self.take_log(self._folder / LOG)
