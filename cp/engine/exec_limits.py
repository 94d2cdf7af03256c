"""How large the arguments and the environment of a new process may be: execve(2), *Limits on size of arguments and
environment*. What goes beyond is refused while it can be, since nothing at all can be started with it.

Not imported on the way to the application's start.
"""

from __future__ import annotations

import os

from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cp.plan import Plan

    Pairs = Iterable[tuple[str, str]]

LONGEST = 32 * os.sysconf("SC_PAGE_SIZE")  # bytes of one argument, or of NAME=value, with its NUL: MAX_ARG_STRLEN
LEAST, MOST = 128 << 10, 6 << 20  # bytes of all together, whatever the limit of the stack is
POINTER = 8  # bytes, one for each string
# Bytes for what is not known beforehand: the path of the executable, and the interpreter of a script.
RESERVE = 8 << 10


def space() -> int:
    """Bytes that the arguments, the environment and their pointers may take together: a quarter of the stack."""
    try:
        from resource import RLIM_INFINITY, RLIMIT_STACK, getrlimit
    except ImportError:  # a minimal Python
        return LEAST
    soft, _ = getrlimit(RLIMIT_STACK)
    return MOST if soft == RLIM_INFINITY else max(LEAST, min(MOST, soft // 4))


def size_of_command(command: Sequence[str]) -> int:
    return sum(_length(argument) + 1 + POINTER for argument in command)


def size_of_environment(environ: Pairs) -> int:
    return sum(size_of_variable(name, value) for name, value in environ)


def size_of_variable(name: str, value: str) -> int:
    return _length(name) + _length(value) + 2 + POINTER


class DoesNotFit(Exception):
    """Why the kernel would not start a process with such an environment."""


def check_change(plan: Plan, before: Mapping[str, str], after: Mapping[str, str], reserve: int = RESERVE) -> None:
    """DoesNotFit if a process of this plan could not be started after such a change of the environment.

    A change that makes the environment smaller is always allowed. `reserve` is the number of bytes that must be left.
    """
    changed = [(name, value) for name, value in after.items() if before.get(name) != value]
    if why := _too_long(changed):
        raise DoesNotFit(why)
    size = size_of_environment(after.items())
    if size <= size_of_environment(before.items()):
        return
    # Those that are to come with the jobs.
    to_come = {name for job in plan.jobs for name in job.pid_variables} - after.keys()
    size += sum(size_of_variable(name, "4194304") for name in to_come)
    sizes = [(size_of_command(command), name) for name, command in _commands(plan)]
    largest, name = max(sizes, default=(0, ""))
    most = space() - reserve
    if size + largest > most:
        beside = f" and the command of {name} {largest}" if largest else ""
        raise DoesNotFit(f"all variables have {size} bytes{beside}: together the kernel takes {most}")


def check_reload(old: Plan, new: Plan, environ: Mapping[str, str]) -> None:
    """DoesNotFit if a process of the new plan could not be started with the environment that this plan leads to."""
    kept = {name: value for name, value in environ.items() if (name, value) not in old.environ}
    check_change(new, {}, {**kept, **dict(new.environ)}, reserve=0)


def _commands(plan: Plan) -> Iterator[tuple[str, Sequence[str]]]:
    for job in plan.jobs:
        if job.command is not None:
            yield job.name, job.command
        for check in job.health:
            if check.command is not None:
                yield check.label, check.command


def _too_long(environ: Pairs) -> str:
    """What is wrong with variables that no process can be given, whatever else there is; empty if nothing is."""
    for name, value in environ:
        length = _length(name) + _length(value) + 2
        if length > LONGEST:
            size, most = length - 2, LONGEST - 2
            return f"{_shown(name)} and its value have {size} bytes, and the kernel takes {most} of one variable"
    return ""


def explain(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """Why the kernel says that an argument list is too long."""
    for index, argument in enumerate(command):
        if _length(argument) + 1 > LONGEST:
            return f"argument {index} has {_length(argument)} bytes, and the kernel takes {LONGEST - 1}"
    arguments, variables = size_of_command(command), size_of_environment(environ.items())
    return _too_long(environ.items()) or (
        f"its arguments have {arguments} bytes and its environment {variables}: together the kernel takes {space()}"
    )


def without_what_does_not_fit(
    command: Sequence[str], environ: Mapping[str, str], extra: Pairs
) -> tuple[dict[str, str], list[str]]:
    """An environment without as many of the `extra` variables in it as have to go, the largest first; and which."""
    left = space() - RESERVE - size_of_command(command) - size_of_environment(environ.items())
    kept, gone = dict(environ), []
    for name, value in sorted(extra, key=lambda variable: -len(variable[1])):
        size = size_of_variable(name, value)
        if size - POINTER > LONGEST or left < 0:
            del kept[name]
            gone.append(name)
            left += size
    return kept, gone


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(to_bytes(text))


def _shown(name: str) -> str:
    short = name if len(name) <= 100 else f"{name[:100]}…"
    return short if short.isprintable() else repr(short)
