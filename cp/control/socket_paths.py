"""The usual paths of the control socket. The server and its clients try them in the same order."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = "/var/run/containerpilot.socket"
NOBODY = 65534  # the kernel's overflow user: stands for users that this user namespace does not know


def usual_places(environ: Mapping[str, str]) -> list[str]:
    """The paths that the server tries, the best first. The later ones are for users that may not write to /var/run."""
    return list(dict.fromkeys((USUAL, *_of(os.getuid(), environ))))


def paths_for_clients(environ: Mapping[str, str]) -> list[str]:
    """The paths that a client tries: its own, then those of the user that PID 1 of its container runs as."""
    return list(dict.fromkeys((*usual_places(environ), *_of(user_of_init(), environ))))


def _of(user: int, environ: Mapping[str, str]) -> list[str]:
    return [f"{folder}/containerpilot-{user}.socket" for folder in folders(environ)]


def folders(environ: Mapping[str, str]) -> list[str]:
    """The folders for a user that may not write to /var/run."""
    named = (environ.get("XDG_RUNTIME_DIR", ""), environ.get("TMPDIR", ""), "/tmp")
    return [folder.rstrip("/") for folder in named if folder.startswith("/")]


def user_of_init() -> int:
    """The user that PID 1 of this PID namespace runs as; our own user if it is not known."""
    try:
        if os.readlink("/proc/self") == str(os.getpid()):  # otherwise it is the /proc of another namespace
            return os.stat("/proc/1").st_uid
    except OSError:
        pass
    return os.getuid()
