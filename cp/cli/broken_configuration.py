"""To ask a running ContainerPilot although the configuration, which should say where its socket is, cannot be used.

That is when one asks most: a file was saved half, and `-reload` or `-jobs` is to tell. Imported for that only.
"""

from __future__ import annotations

import os
from time import monotonic

from cp.cli.client import TIMEOUT, ClientError, ControlConnection, NobodyThere
from cp.cli.console import complain
from cp.config.partial import remaining_socket
from cp.control.socket_paths import places_of_clients
from cp.log.redaction import Secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cp.config.errors import ConfigError
    from cp.config.source import Source


def places_despite(error: ConfigError, source: Source | None, environ: Mapping[str, str]) -> list[str]:
    """The paths at which the socket may be, at one of which somebody listens; the fault is told in one line.

    ClientError with the whole fault if nobody does. `source` is None if the configuration could not be read.
    """
    path = remaining_socket(source, environ) if source is not None else ""
    paths = [path] if path else places_of_clients(environ)
    try:
        connection = ControlConnection(paths, monotonic() + TIMEOUT)
    except NobodyThere as nobody:
        raise ClientError(f"{error}\n{_nobody(nobody, paths, environ)}") from None
    connection.close()
    fault = Secrets(environ).masked(str(error).partition("\n")[0])
    told_by = "what can be read of it names" if path else "used instead is the usual control socket"
    complain(f"warning: the configuration cannot be used: {fault}; {told_by} {connection.path}\n")
    return paths


def _nobody(nobody: NobodyThere, paths: list[str], environ: Mapping[str, str]) -> str:
    others = ""
    if os.getuid() == 0:
        from cp.cli.replies import sockets_of_others

        others = sockets_of_others(paths, environ)
    how = "-config '{control: {socket: \"PATH\"}}'"
    return f"{nobody}{others}. To reach a ContainerPilot that runs, name its control socket: {how}"
