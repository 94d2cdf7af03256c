"""The processes that are left after all jobs have ended. Imported after the application has started."""

from __future__ import annotations

from cp.engine.background import Background

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from cp.engine.context import Context
else:
    import _signal  # the C module: `signal` imports enum


class Leftovers:
    """The children that ContainerPilot did not start itself, in sessions of their own too, and their later children.

    To the termination they are one run: terminated, killed when the budget is spent, and given up if they survive. The
    run ends when no such child is left, and no other run that could leave one.
    """

    label = "what was left in the background"
    is_forbidden = False  # not as a whole

    def __init__(self, context: Context) -> None:
        self._context = context
        self._background = Background(context, self._looked)
        self._ended = False
        context.processes.on_orphan = self._reaped

    @property
    def target(self) -> tuple[str, list[int]]:
        return self.label, self._background.found

    def terminate(self, *, group: bool) -> None:
        self._background.send(_signal.SIGTERM)

    def kill(self) -> None:
        self._background.send(_signal.SIGKILL)

    def obstacle(self) -> str:
        return self._background.obstacle()

    def give_up(self) -> None:
        self._end()

    def run_ended(self) -> None:
        """Another run has ended."""
        if not self._ended:
            self._background.look()

    def _looked(self) -> None:
        if self._background.found or len(self._context.runs) > 1:
            self._background.look_later()
        else:
            self._end()

    def _reaped(self) -> None:
        if not self._context.processes.has_children():
            self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._context.processes.on_orphan = None
        self._background.close()
        self._context.run_ended(self)
