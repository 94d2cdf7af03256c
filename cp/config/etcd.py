"""The key `etcd`, for configurations that have it."""

from __future__ import annotations

from cp.config.endpoint import CredentialsError, EndpointError, parse_endpoint, refusal_of
from cp.config.json5.parser import kind
from cp.plan import EtcdSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.plan import Tls

KEYS = ("endpoints", "prefix", "api", "username", "password", "tls", "connectTimeout", "readTimeout")

# Ends of paths that people copy from elsewhere. With them, every request would have a wrong path.
_PATHS = ("/v2", "/v2/keys", "/v3", "/v3beta")
_FORMS = "http://host:port, or https, and perhaps a path"


def read_etcd(fields: Fields, preferred_api: str, timeouts: tuple[float, float], tls: Tls) -> EtcdSettings:
    """`timeouts`: `connectTimeout` and `readTimeout`, in seconds."""
    api = fields.string("api")
    if api not in ("", "v2", "v3"):
        fields.error("api", f'must be "v2" or "v3", not {fields.written("api")}: leave it out to query the server')
    return EtcdSettings(
        endpoints=_endpoints(fields),
        prefix=fields.string("prefix") or "/containerpilot",
        api=api,
        preferred_api=preferred_api,
        username=fields.string("username"),
        password=fields.string("password"),
        tls=tls,
        connect_timeout=timeouts[0],
        read_timeout=timeouts[1],
    )


def _endpoints(fields: Fields) -> tuple[str, ...]:
    value = fields.value("endpoints")
    if value is None or not isinstance(value.data, str | list):
        found = f", not {kind(value)}" if value is not None else ""
        fields.error("endpoints", f'Must provide etcd endpoints{found}, such as "endpoints": ["http://etcd:2379"]')
        return ()
    given = [value] if isinstance(value.data, str) else value.data
    endpoints = [(one.offset, one.data) for one in given if isinstance(one.data, str)]
    if not endpoints:
        fields.error("endpoints", 'client: no endpoints available: name one, such as ["http://etcd:2379"]')
    return tuple(_endpoint(fields, offset, text.strip()) for offset, text in endpoints)


def _endpoint(fields: Fields, offset: int, text: str) -> str:
    key_path = fields.key_path_of("endpoints")
    try:
        endpoint = parse_endpoint(text)
        if "://" not in text:
            raise EndpointError("the scheme is missing")
        if endpoint.socket:
            raise EndpointError("etcd does not listen on a unix socket")
    except EndpointError as error:
        has_password = isinstance(error, CredentialsError)
        fix = "set etcd.username and etcd.password" if has_password else f"expected {_FORMS}"
        fields.problems.error(offset, key_path, refusal_of("cannot use the endpoint", text, str(error), fix))
        return text
    if endpoint.scheme == "http" and not endpoint.port_given and not endpoint.path:
        why = "the endpoint names no port, so port 80 is used; etcd itself listens on 2379"
        fields.problems.warning(offset, key_path, why)
    if endpoint.path.endswith(_PATHS):
        why = "the endpoint ends in a path of etcd's own, which ContainerPilot adds itself"
        fields.problems.warning(offset, key_path, why)
    return str(endpoint)
