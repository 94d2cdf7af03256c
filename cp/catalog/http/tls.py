"""TLS to catalogues: contexts, which connections share, and the sockets that come of them."""

from __future__ import annotations

import os
from _thread import allocate_lock

from cp.catalog.http.sockets import reason
from cp.catalog.protocol import CatalogError
from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from types import ModuleType
    from typing import Any

    from cp.catalog.http.sockets import Deadline, DeadlineSocket
    from cp.plan import Tls

MOST_CONTEXTS = 4

_contexts_guard = allocate_lock()
_contexts: dict[Tls, tuple[object, ssl.SSLContext]] = {}


def tls_context(urllib3_tls: ModuleType, tls: Tls, server: str, hint: str = "") -> ssl.SSLContext:
    """For the client side; CatalogError, which names the files and ends with `hint`, if they cannot be used.

    `urllib3_tls` is the module `urllib3.util.ssl_`. All connections with the same settings share one context: each
    holds the certificates of all authorities, which is half a megabyte. It is made again when a file has changed; while
    the new files do not fit together the old one is used.
    """
    with _contexts_guard:
        files = tuple(_state(name) for name in (tls.ca_file, tls.ca_path, tls.client_cert, tls.client_key))
        known = _contexts.pop(tls, None)
        if known is None or known[0] != files:
            try:
                known = (files, _new_context(urllib3_tls, tls, server, hint))
            except CatalogError:
                if known is None:
                    raise
        _contexts[tls] = known
        while len(_contexts) > MOST_CONTEXTS:  # of earlier configurations
            del _contexts[next(iter(_contexts))]
        return known[1]


def wrap(
    urllib3_tls: ModuleType, context: ssl.SSLContext, connected: DeadlineSocket, server_name: str
) -> socket.socket:
    """The connection with TLS on it, after the handshake. OSError. `server_name` is whom the certificate must name."""
    deadline: Deadline = connected.deadline
    connected.limit(deadline.left())  # of the whole handshake
    wrapped: Any = urllib3_tls.ssl_wrap_socket(
        connected, server_hostname=server_name.partition("%")[0].rstrip("."), ssl_context=context
    )
    wrapped.deadline = deadline
    return wrapped  # type: ignore[no-any-return]


def _state(path: str) -> tuple[int, int, int] | None:
    """What changes when the file does."""
    try:
        status = os.stat(to_bytes(path))
    except (OSError, ValueError):  # not there: to read it will say why
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _new_context(urllib3_tls: ModuleType, tls: Tls, server: str, hint: str) -> ssl.SSLContext:
    import ssl

    class DeadlineTlsSocket(ssl.SSLSocket):
        deadline: Deadline

        def recv_into(self, *args: Any, **kwargs: Any) -> int:
            self.settimeout(self.deadline.left())
            return super().recv_into(*args, **kwargs)

        def send(self, *args: Any, **kwargs: Any) -> int:  # sendall() calls it
            self.settimeout(self.deadline.left())
            return super().send(*args, **kwargs)

    context: ssl.SSLContext = urllib3_tls.create_urllib3_context()
    context.sslsocket_class = DeadlineTlsSocket
    try:
        if tls.ca_file or tls.ca_path:
            context.load_verify_locations(_file(tls.ca_file), _file(tls.ca_path))
        else:
            context.load_default_certs()
        if tls.client_cert:
            # Without a password at hand OpenSSL would ask for it on the terminal.
            context.load_cert_chain(to_bytes(tls.client_cert), _file(tls.client_key), lambda: "")
    except (OSError, ValueError) as error:
        files = ", ".join(name for name in (tls.ca_file, tls.ca_path, tls.client_cert, tls.client_key) if name)
        raise CatalogError(f"cannot set up TLS for {server} with {files}: {reason(error)}{hint}") from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _file(path: str) -> bytes | None:
    return to_bytes(path) if path else None
