"""`http`, `tcp` and `unix` of a health check: the servers that are checked without a process.

Imported only for a configuration with one of them.
"""

from __future__ import annotations

from cp.config.catalogs import read_tls
from cp.config.endpoint import CredentialsError, EndpointError, parse_endpoint, refusal_of
from cp.config.fields import show
from cp.config.jobs.statuses import read_statuses
from cp.config.json5.parser import kind
from cp.encoding.go_numbers import plain
from cp.plan import LONGEST_SOCKET_PATH, HttpProbe, SocketProbe, Tls
from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.endpoint import Endpoint
    from cp.config.fields import Fields

_URLS = "http://host:port/path, https://host:port/path, :port/path, or unix:///path/of/socket:/path"
_TCP = "host:port, [IPv6 address]:port, or :port"
_HTTP_KEYS = ("url", "method", "headers", "body", "status", "contains", "tls")
_TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")  # RFC 9110, 5.6.2
_OF_THE_CONNECTION = ("connection", "content-length", "transfer-encoding", "upgrade", "expect", "te")


def read_http(fields: Fields) -> HttpProbe:
    """A URL, or an object with a URL and more."""
    value = fields.value("http")
    if value is None or not isinstance(value.data, dict):
        return _read_url(fields, "http", HttpProbe(host="", port=0))
    http = fields.object("http", _HTTP_KEYS)
    if http is None:
        return HttpProbe(host="", port=0)
    if not http.has("url"):
        http.error("url", 'is missing: add it, such as "url": "http://localhost:8000/health"')
    method = http.string("method", "GET").upper()
    if not _TOKEN.issuperset(method) or method in ("", "CONNECT"):
        http.error("method", f"must be a method of HTTP, such as GET, HEAD or POST, not {http.written('method')}")
    contains = http.string("contains")
    if http.has("contains") and not contains:
        http.error("contains", "must not be empty: each body would contain it. Is a variable empty?")
    if method == "HEAD" and contains:
        http.error("contains", "a response to HEAD has no body that could contain it: use GET")
    probe = HttpProbe(
        host="",
        port=0,
        method=method,
        headers=_read_headers(http),
        body=_encoded(http, "body"),
        statuses=read_statuses(http),
        contains=_encoded(http, "contains").decode(errors="replace"),
        tls=read_tls(http, {}) if http.has("tls") else Tls(),
    )
    probe = _read_url(http, "url", probe) if http.has("url") else probe
    if http.has("tls") and not probe.https and http.has("url"):
        http.warning("tls", "has no effect: the URL does not begin with https://")
    return probe


def _encoded(fields: Fields, key: str) -> bytes:
    try:
        return fields.string(key).encode()
    except UnicodeEncodeError:
        fields.error(key, "has bytes that are not UTF-8, or a part of a character")
        return b""


# --- the URL


def _read_url(fields: Fields, key: str, probe: HttpProbe) -> HttpProbe:
    """The probe with the server and the target of the URL under this key."""
    value = fields.value(key)
    data = None if value is None else value.data
    if not isinstance(data, str):
        found = "null" if value is None else kind(value)
        hint = f': write ":{plain(data)}/"' if isinstance(data, int) and not isinstance(data, bool) else ""
        what = "a URL" if key == "url" else "a URL, or an object {url: …}"
        fields.error(key, f"must be {what}, not {found}{hint or f': {_URLS}'}")
        return probe
    text = fields.string(key).strip()
    try:
        if text.lower().startswith("unix:"):
            return _unix_url(text, probe)
        scheme, colon, rest = text.partition("://")
        if not colon:
            scheme, rest = "http", text
        end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
        endpoint, host = _server(rest[:end], scheme)
        target = _target(rest[end:])
    except EndpointError as error:
        credentials = isinstance(error, CredentialsError)
        fix = 'use "headers": {"Authorization": …}' if credentials else f"expected {_URLS}"
        fields.error(key, refusal_of("cannot use the URL", text, str(error), fix))
        return probe
    https = endpoint.scheme == "https"
    return probe.replace(host=host, port=endpoint.port, https=https, target=target)


