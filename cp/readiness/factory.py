"""Makes the monitors of jobs, and what connects them with the system."""

from __future__ import annotations

import os

from cp.readiness.monitor import Monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cp import plan
    from cp.engine.loop import Loop
    from cp.engine.ports import JobLog, MonitorListener
    from cp.readiness.descriptor import ReadyPipe
    from cp.readiness.file import ReadyFile
    from cp.readiness.notify import NotifySocket
    from cp.readiness.socket_folder import SocketFolder


class Monitors:
    """`open` makes the monitor of one job. Modules are imported with the first job that needs them.

    `environ` is the environment of ContainerPilot, and `masked` removes secrets from a text.
    """

    __slots__ = ("_environ", "_folder", "_log", "_loop", "_masked", "_sockets")

    def __init__(self, loop: Loop, log: JobLog, environ: Mapping[str, str], masked: Callable[[str], str]) -> None:
        self._loop = loop
        self._log = log
        self._environ = environ
        self._masked = masked
        self._folder: SocketFolder | None = None
        self._sockets: list[NotifySocket] = []

    def open(self, job: plan.Job, listener: MonitorListener) -> Monitor:
        return Monitor(self._loop, self._log, job, listener, self)

    def close(self) -> None:
        """Remove all sockets that are left, and their folder."""
        for socket in self._sockets:
            socket.close()
        if self._folder is not None:
            self._folder.close()

    # --- the sources of a monitor

    def notify(self, on_assignment: Callable[[str, str], object], on_refused: Callable[[str], object]) -> NotifySocket:
        """A notify socket, for processes that run as our own user. OSError if there can be none."""
        from cp.readiness.notify import NotifySocket
        from cp.readiness.socket_folder import SocketFolder

        if self._folder is None:
            self._folder = SocketFolder(self._environ)
        socket = NotifySocket(self._loop, self._folder, os.geteuid(), on_assignment, on_refused)
        self._sockets = [*(each for each in self._sockets if each.is_open), socket]
        return socket

    def pipe(self, number: int, on_newline: Callable[[], object], on_closed: Callable[[], object]) -> ReadyPipe:
        """A pipe for one run. OSError if there can be none."""
        from cp.readiness.descriptor import ReadyPipe

        return ReadyPipe(self._loop, number, on_newline, on_closed)

    def file(self, path: str, on_found: Callable[[], object]) -> ReadyFile:
        from cp.readiness.file import ReadyFile

        return ReadyFile(self._loop, path, on_found)

    def status(self, text: str) -> str:
        """A text of a process for people: without secrets, printable, and not too long."""
        from cp.readiness.messages import status_text

        return status_text(self._masked(text))
