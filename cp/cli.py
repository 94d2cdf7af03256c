"""The command line: Go's flag syntax, and which function it means."""

from __future__ import annotations

import os

USAGE = """Usage: containerpilot [flags] [command [arguments]]

Runs the command under supervision: health checks, registration in a catalogue, watches, hooks, periodic tasks and
coprocesses, as the configuration says. Its exit code becomes ours. Flags may have one dash or two; the first argument
that is no flag, or what follows `--`, is the command.

  -config string
        the configuration: a path, file://path, inline text that begins with {, or - for standard input
        (default: the environment variable CONTAINERPILOT)
  -help
        print this and exit
  -out string
        where -template writes: - for standard output, or file://path (default "-")
  -template
        apply the configuration's template, write the result and exit
  -version
        print version and commit and exit
"""

BOOLEANS = ("template", "version", "help", "h")
TRUE, FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


class FlagError(Exception):
    """A command line that cannot be understood."""


class Options:
    """What the command line says."""

    __slots__ = ("arguments", "config", "help", "out", "template", "version")

    def __init__(self) -> None:
        self.config = ""
        self.out = "-"
        self.template = False
        self.version = False
        self.help = False
        self.arguments: tuple[str, ...] = ()


def parse(argv: list[str]) -> Options:
    """Read flags as Go's flag package does; raises FlagError."""
    options = Options()
    position = 0
    while position < len(argv):
        argument = argv[position]
        if len(argument) < 2 or not argument.startswith("-"):
            break
        position += 1
        if argument == "--":
            break
        name, equals, value = argument[2 if argument.startswith("--") else 1 :].partition("=")
        if not name or name.startswith("-"):
            raise FlagError(f"bad flag syntax: {argument}")
        if name in BOOLEANS:
            if equals and value not in TRUE + FALSE:
                raise FlagError(f'invalid boolean value "{value}" for -{name}: use true or false')
            setattr(options, "help" if name == "h" else name, value not in FALSE or not equals)
        elif name in ("config", "out"):
            if not equals:
                if position == len(argv):
                    raise FlagError(f"flag needs an argument: -{name}")
                value = argv[position]
                position += 1
            setattr(options, name, value)
        else:
            raise FlagError(f"flag provided but not defined: -{name}")
    options.arguments = tuple(argv[position:])
    return options


def main(argv: list[str]) -> int:
    """Run the program; the exit code."""
    from cp.channel import guard_standard_streams

    guard_standard_streams()
    try:
        options = parse(argv)
    except FlagError as error:
        _complain(f"{error}\n{USAGE}")
        return 2
    if options.help:
        return _print(USAGE)
    if options.version:
        from cp.version import describe

        return _print(describe())
    if options.template:
        from cp.render import render

        return render(options.config, options.out)
    from cp.app import run

    code = run(options.config, options.arguments)
    # Threads may hang in a call to a catalogue: the interpreter's own end would wait for what they hold.
    os._exit(code)


def _print(text: str) -> int:
    try:
        _write(1, text)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        _complain(f"containerpilot: cannot write to standard output: {why}\n")
        return 1
    return 0


def _complain(text: str) -> None:
    try:
        _write(2, text)
    except OSError:
        pass  # nobody is left to be told


def _write(fd: int, text: str) -> None:
    """Straight to the descriptor: where it was closed at the start, Python has no stream for it."""
    data = text.encode(errors="surrogateescape")
    while data:
        data = data[os.write(fd, data) :]
