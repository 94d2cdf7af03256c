"""Puts the program together: a configuration, an engine, and what the two need from the system."""

from __future__ import annotations

import os
import sys
import time

from cp import __version__
from cp.config.errors import ConfigError
from cp.config.load import load as load_plan
from cp.config.source import Source, read
from cp.engine.context import Context, Environment
from cp.engine.engine import Engine
from cp.engine.events import Bus, Event
from cp.engine.history import History
from cp.engine.loop import Loop
from cp.engine.output import Outputs
from cp.engine.process import Processes
from cp.engine.reload import ChangeRefused
from cp.engine.signals import handle_signals
from cp.log.channels import NULL_DEVICE
from cp.log.log import Log, LogError
from cp.log.redaction import Secrets
from cp.plan import ConsulSettings, EtcdSettings
from cp.platform.text import decoded_by_python, file_of, process_environment, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from cp import plan
    from cp.catalog.discovery import SharedResolver
    from cp.engine.ports import CatalogFacts, Discovery
    from cp.platform.address import Address
    from cp.servers import Servers

    class Meant(Protocol):
        def __call__(self, arguments: Sequence[str], *, flag: bool = False) -> str:
            """What a command that cannot be run was probably meant as; with `flag`, the name of a flag, or nothing."""


# What a module raises that cannot be loaded, or does what it is for, while descriptors or memory have run out.
SCARCE = (OSError, ImportError, MemoryError)

# What the client of a Consul or an etcd needs, and a minimal Python may lack. Looked for at the start, since what can
# never work is better refused; imported later.
FOR_HTTP = ("http", "json", "queue")

# Seconds from the start until the control socket is made in its usual place, and modules are imported that a stop may
# need. That takes some milliseconds, in which an application that ends at once would wait for us; a client takes longer
# to start.
SERVE_AFTER = 0.01


def run(config_argument: str, arguments: tuple[str, ...], meant: Meant) -> int:
    """Run the configuration until everything has ended; the exit code of the program."""
    secrets = Secrets()
    inherited = process_environment()
    environment = Environment(inherited, secrets.learn)
    environment.set("CONTAINERPILOT_PID", str(os.getpid()))
    log = Log(secrets=secrets)
    try:
        source = read(config_argument, environment.get(), lambda: meant(arguments))
        first = _load(source, environment, arguments, log)
        if first.dialect == "jobs" and arguments and (flag := meant(arguments, flag=True)):
            raise _CannotStart(f"cannot start: a command is not run in the jobs dialect: did you mean -{flag}?")
        supervise = _assemble(source, first, inherited, environment, arguments, log)
    except (ConfigError, LogError, _CannotStart) as error:
        why = str(error)
    except SCARCE as error:
        if isinstance(error, ImportError) and type(error) is not ImportError:
            raise  # the archive is damaged, and who reads it says so
        why = f"cannot start: {_reason(error)}"
    else:
        return supervise()
    report_fatal(log, why)
    return 1


def _load(source: Source, environment: Environment, arguments: tuple[str, ...], log: Log) -> plan.Plan:
    loaded = load_plan(
        source,
        environment.get(),
        arguments=arguments,
        hostname=decoded_by_python(os.uname().nodename),
        addresses=_local_addresses,
        version=__version__,
        secrets=log.secrets,
    )
    if isinstance(loaded.catalog, (ConsulSettings, EtcdSettings)):
        for name in FOR_HTTP:
            if name not in sys.modules and not any(finder.find_spec(name, None) for finder in sys.meta_path):
                from cp.catalog.http.lean import missing_module

                raise ConfigError([missing_module(name)])
    return loaded


def _local_addresses() -> list[Address]:
    from cp.platform.netlink import local_addresses

    return local_addresses()


def report_fatal(log: Log, message: str) -> None:
    """Into the log; on standard error as well, where nobody who looks at the standard streams would see that."""
    log.fatal(message)
    log.flush()
    if not _is_seen(log):
        try:  # not sys.stderr, which is None if it was closed
            os.write(2, to_bytes(f"{log.masked(message)}\n"))
        except OSError:
            pass


def _is_seen(log: Log) -> bool:
    """Whether what ends the program appears on a standard stream: the log is no other file, and not turned off."""
    if not log.enabled("fatal"):
        return False
    try:
        streams = {"stdout": os.fstat(1), "stderr": os.fstat(2)}
        goes_to = streams.get(log.output) or os.stat(to_bytes(log.output))
    except OSError:
        return False
    is_stream = any(os.path.samestat(goes_to, stream) for stream in streams.values())
    return is_stream and goes_to.st_rdev != NULL_DEVICE


class _CannotStart(Exception):
    """Why nothing can be run, or not as it is wanted from now on; a sentence for people."""


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        file = file_of(error)
        return f"{error.strerror.lower()}{f': {file}' if file else ''}"
    return str(error) or ("out of memory" if isinstance(error, MemoryError) else type(error).__name__)


def _traceback(error: BaseException) -> str:
    try:
        import traceback

        return "".join(traceback.format_exception(error))
    except Exception:  # no descriptor to read that module with, or no memory for it
        return f"{type(error).__name__}: {error}"


