"""Background processes that runs left: search for them in small steps, send them a signal to end, and search again.

Imported after the application has started.
"""

from __future__ import annotations

from cp.engine.orphans import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Iterator

    from cp.engine.context import Context
    from cp.engine.loop import Loop, Timer
    from cp.engine.orphans import Orphan
    from cp.engine.output import LineReader
    from cp.engine.process import Process
else:
    import _signal  # the C module: `signal` imports enum

TURN = 0.001  # seconds of a search in one turn of the loop
EMPTY_SEARCH_GRACE = 0.2  # seconds for which a search that finds nothing is repeated
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two searches; they double


class Search:
    """Goes through `steps` in many turns of the loop. It calls `found(orphan)` for each, and `done()` at the end."""

    __slots__ = ("_done", "_found", "_loop", "_steps")

    def __init__(
        self,
        loop: Loop,
        steps: Iterator[Orphan | None],
        found: Callable[[Orphan], None],
        done: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._steps: Iterator[Orphan | None] | None = steps
        self._found = found
        self._done = done
        loop.call_soon(self._go_on)

    def cancel(self) -> None:
        self._steps = None  # which closes its open files

    def _go_on(self) -> None:
        end = self._loop.now() + TURN
        while self._steps is not None:
            try:
                orphan = next(self._steps)
            except StopIteration:
                self._steps = None
                self._done()
                return
            if orphan is not None:
                self._found(orphan)
            if self._loop.now() >= end:
                self._loop.call_soon(self._go_on)
                return


class Background:
    """Processes that receive a signal to end, and searches for them until they have ended.

    Each process receives SIGTERM once, and SIGKILL in each search. `looked()` is called after each search, and decides
    whether another one follows.
    """

    def __init__(self, context: Context, looked: Callable[[], None]) -> None:
        self.found: list[int] = []  # pids that the last search found
        self.refused: list[int] = []  # pids that we may not signal
        self.hidden: list[int] = []  # pids whose descriptors we may not read
        self._context = context
        self._looked = looked
        self._number = 0
        self._signalled: set[int] = set()
        self._looks = 0  # completed searches
        self._search: Search | None = None
        self._timer: Timer | None = None
        self._pause = FIRST_PAUSE

    def _steps(self, hidden: list[int]) -> Iterator[Orphan | None]:
        """The steps of one search."""
        return self._context.processes.living_orphans()

    def send(self, number: int) -> None:
        """Send this signal to them from now on; 0 only searches."""
        self._number = number
        self._pause = FIRST_PAUSE
        self.look()

    def look(self) -> None:
        """Start a search, and cancel the current one."""
        self.close()
        found: list[int] = []
        refused: list[int] = []
        hidden: list[int] = []

        def see(orphan: Orphan) -> None:
            found.append(orphan.pid)
            if not self._send_to(orphan):
                refused.append(orphan.pid)

        def done() -> None:
            self._search = None
            self._looks += 1
            self.found, self.refused, self.hidden = found, refused, hidden
            self._signalled.intersection_update(found)
            self._looked()

        self._search = Search(self._context.loop, self._steps(hidden), see, done)

    def look_later(self) -> None:
        self._timer = self._context.loop.call_later(self._pause, self.look)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def close(self) -> None:
        """End the search."""
        if self._search is not None:
            self._search.cancel()
            self._search = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send_to(self, orphan: Orphan) -> bool:
        """Send it the signal, unless it received it before; False if we may not signal it."""
        number = self._number
        if number == _signal.SIGTERM and orphan.pid in self._signalled:
            number = 0  # checks only whether we may signal it
        try:
            orphan.signal(number)
            if number == _signal.SIGTERM:
                self._signalled.add(orphan.pid)
                orphan.signal(_signal.SIGCONT)  # a stopped process reacts to no other signal
        except ProcessLookupError:
            pass
        except PermissionError:
            return False
        return True

    def obstacle(self) -> str:
        """Why they do not end; empty if no reason is known."""
        return f"{describe(self.refused[0])} cannot be signalled: operation not permitted" if self.refused else ""


class OutputHolders(Background):
    """Processes that a run left in the background: the orphans that have its output open, and the rest of its group."""

    def __init__(
        self, context: Context, process: Process, readers: list[LineReader], looked: Callable[[], None]
    ) -> None:
        super().__init__(context, looked)
        self._process = process
        self._readers = readers
        self._since = 0.0

    def _steps(self, hidden: list[int]) -> Iterator[Orphan | None]:
        pipes = [reader.fd for reader in self._readers if reader.fd >= 0]
        return self._context.processes.holders(pipes, hidden)

    def _send_to(self, orphan: Orphan) -> bool:
        if self._number and self._context.processes.group_reaches(self._process, orphan):
            return True  # the signal to the group reaches it
        return super()._send_to(orphan)

    def send(self, number: int) -> None:
        self._since = self._context.loop.now()
        super().send(number)

    @property
    def is_there(self) -> bool:
        """Whether any process has the output open."""
        return any(reader.is_held for reader in self._readers)

    @property
    def is_worth_waiting_for(self) -> bool:
        """Whether a process is left that may end, or that a search may find soon: orphans come one by one."""
        is_recent = self._context.loop.now() - self._since < EMPTY_SEARCH_GRACE
        return bool(self.found) or is_recent or self._context.processes.group_alive(self._process)

    def obstacle(self) -> str:
        if self.found or not self._looks or not self.is_there:
            return super().obstacle()
        return f"{self.holder()} has its output open"

    def holder(self) -> str:
        """The process that has the output open, as far as the searches show."""
        if self.found:
            return describe(self.found[0])
        if self.hidden:
            hidden = describe(self.hidden[0])
            return f"what it left, perhaps {hidden}, whose descriptors we may not see without CAP_SYS_PTRACE,"
        return "what it left, which is not a child of ContainerPilot," if self._looks else "what it left"
