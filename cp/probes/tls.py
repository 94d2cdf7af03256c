"""TLS for checks: contexts, which are made off the loop, and streams that have no socket."""

from __future__ import annotations

import ssl
from _thread import start_new_thread

from cp.platform.text import reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.loop import Loop
    from cp.plan import Tls

    # Receives the context, or None and the reason.
    OnContext = Callable[[ssl.SSLContext | None, str], object]

PIECE = 1 << 16  # bytes of one read from the stream


class Contexts:
    """One context for all checks with the same settings: each holds the certificates of all authorities."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._made: dict[Tls, ssl.SSLContext] = {}
        self._awaited: dict[Tls, list[OnContext]] = {}

    def get(self, tls: Tls, on_context: OnContext) -> None:
        """Call back with the context, at once if there is one: reading its files may take long."""
        if (made := self._made.get(tls)) is not None:
            on_context(made, "")
            return
        waiting = self._awaited.setdefault(tls, [])
        waiting.append(on_context)
        if len(waiting) == 1:
            try:
                start_new_thread(self._make, (tls,))
            except RuntimeError as error:
                self._end(tls, None, str(error))

    def forget(self, tls: Tls) -> None:
        """Make it again for the next check: a handshake has failed, and its files may have changed since."""
        self._made.pop(tls, None)

    def _make(self, tls: Tls) -> None:
        try:
            made, why = new_context(tls), ""
        except Exception as error:
            made, why = None, reason_of(error) if isinstance(error, OSError) else str(error)
        self._loop.post(self._end, tls, made, why)

    def _end(self, tls: Tls, made: ssl.SSLContext | None, why: str) -> None:
        if made is not None:
            self._made[tls] = made
        else:
            files = ", ".join(name for name in (tls.ca_file, tls.ca_path, tls.client_cert, tls.client_key) if name)
            why = f"cannot set up TLS{f' with {files}' if files else ''}: {why}"
        for on_context in self._awaited.pop(tls, ()):
            on_context(made, why)


def new_context(tls: Tls) -> ssl.SSLContext:
    """A context for the client side. Blocks. OSError or ValueError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_file or tls.ca_path:
        context.load_verify_locations(_file(tls.ca_file), _file(tls.ca_path))
    else:
        context.load_default_certs()
    if tls.client_cert:
        # Without a password at hand OpenSSL would ask for it on the terminal.
        context.load_cert_chain(to_bytes(tls.client_cert), _file(tls.client_key), lambda: "")
    return context


def _file(path: str) -> bytes | None:
    return to_bytes(path) if path else None


class TlsStream:
    """The client's side of one connection: takes and gives the bytes on the wire. All methods may raise ssl.SSLError.

    `is_ready`: the handshake has ended.
    """

    __slots__ = ("_incoming", "_outgoing", "_tls", "is_ready")

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self.is_ready = False

    def shake(self) -> None:
        """Begin or continue the handshake."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.is_ready = True

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the wire, none at its end. Return what they mean, once the handshake has ended."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        if not self.is_ready:
            self.shake()
            if not self.is_ready:
                return b""
        text = bytearray()
        try:
            while piece := self._tls.read(PIECE):
                text += piece
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        except ssl.SSLEOFError:
            if not text and data:
                raise
        return bytes(text)

    def write(self, text: bytes) -> None:
        self._tls.write(text)

    def outgoing(self) -> bytes:
        """The bytes for the wire that have not been taken yet."""
        return self._outgoing.read()


def reason_of_tls(error: Exception) -> str:
    """One line about a failed handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    words = (getattr(error, "reason", "") or str(error)).replace("_", " ").lower()
    return f"TLS: {words}"
