"""What signals to ContainerPilot do: children's ends, Ctrl-Z, and whatever the engine makes of all others."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

    from cp.engine.engine import Engine
    from cp.engine.loop import Loop
    from cp.engine.process import Processes
else:
    import _signal  # the C module: `signal` imports enum

# Faults of our own machine code, not messages; and what Python and the kernel handle without us.
FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS", "SIGABRT")
NOT_PASSED_ON = ("SIGKILL", "SIGSTOP", "SIGCHLD", *FAULTS)
IGNORED = ("SIGPIPE", "SIGXFSZ", "SIGTTIN", "SIGTTOU")


def handle_signals(loop: Loop, processes: Processes, engine: Engine) -> None:
    """Install the handlers of all signals. What has come before is handled as well."""

    def reap(number: int = 0) -> None:
        if processes.reap():
            loop.call_soon(reap)

    names = {getattr(_signal, name): name for name in dir(_signal) if name.startswith("SIG") and "_" not in name}
    left_alone = {getattr(_signal, name) for name in NOT_PASSED_ON + IGNORED}
    for name in IGNORED:
        _signal.signal(getattr(_signal, name), _signal.SIG_IGN)

    def signalled(number: int) -> None:
        engine.signalled(number, names.get(number, str(number)))

    def stop(number: int) -> None:
        """Ctrl-Z, where the terminal is not at our standard input, and so not the main job's: in a pipeline."""
        try:
            from cp.engine.terminal import has_job_control, stop_alone
        except (OSError, ImportError, MemoryError):
            return  # no descriptor is left
        if has_job_control():
            signalled(number)
            stop_alone()

    def resumed(number: int) -> None:
        processes.continued()
        signalled(number)

    handlers: dict[int, Callable[[int], object]] = {
        int(number): signalled for number in _signal.valid_signals() if number not in left_alone
    }
    handlers[_signal.SIGTSTP] = stop
    handlers[_signal.SIGCONT] = resumed
    handlers[_signal.SIGCHLD] = reap
    loop.handle_signals(handlers)
    loop.call_soon(reap)  # what exited before the handler stood
