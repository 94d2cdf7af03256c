"""Compiles the jobs dialect, configurations of ContainerPilot 3, to a Plan."""

from __future__ import annotations

from cp.config.catalogs import CATALOG_KEYS, read_catalog
from cp.config.control import read_control
from cp.config.fields import Fields
from cp.config.host_info import HostInfo
from cp.config.jobs.cycles import warn_about_cycles
from cp.config.jobs.duplicates import rename_duplicates
from cp.config.jobs.job import read_jobs
from cp.config.jobs.service import refuse_equal_ids
from cp.config.jobs.sources import check_sources
from cp.config.jobs.watches import read_watches
from cp.config.names import Variables, ip_variable
from cp.config.settings import (
    ADD_A_CATALOG,
    read_logging,
    read_shutdown_timeout,
    read_stop_timeout,
    warn_about_repeated_keys,
    warn_about_termination_log,
    warn_about_unmasked_output,
)
from cp.plan import EVENT, REOPEN_LOG, STOP, Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cp.config.errors import Problems
    from cp.config.jobs.job import ReadJob
    from cp.config.json5.parser import Document
    from cp.platform.address import Address

_KEYS = (
    "jobs",
    "watches",
    *CATALOG_KEYS,
    "control",
    "telemetry",
    "logging",
    "stopTimeout",
    "shutdownTimeout",
    "dialect",
)
# What a supervisor passes to ContainerPilot itself: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).
_WITHHELD = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
_TERMINATION_LOG = "/dev/termination-log"  # the default of terminationMessagePath in Kubernetes
_SIGNALS = (("SIGTERM", STOP), ("SIGINT", STOP), ("SIGHUP", EVENT), ("SIGUSR2", EVENT), ("SIGUSR1", REOPEN_LOG))


def compile_jobs(
    document: Document,
    problems: Problems,
    environ: Mapping[str, str],
    *,
    hostname: str,
    addresses: Callable[[], list[Address]],
    version: str,
) -> Plan:
    """The plan of a document. Raises ConfigError with all its errors."""
    root = Fields(problems, document.root, "", _KEYS, verbatim=True)
    host_info = HostInfo(hostname, addresses, version)
    warn_about_repeated_keys(document, problems)
    catalog = read_catalog(root, environ)
    control = read_control(root, announced=True)
    logging = read_logging(root, environ, default_format="job", to_file=True)
    stop_timeout = read_stop_timeout(root)
    shutdown_timeout = read_shutdown_timeout(root)
    has_telemetry = root.has("telemetry")
    telemetry = None
    if has_telemetry:
        from cp.config.jobs.telemetry import read_telemetry

        telemetry = read_telemetry(root, host_info, has_catalog=catalog is not None)
    jobs = read_jobs(root, host_info, shutdown_timeout)
    rename_duplicates(root, jobs, telemetry)
    of_telemetry = [] if telemetry is None else [(telemetry.job, None)]
    refuse_equal_ids([*((read.job, read.fields) for read in jobs), *of_telemetry])
    variables = Variables()
    for read in jobs:
        variables.claim(read.job, read.fields)
    watches = read_watches(root)
    check_sources(jobs, watches, has_telemetry=has_telemetry)
    warn_about_cycles(jobs)
    _need_catalog(root, jobs)
    warn_about_unmasked_output(root, logging, [read.job for read in jobs], "; to mask it, remove `raw: true`")
    warn_about_termination_log(root, logging, [read.job for read in jobs])
    problems.check()
    if not jobs and not has_telemetry:  # after the check: `jbos` may be an error
        root.warning("jobs", "there are no jobs, so nothing is run")

    services = [read.job.service for read in jobs if read.job.service is not None]
    environ_of_all = [(ip_variable(service.name), service.address) for service in services]
    in_order = [read.job for read in jobs]
    if telemetry is not None:
        environ_of_all.append(telemetry.variable)
        in_order.append(telemetry.job)
    return Plan(
        dialect="jobs",
        jobs=tuple(in_order),
        watches=tuple(watches),
        catalog=catalog,
        logging=logging,
        control=control,
        telemetry=None if telemetry is None else telemetry.telemetry,
        stop_timeout=stop_timeout,
        shutdown_timeout=shutdown_timeout,
        termination_log=_TERMINATION_LOG,
        environ=tuple(environ_of_all),
        withheld=_WITHHELD,
        signals=_SIGNALS,
        warnings=problems.warnings,
    )


def _need_catalog(root: Fields, jobs: list[ReadJob]) -> None:
    """Add an error if a service is registered or watched without a catalogue."""
    if any(root.has(key) for key in CATALOG_KEYS):
        return
    advertised = next((read for read in jobs if read.job.service is not None), None)
    if advertised is not None:
        advertised.fields.error(
            "port", f"no discovery backend defined, but a job with a `port` needs one: {ADD_A_CATALOG}"
        )
    watches = root.value("watches")
    if watches is not None and isinstance(watches.data, list) and any(one.data is not None for one in watches.data):
        root.error("watches", f"no discovery backend defined that could be watched: {ADD_A_CATALOG}")
