"""Parses the address of a server: host:port, a URL, or the path of a unix socket."""

from __future__ import annotations

from cp.plan import LONGEST_SOCKET_PATH
from cp.platform.text import to_bytes

PORTS = {"http": 80, "https": 443}
FORMS = "host:port, http://host:port/path, [IPv6 address]:port or unix:///path"

_LABEL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_LONGEST_LABEL, _LONGEST_NAME = 63, 253  # characters, the limits of DNS


class EndpointError(ValueError):
    """The address can never work. str() has the reason, without any part that may be a password."""


class CredentialsError(EndpointError):
    """A name and a password are before the host, but they belong into other settings."""


class Endpoint:
    """Scheme, host, port, and the path before all other paths; or a unix socket with plain HTTP.

    `host` is a name, an IPv4 address, or an IPv6 address without brackets, perhaps with a zone (fe80::1%eth0). `path`
    is empty, or begins with a slash and does not end with one. `port_given`: the text had a port.
    """

    __slots__ = ("host", "path", "port", "port_given", "scheme", "socket")

    def __init__(
        self, scheme: str, host: str, port: int, *, path: str = "", socket: str = "", port_given: bool = True
    ) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.socket = socket
        self.port_given = port_given

    @property
    def origin(self) -> str:
        """The URL without the path."""
        if self.socket:
            return f"unix://{self.socket}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


def parse_endpoint(text: str, scheme: str = "http") -> Endpoint:
    """Parse an address. `scheme` is for a text without one. Raises EndpointError."""
    text = text.strip()
    before, colon, rest = text.partition("://")
    if colon:
        scheme = before.lower()
    else:
        rest = text
    if scheme == "unix":
        return _unix(rest)
    if scheme not in PORTS:
        raise EndpointError(f"the scheme is {_quoted(scheme)}, expected http or https")
    authority, _, path = rest.partition("/")
    if "@" in authority:
        raise CredentialsError("it must not contain a name and a password")
    if any(c in "?#" or not "!" <= c <= "~" for c in path) or any(c in "?#" for c in authority):
        raise EndpointError("its path has a character that is not allowed")
    host, port = _split(authority)
    return Endpoint(
        scheme,
        _host(host),
        PORTS[scheme] if port is None else _port(port),
        path=f"/{path}".rstrip("/"),
        port_given=port is not None,
    )


def refusal_of(prefix: str, text: str, why: str, fix: str) -> str:
    """A message about an address, in which the part before the last @, perhaps a password, is replaced."""
    before, separator, rest = text.rpartition("@")
    if separator:
        scheme = next((scheme for scheme in ("http://", "https://") if before.lower().startswith(scheme)), "")
        text = f"{scheme}…@{rest}"
    quoted = f"'{text}'" if text.isprintable() else repr(text)
    return f"{prefix} {quoted}: {why}; {fix}"


def _unix(path: str) -> Endpoint:
    if not path:
        raise EndpointError("the path of the socket is missing")
    try:
        size = len(to_bytes(path))
    except ValueError:
        raise EndpointError("the path of the socket has an incomplete character") from None
    if "\0" in path or size > LONGEST_SOCKET_PATH:
        raise EndpointError(f"the path of a socket has at most {LONGEST_SOCKET_PATH} bytes, and no NUL")
    return Endpoint("http", "localhost", 80, socket=path)


def _split(authority: str) -> tuple[str, str | None]:
    """Host, in its brackets if it has them, and port; None if there is no colon for a port."""
    if authority.startswith("["):
        host, _, rest = authority.partition("]")
        if not rest:
            return authority, None
        if rest[0] == ":":
            return f"{host}]", rest[1:]
        raise EndpointError("after the ] only a colon and the port can follow")
    host, colon, port = authority.partition(":")
    if ":" in port:
        raise EndpointError("write an IPv6 address in brackets, such as [::1]:8500")
    return host, port if colon else None


def _port(text: str) -> int:
    if not text:
        raise EndpointError("the port is missing (is a variable empty?)")
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:6]) < 65536 or len(text) > 5:
        raise EndpointError("the port is not a number from 1 to 65535")
    return int(text)


def _host(text: str) -> str:
    if text in ("", "[]"):
        raise EndpointError("the host is missing (is a variable empty?)")
    if text.startswith("["):
        return _ipv6(text[1:-1] if text.endswith("]") else "")
    labels = text.removesuffix(".").split(".")
    if "" in labels:
        raise EndpointError("the host has an empty part (is a variable empty?)")
    if not all(_LABEL.issuperset(label) for label in labels if label.isascii()) or not text.isprintable():
        raise EndpointError("the host has a character that is not allowed in a host name")
    if max(map(len, labels)) > _LONGEST_LABEL or len(text) > _LONGEST_NAME:
        raise EndpointError(
            f"the host name is too long: at most {_LONGEST_LABEL} characters a part, {_LONGEST_NAME} in all"
        )
    return text


def _ipv6(text: str) -> str:
    from _socket import AF_INET6, inet_pton

    address, percent, zone = text.partition("%")
    if zone.startswith("25") and zone != "25":  # a URL encodes the percent sign
        zone = zone[2:]
    try:
        inet_pton(AF_INET6, address)
    except (OSError, ValueError):
        raise EndpointError("the text in brackets is not an IPv6 address") from None
    if percent and not (zone and _LABEL.issuperset(zone.replace(".", ""))):
        raise EndpointError("the zone after the % is not the name of an interface")
    return f"{address}{percent}{zone}"


def _quoted(scheme: str) -> str:
    """Quote a scheme only if it looks like one: it may be a password in the wrong place."""
    return f"'{scheme}'" if scheme.isascii() and scheme.isalnum() else "none"
