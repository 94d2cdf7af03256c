"""The settings of both dialects: logging, and the time limits of a stop."""

from __future__ import annotations

from cp.config import durations
from cp.config.fields import show
from cp.plan import INHERIT, SHORTEST_MASKED, LoggingSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeVar

    from cp.config.errors import Problems
    from cp.config.fields import Fields
    from cp.config.json5.parser import Document
    from cp.plan import Job, Level

    T = TypeVar("T", bound=str)

ADD_A_CATALOG = 'add one of consul, etcd or directory, such as "consul": "localhost:8500"'

_NOT_IN_NAMES = "=$*?{}[] \t\n"  # characters that names of variables do not have in practice
_LOGGING_KEYS = ("level", "format", "output", "mask")
_TERMINATION_LOG = "terminationLog"
_LEVELS: dict[str, Level] = {
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "fatal": "fatal",
    "panic": "panic",
}
_DEFAULT_STOP_TIMEOUT = 5


def read_logging(root: Fields, environ: Mapping[str, str], *, default_format: str, to_file: bool) -> LoggingSettings:
    """Read `logging`. `default_format` is the meaning of the format `default`; `to_file`: the output may be a path, and
    lines may go to the termination log."""
    fields = root.object("logging", (*_LOGGING_KEYS, _TERMINATION_LOG) if to_file else _LOGGING_KEYS)
    if fields is None:
        return LoggingSettings(format=default_format)
    formats = {"default": default_format, "text": "text", "json": "json"}
    outputs = {"stdout": "stdout", "stderr": "stderr"}
    output = fields.string("output")
    if not (to_file and output and output.lower() not in outputs):
        output = _choice(fields, "output", "Unknown output type", outputs, "stdout")
    return LoggingSettings(
        level=_choice(fields, "level", "Unknown log level", _LEVELS, "info"),
        format=_choice(fields, "format", "Unknown log format", formats, default_format),
        output=output,
        ends_in_termination_log=to_file and fields.boolean(_TERMINATION_LOG),
        mask=_read_mask(fields, environ),
    )


def _read_mask(fields: Fields, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Read `mask`: the names of the variables whose values are masked in the output of jobs."""
    names = fields.strings("mask", single=True)
    value = fields.value("mask")
    if value is not None and isinstance(value.data, (dict, bool)):
        fields.error("mask", "must be an array of names of variables")
        return ()
    for name in names:
        # With a `$` or a `*` it would mask nothing, without a message.
        if not name or name[0].isdigit() or any(letter in _NOT_IN_NAMES for letter in name):
            fields.error("mask", f"{show(name)} cannot be the name of a variable")
        elif name not in environ:
            fields.warning("mask", f"the variable {name} is not set: nothing is masked for it until it is")
        elif 0 < len(environ.get(name, "").strip()) < SHORTEST_MASKED:
            fields.warning(
                "mask",
                f"the value of {name} has fewer than {SHORTEST_MASKED} characters, and is not masked: "
                "other output could contain it by chance",
            )
    return tuple(dict.fromkeys(names))


def warn_about_unmasked_output(root: Fields, logging: LoggingSettings, jobs: Iterable[Job], fix: str = "") -> None:
    """Warn about output that does not go through the log, so that it cannot be masked. `fix` says how to change
    that."""
    if logging.mask:
        past: list[str] = []
        for job in jobs:
            if job.command is not None and job.output == INHERIT:
                past.append(job.label or job.name)
            past += [check.label for check in job.health if check.command is not None and check.output == INHERIT]
        if past:
            *most, last = past
            names = f"{', '.join(most)} and {last}" if most else last
            root.warning(
                "logging",
                f"`mask` has no effect on the output of {names}: it goes directly to ContainerPilot's own standard "
                f"output and error, and not through the log{fix}",
            )


def warn_about_termination_log(root: Fields, logging: LoggingSettings, jobs: Iterable[Job]) -> None:
    """Warn if the output of the main job cannot go to the termination log, although it should."""
    if logging.ends_in_termination_log:
        for job in jobs:
            if job.main and job.output == INHERIT:
                root.warning(
                    "logging",
                    f"`{_TERMINATION_LOG}` has no effect: the output of {job.label} goes directly to ContainerPilot's "
                    "own standard output and error, and not through the log; remove `raw: true`",
                )


def _choice(fields: Fields, key: str, prefix: str, choices: dict[str, T], default: T) -> T:
    text = fields.string(key)
    if not text:
        return default
    choice = choices.get(text.lower())
    if choice is None:
        from cp.config.nearest import did_you_mean

        quoted = f"'{text}'" if text.isprintable() else show(text)
        fields.error(key, f"{prefix} {quoted}: choose one of {', '.join(choices)}{did_you_mean(text, choices)}")
        return default
    return choice


def read_stop_timeout(root: Fields) -> float:
    """`stopTimeout` in seconds. 0 is the default; a negative number means no time at all."""
    number = root.integer("stopTimeout") or _DEFAULT_STOP_TIMEOUT
    return float(number) if number > 0 else -1.0


def read_shutdown_timeout(root: Fields) -> float | None:
    """`shutdownTimeout` in seconds: the limit of a whole stop; None without a limit."""
    limit = root.duration("shutdownTimeout")
    if limit is None or limit[0] == 0:
        return None
    if limit[0] < 0:
        root.error("shutdownTimeout", f"must not be negative, but is {limit[1]}: leave it out for no limit")
    return durations.seconds(limit[0])


def warn_about_repeated_keys(document: Document, problems: Problems) -> None:
    """Warn about repeated keys: only the last one counts."""
    for key, offset in document.repeated:
        problems.warning(offset, "", f"the key '{key}' is repeated, and only the last one counts")
