"""The foreground of the terminal that is our standard input, if it is one: the main job has it as long as it runs."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal  # the C module: `signal` imports enum


class Terminal:
    """Gives the foreground to a process group and takes it back, also for a shell that stops and resumes us."""

    def __init__(self) -> None:
        self.owner = 0  # the group that is to have the foreground; 0 for none
        self._given = False

    def give(self, group: int) -> None:
        """Let a group have the foreground, now if it is ours, or else when a shell has resumed us in it."""
        self.owner = group
        self.resume()

    def take_back(self) -> None:
        """The owner has ended."""
        if self._given:
            _set_foreground(os.getpgrp())
        self.owner = 0
        self._given = False

    def stop(self) -> None:
        """Ctrl-Z has stopped the owner: stop as well, so that the shell that started us gets its terminal back.

        Where no shell waits for us (in a container, or in the session of a service) the kernel ignores the stop, as it
        always does there, and the owner goes on at once.
        """
        self._given = False
        _signal.signal(_signal.SIGTSTP, _signal.SIG_DFL)
        os.kill(0, _signal.SIGTSTP)  # the whole group, like the key: a script that started us is part of it
        _signal.signal(_signal.SIGTSTP, _signal.SIG_IGN)
        self.resume()

    def resume(self) -> None:
        """We may have been resumed, in the foreground or not: let the owner go on in the same place."""
        if not self.owner:
            return
        if is_foreground():
            self._given = _set_foreground(self.owner)
        try:
            os.killpg(self.owner, _signal.SIGCONT)  # it may have stopped on a read before the terminal was its own
        except OSError:
            pass  # gone, or another user's


def is_foreground() -> bool:
    """Whether our standard input is a terminal whose foreground is our process group."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _set_foreground(group: int) -> bool:
    try:
        os.tcsetpgrp(0, group)
    except OSError:  # the terminal is gone, or the group is
        return False
    return True
