"""The command line: its flags, in the syntax of Go's package flag."""

from __future__ import annotations

USAGE = """Usage: containerpilot [flags] [command [arguments]]

Runs the command, and the jobs that the configuration says, under supervision: health checks, registration in a
catalogue, watches, hooks, periodic tasks and coprocesses. ContainerPilot exits with the exit code of the command.
Flags may have one dash or two; the first argument that is no flag, or what follows `--`, is the command.

  -config string
        the configuration: a path, file://path, inline text that begins with {, or - for standard input
        (default: the environment variable CONTAINERPILOT)
  -allow-second
        start even if PID 1 is already a ContainerPilot (otherwise refused)

Flags that print something and exit:

  -help
        this text
  -template
        the configuration with its template applied
  -out string
        with -template: where it is written, - for standard output, or file://path (default "-")
  -version
        version and commit

Flags that ask a running ContainerPilot, one of them at a time; -config says where its control socket is:

  -reload
        reload the configuration that it was started with, and wait until that is done; a faulty one is refused
        and changes nothing
  -maintenance enable|disable
        enter or leave maintenance
  -putenv KEY=VALUE
        set a variable for what is started from now on, or unset it (KEY alone); may be repeated
  -putmetric KEY=VALUE
        record the value of a metric; may be repeated
  -ping
        print ok if it answers
  -jobs
        print all jobs: what runs, what waits for what, what failed and why
  -events
        print the last events; with -job NAME those of this job, its checks and its errors
  -follow
        with -events: go on and print new ones as they come
  -job NAME
        print all about one job
  -json
        with -jobs, -job or -events: print JSON
  -start NAME, -stop NAME, -restart NAME
        start, stop or restart a job
  -signal NAME=SIGNAL
        send a signal, such as HUP or 1, to the process of a job

A flag or an argument that would have no effect is refused, with the exit code 2; only -config and -help are accepted
with all others.
"""

# What a command line may ask for, one at a time, and the flags that have an effect with it. `-config` goes with all of
# them: an image has it in its entry point, also where `-version` comes after it. `-help` goes with everything.
WITH: dict[str, tuple[str, ...]] = {
    "version": ("config",),
    "template": ("config", "out"),
    "reload": ("config",),
    "maintenance": ("config",),
    "putenv": ("config",),
    "putmetric": ("config",),
    "ping": ("config",),
    "jobs": ("config", "json"),
    "events": ("config", "job", "follow", "json"),
    "job": ("config", "json"),
    "start": ("config",),
    "stop": ("config",),
    "restart": ("config",),
    "signal": ("config",),
    "": ("config", "allow-second"),  # none of them: run the application
}
COMMANDS = tuple(filter(None, WITH))
BOOLEANS = ("allow-second", "template", "version", "help", "h", "reload", "ping", "jobs", "events", "follow", "json")
STRINGS = ("config", "out", "maintenance", "job", "start", "stop", "restart")
PAIRS = ("putenv", "putmetric", "signal")
FLAGS = tuple(name for name in (*BOOLEANS, *STRINGS, *PAIRS) if name != "h")
ATTRIBUTES = {"h": "help", "allow-second": "allow_second"}  # where they are kept, if not under their own names
LONGEST_SHOWN = 100  # characters of a word in a message
TRUE, FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


class FlagError(Exception):
    """A command line that cannot be understood."""


class Options:
    """What the command line says."""

    __slots__ = ("allow_second", "arguments", "config", "follow", "given", "help", "json", "out", *COMMANDS)

    def __init__(self) -> None:
        self.config = ""
        self.out = "-"
        self.arguments: tuple[str, ...] = ()
        self.given: list[str] = []  # the names of the flags, each once; booleans only where they are true
        self.help = False
        self.allow_second = False
        self.version = False
        self.template = False
        self.reload = False
        self.maintenance = ""
        self.putenv: dict[str, str | None] = {}  # None: to be unset
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

    def command(self) -> str:
        """The one of COMMANDS that is asked for; empty to run the application."""
        return next((each for each in COMMANDS if each in self.given), "")


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
            raise FlagError(f"flag provided but not defined: -{printable(name)}{_did_you_mean(name)}")
    options.arguments = tuple(argv[position:])
    _check(options)
    return options


def _note(options: Options, name: str, is_given: bool) -> None:
    """The last one of a boolean counts, as in Go."""
    if is_given and name not in options.given:
        options.given.append(name)
    elif not is_given and name in options.given:
        options.given.remove(name)


def _set(options: Options, name: str, value: str) -> None:
    """Take the value of a flag that has one."""
    key, equals, rest = value.partition("=")
    if name == "putenv":
        options.putenv[key] = rest if equals else None
    elif name == "putmetric":
        if not equals:
            raise _invalid(name, value, f"flag value '{printable(value)}' was not in the format 'key=val'")
        options.putmetric[key] = rest
    elif name == "signal":
        job, _, sent = value.rpartition("=")  # no signal has a = in its name, but a job may
        if not job or not sent:
            raise _invalid(name, value, f"flag value '{printable(value)}' was not in the format 'name=signal'")
        _refuse_second(options, name, value, options.signal[0])
        options.signal = (job, sent)
    elif name == "maintenance" and value not in ("enable", "disable"):
        raise _invalid(name, value, "use enable or disable")
    elif not value and name not in ("config", "out"):
        raise _invalid(name, value, "it must name a job")
    else:
        if name != "config":  # an image has one in its entry point, and the user's own comes after it
            _refuse_second(options, name, value, getattr(options, name))
        setattr(options, name, value)


def _refuse_second(options: Options, name: str, value: str, before: str) -> None:
    """Refuse the flag if it has been given: only one of the two would have an effect."""
    if name in options.given:
        raise _invalid(name, value, f"it can be given once, and is {printable(before) or 'empty'} already")


def _check(options: Options) -> None:
    """Refuse flags and arguments that have no effect."""
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


def printable(word: str) -> str:
    """A word of the command line in a message, which is one line."""
    short = word if len(word) <= LONGEST_SHOWN else f"{word[:LONGEST_SHOWN]}…"
    return short if short.isprintable() else repr(short)[1:-1]


def _did_you_mean(name: str) -> str:
    from cp.config.nearest import nearest

    meant = nearest(name, FLAGS)
    return f" (did you mean -{meant}?)" if meant else ""
