"""The flags: what they are called, what they mean, and which go together."""

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


def printable(word: str) -> str:
    """A word of the command line in a message, which is one line."""
    short = word if len(word) <= LONGEST_SHOWN else f"{word[:LONGEST_SHOWN]}…"
    return short if short.isprintable() else repr(short)[1:-1]
