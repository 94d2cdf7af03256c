"""The effect of each signal to ContainerPilot: exits of children, Ctrl-Z, and the actions that the plan names."""

from __future__ import annotations

from cp.engine.events import Code, Event
from cp.plan import EVENT, MAINTENANCE, RELOAD, REOPEN_LOG, STOP

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

    from cp.engine.context import Context
    from cp.engine.engine import Engine
else:
    import _signal  # the C module: `signal` imports enum

# Errors of our own machine code, and signals that Python and the kernel handle without us.
FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS", "SIGABRT")
NOT_PASSED_ON = ("SIGKILL", "SIGSTOP", "SIGCHLD", *FAULTS)
IGNORED = ("SIGPIPE", "SIGXFSZ", "SIGTTIN", "SIGTTOU")


def act_on(number: int, name: str, engine: Engine, context: Context, reopen_log: Callable[[], object]) -> None:
    """Do what the plan says about a signal. Signals that it does not name are passed on to the application."""
    action = dict(engine.plan.signals).get(name)
    if action == STOP:
        engine.request_stop(number)
    elif action == RELOAD:
        engine.changes.reload(_ignore)
    elif action == MAINTENANCE:
        engine.set_maintenance(not engine.maintenance)
    elif action == EVENT:
        context.bus.publish(Event(Code.SIGNAL, name))
    elif action == REOPEN_LOG:
        reopen_log()
    else:
        for job in engine.jobs.values():
            if not job.plan.main or job.runs.signal(number, group=job.plan.stop_group):
                continue
            if why := job.runs.refusal:
                context.log.warning(f"cannot pass {name} on to {job.name}: {why}")


def _ignore(outcome: str) -> None:
    """Ignore the outcome of a reload that a signal requested: the log has it."""


def handle_signals(context: Context, engine: Engine, reopen_log: Callable[[], object]) -> None:
    """Install the handlers of all signals. Signals that arrived before are handled too."""
    loop, processes = context.loop, context.processes

    def reap(number: int = 0) -> None:
        if processes.reap():
            loop.call_soon(reap)

    names = {getattr(_signal, name): name for name in dir(_signal) if name.startswith("SIG") and "_" not in name}
    left_alone = {getattr(_signal, name) for name in NOT_PASSED_ON + IGNORED}
    for name in IGNORED:
        _signal.signal(getattr(_signal, name), _signal.SIG_IGN)

    def signalled(number: int) -> None:
        act_on(number, names.get(number, str(number)), engine, context, reopen_log)

    def stop(number: int) -> None:
        """Ctrl-Z in a pipeline: the terminal is not our standard input, and so the main job does not have it."""
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
    loop.call_soon(reap)  # children that exited before the handler was installed
