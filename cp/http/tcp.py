"""Listens on a TCP port of one address of this machine.

A start may import it: only C modules and our own.
"""

from __future__ import annotations

import _socket
import errno

from cp.platform.text import reason_of

BACKLOG = 512  # clients that may wait while the loop is busy; the kernel limits it to net.core.somaxconn

_REASONS = {
    errno.EADDRINUSE: "another program listens there: name another `port`, or stop that program",
    errno.EADDRNOTAVAIL: "it is not an address of this machine: see `interfaces`",
    errno.EACCES: "no permission for that port: name one from 1024 on",
    errno.EAFNOSUPPORT: "this machine has no such kind of address: see `interfaces`",
}


class PortError(Exception):
    """The port is not available. The text says why, and what would help."""


def shown(address: str, port: int) -> str:
    """The address as in a URL: `10.0.0.1:9090`, `[::1]:9090`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def listen(address: str, port: int) -> _socket.socket:
    """A listening, non-blocking socket at a numeric IPv4 or IPv6 address. Raises PortError.

    A port that another program has just closed is available at once. A port that it still listens on is not.
    """
    is_ipv6 = ":" in address
    try:
        listener = _socket.socket(_socket.AF_INET6 if is_ipv6 else _socket.AF_INET, _socket.SOCK_STREAM)
    except OSError as error:
        raise PortError(_why(error)) from None
    try:
        listener.setblocking(False)
        listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        if is_ipv6:  # `::` must not take the port of the IPv4 addresses as well
            listener.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortError(_why(error)) from None
    return listener


def _why(error: OSError) -> str:
    return _REASONS.get(error.errno or 0) or reason_of(error)
