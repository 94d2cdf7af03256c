"""Which function a command line means."""

from __future__ import annotations

import os

from cp.cli.console import complain, show
from cp.cli.flags import USAGE
from cp.cli.options import FlagError, Options, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: list[str]) -> int:
    """Run the program; the exit code."""
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
    if os.getpid() != 1 and not options.allow_second and (why := _why_not_beside_init(options)):
        complain(f"containerpilot: {why}\n")  # for who has just typed that, not for the log of a container
        return 1
    from cp.app import run

    code = run(options.config, options.arguments, _meant)
    # Threads may hang in a call to a catalogue: the interpreter's own end would wait for what they hold.
    os._exit(code)


def _guard_standard_streams(*, prints: bool) -> None:
    """`prints`: what is printed is what was asked for, so a standard output that was closed must stay an error.

    What they guard against is rare, and a subcommand has no time to load what it needs for that."""
    try:
        for fd in range(3):
            os.fstat(fd)
    except OSError:
        from cp.log.streams import guard_standard_streams

        guard_standard_streams(is_output_needed=prints)


def _why_not_beside_init(options: Options) -> str:
    """Why nothing is started beside what is PID 1 here; empty if it may be. On most machines one look tells."""
    init = b""
    try:
        fd = os.open("/proc/1/cmdline", os.O_RDONLY | os.O_CLOEXEC)
        try:
            # A /proc of another PID namespace tells of another PID 1.
            init = os.read(fd, 4096) if os.readlink("/proc/self") == str(os.getpid()) else b""
        finally:
            os.close(fd)
    except OSError:
        pass  # there is no /proc, or it hides the processes of others
    program = init.partition(b"\0")[0]
    # The last one: a dynamic loader that was called by name, and starts a Python perhaps.
    if init and not any(word in program for word in (b"python", b"containerpilot", b"/ld-")):
        return ""
    from cp.cli.second_start import refusal
    from cp.platform.text import process_environment

    return refusal(init, options.config, options.arguments, process_environment())


def _meant(arguments: Sequence[str], *, flag: bool = False) -> str:
    """What a command that cannot be run was probably meant as: in parentheses, or the name of the flag alone."""
    from cp.cli.usage_errors import flag_of, instead_of_a_start

    return flag_of(arguments[0]) if flag else instead_of_a_start(arguments)
