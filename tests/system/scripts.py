"""The commands of the children in these tests. `mark WORD` in a script leaves a line with the time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# /proc/uptime is read by the shell itself: no process is started for the time.
PRELUDE = 'mark() { read -r at rest </proc/uptime; echo "$at $1" >>"$MARKS"; }\n'

# Wait until orphans of the script become ContainerPilot's children: it arranges that soon after the app's start.
UNTIL_ORPHANS_ARE_OURS = (
    """until [ "$(sh -c 'sh -c "sleep 0.05; cut -d\\  -f4 /proc/\\$\\$/stat" &')" = "$PPID" ]; do :; done\n"""
)

Command = list[str]


def sh(script: str) -> Command:
    return ["/bin/sh", "-c", PRELUDE + script]


def python(script: str) -> Command:
    """A command in Python for work that a shell cannot do; it has `mark` as well."""
    prelude = (
        "import os, signal, sys, time\n"
        "def mark(word):\n"
        "    with open(os.environ['MARKS'], 'a') as marks:\n"
        "        marks.write(f'{time.clock_gettime(time.CLOCK_BOOTTIME)} {word}\\n')\n"
    )
    return [sys.executable, "-S", "-E", "-c", prelude + script]


def mark(word: str, then: str = "") -> Command:
    return sh(f"mark {word}\n{then}")


def forever(word: str = "app") -> Command:
    """Says that it runs, and dies of the first signal."""
    return sh(f"mark {word}\nexec sleep 1000")


def until_term(word: str = "app", code: int = 0) -> Command:
    """Says that it runs; on SIGTERM it says so and exits."""
    return sh(f"trap 'mark {word}-term; kill $!; exit {code}' TERM\nsleep 1000 &\nmark {word}\nwait")


def deaf(word: str = "app") -> Command:
    """Ignores SIGTERM."""
    return sh(f"trap '' TERM\nmark {word}\nexec sleep 1000")


def daemon(word: str = "daemon", *, on_term: str = "dies", keeps_output: bool = True, then: str = "") -> Command:
    """Leaves a process in a session of its own, and ends when that is there, or does something else `then`.

    The daemon says its word, and on SIGTERM `dies`, says so (`says`), or ignores it (`deaf`).
    """
    handler = {
        "dies": "signal.SIG_DFL",
        "says": f"lambda *_: (mark('{word}-term'), os._exit(0))",
        "deaf": "signal.SIG_IGN",
    }[on_term]
    closes = "" if keeps_output else "        [os.dup2(os.open('/dev/null', os.O_RDWR), fd) for fd in (0, 1, 2)]\n"
    return python(
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        signal.signal(signal.SIGTERM, {handler})\n"
        f"{closes}"
        f"        mark('{word}')\n"
        "        while True: signal.pause()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "marks = os.environ['MARKS']\n"
        f"while not os.path.exists(marks) or '{word}\\n' not in open(marks).read(): time.sleep(0.01)\n"
        f"{then}"
    )


def service(name: str = "app", **more: Any) -> dict[str, Any]:
    """A service that is registered after a second at an address that needs no network."""
    return {"name": name, "port": 8000, "poll": 1, "ttl": 10, "interfaces": "static:127.0.0.1", **more}


def registered(shelf: Path, name: str) -> bool:
    """Is the service in the directory catalogue at this place?"""
    return any(shelf.glob(f"{name}-*.json"))
