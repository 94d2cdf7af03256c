"""Where services are registered: `consul`, `etcd` or `directory`, at most one of them."""

from __future__ import annotations

from cp.config import durations
from cp.config.fields import kind
from cp.plan import ConsulSettings, DirectorySettings, EtcdSettings, Tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cp.config.fields import Fields

    Settings = ConsulSettings | EtcdSettings | DirectorySettings

CATALOG_KEYS = ("consul", "etcd", "directory")

_DEFAULT_ADDRESS = "127.0.0.1:8500"
_TIMES = ("connectTimeout", "readTimeout")
_TLS_KEYS = ("cafile", "capath", "clientcert", "clientkey", "servername", "verify")
_CONSUL_KEYS = ("address", "scheme", "token", "tokenfile", "namespace", "partition", "datacenter", "tls", *_TIMES)
_ETCD_KEYS = ("endpoints", "prefix", "api", "username", "password", "tls", *_TIMES)


def read_catalog(root: Fields, environ: Mapping[str, str]) -> Settings | None:
    """The settings of the catalogue; None if there is none, or null. The CONSUL_* variables of `environ` count."""
    present = sorted((key for key in CATALOG_KEYS if root.has(key)), key=root.place)
    for key in present[1:]:
        root.fault(key, f"More than one discovery backend defined: '{present[0]}' is there already, keep one of them")
    settings: list[Settings | None] = []
    for key in present:
        if key == "consul":
            settings.append(_consul(root, environ))
        elif key == "etcd":
            settings.append(_etcd(root))
        else:
            settings.append(_directory(root))
    return settings[0] if settings else None


def parse_address(text: str) -> tuple[str, str]:
    """Address and scheme of Consul's string form: one `http://` or `https://` is taken off, and nothing is repaired."""
    for scheme in ("http", "https"):
        if text.startswith(f"{scheme}://"):
            return text[len(scheme) + 3 :], scheme
    return text, "http"


def _consul(root: Fields, environ: Mapping[str, str]) -> ConsulSettings | None:
    value = root.value("consul")
    if value is None:
        return None
    if isinstance(value.data, str):
        text = root.string("consul")
        if text:
            address, scheme = parse_address(text)
            return _consul_settings(root, "consul", address, scheme, None, environ)
        return _consul_settings(root, "consul", "", "", None, environ)
    if not isinstance(value.data, dict):
        root.fault(
            "consul",
            f"Unexpected Consul config structure: must be a string or an object, not {kind(value)}, "
            'such as "localhost:8500"',
        )
        return None
    fields = root.object("consul", _CONSUL_KEYS)
    if fields is None:
        return None
    scheme = fields.string("scheme").lower()
    if scheme not in ("", "http", "https"):
        fields.fault("scheme", f"must be http or https, not '{scheme}'")
    return _consul_settings(fields, "address", fields.string("address"), scheme, fields, environ)


def _consul_settings(
    place: Fields, key: str, address: str, scheme: str, fields: Fields | None, environ: Mapping[str, str]
) -> ConsulSettings:
    """What is not said is filled in as Consul's own client does; `place` and `key` are where the address was said."""
    origin = "" if address else " (in the environment variable CONSUL_HTTP_ADDR)"
    address = address or environ.get("CONSUL_HTTP_ADDR", "") or _DEFAULT_ADDRESS
    if not scheme:
        scheme = "https" if environ.get("CONSUL_HTTP_SSL", "").lower() in ("1", "t", "true") else "http"
    if address.startswith(("http://", "https://")):  # Consul's client takes one more
        address, scheme = parse_address(address)
    if not address.startswith("unix://"):  # the address itself is not shown: some write a password into it
        if "/" in address:
            place.warning(
                key, f"the address{origin} does not look like host:port, Consul will hardly be reached with it"
            )
        elif scheme == "http" and ":" not in address.rpartition("]")[2]:
            place.warning(key, f"the address{origin} names no port, so port 80 is used; Consul itself listens on 8500")

    def setting(name: str, variable: str) -> str:
        return (variable and environ.get(variable, "")) or (fields.string(name) if fields is not None else "")

    connect_timeout, read_timeout = _timeouts(fields)
    return ConsulSettings(
        address=address,
        scheme=scheme,
        token=setting("token", "CONSUL_HTTP_TOKEN"),
        token_file=setting("tokenfile", "CONSUL_HTTP_TOKEN_FILE"),
        http_auth=environ.get("CONSUL_HTTP_AUTH", ""),
        namespace=setting("namespace", ""),
        partition=setting("partition", ""),
        datacenter=setting("datacenter", ""),
        tls=_tls(fields, environ),
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
    )


