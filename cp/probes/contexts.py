"""The TLS settings of checks, as contexts of `ssl`: made off the loop, and kept."""

from __future__ import annotations

from _thread import start_new_thread

from cp.platform.text import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from cp.engine.loop import Loop
    from cp.plan import Tls

    # Receives the context, or None and the reason.
    OnContext = Callable[[ssl.SSLContext | None, str], object]

MOST_CONTEXTS = 32  # that are kept; a configuration has a few, and a reload may bring others


class Contexts:
    """One context for all checks with the same settings: each holds the certificates of all authorities."""

    __slots__ = ("_awaited", "_loop", "_made", "_start_thread")

    def __init__(self, loop: Loop, start_thread: Callable[..., object] = start_new_thread) -> None:
        self._loop = loop
        self._start_thread = start_thread
        self._made: dict[Tls, ssl.SSLContext] = {}
        self._awaited: dict[Tls, dict[OnContext, None]] = {}

    def get(self, tls: Tls, on_context: OnContext) -> None:
        """Call back with the context, at once if there is one: reading its files may take long."""
        if (made := self._made.get(tls)) is not None:
            on_context(made, "")
        elif tls in self._awaited:
            self._awaited[tls][on_context] = None
        else:
            self._awaited[tls] = {on_context: None}
            try:
                self._start_thread(self._make, (tls,))
            except RuntimeError as error:  # no more threads
                self._end(tls, None, str(error))

    def forget_request(self, tls: Tls, on_context: OnContext) -> None:
        """Do not call back."""
        if tls in self._awaited:
            self._awaited[tls].pop(on_context, None)

    def forget(self, tls: Tls) -> None:
        """Make it again for the next check: a handshake has failed, and its files may have changed since."""
        self._made.pop(tls, None)

    def _make(self, tls: Tls) -> None:
        made: ssl.SSLContext | None = None
        try:
            from cp.probes.tls import new_context

            made, why = new_context(tls), ""
        except Exception as error:
            why = reason_of(error)
        self._loop.post(self._end, tls, made, why)

    def _end(self, tls: Tls, made: ssl.SSLContext | None, why: str) -> None:
        if made is not None:
            self._made[tls] = made
            while len(self._made) > MOST_CONTEXTS:
                del self._made[next(iter(self._made))]
        else:
            why = f"cannot set up TLS: {why}"
        for on_context in self._awaited.pop(tls, {}):
            on_context(made, why)
