"""The checks `tcp` and `unix`: a server accepts a connection."""

from __future__ import annotations

from cp.probes.probe import Probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket


class SocketProbe(Probe):
    """Passes when the connection is made, and closes it at once."""

    __slots__ = ()

    def _connected(self, connected: _socket.socket) -> None:
        connected.close()
        self._end(True, f"connected in {self._took()}")
