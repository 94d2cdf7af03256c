"""Which proxy the environment names for an address: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, read as Go reads them."""

from __future__ import annotations

from cp.config.endpoint import EndpointError, parse_endpoint
from cp.encoding import percent
from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Proxy:
    """The address of a proxy, and the headers that it needs."""

    __slots__ = ("headers", "host", "port")

    def __init__(self, host: str, port: int, headers: dict[str, str]) -> None:
        self.host = host
        self.port = port
        self.headers = headers


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> Proxy | None:
    """None: connect directly. ValueError for an invalid variable, without its value: it may have a password."""
    variable = "HTTPS_PROXY" if scheme == "https" else "HTTP_PROXY"
    value = (environ.get(variable) or environ.get(variable.lower()) or "").strip()
    if not value or _is_local(host) or _is_exempt(host, port, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None
    scheme, colon, rest = value.partition("://")
    if not colon:
        scheme, rest = "http", value
    credentials, at, authority = rest.partition("/")[0].rpartition("@")
    try:
        place = parse_endpoint(f"{scheme}://{authority}")
    except EndpointError as error:
        raise ValueError(f"{variable} is not the address of a proxy: {error}") from None
    if place.scheme != "http" or place.socket:
        raise ValueError(f"{variable} is not the address of a plain http proxy")
    return Proxy(place.host, place.port, _authorization(credentials) if at else {})


def _authorization(credentials: str) -> dict[str, str]:
    from base64 import b64encode

    user, _, password = credentials.partition(":")
    decoded = b"%b:%b" % (percent.decoded(to_bytes(user)), percent.decoded(to_bytes(password)))
    return {"Proxy-Authorization": f"Basic {b64encode(decoded).decode()}"}


def _is_local(host: str) -> bool:
    return host == "localhost" or (host.startswith("127.") and _address(host) is not None) or host == "::1"


def _is_exempt(host: str, port: int, exceptions: str) -> bool:
    host = host.lower().rstrip(".")
    address = _address(host)
    for exception in exceptions.lower().split(","):
        name, exact_port = _split_port(exception.strip())
        if not name or exact_port not in ("", str(port)):
            continue
        if name == "*":
            return True
        if address is not None:
            if _contains(name, host):
                return True
        elif host == name or host.endswith("." + name.lstrip("*.")):  # .name is for names below it, name for both
            return True
    return False


def _split_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return name, rest.lstrip(":")
    name, colon, port = text.rpartition(":")
    if colon and ":" not in name and port.isdecimal():
        return name, port
    return text, ""


def _address(host: str) -> bytes | None:
    import socket

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
    return None


def _contains(network: str, host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
