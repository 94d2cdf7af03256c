"""The composition root: connects a configuration, an engine, and what both need from the system."""

from __future__ import annotations

import os
import time

from cp import __version__
from cp.config.errors import ConfigError
from cp.config.load import load as load_plan
from cp.config.source import Source, read
from cp.engine.context import ChangeRefused, Context, Environment
from cp.engine.engine import Engine
from cp.engine.events import Bus, Event
from cp.engine.history import History
from cp.engine.loop import Loop
from cp.engine.output import Outputs
from cp.engine.process import Processes
from cp.engine.signals import handle_signals
from cp.log.log import Log, LogError, report_fatal
from cp.log.redaction import Secrets
from cp.platform.text import decoded_by_python, file_of, process_environment, reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cp import plan
    from cp.engine.ports import CatalogFacts, Discovery, MonitorListener, RunMonitor
    from cp.platform.address import Address
    from cp.probes.factory import Probes
    from cp.readiness.factory import Monitors
    from cp.servers import Servers


# What a module raises if descriptors or memory are exhausted while it is imported or does its work.
SCARCE = (OSError, ImportError, MemoryError)

# Seconds from the start until the control socket is made in its usual place, and modules are imported that a stop or a
# change may need. Both take some milliseconds, in which ContainerPilot could not react to an application that ends at
# once. No client starts faster.
SERVE_AFTER = 0.01


def run(
    config_argument: str,
    arguments: tuple[str, ...],
    *,
    hint_at_command: Callable[[Sequence[str]], str],
    flag_of: Callable[[str], str],
) -> int:
    """Run the configuration until everything has ended. The result is the exit code of the program.

    For the error about a command that cannot run, `hint_at_command(arguments)` is a hint at what the user probably
    meant, and `flag_of(word)` is the flag that a word names. Both may be empty.
    """
    secrets = Secrets()
    inherited = process_environment()
    environment = Environment(inherited, secrets.learn)
    environment.set("CONTAINERPILOT_PID", str(os.getpid()))
    log = Log(secrets=secrets)
    try:
        source = read(config_argument, environment.get(), lambda: hint_at_command(arguments))
        configuration = Configuration(source, environment, arguments, log)
        first = configuration.load()
        if first.dialect == "jobs" and arguments and (flag := flag_of(arguments[0])):
            raise _CannotStart(f"cannot start: a command is not run in the jobs dialect: did you mean -{flag}?")
        program = Program(configuration, first, inherited)
    except (ConfigError, LogError, _CannotStart) as error:
        why = str(error)
    except SCARCE as error:
        if isinstance(error, ImportError) and type(error) is not ImportError:
            raise  # the archive is damaged, and its importer reports that
        why = f"cannot start: {_reason(error)}"
    else:
        return program.supervise()
    report_fatal(log, why)
    return 1


class Configuration:
    """A source of plans, and what they are made from: environment, arguments, and the addresses of this machine."""

    def __init__(self, source: Source, environment: Environment, arguments: tuple[str, ...], log: Log) -> None:
        self.source = source
        self.environment = environment
        self.log = log
        self._arguments = arguments

    def load(self) -> plan.Plan:
        """The plan of the text that was read at the start. Raises ConfigError."""
        return self._load(self.source)

    def reload(self) -> plan.Plan:
        """The plan of the text that the source has now. Raises ConfigError."""
        return self._load(self.source.reread())

    def _load(self, source: Source) -> plan.Plan:
        loaded = load_plan(
            source,
            self.environment.get(),
            arguments=self._arguments,
            hostname=decoded_by_python(os.uname().nodename),
            addresses=_local_addresses,
            version=__version__,
            secrets=self.log.secrets,
        )
        if loaded.catalog is not None:
            from cp.catalog.discovery import missing_for

            if (missing := missing_for(loaded.catalog)) is not None:
                raise ConfigError([missing])
        return loaded


def _local_addresses() -> list[Address]:
    from cp.platform.netlink import local_addresses

    return local_addresses()


class _CannotStart(Exception):
    """A start or a reload is not possible; the text is the message for the user."""


def _reason(error: BaseException) -> str:
    file = file_of(error) if isinstance(error, OSError) else ""
    return f"{reason_of(error)}{f': {file}' if file else ''}"


