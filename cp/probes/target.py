"""What a check connects to, and its name in messages."""

from __future__ import annotations

import _socket

from cp.platform.resolver import Peer, numeric
from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cp.plan import HttpProbe, SocketProbe
    from cp.probes.exchange import Request

LOCALHOST = "localhost"

# What the name means everywhere (RFC 6761). A look-up would need a thread for each check.
LOCALHOST_PEERS = (
    Peer(_socket.AF_INET, _socket.IPPROTO_TCP, ("127.0.0.1", 0)),
    Peer(_socket.AF_INET6, _socket.IPPROTO_TCP, ("::1", 0, 0, 0)),
)


class Target:
    """The server of a probe. It is made once, and used by all checks of that probe."""

    __slots__ = ("address", "host", "path", "peers", "port", "probe", "request", "what")

    def __init__(self, probe: HttpProbe | SocketProbe, address: str, what: str) -> None:
        """`address` is where the job is registered, or empty. ValueError for a path that the system cannot have."""
        self.probe = probe
        self.address = address
        self.what = what
        self.host = host = host_of(probe, address)
        self.port = probe.port
        self.path = to_bytes(probe.socket)  # of a unix socket; empty: it is a host
        # The addresses, unless the host is a name that has to be looked up.
        self.peers: Sequence[Peer] = LOCALHOST_PEERS if host == LOCALHOST else () if self.path else numeric(host)
        self.request: Request | None = None  # made with the first check


def host_of(probe: HttpProbe | SocketProbe, address: str) -> str:
    return probe.host or address or LOCALHOST


def place_text(host: str, port: int) -> str:
    """A host and its port as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
