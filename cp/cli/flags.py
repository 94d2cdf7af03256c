"""The flags: their names, the text of `-help`, and which flags go together."""

from __future__ import annotations

USAGE = """Usage: containerpilot [flags] [command [arguments]]

Runs the command, and the jobs of the configuration, under supervision: health checks, registration in a catalogue,
watches, hooks, periodic tasks and coprocesses. ContainerPilot exits with the exit code of the command.
A flag has one dash or two. The first argument that is not a flag, or what follows `--`, is the command.

  -config string
        the configuration: a path, file://path, inline text that begins with {, or - for standard input
        (default: the environment variable CONTAINERPILOT)
  -allow-second
        start even if PID 1 is already ContainerPilot (refused otherwise)

Flags that print something and exit:

  -help
        this text
  -template
        print the configuration after its template is applied
  -out string
        with -template: write to this path or file://path, - for standard output (default "-")
  -version
        version and commit

Flags that query a running ContainerPilot. Use one at a time. -config names the configuration with its control socket:

  -reload
        reload the configuration that it was started with, and wait for the result; an invalid configuration is
        refused and changes nothing
  -maintenance enable|disable
        enter or leave maintenance
  -putenv KEY=VALUE
        set a variable for all processes that start later; KEY alone unsets it; may be repeated
  -putmetric KEY=VALUE
        record the value of a metric; may be repeated
  -ping
        print ok if ContainerPilot answers
  -jobs
        print all jobs: their states, what they wait for, and why they failed
  -status
        print version, readiness, jobs, watches and the catalogue on one screen
  -events
        print the recent events; with -job NAME the events of this job, its checks and its errors
  -logs [NAME...]
        print the last lines of all jobs, or of these; ContainerPilot keeps up to 64 KiB of each job in memory
  -lines N
        with -logs: the number of lines, or all (default 100)
  -follow
        with -events or -logs: do not exit, and print what is new; with -status: renew it each second
  -job NAME
        print all details of one job
  -wait [NAME...]
        wait until ContainerPilot is ready, or these jobs; the exit code is 0 then, and 1 if they do not become ready.
        ContainerPilot may start later
  -timeout duration
        with -wait: wait no longer than this, such as 60s; then print what is not ready (default: no limit)
  -json
        with -jobs, -job, -status, -events, -logs or -wait: print JSON
  -start NAME, -stop NAME, -restart NAME
        start, stop or restart a job
  -signal NAME=SIGNAL
        send a signal, such as HUP or 1, to the process of a job

ContainerPilot refuses a flag or an argument that has no effect, with exit code 2. Only -config and -help are accepted
with all others.
"""

# The commands, of which a command line has one at most, and the flags that have an effect with each. `-config` goes
# with all of them: an image has it in its entry point, even if `-version` comes after it. `-help` goes with everything.
WITH: dict[str, tuple[str, ...]] = {
    "version": ("config",),
    "template": ("config", "out"),
    "reload": ("config",),
    "maintenance": ("config",),
    "putenv": ("config",),
    "putmetric": ("config",),
    "ping": ("config",),
    "jobs": ("config", "json"),
    "status": ("config", "follow", "json"),
    "events": ("config", "job", "follow", "json"),
    "logs": ("config", "lines", "follow", "json"),
    "job": ("config", "json"),
    "wait": ("config", "timeout", "json"),
    "start": ("config",),
    "stop": ("config",),
    "restart": ("config",),
    "signal": ("config",),
    "": ("config", "allow-second"),  # none of them: run the application
}
COMMANDS = tuple(filter(None, WITH))
BOOLEANS = (
    *("allow-second", "template", "version", "help", "h", "reload", "ping", "jobs", "events", "follow", "json"),
    *("wait", "logs", "status"),
)
STRINGS = ("config", "out", "maintenance", "job", "start", "stop", "restart", "timeout", "lines")
NAMING = ("wait", "logs")  # the commands that take the other words of the command line as names of jobs
PAIRS = ("putenv", "putmetric", "signal")
FLAGS = tuple(name for name in (*BOOLEANS, *STRINGS, *PAIRS) if name != "h")
ATTRIBUTES = {"h": "help", "allow-second": "allow_second"}  # their attributes of Options, if the name differs
LONGEST_SHOWN = 100  # characters of a word in a message
TRUE, FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


def printable(word: str) -> str:
    """Return a word of the command line for a message, which is one line."""
    short = word if len(word) <= LONGEST_SHOWN else f"{word[:LONGEST_SHOWN]}…"
    return short if short.isprintable() else repr(short)[1:-1]