def _traceback(error: BaseException) -> str:
    try:
        import traceback

        return "".join(traceback.format_exception(error))
    except Exception:  # no descriptor to read that module with, or no memory for it
        return f"{type(error).__name__}: {error}"


class Program:
    """The parts that run a configuration: log, loop, children, engine, catalogue and servers.

    The constructor connects them, and `supervise` runs them to their end. The constructor raises _CannotStart,
    LogError, or of the system's errors those that report an exhausted limit.
    """

    def __init__(self, configuration: Configuration, first: plan.Plan, inherited: Mapping[str, str]) -> None:
        self._configuration = configuration
        self._first = first
        self._inherited = inherited
        self._log = log = configuration.log
        self._servers: Servers | None = None
        self._probes: Probes | None = None
        self._monitors: Monitors | None = None
        _keep_descriptors()
        self._loop = loop = Loop(on_error=self._report_bug)
        outputs = Outputs(loop, log.hold, log.warning)
        log.attach(loop, outputs.pause)
        processes = Processes(loop.call_soon)
        self._bus = bus = Bus(loop.call_steps)
        self._history = History()
        bus.subscribe(self._history.record)
        self._context = Context(
            loop=loop,
            processes=processes,
            outputs=outputs,
            environment=configuration.environment,
            bus=bus,
            log=log,
            random=_random,
            open_probe=lambda *arguments: self._get_probes().start(*arguments),
            open_monitor=self._open_monitor,
            masked=log.masked,
            watches_deaths=True,
        )
        log.secrets.on_output_change = outputs.mask_with
        self._apply(first)
        from cp.catalog.discovery import SharedResolver

        self._resolver = SharedResolver()
        self._engine = Engine(
            self._context,
            first,
            open_discovery=self._open_discovery,
            load=self._reload,
            started=self._after_start,
        )
        if first.control.socket or first.telemetry is not None:
            self._serve_as_planned(first)
        handle_signals(self._context, self._engine, log.reopen)

    def supervise(self) -> int:
        """Run the engine to its end. The result is the exit code of the program."""
        _become_reaper(self._log)
        self._engine.start()
        self._loop.run()
        if self._servers is not None:
            self._servers.close()
        if self._monitors is not None:
            self._monitors.close()
        self._log.finish(self._engine.plan.stop_timeout)
        return self._engine.exit_code

    def _report_bug(self, error: BaseException) -> None:
        self._log.error(f"internal error (please report it): {_traceback(error)}")

    # --- plans

    def _apply(self, loaded: plan.Plan) -> None:
        """Let the log do what the plan says, before any other part uses the plan. Raises LogError."""
        log = self._log
        log.configure(loaded.logging)
        self._bus.trace = self._trace if log.enabled("debug") else None
        log.secrets.mask_in_output(loaded.logging.mask, self._configuration.environment.get())
        log.secrets.watch(getattr(loaded.catalog, "token_file", ""))
        environment = self._configuration.environment
        environment.withheld = environment.unchanged(loaded.withheld, self._inherited)
        for warning in loaded.warnings:
            log.warning(warning)
        if log.enabled("debug"):
            log.debug(f"{'Loaded' if loaded.dialect == 'services' else 'loaded'} config: {loaded!r}")

    def _trace(self, event: Event) -> None:
        self._log.debug(f"event: {event!r}")

    def _reload(self) -> plan.Plan:
        """The next plan, which log and servers already use. ChangeRefused, after the log has why, if there is none."""
        try:
            return self._next_plan()
        except (ConfigError, LogError, _CannotStart) as error:
            why = str(error)
        except SCARCE as error:
            why = f"cannot reload: {_reason(error)}"
        self._log.error(f"Error initializing config: {why}")
        raise ChangeRefused(self._log.masked(why))

    def _next_plan(self) -> plan.Plan:
        from cp.engine.exec_limits import DoesNotFit, check_reload

        configuration = self._configuration
        loaded = configuration.reload()
        try:
            check_reload(self._engine.plan, loaded, configuration.environment.get())
        except DoesNotFit as error:
            raise ConfigError([f"{configuration.source.name}: {error}"]) from None
        if loaded.catalog is not None:
            from cp.catalog.discovery import import_modules

            import_modules()
        self._prepare_probes(loaded, at_once=True)
        self._serve_as_planned(loaded, lambda: self._apply(loaded))
        return loaded

    # --- servers and catalogue

    def _serve(self, loaded: plan.Plan, accept: Callable[[], object] = lambda: None) -> None:
        """Serve what the plan says. ServeError, or what `accept` raises, and then nothing has changed."""
        if self._servers is None:
            from cp.servers import Servers

            self._servers = Servers(self._context, self._engine, self._history, self._log, self._inherited)
        self._servers.use(loaded, accept)

    def _serve_as_planned(self, loaded: plan.Plan, accept: Callable[[], object] = lambda: None) -> None:
        """Serve what the plan says. Raises _CannotStart if the socket or port that the plan names is not available."""
        from cp.http.errors import ServeError

        try:
            self._serve(loaded, accept)
        except ServeError as error:
            raise _CannotStart(str(error)) from None

    def _serve_late(self) -> None:
        """Make the control socket in its usual place, without which the program works too."""
        if self._servers is None and not self._engine.stopping:
            try:
                self._serve(self._first)
            except SCARCE as error:
                self._log.warning(f"cannot serve the control socket: {_reason(error)}: going on without it")

    def _open_discovery(self, wanted: plan.Plan, facts: CatalogFacts) -> Discovery:
        """The discovery of a plan, which opens nothing yet. `facts` receives the answers, on the loop's thread."""
        from cp.catalog import discovery

        if wanted.catalog is None:
            return discovery.NoDiscovery(self._loop)
        observe = self._context.catalog_called
        return discovery.Discovery(wanted.catalog, self._loop, self._log, _random, facts, observe, self._resolver)

    # --- checks without a process, and readiness

    def _get_probes(self) -> Probes:
        if self._probes is None:
            from cp.probes.factory import Probes

            self._probes = Probes(self._loop, self._resolver.get())
        return self._probes

    def _prepare_probes(self, wanted: plan.Plan, *, at_once: bool) -> None:
        """Import what the checks need, before the first one is due."""
        if wanted.has_probes:
            self._get_probes().prepare(wanted, at_once=at_once)

    def _open_monitor(self, job: plan.Job, listener: MonitorListener) -> RunMonitor:
        if self._monitors is None:
            from cp.readiness.factory import Monitors

            self._monitors = Monitors(self._loop, self._log, self._inherited, self._log.masked)
        return self._monitors.open(job, listener)

    def _announce_readiness(self) -> None:
        try:
            is_shown = self._first.dialect == "jobs"  # ContainerPilot 2 logs no such line
            self._engine.readiness.announce(self._inherited.get("NOTIFY_SOCKET", ""), is_shown=is_shown)
        except SCARCE as error:
            self._log.warning(f"cannot report when ContainerPilot is ready: {_reason(error)}")

    # --- after the start

    def _after_start(self) -> None:
        """Do what the application's start did not need."""
        for call in (self._serve_late, self._prepare, self._context.watch_deaths, self._announce_readiness):
            self._loop.call_later(SERVE_AFTER, call)
        import gc

        gc.freeze()

    def _prepare(self) -> None:
        """Import what a stop, a change or a check may need, since no memory or descriptor may be left by then."""
        try:
            import cp.engine.leftovers
            import cp.engine.reload
            import cp.engine.skipping  # noqa: F401

            self._prepare_probes(self._first, at_once=False)
        except SCARCE:
            pass  # it may be possible later


def _keep_descriptors() -> None:
    """Keep the descriptors that we inherited, except for the standard streams, from the children."""
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


def _become_reaper(log: Log) -> None:
    """Become the parent of our children's orphans where we are not PID 1. This comes before the first start, though it
    takes half a millisecond: a daemon that the first job leaves at once would get another parent and outlive us."""
    if os.getpid() == 1:
        return
    try:
        from cp.platform.prctl import become_subreaper

        become_subreaper()
    except SCARCE as error:
        log.warning(f"cannot become the reaper of orphans: {_reason(error)}")


def _random() -> float:
    """A number in [0, 1) for jitter; `random` itself would cost milliseconds to import."""
    return time.monotonic_ns() % 1_000_003 / 1_000_003
