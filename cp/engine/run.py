"""One run of a command: from its start to its exit, its output and its time limit."""

from __future__ import annotations

import os

from cp.engine.process import NOT_EXECUTABLE, StartError
from cp.plan import INHERIT
from cp.platform.text import reason_of_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections import deque
    from collections.abc import Callable, Iterator

    from cp.engine.background import OutputHolders
    from cp.engine.context import Context
    from cp.engine.loop import Timer
    from cp.engine.output import LineReader
    from cp.engine.process import Process
    from cp.plan import Level
else:
    import _signal  # the C module: `signal` imports enum

LEFT_ANOTHER_USER = "left something in the background that cannot be signalled: operation not permitted"
_BY_FORCE = (0, _signal.SIGABRT, _signal.SIGTERM, _signal.SIGKILL)
LONGEST_KEPT = 1000  # characters of a line
OUTPUT_GRACE = 0.2  # seconds that an exit waits for output that background children hold open


class Run:
    """A command that runs once. `on_end(code)` is called once. The code is -N after a death by signal N, and None if
    the process lives and the run does not wait for it any longer.

    A run ends when its process has exited and its output is read to the end. If background children keep the output
    open, the run waits without limit with `wait_for_output`, otherwise for OUTPUT_GRACE. The output is read and logged
    in both cases. A signal to end the run goes to these children too, and the run waits for them.
    """

    def __init__(
        self,
        context: Context,
        command: tuple[str, ...],
        label: str,
        on_end: Callable[[int | None], None],
        *,
        output: str,
        log_fields: tuple[tuple[str, str], ...] = (),
        timeout: float | None = None,
        timeout_text: str = "",
        timeout_level: Level = "warning",
        wait_for_output: bool = False,
        stdin: str = "",
        sweep: bool = False,
        log_pid: bool = False,
        on_printed: Callable[[str], None] | None = None,
    ) -> None:
        self.command = command
        self.label = label
        self.timed_out = False
        self.last_line = ""  # of its output
        self.interrupted = False  # it received a signal to end from us
        self.sent: dict[int, str] = {}  # the signals that its process received from us, and why
        self.kept: deque[str] | None = None  # the last lines of its output, if it keeps them
        self.failure = ""  # why it counts as failed although its process did not end by itself
        self.on_line: Callable[[str], object] | None = None  # receives its lines as well
        self.kept_for = ""  # the job whose last lines are these; "": they are not kept
        self.descriptors: tuple[tuple[int, int], ...] = ()  # for the process: ours, and the number that it has there
        self.variables: tuple[tuple[str, str], ...] = ()  # for the process, besides those of its event
        self.passed_on = ""  # a variable of our own environment that other children do not get
        self._context = context
        self._on_end = on_end
        self._output = output
        self.log_fields = log_fields
        self._timeout = timeout
        self._timeout_text = timeout_text
        self._timeout_level = timeout_level
        self._wait_for_output = wait_for_output
        self._stdin = stdin
        self._sweep = sweep
        self._log_pid = log_pid
        self._on_printed = on_printed  # receives the lines of the standard output instead of the log
        self._process: Process | None = None
        self._readers: list[LineReader] = []
        self._exit_code: int | None = None
        self._ended = False
        self._draining = False  # it has exited, and the rest of its output is being read
        self._number = 0  # of the last signal to end it
        self._background: OutputHolders | None = None  # the processes that it left with its output open
        self._limit: Timer | None = None
        self._kill_timer: Timer | None = None  # of a run that has failed
        self._grace: Timer | None = None

    @property
    def pid(self) -> int:
        """Of the process; 0 before the start."""
        return self._process.pid if self._process is not None else 0

    @property
    def target(self) -> tuple[str, list[int]]:
        """The receiver of the next signal: a description, and the pids as far as they are known."""
        if not self.exited:
            return self.label, [self.pid]
        return f"what {self.label} left running", [] if self._background is None else self._background.found

    @property
    def exited(self) -> bool:
        """Whether the process has exited. Processes that it left may have its output open."""
        return self._exit_code is not None

    def start(self, extra_environ: tuple[tuple[str, str], ...] = ()) -> None:
        """Raises StartError, and then nothing has happened."""
        context = self._context
        stdout, stderr = 1, 2
        pipes: list[int] = []
        try:
            if self._on_printed is not None:
                stdout = self._pipe(pipes, self._on_printed)
            elif self._output != INHERIT:
                stdout = self._pipe(pipes, self._line)
            if self._output != INHERIT:
                stderr = self._pipe(pipes, self._line)
            self._process = context.processes.start(
                self.command,
                self._environ(extra_environ),
                self._exited,
                stdin=self._stdin,
                stdout=stdout,
                stderr=stderr,
                descriptors=self.descriptors,
                # With `wait_for_output`, a background child that has the output open is a part of the run.
                sweep=self._sweep and not self._wait_for_output,
            )
        finally:
            _close(pipes)
            if self._process is None:
                self._ended = True
                for reader in self._readers:
                    reader.close()
        if self._log_pid:
            self.log_fields = (*self.log_fields, ("pid", str(self._process.pid)))
        context.runs.add(self)
        if self._timeout:
            self._limit = context.loop.call_later(self._timeout, self._time_is_up)

    def _environ(self, extra: tuple[tuple[str, str], ...]) -> dict[str, str]:
        environ = self._context.environment.compose((*extra, *self.variables), self.passed_on)
        if not extra:
            return environ
        # The lists of a watch can be long, and the rest of the environment may have grown since they were made.
        try:
            from cp.engine.exec_limits import without_what_does_not_fit
        except (OSError, ImportError, MemoryError):  # no descriptor is left, or the archive is gone: mostly it fits
            return environ

        kept, gone = without_what_does_not_fit(self.command, environ, extra)
        for name in gone:
            self._context.log.warning(
                f"{self.label}: {name} is not set: it does not fit beside the rest", self.log_fields
            )
        return kept

    def _pipe(self, pipes: list[int], on_line: Callable[[str], None]) -> int:
        try:
            reader, write_end = self._context.outputs.open(on_line, self._output_ended)
        except OSError as error:
            raise StartError(f"cannot make a pipe for its output: {reason_of_fd(error)}", NOT_EXECUTABLE) from None
        reader.label = self.label
        if self.kept_for and on_line == self._line:
            reader.keep = self._context.keeper(self.kept_for)
        self._readers.append(reader)
        pipes.append(write_end)
        return write_end

    def fail(self, why: str, kill_after: float, *, abort: bool, group: bool) -> None:
        """It has failed: end it, with SIGKILL after so many seconds; at once if they are negative."""
        self.failure = why
        if kill_after >= 0 and abort:
            self._interrupt(_signal.SIGABRT, group=group)
            self.signal(_signal.SIGCONT, group=group)
        elif kill_after >= 0:
            self.terminate(group=group)
        self._kill_timer = self._context.loop.call_later(max(0.0, kill_after), self._kill_failed, kill_after)

    def _kill_failed(self, seconds: float) -> None:
        self._kill_timer = None
        if not self._ended:
            if seconds > 0:
                self._context.log.info(f"Killing Process {self.pid}: {self.label} did not end within {seconds:g} s")
            self.kill()

    def terminate(self, *, group: bool) -> None:
        self._interrupt(_signal.SIGTERM, group=group)
        # A process that Ctrl-Z has stopped reacts to no other signal.
        self.signal(_signal.SIGCONT, group=group)

    def kill(self) -> None:
        self._interrupt(_signal.SIGKILL, group=True)

    def signal(self, number: int, *, group: bool) -> bool:
        """Send a signal that is not meant to end it; False if nobody received it."""
        if self._process is None:
            return False
        try:
            return self._context.processes.signal(self._process, number, group=group)
        except PermissionError:
            return False

    def _interrupt(self, number: int, *, group: bool) -> None:
        was_interrupted, self.interrupted = self.interrupted, True
        # A later SIGTERM does not replace the SIGKILL for the processes that it left.
        self._number = max(self._number, number, key=_BY_FORCE.index)
        for reader in self._readers:
            self._context.outputs.read_urgently(reader)  # it cannot end while it waits until we read
        if not self.exited:
            self.sent[number] = self._context.stop_reason()
        self.signal(number, group=group)
        if self._draining:
            return  # `_drained` continues when the rest of its output is read
        if self._exit_code is not None:
            self._end_holders()
        elif not was_interrupted and (obstacle := self.obstacle()):
            self._context.log.warning(f"cannot tell {self.label} to end: {obstacle}", self.log_fields)

    def give_up(self) -> None:
        """Go on without it.

        A process that hangs in the kernel counts as killed, though it may die much later. A process that we may not
        signal lives on, and its exit is unknown.
        """
        if self._exit_code is None and not self.is_forbidden:
            self._exit_code = -_signal.SIGKILL
        self._end(given_up=True)

    def _line(self, line: str) -> None:
        self.last_line = line
        if self.kept is not None and self._context.keeps_lines:
            self.kept.append(line[:LONGEST_KEPT])
        if self.on_line is not None:
            self.on_line(line)
        self._context.log.child_output(line, self.log_fields)

    def _time_is_up(self) -> None:
        self._limit = None
        if not self._ended:
            self.timed_out = True
            log = getattr(self._context.log, self._timeout_level)
            log(f"{self.label} timeout after {self._timeout_text}: '[{' '.join(self.command[1:])}]'", self.log_fields)
            log(f"killing command for {self.label}", self.log_fields)
        self.kill()
        self._context.run_overdue()

    def _exited(self, code: int) -> None:
        self._exit_code = code
        self._draining = True
        self._drain(self._left())

    def _left(self) -> Iterator[None]:
        for reader in self._readers:
            yield from reader.drain()

    def _drain(self, steps: Iterator[None]) -> None:
        """Read the rest of its output, with a turn of the loop after each step."""
        try:
            next(steps)
        except StopIteration:
            self._draining = False
            self._drained()
        else:
            self._context.loop.call_soon(self._drain, steps)

    def _drained(self) -> None:
        if self._ended:
            return  # given up
        if not self._reading:
            self._end()
        elif self.interrupted:
            self._end_holders()
        elif self._wait_for_output:
            self._grace = self._context.loop.call_later(OUTPUT_GRACE, self.look)
        else:
            self._grace = self._context.loop.call_later(OUTPUT_GRACE, self._end)

    # --- a run that does not end

    def _end_holders(self) -> None:
        """Send the signal to the processes that have its output open too, and wait for them."""
        if self._grace is not None:
            self._grace.cancel()
        if any(reader.is_held for reader in self._readers):
            self._find_holders(self._number)
        else:
            self._end()

    def look(self) -> None:
        """Search for the processes that have its output open, for a later `holder`."""
        if self.exited and not self.interrupted:
            self._find_holders(0)

    def _find_holders(self, number: int) -> None:
        """Search for the processes that have its output open, and send them the signal; 0 only searches."""
        if self._background is None and self._process is not None:
            from cp.engine.background import OutputHolders

            self._background = OutputHolders(self._context, self._process, self._readers, self._search_ended)
        if self._background is not None:
            self._background.send(number)

    def _sweep_rest(self) -> None:
        """Terminate the rest of its group. Without `wait_for_output` that was done when the process exited."""
        process, processes = self._process, self._context.processes
        if process is None:
            return
        if self._wait_for_output:
            self.signal(_signal.SIGTERM, group=True)
        if processes.is_forbidden(process):
            self._context.log.warning(f"{self.label} {LEFT_ANOTHER_USER}", self.log_fields)

    def _search_ended(self) -> None:
        left = self._background
        if self._ended or not self.interrupted or left is None:
            return
        if not left.is_there:
            self._end()  # the output is read to the end, or will be
        elif left.is_worth_waiting_for:
            left.look_later()
        elif self._wait_for_output:
            self._context.run_stuck(self)
        else:
            self._end()

    @property
    def is_forbidden(self) -> bool:
        """Whether the process lives and we may not signal it: it may run as another user."""
        process = self._process
        return process is not None and not self.exited and self._context.processes.is_forbidden(process)

    def refusal(self) -> str:
        """Why it does not receive signals; empty if it does."""
        if not self.is_forbidden:
            return ""
        from cp.engine.orphans import describe

        return f"{describe(self.pid)} cannot be signalled: operation not permitted"

    def obstacle(self) -> str:
        """Why it has not ended after a signal to end; empty if no reason is known."""
        if self._ended or not self.interrupted:
            return ""
        if self._background is None:
            return self.refusal()
        return self._background.obstacle()

    def holder(self) -> str:
        """The process that has its output open after its exit, as far as we know."""
        return "what it left" if self._background is None else self._background.holder()

    @property
    def _reading(self) -> bool:
        return any(reader.fd >= 0 for reader in self._readers)

    def _output_ended(self) -> None:
        if self._reading:
            return
        if self._exit_code is not None:
            self._end()
        if self._ended and self._limit is not None:
            self._limit.cancel()

    def _end(self, *, given_up: bool = False) -> None:
        if self._ended or (self._exit_code is None and not given_up):
            return
        self._ended = True
        if self._background is not None:
            self._background.close()
        if self._grace is not None:
            self._grace.cancel()
        if self._kill_timer is not None:
            self._kill_timer.cancel()
        # The time limit also applies to background processes that have the output open.
        if self._limit is not None and not self._reading:
            self._limit.cancel()
        for reader in self._readers:
            self._context.outputs.linger(reader)
        if self._sweep and not given_up:
            self._sweep_rest()
        self._on_end(self._exit_code)
        self._context.run_ended(self)


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
