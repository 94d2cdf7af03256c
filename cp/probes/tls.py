"""TLS for checks: how a context is made, streams that have no socket, and the words for what fails.

Imported off the loop (modules.py): importing `ssl` takes 30 ms.
"""

from __future__ import annotations

import ssl

from cp.platform.text import reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.plan import Tls

# What OpenSSL says of bytes that are not TLS.
NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL")
PIECE = 1 << 16  # bytes of one read from the stream


def new_context(tls: Tls) -> ssl.SSLContext:
    """A context for the client side. Blocks. OSError or ValueError, with the name of the file that is the reason."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_file or tls.ca_path:
        with _naming(tls.ca_file, tls.ca_path):
            context.load_verify_locations(_file(tls.ca_file), _file(tls.ca_path))
    else:
        context.load_default_certs()
    if tls.client_cert:
        with _naming(tls.client_cert, tls.client_key):
            # Without a password at hand OpenSSL would ask for it on the terminal.
            context.load_cert_chain(to_bytes(tls.client_cert), _file(tls.client_key), lambda: "")
    return context


class _naming:
    """Adds the names of files to an error: those of `ssl` have none."""

    def __init__(self, *files: str) -> None:
        self._files = ", ".join(file for file in files if file)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ssl.SSLError):
            raise ValueError(f"{self._files}: {_words(error)}") from None
        if isinstance(error, (OSError, ValueError)):
            raise ValueError(f"{self._files}: {reason_of(error)}") from None


def _file(path: str) -> bytes | None:
    return to_bytes(path) if path else None


class TlsStream:
    """The client's side of one connection: takes and gives the bytes on the wire. All methods may raise ssl.SSLError.

    `is_ready`: the handshake has ended. `is_closed`: the server sends nothing any more.
    """

    __slots__ = ("_incoming", "_outgoing", "_tls", "is_closed", "is_ready")

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self.is_ready = False
        self.is_closed = False

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
            self.is_closed = True
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):  # in order, or by the end of the connection alone
            self.is_closed = True
        return bytes(text)

    def write(self, text: bytes) -> None:
        self._tls.write(text)

    def outgoing(self) -> bytes:
        """The bytes for the wire that have not been taken yet."""
        return self._outgoing.read()


def reason_of_tls(error: Exception) -> str:
    """One line about a failed connection with TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "the server closed the connection within the TLS handshake"
    if isinstance(error, ssl.SSLError):
        hint = ": it may speak http, not https" if error.reason in NOT_TLS else ""
        return f"TLS: {_words(error)}{hint}"
    return reason_of(error)


def _words(error: ssl.SSLError) -> str:
    """OpenSSL's reason; `PEM_R_NO_START_LINE` and the like have no sentence."""
    return (error.reason or str(error)).replace("_", " ").lower()
