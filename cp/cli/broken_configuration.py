"""Finds the control socket although the configuration, which should name its path, is not valid.

This is when people need it most: a file was half saved, and `-reload` or `-jobs` should say so. Imported only then.
"""

from __future__ import annotations

import os
from time import monotonic

from cp.cli.client import TIMEOUT, ClientError, ControlConnection, NoServer
from cp.cli.console import complain
from cp.config.partial import remaining_socket
from cp.control.socket_paths import paths_for_clients
from cp.log.redaction import Secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cp.config.errors import ConfigError
    from cp.config.source import Source


def paths_despite(error: ConfigError, source: Source | None, environ: Mapping[str, str]) -> list[str]:
    """Return the paths at which the socket may be. A server listens at one of them. The error is printed as one line.

    Raises ClientError with the whole error if no server listens. `source` is None if the configuration was not read.
    """
    path = remaining_socket(source, environ) if source is not None else ""
    paths = [path] if path else paths_for_clients(environ)
    try:
        connection = ControlConnection(paths, monotonic() + TIMEOUT)
    except NoServer as missing:
        raise ClientError(f"{error}\n{_nobody(missing, paths, environ)}") from None
    connection.close()
    reason = Secrets(environ).masked(str(error).partition("\n")[0])
    origin = "its valid part names" if path else "the default is"
    complain(f"warning: cannot use the configuration: {reason}; {origin} the control socket {connection.path}\n")
    return paths


def _nobody(missing: NoServer, paths: list[str], environ: Mapping[str, str]) -> str:
    others = ""
    if os.getuid() == 0:
        from cp.cli.replies import sockets_of_others

        others = sockets_of_others(paths, environ)
    how = "-config '{control: {socket: \"PATH\"}}'"
    return f"{missing}{others}. To reach a running ContainerPilot, name its control socket: {how}"
