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
        """Give a group the foreground: now if the foreground is ours, otherwise when a shell resumes us in it."""
        self.owner = group
        self._hand_over()

    def take_back(self) -> None:
        """The owner has ended."""
        if self._given:
            _set_foreground(os.getpgrp())
        self.owner = 0
        self._given = False

    def owner_stopped(self, number: int) -> None:
        """A signal such as SIGTSTP, that of Ctrl-Z, has stopped the owner: stop as well, so that the shell that started
        us knows, and has its terminal back.

        Where no shell waits for us (in a container, or in the session of a service) the kernel ignores the stop, as it
        always does there. Then the owner goes on at once after Ctrl-Z, which nobody could undo. What stops it by
        another signal means to, and resumes it.
        """
        if number in (_signal.SIGTTIN, _signal.SIGTTOU) and _foreground() == self.owner:
            self._continue()  # it used the terminal before the terminal was its own
            return
        if number == _signal.SIGSTOP and not self._given:
            return  # another process stopped it, and it does not have the terminal
        self._given = False
        # The whole group, like the key: others of a pipeline are in it, or a script that started us.
        if _stop(0) or number == _signal.SIGTSTP:
            self.resume()

    def resume(self) -> None:
        """We may have been resumed, in the foreground or not: let the owner go on in the same place."""
        if self.owner:
            self._hand_over()
            self._continue()

    def _hand_over(self) -> None:
        if _foreground() == os.getpgrp():
            self._given = _set_foreground(self.owner)

    def _continue(self) -> None:
        try:
            os.killpg(self.owner, _signal.SIGCONT)
        except OSError:
            pass  # gone, or another user's


def has_job_control() -> bool:
    """Whether somebody of our session, but not of our process group, waits for us or for who started us: a shell with
    job control, which can resume us."""
    group, session, pid = os.getpgrp(), os.getsid(0), os.getppid()
    try:
        while pid > 0 and os.getsid(pid) == session:
            if os.getpgid(pid) != group:
                return True
            with open(f"/proc/{pid}/stat", "rb") as stat:
                pid = int(stat.read().rpartition(b")")[2].split()[1])
    except OSError:
        pass  # gone, or not for us to see
    return False


def stop_alone() -> None:
    """Stop until somebody resumes us; nothing where nobody could."""
    _stop(os.getpid())


def _stop(target: int) -> bool:
    """Stop a process that is ourselves, or our group (0), until it is resumed; False if the kernel ignored it."""
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGCONT,))  # it resumes us anyway
    handler = _signal.signal(_signal.SIGTSTP, _signal.SIG_DFL)
    try:
        os.kill(target, _signal.SIGTSTP)
        return _signal.SIGCONT in _signal.sigpending()
    finally:
        _signal.signal(_signal.SIGTSTP, handler)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def _foreground() -> int:
    """The process group that has the foreground of our standard input; 0 if that is not a terminal."""
    try:
        return os.tcgetpgrp(0)
    except OSError:
        return 0


def _set_foreground(group: int) -> bool:
    try:
        os.tcsetpgrp(0, group)
    except OSError:  # the terminal is gone, or the group is
        return False
    return True
