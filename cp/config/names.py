"""Names: which of them a catalogue can carry, and the environment variables that are made of them."""

from __future__ import annotations

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_UPPER = _LOWER.upper()
_WORD = frozenset(_LOWER + _UPPER + "0123456789")
_NAME = _WORD | {"-"}

SERVICE_NAME_RULE = "service names must be alphanumeric with dashes to comply with service discovery"


def is_service_name(name: str) -> bool:
    """A small letter, then one or more letters, digits or dashes: what DNS can carry."""
    return len(name) > 1 and name[0] in _LOWER and _NAME.issuperset(name)


def ip_variable(name: str) -> str:
    """The environment variable in which children find the address of a service."""
    return f"CONTAINERPILOT_{name.upper().replace('-', '_')}_IP"


def pid_variable(name: str) -> str:
    """The environment variable in which children find the process of a job; the name may be that of a program.

    Of a path the last part counts, without its extension; what is neither letter nor digit becomes an underscore.
    """
    base = name.rpartition("/")[2]
    _, dot, extension = base.rpartition(".")
    if dot:
        # The first place where the extension stands, which need not be the last one (`a.b.b`).
        base = base.replace(dot + extension, "", 1)
    words: list[str] = [""]
    for character in base:
        if character in _WORD:
            words[-1] += character
        elif words[-1] or len(words) == 1:
            words.append("")
    return f"CONTAINERPILOT_{'_'.join(words).upper()}_PID"