def _tls(fields: Fields | None, environ: Mapping[str, str]) -> Tls:
    inner = fields.object("tls", _TLS_KEYS) if fields is not None else None

    def setting(name: str, variable: str) -> str:
        return environ.get(variable, "") or (inner.string(name) if inner is not None else "")

    verify = inner.boolean("verify", True) if inner is not None else True
    spelled = environ.get("CONSUL_HTTP_SSL_VERIFY", "").lower()
    if spelled in ("0", "1", "false", "true"):
        verify = spelled in ("1", "true")
    return Tls(
        ca_file=setting("cafile", "CONSUL_CACERT"),
        ca_path=setting("capath", "CONSUL_CAPATH"),
        client_cert=setting("clientcert", "CONSUL_CLIENT_CERT"),
        client_key=setting("clientkey", "CONSUL_CLIENT_KEY"),
        server_name=setting("servername", "CONSUL_TLS_SERVER_NAME"),
        verify=verify,
    )


def _timeouts(fields: Fields | None) -> tuple[float, float]:
    """`connectTimeout` and `readTimeout` in seconds."""
    times = [2.0, 10.0]
    for index, key in enumerate(_TIMES):
        limit = fields.duration(key) if fields is not None else None
        if limit is not None and fields is not None:
            if limit[0] <= 0:
                fields.fault(key, f"must be more than 0, but is {limit[1]}")
            times[index] = durations.seconds(limit[0])
    return times[0], times[1]


def _etcd(root: Fields) -> EtcdSettings | None:
    fields = root.object("etcd", _ETCD_KEYS)
    if fields is None:
        return None
    api = fields.string("api")
    if api not in ("", "v2", "v3"):
        fields.fault("api", f'must be "v2" or "v3", not \'{api}\': leave it out to ask the server')
    connect_timeout, read_timeout = _timeouts(fields)
    return EtcdSettings(
        endpoints=_endpoints(fields),
        prefix=fields.string("prefix") or "/containerpilot",
        api=api,
        username=fields.string("username"),
        password=fields.string("password"),
        tls=_tls(fields, {}),
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
    )


def _endpoints(fields: Fields) -> tuple[str, ...]:
    value = fields.value("endpoints")
    if value is None or not isinstance(value.data, str | list):
        fields.fault("endpoints", 'Must provide etcd endpoints, such as "endpoints": ["http://etcd:2379"]')
        return ()
    given = [value] if isinstance(value.data, str) else value.data
    endpoints = [(one.at, one.data) for one in given if isinstance(one.data, str)]
    if not endpoints:
        fields.fault("endpoints", 'client: no endpoints available: name one, such as ["http://etcd:2379"]')
    for at, endpoint in endpoints:
        if not (endpoint.startswith(("http://", "https://")) and endpoint.partition("://")[2]):
            fields.problems.fault(at, fields.where("endpoints"), "must be a URL such as http://etcd:2379")
    return tuple(endpoint for _, endpoint in endpoints)


def _directory(root: Fields) -> DirectorySettings | None:
    value = root.value("directory")
    if value is None:
        return None
    if isinstance(value.data, str) and value.data.strip():
        return DirectorySettings(path=root.string("directory"))
    what = "an empty string" if isinstance(value.data, str) else kind(value)
    root.fault("directory", f'must be the path of a folder, such as "/var/lib/catalog", not {what}')
    return None