def _server(authority: str, scheme: str) -> tuple[Endpoint, str]:
    """The server, and its host; without a host it is that of the registration, and needs a port."""
    if authority.startswith(":"):
        return parse_endpoint(f"{scheme}://localhost{authority}"), ""
    endpoint = parse_endpoint(f"{scheme}://{authority}")
    if endpoint.socket:  # not possible here
        raise EndpointError("it names a socket")
    try:
        return endpoint, endpoint.host if endpoint.host.isascii() else endpoint.host.encode("idna").decode()
    except UnicodeError:
        raise EndpointError("the host has a character that is not allowed in a host name") from None


def _unix_url(text: str, probe: HttpProbe) -> HttpProbe:
    if not text[5:].startswith("///"):
        raise EndpointError("the path of a socket is absolute, so three slashes follow unix:")
    path, _, target = text[7:].partition(":/")
    _check_socket(path)
    return probe.replace(host="localhost", port=80, socket=path, target=_target(f"/{target}"))


def _target(text: str) -> str:
    if "#" in text:
        raise EndpointError("a fragment (#…) is not sent to a server")
    if any(not "!" <= letter <= "~" for letter in text):
        raise EndpointError("its path has a character that is not allowed, write it as %XX")
    return text if text.startswith("/") else f"/{text}"


# --- the rest of a request


def _read_headers(http: Fields) -> tuple[tuple[str, str], ...]:
    value = http.value("headers")
    if value is None:
        return ()
    path = http.key_path_of("headers")
    if not isinstance(value.data, dict):
        if value.data != []:
            why = f"must be an object of names and values, not {kind(value)}"
            http.problems.unreadable(value.offset, path, why)
        return ()
    headers: list[tuple[str, str]] = []
    names: set[str] = set()
    for name, member in value.data.items():
        data = member.data
        text = data.strip(" \t") if isinstance(data, str) else ""
        if isinstance(data, int | float) and not isinstance(data, bool):
            text = plain(data)
        why = ""
        if not name or not _TOKEN.issuperset(name):
            why = "is not the name of a header"
        elif name.lower() in names:
            why = "is repeated: names of headers match in any case"
        elif name.lower() in _OF_THE_CONNECTION:
            why = "cannot be set: ContainerPilot decides about the connection"
        elif data is None:
            continue  # templates produce it
        elif not isinstance(data, str | int | float) or isinstance(data, bool):
            why = f"must be a string, not {kind(member)}"
        elif any(not (" " <= letter <= "~" or letter == "\t") for letter in text):
            why = "has a character that is not allowed in a header"
        elif not text and name.lower() == "host":
            why = "must not be empty"
        if why:
            offset = member.offset if data is not None else value.keys[name]
            http.problems.error(offset, f"{path}.{name if name.isprintable() else repr(name)}", why)
        names.add(name.lower())
        headers.append((name, text))
    return tuple(headers)


# --- sockets


def read_tcp(fields: Fields) -> SocketProbe:
    """The port that must accept connections."""
    text = fields.string("tcp").strip()
    try:
        if "/" in text:
            raise EndpointError("it is not a URL" if "://" in text else "it has no path")
        if text.isascii() and text.isdecimal():
            raise EndpointError(f'write ":{text}" for a port of the job')
        endpoint, host = _server(text, "http")
        if not endpoint.port_given:
            raise EndpointError("the port is missing")
    except EndpointError as error:
        fields.error("tcp", refusal_of("cannot use the address", text, str(error), f"expected {_TCP}"))
        return SocketProbe()
    return SocketProbe(host=host, port=endpoint.port)


def read_unix(fields: Fields) -> SocketProbe:
    """The unix socket that must accept connections."""
    path = fields.string("unix")
    try:
        _check_socket(path)
    except EndpointError as error:
        fix = f"write {show(path[7:])}" if path.startswith("unix:///") else 'expected a path, such as "/run/app.sock"'
        fields.error("unix", refusal_of("cannot use the socket", path, str(error), fix))
    return SocketProbe(socket=path)


def _check_socket(path: str) -> None:
    if not path.startswith("/"):
        raise EndpointError("its path must be absolute")
    try:
        size = len(to_bytes(path))
    except ValueError:
        raise EndpointError("its path has an incomplete character") from None
    if size > LONGEST_SOCKET_PATH:
        raise EndpointError(f"the path of a socket has at most {LONGEST_SOCKET_PATH} bytes, and this one has {size}")
