"""The one owner of children: the only place that starts, signals and waits for processes."""

from __future__ import annotations

import errno
import os
import stat

from cp.plan import INHERIT
from cp.platform.text import from_bytes, readable, reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cp.engine.orphans import Orphan
    from cp.engine.terminal import Terminal
else:
    import _signal  # the C module: `signal` imports enum

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # exit codes of commands that cannot start, as in shells
GROUPS_LIMIT = 64  # groups without a leader that are kept before the dead ones among them are looked for
REAP_BATCH = 200  # children collected before the loop looks at anything else: 3 ms


class StartError(Exception):
    """A command that cannot be started; `code` is the exit code that stands for it."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(readable(message))
        self.code = code


class Process:
    """A running child, leader of a process group of its own (group id = pid)."""

    __slots__ = ("on_exit", "pid", "reaped", "sweep")

    def __init__(self, pid: int, on_exit: Callable[[int], None], sweep: bool) -> None:
        self.pid = pid
        self.on_exit = on_exit
        self.sweep = sweep
        self.reaped = False


class Processes:
    """Starts children and collects them; exits are reported through `call_soon`, one at a time."""

    def __init__(self, call_soon: Callable[..., object]) -> None:
        self._call_soon = call_soon
        self._running: dict[int, Process] = {}
        self._groups: set[int] = set()  # groups whose leader is gone while members may be left
        self._groups_limit = GROUPS_LIMIT
        self._null = _open_null()
        self._environ: Mapping[str, str] = {}  # that of the last start
        self._environ_bytes: dict[bytes, bytes] = {}  # and what the kernel got
        self._all_signals = sorted(_signal.valid_signals() - {_signal.SIGKILL, _signal.SIGSTOP})
        self._terminal: Terminal | None = None  # once a child has got one
        self._sweeping = 0  # running processes whose group is swept
        self.started = 0
        self.orphans = 0  # children reaped that somebody else started
        self.on_orphan: Callable[[], object] | None = None  # called for each

    def start(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        on_exit: Callable[[int], None],
        *,
        stdin: str = "",
        stdout: int = 1,
        stderr: int = 2,
        sweep: bool = False,
        descriptors: Sequence[tuple[int, int]] = (),
    ) -> Process:
        """Start a command; `on_exit(code)` is called once from `reap`, with -N for a death by signal N.

        `stdin` is what it reads: INHERIT for our own standard input, a path, or "" for nothing. If our own is a
        terminal, a child that inherits it gets our foreground, too, until it exits. `sweep`: what is left of
        the group when the leader exits gets a SIGTERM. `descriptors` are further ones for the child: ours, which are
        not among the child's numbers, and the child's. Raises StartError.
        """
        path = find_executable(command[0], environ.get("PATH", ""))
        terminal = self._find_terminal() if stdin == INHERIT else None
        reads = 0 if stdin == INHERIT else self._null if not stdin else _open_input(stdin)
        actions: list[tuple[int, int, int]] = []
        for target, fd in ((0, reads), (1, stdout), (2, stderr)):
            if fd != target:
                actions.append((os.POSIX_SPAWN_DUP2, fd, target))
        for fd, target in descriptors:
            actions.append((os.POSIX_SPAWN_DUP2, fd, target))
        try:
            # posix_spawn: no copy of our memory, safe with threads. The mask and the dispositions that Python and we
            # changed (SIGPIPE ignored, signals handled) are put back in the child.
            pid = os.posix_spawn(
                to_bytes(path),
                [to_bytes(argument) for argument in command],
                self._encoded(environ),
                file_actions=actions,
                setpgroup=0,
                setsigmask=(),
                setsigdef=self._all_signals,
            )
        except OSError as error:
            raise _start_error(command, environ, path, error) from None
        except ValueError as error:  # a NUL byte, or an environment name with "="
            raise StartError(f"fork/exec {command[0]!r}: {error}", NOT_EXECUTABLE) from None
        finally:
            if reads not in (0, self._null):
                os.close(reads)
        process = Process(pid, on_exit, sweep)
        self._running[pid] = process
        self._sweeping += sweep
        self.started += 1
        if terminal is not None:
            terminal.give(pid)
        return process

    def _encoded(self, environ: Mapping[str, str]) -> dict[bytes, bytes]:
        """The environment for the kernel. Checks of health have the same one each time, with dozens of variables."""
        if environ != self._environ:
            self._environ_bytes = {to_bytes(name): to_bytes(value) for name, value in environ.items()}
            self._environ = environ
        return self._environ_bytes

    def signal(self, process: Process, number: int, *, group: bool) -> bool:
        """Send a signal to a process or its whole group; False if no process is left that receives it.

        PermissionError if we may signal none of them: a child may have become another user.
        """
        if not process.reaped:
            # Not reaped yet, so the pid cannot be anybody else's. A member of the group may be gone any time.
            try:
                (os.killpg if group else os.kill)(process.pid, number)
            except ProcessLookupError:
                return False
            return True
        return group and self._signal_left_group(process.pid, number)

    def is_forbidden(self, process: Process) -> bool:
        """Whether we may signal neither the process nor, once it is gone, anything of its group."""
        try:
            self.signal(process, 0, group=process.reaped)
        except PermissionError:
            return True
        return False

    def group_alive(self, process: Process) -> bool:
        """Whether a member of the group is left that we may signal."""
        return not process.reaped or self._is_ours(process.pid)

    def kill_left_groups(self) -> None:
        """Kill the groups that exited leaders left behind."""
        for group in tuple(self._groups):
            try:
                self._signal_left_group(group, _signal.SIGKILL)
            except PermissionError:
                pass

    def _signal_left_group(self, group: int, number: int) -> bool:
        if not self._is_ours(group):
            return False
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            return False
        return True

    def _is_ours(self, group: int) -> bool:
        """Whether a group whose leader was reaped still has a member that is our child.

        The number of a group that died out may be given to a stranger. As PID 1 or subreaper the orphans of a group are
        our children, and the kernel answers for the group as long as there is one.
        """
        if group in self._running:
            return False  # the number belongs to a new child
        try:
            os.waitid(os.P_PGID, group, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            self._groups.discard(group)
            return False
        return True

    # --- orphans: children that somebody else started

    def has_children(self) -> bool:
        """Whether any child is left, including zombies and orphans."""
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def living_orphans(self) -> Iterator[Orphan | None]:
        """All that live, with a None wherever the caller may rest."""
        from cp.engine.orphans import orphans

        return orphans(self._running)

    def holders(self, pipes: Iterable[int], hidden: list[int]) -> Iterator[Orphan | None]:
        """The orphans that have one of our pipes open, as their descriptors say. `hidden` gets the pids of those at
        whose descriptors we may not look."""
        from cp.engine.orphans import holders

        names = {f"pipe:[{os.fstat(fd).st_ino}]" for fd in pipes}
        return holders(self._running, names, hidden)

    def group_reaches(self, process: Process, orphan: Orphan) -> bool:
        """Whether a signal to the group of this process reaches the orphan."""
        try:
            in_group = os.getpgid(orphan.pid) == process.pid
        except OSError:  # it is gone
            return False
        return in_group and not self.is_forbidden(process)

    # --- the end of children

    def reap(self) -> bool:
        """Collect exited children, ours and orphans; True if there may be more (the batch was full)."""
        if self._terminal is not None and self._terminal.owner:
            self._notice_stop(self._terminal)
        for _ in range(REAP_BATCH):
            try:
                # While the leader is a zombie its pid, and so its group, cannot be anybody else's: look before reaping.
                exited = self._peek() if self._sweeping else -1
                pid, status = os.waitpid(exited, os.WNOHANG) if exited else (0, 0)
            except ChildProcessError:
                return False
            if pid == 0:
                return False
            process = self._running.pop(pid, None)
            if process is None:
                self.orphans += 1
                if self.on_orphan is not None:
                    self._call_soon(self.on_orphan)
                continue
            process.reaped = True
            self._sweeping -= process.sweep
            self._keep_group(pid)
            if self._terminal is not None and self._terminal.owner == pid:
                self._terminal.take_back()
            self._call_soon(process.on_exit, os.waitstatus_to_exitcode(status))
        return True

    def _keep_group(self, group: int) -> None:
        if self._is_ours(group):
            self._groups.add(group)
        if len(self._groups) > self._groups_limit:  # most of them have died out since
            for each in tuple(self._groups):
                self._is_ours(each)
            self._groups_limit = max(GROUPS_LIMIT, 2 * len(self._groups))

    def _peek(self) -> int:
        """The pid of an exited child that stays a zombie, its group swept if it wants that; 0 if there is none."""
        exited = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if exited is None:
            return 0
        process = self._running.get(exited.si_pid)
        if process is not None and process.sweep:
            self._sweep(process.pid)
        return exited.si_pid

    def _sweep(self, group: int) -> None:
        try:
            os.killpg(group, _signal.SIGTERM)
        except (ProcessLookupError, PermissionError):
            pass

    # --- the terminal

    def continued(self) -> None:
        """SIGCONT has come: perhaps a shell has resumed us in the foreground."""
        if self._terminal is not None:
            self._terminal.resume()

    def _find_terminal(self) -> Terminal | None:
        """The one at our standard input, if that is a terminal."""
        if self._terminal is None and os.isatty(0):
            try:
                from cp.engine.terminal import Terminal  # few containers have one
            except (OSError, ImportError, MemoryError):  # no descriptor is left: the child runs without the foreground
                return None
            self._terminal = Terminal()
        return self._terminal

    def _notice_stop(self, terminal: Terminal) -> None:
        """Whether who has the terminal was stopped, by Ctrl-Z for instance."""
        try:
            stopped = os.waitid(os.P_PID, terminal.owner, os.WSTOPPED | os.WNOHANG)
        except ChildProcessError:
            return
        if stopped is not None:
            terminal.owner_stopped(stopped.si_status)


def _open_input(path: str) -> int:
    try:
        return _open(path)
    except OSError as error:
        raise StartError(f"cannot open its standard input {path}: {reason_of(error)}", NOT_EXECUTABLE) from None


def _open(path: str) -> int:
    """A file for a child to read, as a descriptor. OSError if it cannot be opened.

    The loop does not wait: neither for a writer of a FIFO nor for a slow device.
    """
    flags = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    fd = os.open(to_bytes(path), os.O_RDONLY | flags)
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if stat.S_ISFIFO(mode):
            # Readers of a FIFO without a writer are at its end. This one is its own writer: it waits for others.
            reader, fd = fd, os.open(to_bytes(path), os.O_RDWR | flags)
            os.close(reader)
        os.set_blocking(fd, True)
    except OSError:
        os.close(fd)
        raise
    return fd


def _open_null() -> int:
    """A standard input that is at its end: /dev/null, or where an image has none, a pipe without a writer."""
    try:
        return os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.close(writer)
        return reader


def find_executable(name: str, path: str) -> str:
    """The file to execute: the name if it has a slash, otherwise the first executable on PATH. Raises StartError."""
    if "/" in name:
        return name
    refused = hidden = ""
    for folder in path.split(":") if path else ():
        candidate = f"{folder or '.'}/{name}"
        try:
            is_file = os.stat(to_bytes(candidate)).st_mode & 0o170000 == 0o100000
        except PermissionError:
            hidden = hidden or folder
            continue
        except (OSError, ValueError):  # ValueError: a NUL character
            continue
        if is_file:
            if os.access(to_bytes(candidate), os.X_OK):
                return candidate
            refused = refused or candidate
    if refused:
        raise StartError(f'exec: "{name}": permission denied: {refused} is not executable (chmod +x?)', NOT_EXECUTABLE)
    if hidden:
        raise StartError(f'exec: "{name}": permission denied: {hidden} on $PATH may not be searched', NOT_EXECUTABLE)
    raise StartError(f'exec: "{name}": executable file not found in $PATH', NOT_FOUND)


def _start_error(command: Sequence[str], environ: Mapping[str, str], path: str, error: OSError) -> StartError:
    name = command[0]
    why = reason_of(error)
    code = NOT_EXECUTABLE
    if error.errno == errno.ENOENT:
        interpreter = _interpreter(path)
        if interpreter:
            why += f" ({interpreter})"
        code = NOT_FOUND
    elif error.errno == errno.ENOTDIR:
        code = NOT_FOUND
    elif error.errno == errno.E2BIG:
        try:
            from cp.engine.exec_limits import explain

            why += f" ({explain(command, environ)})"
        except (OSError, ImportError, MemoryError):
            pass  # no descriptor is left, or the archive is gone
    elif error.errno == errno.ENOEXEC:
        why += " (a script needs a first line such as #!/bin/sh)"
    elif error.errno == errno.EACCES and os.path.isdir(to_bytes(path)):
        why += " (it is a directory)"
    return StartError(f"fork/exec {path if '/' in name else name}: {why}", code)


def _interpreter(path: str) -> str:
    """What is wrong with the interpreter of a script or an ELF file that exists; empty if it is neither."""
    try:
        with open(to_bytes(path), "rb") as file:
            first = file.readline(256)
    except OSError:
        return ""
    if first.startswith(b"#!"):
        line = first[2:].rstrip(b"\n").strip(b" \t")
        name = from_bytes(line.replace(b"\t", b" ").split(b" ")[0])
        if name.endswith("\r"):
            return f"its first line ends as in Windows, so its interpreter is {name!r}: save it with Unix line ends"
        return f"its interpreter {name} does not exist"
    return "its interpreter (the dynamic loader) does not exist" if first.startswith(b"\x7fELF") else ""
