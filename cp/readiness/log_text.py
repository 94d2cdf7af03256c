"""Readiness by a text in the output of the process."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Characters from which on a line may be a piece of a longer one: the output is cut at 64 KiB, and a character has at
# most four bytes.
PIECE = 16000


class LogText:
    """Looks for a text in the lines of one run. `on_found()` is called once, for a line that has it."""

    __slots__ = ("_before", "_on_found", "_text")

    def __init__(self, text: str, on_found: Callable[[], object]) -> None:
        self._text = text
        self._on_found: Callable[[], object] | None = on_found
        self._before = ""  # the end of a piece, in which the text may begin

    def read(self, line: str) -> None:
        on_found = self._on_found
        if on_found is None:
            return
        if self._text in self._before + line:
            self._on_found = None
            on_found()
        kept = len(self._text) - 1
        self._before = line[-kept:] if kept > 0 and len(line) >= PIECE else ""

    def close(self) -> None:
        """The run has ended. What it left in the background may print more lines."""
        self._on_found = None
