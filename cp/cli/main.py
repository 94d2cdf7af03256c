"""Parses the command line, and calls the function that it selects."""

from __future__ import annotations

import os

from cp.cli.console import complain, show
from cp.cli.flags import USAGE
from cp.cli.options import FlagError, Options, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: list[str]) -> int:
    """Run the program. Return the exit code."""
    try:
        options = parse(argv)
    except FlagError as error:
        complain(f"containerpilot: {error}; see -help\n")
        return 2
    command = options.command()
    _guard_standard_streams(prints=options.help or bool(command))
    if options.help:
        return show(USAGE.encode())
    if command == "version":
        from cp.version import describe

        return show(describe().encode())
    if command == "template":
        from cp.cli.template import write_rendered

        return write_rendered(options.config, options.out)
    if command:
        from cp.cli import subcommands

        return subcommands.run(command, options)
    if os.getpid() != 1 and not options.allow_second and (why := _refusal_beside_init(options)):
        complain(f"containerpilot: {why}\n")  # for the person at the terminal, not for the log of a container
        return 1
    from cp.app import run

    code = run(options.config, options.arguments, hint_at_command=_hint_at_command, flag_of=_flag_of)
    # Threads may hang in a call to a catalogue, and the interpreter's own exit would wait for them.
    os._exit(code)


def _guard_standard_streams(*, prints: bool) -> None:
    """Open /dev/null for closed standard streams. `prints`: a closed standard output stays an error, because the
    program prints what the user requested.

    Closed streams are rare, so the subcommands import the code for them only then.
    """
    try:
        for fd in range(3):
            os.fstat(fd)
    except OSError:
        from cp.log.streams import guard_standard_streams

        guard_standard_streams(is_output_needed=prints)


def _refusal_beside_init(options: Options) -> str:
    """Why this start beside PID 1 is refused; empty if it is allowed. On most machines one look at PID 1 is enough."""
    init = b""
    try:
        fd = os.open("/proc/1/cmdline", os.O_RDONLY | os.O_CLOEXEC)
        try:
            # A /proc of another PID namespace shows another PID 1.
            init = os.read(fd, 4096) if os.readlink("/proc/self") == str(os.getpid()) else b""
        finally:
            os.close(fd)
    except OSError:
        pass  # there is no /proc, or it hides the processes of others
    program = init.partition(b"\0")[0]
    # `ld-`: a dynamic loader that was called by name may run Python.
    if init and not any(word in program for word in (b"python", b"containerpilot", b"/ld-")):
        return ""
    from cp.cli.second_start import refusal
    from cp.platform.text import process_environment

    return refusal(init, options.config, options.arguments, process_environment())


def _hint_at_command(arguments: Sequence[str]) -> str:
    """A hint at what the command of a start without a configuration was meant to be, in parentheses; may be empty."""
    from cp.cli.usage_errors import instead_of_a_start

    return instead_of_a_start(arguments)


def _flag_of(word: str) -> str:
    """The flag that a word names, without its dash; empty if it names none."""
    from cp.cli.usage_errors import flag_of

    return flag_of(word)
