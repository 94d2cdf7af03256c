"""Parses a command line, in the syntax of Go's package flag."""

from __future__ import annotations

from cp.cli.flags import ATTRIBUTES, BOOLEANS, COMMANDS, FALSE, FLAGS, NAMING, PAIRS, STRINGS, TRUE, WITH, printable


class FlagError(Exception):
    """The command line is not valid. The text says why."""


class Options:
    """The parsed command line."""

    __slots__ = (
        *("allow_second", "arguments", "config", "follow", "given", "help", "json", "lines", "names", "out"),
        *("seconds", "timeout", *COMMANDS),
    )

    def __init__(self) -> None:
        self.config = ""
        self.out = "-"
        self.arguments: tuple[str, ...] = ()
        self.names: tuple[str, ...] = ()  # of jobs, for one of NAMING
        self.timeout = ""
        self.seconds: float | None = None  # of the timeout
        self.given: list[str] = []  # the names of the flags, each once; a boolean only if it is true
        self.help = False
        self.allow_second = False
        self.version = False
        self.template = False
        self.reload = False
        self.maintenance = ""
        self.putenv: dict[str, str | None] = {}  # None: unset it
        self.putmetric: dict[str, str] = {}
        self.ping = False
        self.jobs = False
        self.job = ""
        self.start = ""
        self.stop = ""
        self.restart = ""
        self.signal = ("", "")  # the job and the signal
        self.events = False
        self.follow = False
        self.json = False
        self.wait = False
        self.logs = False
        self.status = False
        self.lines = ""  # how many, or all

    def command(self) -> str:
        """The one of COMMANDS on the command line; empty: run the application."""
        return next((each for each in COMMANDS if each in self.given), "")


def parse(argv: list[str]) -> Options:
    """Parse flags as Go's package flag does. After one of NAMING, flags and names of jobs may come in any order.

    Raises FlagError.
    """
    options = Options()
    position = 0
    while position < len(argv):
        argument = argv[position]
        if len(argument) < 2 or not argument.startswith("-"):
            if options.command() in NAMING:
                options.names += (argument,)
                position += 1
                continue
            break
        position += 1
        if argument == "--":
            break
        name, equals, value = argument[2 if argument.startswith("--") else 1 :].partition("=")
        if not name or name.startswith("-"):
            raise FlagError(f"bad flag syntax: {printable(argument)}")
        if name in BOOLEANS:
            if equals and value not in TRUE + FALSE:
                raise FlagError(f'invalid boolean value "{printable(value)}" for -{name}: use true or false')
            is_true = value not in FALSE or not equals
            setattr(options, ATTRIBUTES.get(name, name), is_true)
            _note(options, name, is_true)
        elif name in STRINGS or name in PAIRS:
            if not equals:
                if position == len(argv):
                    raise FlagError(f"flag needs an argument: -{name}")
                value = argv[position]
                position += 1
            _set(options, name, value)
            _note(options, name, True)
        else:
            raise FlagError(f"flag provided but not defined: -{printable(name)}{_hint_at_flag(name)}")
    if options.command() in NAMING:
        options.names += tuple(argv[position:])
        if "" in options.names:
            raise _invalid(options.command(), "", "name a job")
    else:
        options.arguments = tuple(argv[position:])
    _check(options)
    return options


def _note(options: Options, name: str, is_given: bool) -> None:
    """Remember a flag. The last value of a boolean counts, as in Go."""
    if is_given and name not in options.given:
        options.given.append(name)
    elif not is_given and name in options.given:
        options.given.remove(name)


def _set(options: Options, name: str, value: str) -> None:
    """Store the value of a flag that has one."""
    key, equals, rest = value.partition("=")
    if name == "putenv":
        options.putenv[key] = rest if equals else None
    elif name == "putmetric":
        if not equals:
            raise _invalid(name, value, f"flag value '{printable(value)}' was not in the format 'key=val'")
        options.putmetric[key] = rest
    elif name == "signal":
        job, _, sent = value.rpartition("=")  # a job's name may contain =, a signal's name never does
        if not job or not sent:
            raise _invalid(name, value, f"flag value '{printable(value)}' was not in the format 'name=signal'")
        _refuse_second(options, name, value, options.signal[0])
        options.signal = (job, sent)
    elif name == "maintenance" and value not in ("enable", "disable"):
        raise _invalid(name, value, "use enable or disable")
    elif name == "lines" and value != "all" and not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise _invalid(name, value, "give a number, or all")
    elif name == "timeout":
        _refuse_second(options, name, value, options.timeout)
        options.seconds = _seconds(value)
        options.timeout = f"{value}s" if value[-1:].isdigit() else value
    elif not value and name not in ("config", "out"):
        raise _invalid(name, value, "name a job")
    else:
        if name != "config":  # an image has one in its entry point, and the user's own follows it
            _refuse_second(options, name, value, getattr(options, name))
        setattr(options, name, value)


def _seconds(value: str) -> float:
    """The seconds of a duration."""
    from cp.config.durations import DurationError, parse, seconds

    try:
        found = parse(value)
    except DurationError as error:
        raise _invalid("timeout", value, error.hint) from None
    if found < 0:
        raise _invalid("timeout", value, "it is negative")
    return seconds(found)


def _refuse_second(options: Options, name: str, value: str, before: str) -> None:
    """Refuse a flag that is given twice: only one of the two would have an effect."""
    if name in options.given:
        raise _invalid(name, value, f"give it once: it is {printable(before) or 'empty'} already")


def _check(options: Options) -> None:
    """Refuse flags and arguments that have no effect. Raises FlagError."""
    if options.help:
        return
    command = options.command()
    useful = WITH[command]
    without_effect = [name for name in options.given if name != command and name not in useful]
    if without_effect or (command and options.arguments):
        from cp.cli.usage_errors import explain

        raise FlagError(explain(command, without_effect, tuple(map(printable, options.arguments))))


def _invalid(name: str, value: str, why: str) -> FlagError:
    return FlagError(f'invalid value "{printable(value)}" for flag -{name}: {why}')


def _hint_at_flag(name: str) -> str:
    """A hint at the flag that is most similar to the name, in parentheses; may be empty."""
    from cp.config.nearest import nearest

    meant = nearest(name, FLAGS)
    return f" (did you mean -{meant}?)" if meant else ""