def _assemble(
    source: Source,
    first: plan.Plan,
    inherited: Mapping[str, str],
    environment: Environment,
    arguments: tuple[str, ...],
    log: Log,
) -> Callable[[], int]:
    """Put everything together; what is returned runs it to its end. _CannotStart, LogError, or of the system's errors
    those that say that a limit is too low."""

    def on_error(error: BaseException) -> None:
        log.error(f"internal error (please report it): {_traceback(error)}")

    _keep_descriptors()
    loop = Loop(on_error=on_error)
    outputs = Outputs(loop, log.hold, log.warning)
    log.attach(loop, outputs.pause)
    processes = Processes(loop.call_soon)
    bus = Bus(loop.call_steps)
    history = History()
    bus.subscribe(history.hear)
    context = Context(
        loop=loop,
        processes=processes,
        outputs=outputs,
        environment=environment,
        bus=bus,
        log=log,
        random=_random,
        masked=log.masked,
    )
    serving: Servers | None = None

    def use(loaded: plan.Plan) -> None:
        """Let the log do what the plan says, before anything else does. Raises LogError."""
        log.configure(loaded.logging)
        bus.trace = _trace(log) if log.enabled("debug") else None
        log.secrets.mask_in_output(loaded.logging.mask, environment.get())
        log.secrets.watch(getattr(loaded.catalog, "token_file", ""))
        for warning in loaded.warnings:
            log.warning(warning)
        if log.enabled("debug"):
            log.debug(f"{'Loaded' if loaded.dialect == 'services' else 'loaded'} config: {loaded!r}")

    def load() -> plan.Plan:
        try:
            return load_again()
        except (ConfigError, LogError, _CannotStart) as error:
            why = str(error)
        except SCARCE as error:
            why = f"cannot reload: {_reason(error)}"
        log.error(f"Error initializing config: {why}")
        raise ChangeRefused(log.masked(why))

    def load_again() -> plan.Plan:
        from cp.engine.exec_limits import refusal_of_reload
        from cp.http.errors import ServeError

        loaded = _load(source.reread(), environment, arguments, log)
        if why := refusal_of_reload(engine.plan, loaded, environment.get()):
            raise ConfigError([f"{source.name}: {why}"])
        try:
            serve(loaded, lambda: use(loaded))
        except ServeError as error:
            raise _CannotStart(str(error)) from None
        return loaded

    def serve(loaded: plan.Plan, accept: Callable[[], object] = lambda: None) -> None:
        nonlocal serving
        if serving is None:
            from cp.servers import Servers

            serving = Servers(context, engine, history, log, inherited)
        serving.use(loaded, accept)

    def serve_late() -> None:
        if serving is None and not engine.stopping:
            try:
                serve(first)
            except SCARCE as error:
                log.warning(f"cannot serve the control socket: {_reason(error)}: going on without it")

    def after_start() -> None:
        loop.call_later(SERVE_AFTER, serve_late)
        loop.call_later(SERVE_AFTER, _prepare_stop)
        _after_start()

    def supervise() -> int:
        _become_reaper(log)
        engine.start()
        loop.run()
        if serving is not None:
            serving.close()
        log.finish(engine.plan.stop_timeout)
        return engine.exit_code

    log.secrets.on_output_change = outputs.mask_with
    use(first)
    from cp.catalog.discovery import SharedResolver

    resolver = SharedResolver()
    engine = Engine(
        context,
        first,
        open_discovery=lambda wanted, facts: open_discovery(wanted, loop, log, facts, context.catalog_called, resolver),
        load=load,
        reopen_log=log.reopen,
        started=after_start,
    )
    if first.control.socket or first.telemetry is not None:
        from cp.http.errors import ServeError

        try:
            serve(first)
        except ServeError as error:
            raise _CannotStart(str(error)) from None
    handle_signals(loop, processes, engine)
    return supervise


def open_discovery(
    loaded: plan.Plan,
    loop: Loop,
    log: Log,
    facts: CatalogFacts,
    observe: Callable[[str, float, bool], object] | None = None,
    resolver: SharedResolver | None = None,
) -> Discovery:
    """The catalogue's side of a plan; nothing is opened yet. `facts` receives, on the loop's thread, what the catalogue
    answers; `observe` each call to it, on the calling thread. `resolver` is what all plans share."""
    from cp.catalog import discovery

    if loaded.catalog is None:
        return discovery.NoDiscovery(loop)
    return discovery.Discovery(loaded.catalog, loop, log, _random, facts, observe, resolver)


def _keep_descriptors() -> None:
    """Whatever we were given besides the standard streams is not for the children."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:  # no /proc here
        return
    for name in names:
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError:
                pass  # the one that read the folder


def _trace(log: Log) -> Callable[[Event], None]:
    def trace(event: Event) -> None:
        log.debug(f"event: {event!r}")

    return trace


def _become_reaper(log: Log) -> None:
    """Where we are not PID 1, have the orphans of our children all the same.

    Before the first start, though it costs half a millisecond: a daemon that the first job leaves at once would be
    nobody's, and outlive us.
    """
    if os.getpid() == 1:
        return
    try:
        from cp.platform.prctl import become_subreaper

        become_subreaper()
    except SCARCE as error:
        log.warning(f"cannot become the reaper of orphans: {_reason(error)}")


def _after_start() -> None:
    """What the application's start did not need."""
    import gc

    gc.freeze()


def _prepare_stop() -> None:
    """Import what a stop may need when no descriptor is left to read it with."""
    try:
        import cp.engine.leftovers  # noqa: F401
    except SCARCE:
        pass  # perhaps it can be had by then


def _random() -> float:
    """A number in [0, 1) for jitter; `random` itself would cost milliseconds to import."""
    return time.monotonic_ns() % 1_000_003 / 1_000_003
