"""Where the control socket is when the configuration does not say: the server and its clients look in one order."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = "/var/run/containerpilot.socket"


def usual_places(environ: Mapping[str, str]) -> list[str]:
    """The paths to try, the best first; the later ones are for who may not write to /var/run."""
    name = f"containerpilot-{os.getuid()}.socket"
    folders = (environ.get("XDG_RUNTIME_DIR", ""), environ.get("TMPDIR", ""), "/tmp")
    paths = [USUAL, *(f"{folder.rstrip('/')}/{name}" for folder in folders if folder.startswith("/"))]
    return list(dict.fromkeys(paths))
