"""Where a catalogue's server listens."""

from __future__ import annotations

from cp.catalog import CatalogError

PORTS = {"http": 80, "https": 443}


class Address:
    """Scheme, host and port; or the path of a unix socket, which speaks plain http."""

    __slots__ = ("host", "path", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int, path: str = "") -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_address(text: str, scheme: str, key: str) -> Address:
    """host, host:port, [IPv6]:port or unix:///path; `key` is the configuration's, for the CatalogError.

    That does not quote what somebody has written before an @: it may be a password.
    """
    if text.startswith("unix://"):
        if text == "unix://":
            raise CatalogError(f"cannot use {key} '{text}': the path of the socket is missing")
        return Address("http", "localhost", 80, text[len("unix://") :])
    if scheme not in PORTS:
        raise CatalogError(f"cannot use {key} '{text}': the scheme is '{scheme}', expected http or https")
    name, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        name, port = text, str(PORTS[scheme])
    bracketed = name.startswith("[") and name.endswith("]")
    host = name[1:-1] if bracketed else name
    fair_name = bool(host) and (":" in host) == bracketed and not any(c <= " " or c in "/?#@[]\x7f" for c in host)
    fair_port = port.isascii() and port.isdecimal() and 0 < int(port) < 65536
    if not fair_name or not fair_port:
        shown = text if "@" not in text else f"********@{text.rpartition('@')[2]}"
        raise CatalogError(f"cannot use {key} '{shown}': expected host:port, [IPv6 address]:port or unix:///path")
    return Address(scheme, host, int(port))
