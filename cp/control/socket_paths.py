"""Where the control socket is when the configuration does not say: the server and its clients look in one order."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = "/var/run/containerpilot.socket"
NOBODY = 65534  # whom the kernel shows for every user that our user namespace does not know


def usual_places(environ: Mapping[str, str]) -> list[str]:
    """The paths to try, the best first; the later ones are for who may not write to /var/run."""
    return list(dict.fromkeys((USUAL, *_of(os.getuid(), environ))))


def places_of_clients(environ: Mapping[str, str]) -> list[str]:
    """Those of a client: after its own the places of the user that PID 1 runs as, in whose container it is."""
    return list(dict.fromkeys((*usual_places(environ), *_of(user_of_init(), environ))))


def _of(user: int, environ: Mapping[str, str]) -> list[str]:
    return [f"{folder}/containerpilot-{user}.socket" for folder in folders(environ)]


def folders(environ: Mapping[str, str]) -> list[str]:
    """Where a user may have a socket who may not write to /var/run."""
    named = (environ.get("XDG_RUNTIME_DIR", ""), environ.get("TMPDIR", ""), "/tmp")
    return [folder.rstrip("/") for folder in named if folder.startswith("/")]


def user_of_init() -> int:
    """The user that PID 1 of our PID namespace runs as; our own, if that is not known."""
    try:
        if os.readlink("/proc/self") == str(os.getpid()):  # else it is the /proc of another namespace
            return os.stat("/proc/1").st_uid
    except OSError:
        pass
    return os.getuid()
