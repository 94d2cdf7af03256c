"""Who is at the other end of a connection: the kernel has noted it when the client connected, and no client can lie.

Imported when the first client says something.
"""

from __future__ import annotations

import _socket
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = 60.0  # seconds without another line about a user that was turned away
TOLD_OF = 32  # users that are told of in that time: a flood of users is no flood of lines


class PeerCredentials:
    """Tells those who may give orders from those who may not. `warn` hears of the latter."""

    __slots__ = ("_now", "_own", "_told", "_warn")

    def __init__(self, warn: Callable[[str], object], now: Callable[[], float]) -> None:
        self._warn = warn
        self._now = now
        self._own = os.geteuid()
        self._told: dict[int, float] = {}  # users, and until when nothing more is said about them

    def refusal(self, client: _socket.socket, users: tuple[int, ...] | None) -> str:
        """Why this client is not served; "" if it is root, the user that we run as, or one of `users` (None: all).

        A user is the number that it has in our own user namespace. Who has none there comes as the kernel's overflow
        user, who is a stranger like any other.
        """
        if users is None:
            return ""
        try:
            pid, user = peer(client)
        except OSError as error:  # some sandbox: whom nobody knows may not start processes
            self._tell(-1, f"control: a client is not served: its user is not known: {error.strerror}")
            return f"cannot serve you: the system does not say which user you are: {error.strerror}"
        if user in (0, self._own) or user in users:
            return ""
        others = "`control.users` in the configuration can allow others"
        self._tell(user, f"control: user {user} (process {pid}) may not give orders, and was turned away: {others}")
        own = f" and user {self._own}" if self._own else ""
        return f"cannot serve user {user}: only root{own} may give orders here; {others}"

    def _tell(self, user: int, line: str) -> None:
        now = self._now()
        self._told = {each: until for each, until in self._told.items() if until > now}
        if user not in self._told and len(self._told) < TOLD_OF:
            self._told[user] = now + QUIET
            self._warn(line)


def peer(client: _socket.socket) -> tuple[int, int]:
    """Process (0 if it is in none of our pid namespaces) and effective user of who connected. OSError."""
    credentials = client.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)  # pid, uid, gid
    return int.from_bytes(credentials[:4], sys.byteorder), int.from_bytes(credentials[4:8], sys.byteorder)
