"""Compiles the services dialect, configurations of ContainerPilot 2, to a Plan."""

from __future__ import annotations

from cp.config.catalogs import CATALOG_KEYS, read_catalog
from cp.config.control import read_control
from cp.config.fields import Fields
from cp.config.host_info import HostInfo
from cp.config.json5.parser import EXTRA_COMMA
from cp.config.names import ip_variable
from cp.config.services.hooks import HOOK_KEYS, read_hooks, start_event
from cp.config.services.scope import Scope
from cp.config.services.service import read_services
from cp.config.settings import (
    ADD_A_CATALOG,
    read_logging,
    read_shutdown_timeout,
    read_stop_timeout,
    warn_about_repeated_keys,
    warn_about_unmasked_output,
)
from cp.plan import MAINTENANCE, RELOAD, STOP, Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cp.config.errors import Problems
    from cp.config.json5.parser import Document
    from cp.plan import Job, Watch
    from cp.platform.address import Address

_KEYS = (
    "services",
    "backends",
    "tasks",
    "coprocesses",
    *HOOK_KEYS,
    *CATALOG_KEYS,
    "telemetry",
    "control",
    "logging",
    "stopTimeout",
    "shutdownTimeout",
    "dialect",
)
_SIGNALS = (("SIGTERM", STOP), ("SIGINT", STOP), ("SIGHUP", RELOAD), ("SIGUSR1", MAINTENANCE))


def compile_services(
    document: Document,
    problems: Problems,
    environ: Mapping[str, str],
    *,
    arguments: tuple[str, ...],
    hostname: str,
    addresses: Callable[[], list[Address]],
    version: str,
) -> Plan:
    """The plan of a document. Raises ConfigError with all its errors. `arguments` is the application's command."""
    root = Fields(problems, document.root, "", _KEYS)
    scope = Scope(start_event(root), HostInfo(hostname, addresses, version))
    _warn_about_json(document, problems)
    warn_about_repeated_keys(document, problems)
    # ContainerPilot 2 supports only API v2, and so do readers of its keys, such as templates of confd.
    catalog = read_catalog(root, environ, preferred_etcd_api="v2")
    control = read_control(root, announced=False)
    logging = read_logging(root, environ, default_format="plain", to_file=False)
    stop_timeout = read_stop_timeout(root)
    shutdown_timeout = read_shutdown_timeout(root)
    pre_start, app, pre_stop, post_stop = read_hooks(root, scope, arguments)
    services = read_services(root, scope)
    watches: list[Watch] = []
    on_changes: list[Job] = []
    tasks: list[Job] = []
    coprocesses: list[Job] = []
    if root.has("backends"):
        from cp.config.services.backends import read_backends

        watches, on_changes = read_backends(root, scope)
    telemetry = None
    if root.has("telemetry"):
        from cp.config.services.telemetry import read_telemetry

        telemetry = read_telemetry(root, scope, services, has_catalog=catalog is not None)
    if root.has("tasks") or root.has("coprocesses"):
        from cp.config.services.tasks import read_coprocesses, read_tasks

        tasks = read_tasks(root, scope)
        coprocesses = read_coprocesses(root, scope)
    _need_catalog(root)
    problems.check()

    variables = tuple(
        (ip_variable(job.service.name), job.service.address)
        for job in services
        if job.service is not None and "=" not in job.service.name
    )
    if telemetry is not None:
        variables = (*variables, telemetry.variable)
        services = [*services, telemetry.job, *telemetry.sensors]
    if not arguments:
        problems.remark(
            "Unable to parse command arguments: received zero-length argument: no command follows on the command line, "
            "so only hooks, checks, tasks and coprocesses run, until a stop is requested",
        )
    app = app.replace(command=_render_arguments(arguments, {**environ, **dict(variables)}, problems) or None)
    # They start in this order: the application comes last, so that it can use the coprocesses.
    found = (pre_start, *coprocesses, *on_changes, *services, *tasks, app, pre_stop, post_stop)
    in_order = tuple(job for job in found if job is not None)
    warn_about_unmasked_output(root, logging, in_order)
    return Plan(
        dialect="services",
        jobs=in_order,
        watches=tuple(watches),
        catalog=catalog,
        logging=logging,
        control=control,
        telemetry=None if telemetry is None else telemetry.telemetry,
        stop_timeout=stop_timeout,
        shutdown_timeout=shutdown_timeout,
        environ=variables,
        signals=_SIGNALS,
        warnings=problems.warnings,
    )


def _warn_about_json(document: Document, problems: Problems) -> None:
    """Warn about JSON5: ContainerPilot 2 reads only strict JSON, and may share the file."""
    relaxed = document.relaxed
    if relaxed is not None:
        line, column = document.line_and_column(relaxed.offset)
        hint = f" {EXTRA_COMMA}" if relaxed.what == "a trailing comma" else ""
        problems.warning(
            relaxed.offset,
            "",
            f"read as JSON5, since strict JSON does not allow {relaxed.what}: "
            f"Parse error at line:col [{line}:{column}]: {relaxed.reason}{'.' if hint else ''}{hint}",
        )


def _need_catalog(root: Fields) -> None:
    """Add an error if services or backends have no catalogue."""
    if any(root.has(key) for key in CATALOG_KEYS):
        return
    for key in ("services", "backends"):
        value = root.value(key)
        if value is not None and isinstance(value.data, list) and any(one.data is not None for one in value.data):
            root.error(key, f"No discovery backend defined: {ADD_A_CATALOG}")
            return


def _render_arguments(arguments: tuple[str, ...], environ: Mapping[str, str], problems: Problems) -> tuple[str, ...]:
    """Render each argument as a template of its own. If one fails, all stay unchanged."""
    if not any("{{" in argument for argument in arguments):
        return arguments
    from cp.config.template import TemplateError, render

    rendered: list[str] = []
    for number, argument in enumerate(arguments, 1):
        try:
            rendered.append(render(argument, environ, name=f"argument {number}") if "{{" in argument else argument)
        except TemplateError as error:
            problems.remark(
                f"cannot render argument {number} of the command line, so all of them are used as they are: {error}",
            )
            return arguments
    return tuple(rendered)
