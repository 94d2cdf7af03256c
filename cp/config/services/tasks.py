"""`tasks`, which run periodically, and `coprocesses`, which are kept running beside the application."""

from __future__ import annotations

from cp.config import durations
from cp.config.fields import show
from cp.config.json5.parser import kind
from cp.encoding.go_numbers import plain
from cp.plan import REPLACE, Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.services.scope import Scope

_TASK_KEYS = ("name", "command", "frequency", "timeout")
_COPROCESS_KEYS = ("name", "command", "restarts", "onExit")


def read_tasks(root: Fields, scope: Scope) -> list[Job]:
    """A periodic job for each task."""
    return [_task(fields, scope) for fields in root.objects("tasks", _TASK_KEYS)]


def read_coprocesses(root: Fields, scope: Scope) -> list[Job]:
    """A job with restarts for each coprocess.

    ContainerPilot 2 does not have `onExit`: the signal for a coprocess when the application has exited. The default is
    SIGKILL, as in ContainerPilot 2: a Consul agent that gets SIGTERM leaves its cluster and releases its sessions, and
    with them locks that must survive a restart of the container.
    """
    return [_coprocess(fields, scope) for fields in root.objects("coprocesses", _COPROCESS_KEYS)]


def _task(fields: Fields, scope: Scope) -> Job:
    if not fields.has("command"):
        fields.error("command", 'Task did not provide a command: add it, such as "command": "/bin/backup"')
    command = fields.command("command", "Could not parse task command: ")
    name = fields.string("name") or " ".join(command or ())
    given = fields.value("frequency")
    if given is None or given.data == "":
        fields.error(
            "frequency",
            "Unable to parse frequency : time: invalid duration  (`frequency` is missing or empty: set how often the "
            'task runs, such as "30s")',
        )
    frequency = _at_least_a_millisecond(fields, "frequency", "frequency", "Frequency")
    timeout = _at_least_a_millisecond(fields, "timeout", "timeout", "Timeout") or frequency
    label = f"task[{name}]"
    return Job(
        name=scope.unique(label),
        label=label,
        when=scope.at_start(interval=durations.seconds(frequency[0]) if frequency is not None else None),
        command=command,
        restarts=None,
        timeout=durations.seconds(timeout[0]) if timeout is not None else None,
        timeout_text=timeout[1] if timeout is not None else "",
        log_fields=(("process", "task"), ("task", name)),
        pauses_in_maintenance=True,
        reload=REPLACE,
    )


def _at_least_a_millisecond(fields: Fields, key: str, small: str, capital: str) -> tuple[int, str] | None:
    limit = fields.duration(key, f"Unable to parse {small} {fields.string(key)}: ")
    if limit is not None and limit[0] < durations.MILLISECOND:
        fields.error(key, f"{capital} {limit[1]} cannot be less that 1ms")  # sic: the words that tools search for
    return limit


def _coprocess(fields: Fields, scope: Scope) -> Job:
    if not fields.has("command"):
        fields.error("command", 'Coprocess did not provide a command: add it, such as "command": "/bin/agent"')
    command = fields.command("command", f"Could not parse `coprocess` command {fields.string('name')}: ")
    name = fields.string("name") or " ".join(command or ())
    label = f"coprocess[{name}]"
    upper = name.upper()
    variables = (f"CONTAINERPILOT_{upper.replace('-', '_')}_PID", f"CONTAINERPILOT_COPROCESS[{upper}]_PID")
    job = Job(
        name=scope.unique(label),
        label=label,
        when=scope.at_start(),
        command=command,
        restarts=_restarts(fields),
        stops_last=True,
        killed_unasked=_is_killed(fields),
        log_fields=(("process", "coprocess"), ("coprocess", name)),
        failure_level="error",
        # A "=" in the name (from the arguments of a command) would end the name of the variable.
        pid_variables=() if "=" in upper else variables,
        keep_pid_variables=True,
        reload=REPLACE,
    )
    scope.variables.claim(job, fields)
    return job


def _is_killed(fields: Fields) -> bool:
    value = fields.string("onExit", "kill")
    if value not in ("kill", "term"):
        fields.error("onExit", f'must be "kill" or "term", not {fields.written("onExit")}')
    return value == "kill"


def _restarts(fields: Fields) -> int | None:
    """The number of restarts; None for no limit."""
    value = fields.value("restarts")
    if value is None or value.data == "never":
        return 0
    data = value.data
    if data == "unlimited":
        return None
    if isinstance(data, str) and data.isascii() and data.isdecimal() and len(data) < 10:
        return int(data)
    given = show(data) if isinstance(data, str) else kind(value)
    if isinstance(data, int | float) and not isinstance(data, bool):
        if 0 <= data < 10**9:
            return int(data)
        given = plain(data)
    fields.error("restarts", f'{given} is invalid: `restarts` accepts positive integers, "unlimited" or "never"')
    return 0
