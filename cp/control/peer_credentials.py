"""Checks who is at the other end of a connection (SO_PEERCRED, unix(7)). The kernel notes it; no client can forge it.

Imported when the first client sends something.
"""

from __future__ import annotations

import _socket
import os
import sys

from cp.platform.text import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = 60.0  # seconds until the next line in the log about the same refused user
MOST_LOGGED = 32  # users in the log within that time: many users must not flood the log


class PeerCredentials:
    """Decides which clients may use the control socket. `warn` is called for those that may not."""

    __slots__ = ("_logged", "_now", "_own", "_warn")

    def __init__(self, warn: Callable[[str], object], now: Callable[[], float]) -> None:
        self._warn = warn
        self._now = now
        self._own = os.geteuid()
        self._logged: dict[int, float] = {}  # the time until which a user is not logged again

    def refusal(self, client: _socket.socket, users: tuple[int, ...] | None) -> str:
        """Why this client is not served; "" if it is root, the user that we run as, or one of `users` (None: all).

        Users are numbers of our own user namespace. A user without a number there appears as the kernel's overflow
        user, and is refused like any other.
        """
        if users is None:
            return ""
        try:
            pid, user = peer(client)
        except OSError as error:  # some sandbox: an unknown client may not start processes
            self._log(-1, f"control: refused a client: its user is unknown: {reason_of(error)}")
            return f"cannot serve this client: the system does not report its user: {reason_of(error)}"
        if user in (0, self._own) or user in users:
            return ""
        others = "`control.users` in the configuration can allow others"
        self._log(
            user, f"control: refused a client: user {user} (process {pid}) may not use the control socket; {others}"
        )
        own = f" and user {self._own}" if self._own else ""
        return f"cannot serve user {user}: only root{own} may use this control socket; {others}"

    def _log(self, user: int, line: str) -> None:
        now = self._now()
        self._logged = {each: until for each, until in self._logged.items() if until > now}
        if user not in self._logged and len(self._logged) < MOST_LOGGED:
            self._logged[user] = now + QUIET
            self._warn(line)


def peer(client: _socket.socket) -> tuple[int, int]:
    """Process (0 if it is in none of our pid namespaces) and effective user of who connected. OSError."""
    credentials = client.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)  # pid, uid, gid
    return int.from_bytes(credentials[:4], sys.byteorder), int.from_bytes(credentials[4:8], sys.byteorder)
