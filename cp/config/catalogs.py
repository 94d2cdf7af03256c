"""The keys `consul`, `etcd` and `directory`: the catalogue in which services are registered. A file has at most one."""

from __future__ import annotations

from cp.config import durations
from cp.config.endpoint import FORMS, CredentialsError, EndpointError, parse_endpoint, refusal_of
from cp.config.json5.parser import kind
from cp.plan import ConsulSettings, DirectorySettings, EtcdSettings, Tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cp.config.endpoint import Endpoint
    from cp.config.fields import Fields

    Settings = ConsulSettings | EtcdSettings | DirectorySettings

CATALOG_KEYS = ("consul", "etcd", "directory")

_DEFAULT_ADDRESS = "127.0.0.1:8500"
# Ends of paths that people copy from elsewhere. With them, every request would have a wrong path.
_CONSUL_PATHS = ("/v1", "/ui")
_TIMES = ("connectTimeout", "readTimeout")
_TLS_KEYS = ("cafile", "capath", "clientcert", "clientkey", "servername", "verify")
_CONSUL_KEYS = ("address", "scheme", "token", "tokenfile", "namespace", "partition", "datacenter", "tls", *_TIMES)


def read_catalog(root: Fields, environ: Mapping[str, str], *, preferred_etcd_api: str = "v3") -> Settings | None:
    """The settings of the catalogue; None without one, or for null. `environ` may have CONSUL_* variables."""
    present = sorted((key for key in CATALOG_KEYS if root.has(key)), key=root.offset_of)
    for key in present[1:]:
        root.error(key, f"More than one discovery backend defined: '{present[0]}' is defined already, keep one of them")
    settings: list[Settings | None] = []
    for key in present:
        if key == "consul":
            settings.append(_consul(root, environ))
        elif key == "etcd":
            settings.append(_etcd(root, preferred_etcd_api))
        else:
            settings.append(_directory(root))
    return settings[0] if settings else None


def parse_address(text: str) -> tuple[str, str]:
    """Split Consul's string form into address and scheme. Removes one `http://` or `https://`, and corrects nothing."""
    for scheme in ("http", "https"):
        if text.startswith(f"{scheme}://"):
            return text[len(scheme) + 3 :], scheme
    return text, "http"


def _consul(root: Fields, environ: Mapping[str, str]) -> ConsulSettings | None:
    value = root.value("consul")
    if value is None:
        return None
    if isinstance(value.data, str):
        text = root.string("consul").strip()
        if not text:
            return _consul_settings(root, "consul", "", "", None, environ)
        address, scheme = parse_address(text)
        return _consul_settings(root, "consul", address or text, scheme, None, environ)
    if not isinstance(value.data, dict):
        root.error(
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
        fields.error("scheme", f"must be http or https, not {fields.written('scheme')}")
    return _consul_settings(fields, "address", fields.string("address").strip(), scheme, fields, environ)


def _consul_settings(
    holder: Fields, key: str, address: str, scheme: str, fields: Fields | None, environ: Mapping[str, str]
) -> ConsulSettings:
    """Fill in missing settings as Consul's own client does. The address is the value of `key` in `holder`."""
    origin, fallback = "", environ.get("CONSUL_HTTP_ADDR", "").strip()
    if not address:
        origin = " (in the environment variable CONSUL_HTTP_ADDR)"
        if holder.has(key) and (why := holder.problems.origin(holder.offset_of(key))):
            used = "that of CONSUL_HTTP_ADDR" if fallback else _DEFAULT_ADDRESS
            holder.warning(key, f"the address is empty, so {used} is used: {why}")
        address = fallback or _DEFAULT_ADDRESS
    wants_tls = scheme == "https"
    if not scheme:
        wants_tls = environ.get("CONSUL_HTTP_SSL", "").lower() in ("1", "t", "true")
    if wants_tls and address.lower().startswith("http://"):  # Consul's client uses TLS here, too
        holder.warning(key, f"the address{origin} begins with http://, but TLS is enabled: https is used")
        address = address[len("http://") :]
    try:
        endpoint = parse_endpoint(address, "https" if wants_tls else "http")
    except EndpointError as error:
        fix = "set CONSUL_HTTP_AUTH=NAME:PASSWORD" if isinstance(error, CredentialsError) else f"expected {FORMS}"
        holder.error(key, refusal_of(f"cannot use the address{origin}", address, str(error), fix))
        endpoint = parse_endpoint(_DEFAULT_ADDRESS)
    _warn_about_consul(holder, key, endpoint, origin)

    def setting(name: str, variable: str) -> str:
        return (variable and environ.get(variable, "")) or (fields.string(name) if fields is not None else "")

    connect_timeout, read_timeout = _timeouts(fields)
    return ConsulSettings(
        address=_text_of(endpoint),
        scheme=endpoint.scheme,
        token=setting("token", "CONSUL_HTTP_TOKEN"),
        token_file=setting("tokenfile", "CONSUL_HTTP_TOKEN_FILE"),
        http_auth=environ.get("CONSUL_HTTP_AUTH", ""),
        namespace=setting("namespace", ""),
        partition=setting("partition", ""),
        datacenter=setting("datacenter", ""),
        tls=read_tls(fields, environ),
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
    )


def _warn_about_consul(holder: Fields, key: str, endpoint: Endpoint, origin: str) -> None:
    if endpoint.socket:
        return
    if endpoint.scheme == "http" and not endpoint.port_given and not endpoint.path:
        holder.warning(key, f"the address{origin} names no port, so port 80 is used; Consul itself listens on 8500")
    if endpoint.path.endswith(_CONSUL_PATHS):
        holder.warning(key, f"the address{origin} ends in a path of Consul's own, which ContainerPilot adds itself")


def _text_of(endpoint: Endpoint) -> str:
    """The address without the scheme, which is a setting of its own."""
    return endpoint.origin if endpoint.socket else str(endpoint).partition("://")[2]


def read_tls(fields: Fields | None, environ: Mapping[str, str]) -> Tls:
    """The object `tls`; `environ` may have variables of Consul for it."""
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
    """`connectTimeout` and `readTimeout`, in seconds."""
    times = [2.0, 10.0]
    for index, key in enumerate(_TIMES):
        limit = fields.duration(key) if fields is not None else None
        if limit is not None and fields is not None:
            if limit[0] <= 0:
                fields.error(key, f"must be more than 0, but is {limit[1]}")
            times[index] = durations.seconds(limit[0])
    return times[0], times[1]


def _etcd(root: Fields, preferred_api: str) -> EtcdSettings | None:
    from cp.config.etcd import KEYS, read_etcd

    fields = root.object("etcd", KEYS)
    if fields is None:
        return None
    return read_etcd(fields, preferred_api, _timeouts(fields), read_tls(fields, {}))


def _directory(root: Fields) -> DirectorySettings | None:
    value = root.value("directory")
    if value is None:
        return None
    if isinstance(value.data, str) and value.data.strip():
        return DirectorySettings(path=root.string("directory"))
    what = "an empty string" if isinstance(value.data, str) else kind(value)
    root.error("directory", f'must be the path of a folder, such as "/var/lib/catalog", not {what}')
    return None
