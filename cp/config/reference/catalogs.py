"""The keys of the catalogues: Consul, etcd, a directory."""

from __future__ import annotations

from cp.config.reference.key import NEW, NEW_IN_JOBS, NEW_IN_SERVICES, Key

_CATALOGS = ("consul", "etcd", "directory")


def tls(meaning: str, *, of_consul: bool = False) -> Key:
    """The key `tls` of a client. That of Consul has variables of the environment as well."""

    def variable(name: str) -> str:
        return name if of_consul else ""

    return Key(
        "tls",
        "object",
        meaning,
        {"cafile": "/etc/ssl/catalogue-ca.pem"},
        since=NEW_IN_SERVICES if of_consul else NEW,
        keys=(
            Key(
                "cafile",
                "string",
                "The file of the certificates to trust.",
                "/etc/ssl/catalogue-ca.pem",
                default_words="the system's",
                environment=variable("CONSUL_CACERT"),
            ),
            Key(
                "capath",
                "string",
                "The folder of the certificates to trust.",
                "/etc/ssl/certs",
                default_words="the system's",
                environment=variable("CONSUL_CAPATH"),
            ),
            Key(
                "clientcert",
                "string",
                "The file of the client's certificate.",
                "/run/secrets/client.pem",
                environment=variable("CONSUL_CLIENT_CERT"),
            ),
            Key(
                "clientkey",
                "string",
                "The file of the client's private key.",
                "/run/secrets/client.key",
                environment=variable("CONSUL_CLIENT_KEY"),
            ),
            Key(
                "servername",
                "string",
                "The name that the server's certificate must have.",
                "server.dc1.consul",
                default_words="the host of the address",
                environment=variable("CONSUL_TLS_SERVER_NAME"),
            ),
            Key(
                "verify",
                "boolean",
                "Whether ContainerPilot verifies the server's certificate.",
                False,
                default=True,
                environment=variable("CONSUL_HTTP_SSL_VERIFY"),
            ),
        ),
    )


_TIMES = (
    Key(
        "connectTimeout",
        "duration",
        "The time limit for connecting, including the look-up of the name and TLS.",
        "5s",
        default="2s",
        least="1ns",
        since=NEW,
    ),
    Key(
        "readTimeout",
        "duration",
        "The time limit from a request to the last byte of its answer.",
        "30s",
        default="10s",
        least="1ns",
        since=NEW,
    ),
)

_CONSUL = (
    Key(
        "address",
        "string",
        "`host:port`, a URL such as `http://gateway/consul`, `[IPv6 address]:port`, or `unix:///path` of a socket. "
        'The empty string `""` means the default.',
        "consul.internal:8500",
        default="127.0.0.1:8500",
        default_words="`CONSUL_HTTP_ADDR`, otherwise `127.0.0.1:8500`",
        environment="CONSUL_HTTP_ADDR",
        environment_is_default=True,
    ),
    Key(
        "scheme",
        "string",
        "The protocol, if the address does not name it.",
        "https",
        default="http",
        default_words='`"https"` if `CONSUL_HTTP_SSL` is true, otherwise `"http"`',
        values=("http", "https"),
        any_case=True,
    ),
    Key("token", "string", "The ACL token.", "4f6c1a", environment="CONSUL_HTTP_TOKEN", secret=True),
    Key(
        "tokenfile",
        "string",
        "The file with the token, which ContainerPilot reads again when it changes. As in Consul's own client, the "
        "token in the file wins over `token` and `CONSUL_HTTP_TOKEN`; these are used only if the file is empty.",
        "/run/secrets/consul-token",
        environment="CONSUL_HTTP_TOKEN_FILE",
        since=NEW,
    ),
    Key("namespace", "string", "The namespace, in Consul Enterprise.", "team-a", since=NEW),
    Key("partition", "string", "The admin partition, in Consul Enterprise.", "web", since=NEW),
    Key(
        "datacenter",
        "string",
        "The datacenter in which ContainerPilot looks for watched services.",
        "dc2",
        default_words="the agent's",
        since=NEW,
    ),
    tls("How ContainerPilot connects to Consul with `https`.", of_consul=True),
    *_TIMES,
)

_ETCD = (
    Key(
        "endpoints",
        ("string", "strings"),
        "The URLs of etcd, such as `http://etcd:2379` or `https://gateway/etcd`.",
        ["http://etcd-1:2379", "http://etcd-2:2379"],
        required=True,
    ),
    Key(
        "prefix",
        "string",
        "The prefix of all keys that ContainerPilot writes in etcd.",
        "/services",
        default="/containerpilot",
    ),
    Key(
        "api",
        "string",
        "The version of etcd's API. [Without it](catalogues.md#etcd) ContainerPilot queries the server.",
        "v3",
        default_words="what the server supports",
        values=("v2", "v3"),
        since=NEW,
    ),
    Key("username", "string", "The user in etcd.", "containerpilot", since=NEW),
    Key("password", "string", "The password of this user.", "4f6c1a2b", secret=True, since=NEW),
    tls(
        "How ContainerPilot connects to etcd with `https`: the keys of [`tls` of Consul](configuration.md#consul) "
        "without their variables."
    ),
    *_TIMES,
)


def _others(name: str) -> tuple[str, ...]:
    return tuple(other for other in _CATALOGS if other != name)


CATALOGS = (
    Key(
        "consul",
        ("string", "object"),
        "[The catalogue Consul](configuration.md#consul): its address, or an object.",
        {"address": "consul.internal:8500"},
        excludes=_others("consul"),
        keys=_CONSUL,
    ),
    Key(
        "etcd",
        "object",
        "[The catalogue etcd](configuration.md#etcd).",
        {"endpoints": ["http://etcd:2379"]},
        excludes=_others("etcd"),
        keys=_ETCD,
        since=NEW_IN_JOBS,
    ),
    Key(
        "directory",
        "string",
        "The path of [a folder as the catalogue](configuration.md#directory). ContainerPilot creates the folder if it "
        "does not exist.",
        "/var/lib/catalogue",
        excludes=_others("directory"),
        since=NEW,
    ),
)
