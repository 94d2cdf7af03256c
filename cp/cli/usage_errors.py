"""Explains a refused command line: which flag or argument has no effect, and what to write in its place.

Imported only when a command line is refused.
"""

from __future__ import annotations

import os

from cp.cli.flags import BOOLEANS, COMMANDS, FALSE, FLAGS, PAIRS, TRUE, WITH, printable
from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/=:@%+,#")
ONE_JOB = ("job", "start", "stop", "restart", "signal")
FOR_A_JOB = {"jobs": "-job", "events": "-events -job"}  # the flags that do the same for one job

# Other names of flags; then those that are names of programs as well.
ALSO_CALLED = {"h": "help", "list": "jobs"}
PROGRAMS = {"ps": "jobs", "ls": "jobs", "kill": "signal"}
CONFIGURATIONS = (".json", ".json5")  # the suffixes of configuration files


def flag_of(word: str) -> str:
    """The flag that a word names, without its dash; empty if it names none."""
    word = word.lower()
    return word if word in FLAGS else ALSO_CALLED.get(word, "")


def instead_of_a_start(arguments: Sequence[str]) -> str:
    """Guess what the command of a start without a configuration was meant to be, in parentheses; may be empty."""
    first = arguments[0] if arguments else ""
    if any(word.partition("=")[0] in ("-config", "--config") for word in arguments[1:]):
        return " (flags come before the command)"
    if flag := flag_of(first):
        return f" (did you mean -{flag}?)"
    if first.lower().endswith(CONFIGURATIONS) or _is_text(first):
        return f" (did you mean -config {_word(printable(first))}?)"
    return ""


def _is_text(path: str) -> bool:
    """Whether it is a file that is not executable."""
    try:
        return os.path.isfile(to_bytes(path)) and not os.access(to_bytes(path), os.X_OK)
    except ValueError:
        return False


def explain(command: str, flags: Sequence[str], arguments: Sequence[str]) -> str:
    """Explain in one line the first of the flags and arguments that have no effect with the command. The arguments are
    printable already."""
    second = next((name for name in flags if name in COMMANDS and command), "")
    if second:
        return f"cannot use -{command} and -{second} together: run containerpilot once for each"
    if flags:
        return _about_flag(command, flags[0])
    return f"-{command} {_taken(command)}, and '{arguments[0]}' would have no effect: {_instead(command, arguments)}"


def _about_flag(command: str, flag: str) -> str:
    users = [f"-{each}" if each else "a start" for each, useful in WITH.items() if flag in useful]
    *most, last = users
    joined = f"{', '.join(most)} or {last}" if most else last
    if not command:
        return f"-{flag} has no effect without {joined}"
    return f"-{flag} has no effect with -{command}: it goes with {joined}"


def _taken(command: str) -> str:
    if command in ONE_JOB:
        return "takes one job"
    if command in PAIRS:
        return "takes one KEY=VALUE"
    return "takes no argument" if command in BOOLEANS else "takes one word"


def _instead(command: str, arguments: Sequence[str]) -> str:
    """What to write in place of the arguments after the flag."""
    from cp.config.nearest import nearest

    first = arguments[0]
    if first.lower().endswith(CONFIGURATIONS):
        return f"did you mean -config {_word(first)}?"
    if command in PAIRS and ("=" in first or command == "putenv"):
        return f"repeat the flag, -{command} {_word(first)}"
    if command in ONE_JOB:
        return "run containerpilot once for each job"
    if command in BOOLEANS and first in TRUE + FALSE:
        return f"write the value of -{command} with an equals sign, -{command}={first}"
    if flag := nearest(first.lstrip("-").partition("=")[0], [*WITH[command], "help"]):
        return f"did you mean -{flag}?"
    if command in FOR_A_JOB:
        return f"did you mean {FOR_A_JOB[command]} {_word(first)}?"
    if command == "template":
        return "a command is only for a start; -out names the file to write"
    return "leave it out"


def _word(text: str) -> str:
    """Quote a word for a shell."""
    return text if text and PLAIN.issuperset(text) else "'" + text.replace("'", "'\\''") + "'"
