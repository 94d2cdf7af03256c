"""`consul`, `etcd`, `directory`: what they mean, alone and with Consul's environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cp.config.catalogs import parse_address, read_catalog
from cp.config.errors import ConfigError, Problems
from cp.config.fields import Fields
from cp.config.json5.parser import parse
from cp.plan import ConsulSettings, DirectorySettings, EtcdSettings, Tls
from tests.unit.config.loading import load_text

Settings = ConsulSettings | EtcdSettings | DirectorySettings | None


def settings(json: str, environ: Mapping[str, str] | None = None) -> tuple[Settings, tuple[str, ...]]:
    """The settings, and the warnings."""
    document = parse(json)
    problems = Problems(document, "f")
    read = read_catalog(Fields(problems, document.root, "", ("consul", "etcd", "directory")), environ or {})
    problems.check()
    return read, problems.warnings


def consul(json: str, **environ: str) -> ConsulSettings:
    read, warnings = settings(f'{{"consul": {json}}}', environ)
    assert isinstance(read, ConsulSettings)
    assert warnings == ()
    return read


def errors(json: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings(json)
    return list(caught.value.errors)


# -- consul


@pytest.mark.parametrize(
    ("text", "address", "scheme"),
    [
        ("https://consul:8500", "consul:8500", "https"),
        ("http://consul:8500", "consul:8500", "http"),
        ("consul:8500", "consul:8500", "http"),
        ("httpshttps://consul:8500", "httpshttps://consul:8500", "http"),
        ("https://https://consul:8500", "https://consul:8500", "https"),
        ("http://https://consul:8500", "https://consul:8500", "http"),
        ("consul:8500https://", "consul:8500https://", "http"),
        ("", "", "http"),
    ],
)
def test_the_string_form(text: str, address: str, scheme: str) -> None:
    assert parse_address(text) == (address, scheme)


def test_a_string() -> None:
    assert consul('"https://consul:8501"') == ConsulSettings(address="consul:8501", scheme="https")


def test_an_object_with_every_key() -> None:
    read = consul(
        """{address: "consul:8501", scheme: "HTTPS", token: "t", tokenfile: "/run/token", namespace: "n",
            partition: "p", datacenter: "d", tls: {cafile: "ca", capath: "cas", clientcert: "c", clientkey: "k",
            servername: "s", verify: false}, connectTimeout: "500ms", readTimeout: 30}"""
    )

    assert read == ConsulSettings(
        address="consul:8501",
        scheme="https",
        token="t",
        token_file="/run/token",
        namespace="n",
        partition="p",
        datacenter="d",
        tls=Tls(ca_file="ca", ca_path="cas", client_cert="c", client_key="k", server_name="s", verify=False),
        connect_timeout=0.5,
        read_timeout=30.0,
    )


@pytest.mark.parametrize("json", ['""', "{}", '{"address": ""}'])
def test_missing_settings_come_from_the_environment(json: str) -> None:
    assert consul(json) == ConsulSettings(address="127.0.0.1:8500")
    assert consul(json, CONSUL_HTTP_ADDR="there:1", CONSUL_HTTP_SSL="true") == ConsulSettings(
        address="there:1", scheme="https"
    )


def test_an_address_with_a_scheme_is_honoured() -> None:
    assert consul('{"address": "https://consul:8501"}') == ConsulSettings(address="consul:8501", scheme="https")
    assert consul('""', CONSUL_HTTP_ADDR="https://there:1") == ConsulSettings(address="there:1", scheme="https")
    assert consul('"unix:///run/consul.sock"') == ConsulSettings(address="unix:///run/consul.sock")


def test_the_environment_wins_for_the_token_and_tls() -> None:
    read = consul(
        '{"address": "c:1", "token": "file", "tls": {"cafile": "file", "verify": true}}',
        CONSUL_HTTP_TOKEN="env",
        CONSUL_HTTP_TOKEN_FILE="/env",
        CONSUL_HTTP_AUTH="user:password",
        CONSUL_CACERT="1",
        CONSUL_CAPATH="2",
        CONSUL_CLIENT_CERT="3",
        CONSUL_CLIENT_KEY="4",
        CONSUL_TLS_SERVER_NAME="5",
        CONSUL_HTTP_SSL_VERIFY="False",
    )

    assert (read.token, read.token_file, read.http_auth) == ("env", "/env", "user:password")
    assert read.tls == Tls(ca_file="1", ca_path="2", client_cert="3", client_key="4", server_name="5", verify=False)


def test_empty_and_odd_variables_change_nothing() -> None:
    read = consul('{"address": "c:1", "token": "file"}', CONSUL_HTTP_TOKEN="", CONSUL_HTTP_SSL_VERIFY="no")

    assert (read.token, read.tls.verify) == ("file", True)


def test_certificates_are_verified_unless_that_is_switched_off() -> None:
    assert consul('"https://c:1"').tls.verify
    assert not consul('{"address": "c:1", "tls": {"verify": "false"}}').tls.verify
    assert consul('{"address": "c:1", "tls": {"verify": false}}', CONSUL_HTTP_SSL_VERIFY="1").tls.verify


@pytest.mark.parametrize(("value", "what"), [("5", "a number"), ("[]", "an array"), ("true", "a boolean")])
def test_another_type_is_refused(value: str, what: str) -> None:
    assert errors(f'{{"consul": {value}}}') == [
        f"f:1:12: consul: Unexpected Consul config structure: must be a string or an object, not {what}, "
        'such as "localhost:8500"'
    ]


@pytest.mark.parametrize(
    ("json", "error"),
    [
        ('{"scheme": "ftp"}', 'f:1:23: consul.scheme: must be http or https, not "ftp"'),
        ('{"tls": "yes"}', "f:1:20: consul.tls: must be an object {…}, not a string"),
        ('{"readTimeout": "0"}', "f:1:28: consul.readTimeout: must be more than 0, but is 0"),
        (
            '{"tls": {"ca_file": "x"}}',
            "f:1:21: consul.tls.ca_file: unknown key (did you mean 'cafile'?): 'tls' has invalid keys: ca_file",
        ),
        ('{"token": ["s3cret"]}', "f:1:22: consul.token: must be a string, not an array"),
    ],
)
def test_errors_inside_are_named(json: str, error: str) -> None:
    assert errors(f'{{"consul": {json}}}') == [error]


@pytest.mark.parametrize(
    ("json", "environ", "warning"),
    [
        ('"consul"', {}, "consul: the address names no port, so port 80 is used; Consul itself listens on 8500"),
        ('"[::1]"', {}, "consul: the address names no port"),
        ('{"address": "consul"}', {}, "consul.address: the address names no port"),
        (
            '"http://c:1/v1/"',
            {},
            "consul: the address ends in a path of Consul's own, which ContainerPilot adds itself",
        ),
        ('"http://c:1/consul/ui"', {}, "consul: the address ends in a path of Consul's own"),
        ('{"address": "http://c:1", "scheme": "https"}', {}, "begins with http://, but TLS is enabled: https is used"),
        ('""', {"CONSUL_HTTP_ADDR": "http://c:1", "CONSUL_HTTP_SSL": "1"}, "the address (in the environment variable"),
        ('""', {"CONSUL_HTTP_ADDR": "c"}, "the address (in the environment variable CONSUL_HTTP_ADDR) names no port"),
    ],
)
def test_an_address_that_will_not_be_reached_is_warned_about(json: str, environ: dict[str, str], warning: str) -> None:
    _, (text,) = settings(f'{{"consul": {json}}}', environ)

    assert warning in text


@pytest.mark.parametrize(
    ("json", "address", "scheme"),
    [
        ('"http://c:8500/"', "c:8500", "http"),
        ('"c:8500/"', "c:8500", "http"),
        ('" http://c:8500\\n"', "c:8500", "http"),
        ('"HTTPS://c:8501/"', "c:8501", "https"),
        ('"http://gateway/consul/"', "gateway:80/consul", "http"),
        ('"gateway/consul"', "gateway:80/consul", "http"),
        ('{"address": "gateway/consul", "scheme": "https"}', "gateway:443/consul", "https"),
        ('{"address": "https://gateway/consul"}', "gateway:443/consul", "https"),
        ('"http://[fe80::1%25eth0]:8500/"', "[fe80::1%eth0]:8500", "http"),
        ('"unix:///run/consul.sock"', "unix:///run/consul.sock", "http"),
    ],
)
def test_a_slash_and_a_path(json: str, address: str, scheme: str) -> None:
    assert consul(json) == ConsulSettings(address=address, scheme=scheme)
    if '"scheme"' not in json:
        text = json.removeprefix('{"address": ').removesuffix("}").strip('"').replace("\\n", "\n")
        assert consul("{}", CONSUL_HTTP_ADDR=text) == ConsulSettings(address=address, scheme=scheme)


def test_tls_that_is_wanted_is_not_undone_by_an_address() -> None:
    """As in Consul's own client."""
    for json, environ in (
        ('{"address": "http://c:1", "scheme": "https"}', {}),
        ('""', {"CONSUL_HTTP_ADDR": "http://c:1", "CONSUL_HTTP_SSL": "true"}),
        ('"https://http://c:1"', {}),
    ):
        assert settings(f'{{"consul": {json}}}', environ)[0] == ConsulSettings(address="c:1", scheme="https")


@pytest.mark.parametrize(
    ("json", "line_column", "text"),
    [
        ('":8500"', "f:1:12: consul", "':8500': the host is missing (is a variable empty?); expected host:port, "),
        ('"http://"', "f:1:12: consul", "'http://': the host is missing"),
        ('"http://:8500/"', "f:1:12: consul", "':8500/': the host is missing"),
        ('"[consul]"', "f:1:12: consul", "'[consul]': the text in brackets is not an IPv6 address"),
        ('"consul:"', "f:1:12: consul", "'consul:': the port is missing (is a variable empty?)"),
        ('"consul:0"', "f:1:12: consul", "'consul:0': the port is not a number from 1 to 65535"),
        ('"consul:70000"', "f:1:12: consul", "'consul:70000': the port is not a number from 1 to 65535"),
        ('"httpshttps://c:1"', "f:1:12: consul", "'httpshttps://c:1': the scheme is 'httpshttps', expected http or"),
        ('{"address": ":8500"}', "f:1:24: consul.address", "':8500': the host is missing"),
        (
            '"http://me:s3cret@c:1"',
            "f:1:12: consul",
            ": it must not contain a name and a password; set CONSUL_HTTP_A",
        ),
        ('{"address": "s3cret@c"}', "f:1:24: consul.address", ": it must not contain a name and a password; set "),
    ],
)
def test_an_address_that_can_never_work_is_an_error_with_its_place(json: str, line_column: str, text: str) -> None:
    (error,) = errors(f'{{"consul": {json}}}')

    assert f"{line_column}: cannot use the address" in error
    assert text in error
    assert "s3cret" not in error


@pytest.mark.parametrize("json", ['""', "{}", '{"address": ""}'])
def test_a_variable_that_can_never_work_is_named(json: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(f'{{"consul": {json}}}', {"CONSUL_HTTP_ADDR": "http://:8500"})

    (error,) = caught.value.errors
    assert "cannot use the address (in the environment variable CONSUL_HTTP_ADDR) 'http://:8500': the host is" in error


@pytest.mark.parametrize(
    ("text", "line_column"),
    [('{consul: "{{ .X }}"}', "1:10: consul"), ('{jobs: [], consul: {address: "{{ .X }} "}}', "1:30: consul.address")],
)
def test_an_address_that_a_variable_leaves_empty_is_a_warning(text: str, line_column: str) -> None:
    def warned(text: str, **environ: str) -> list[str]:
        return [one for one in load_text(text, environ=environ).warnings if "address is empty" in one]

    (unset,), (empty,) = warned(text), warned(text, X="", CONSUL_HTTP_ADDR="agent:1")

    assert (
        f"app.json:{line_column}: the address is empty, so 127.0.0.1:8500 is used: {{{{ .X }}}} at app.json:1:" in unset
    )
    assert unset.endswith("gives nothing: the variable X is not set")
    assert "the address is empty, so that of CONSUL_HTTP_ADDR is used: " in empty
    assert empty.endswith("gives nothing: the variable X is empty")
    assert warned(text, X="consul:8500") == warned(text.replace("{{ .X }}", ""), X="") == []


# -- directory


def test_directory() -> None:
    assert settings('{"directory": "/var/lib/catalog"}')[0] == DirectorySettings(path="/var/lib/catalog")


@pytest.mark.parametrize(
    ("value", "what"), [('""', "an empty string"), ('" "', "an empty string"), ("{}", "an object")]
)
def test_directory_must_be_a_path(value: str, what: str) -> None:
    assert errors(f'{{"directory": {value}}}') == [
        f'f:1:15: directory: must be the path of a folder, such as "/var/lib/catalog", not {what}'
    ]


# -- etcd


@pytest.mark.parametrize("endpoints", ['"http://etcd:2379"', '["http://etcd:2379", 5, null]'])
def test_etcd(endpoints: str) -> None:
    read, _ = settings(f'{{"etcd": {{"endpoints": {endpoints}, "prefix": ""}}}}', {"CONSUL_CACERT": "not for etcd"})

    assert read == EtcdSettings(endpoints=("http://etcd:2379",), prefix="/containerpilot")


def test_etcd_with_every_key() -> None:
    read, _ = settings(
        """{etcd: {endpoints: ["https://a:1", "https://b:1"], prefix: "/p", api: "v2", username: "u", password: "p",
            tls: {cafile: "ca"}, connectTimeout: 1, readTimeout: "2s"}}"""
    )

    assert read == EtcdSettings(
        endpoints=("https://a:1", "https://b:1"),
        prefix="/p",
        api="v2",
        username="u",
        password="p",
        tls=Tls(ca_file="ca"),
        connect_timeout=1.0,
        read_timeout=2.0,
    )


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ("http://etcd:2379/", "http://etcd:2379"),
        ("HTTP://etcd:2379/ \\n", "http://etcd:2379"),
        ("https://gateway/etcd/", "https://gateway:443/etcd"),
        ("http://[fe80::1%25eth0]:2379", "http://[fe80::1%eth0]:2379"),
    ],
)
def test_an_endpoint_with_a_slash_or_a_path(given: str, endpoint: str) -> None:
    read, warnings = settings(f'{{"etcd": {{"endpoints": "{given}"}}}}')

    assert read == EtcdSettings(endpoints=(endpoint,))
    assert warnings == ()


@pytest.mark.parametrize(
    ("endpoint", "warning"),
    [
        ("http://etcd", "the endpoint names no port, so port 80 is used; etcd itself listens on 2379"),
        ("http://etcd:2379/v2/keys/", "the endpoint ends in a path of etcd's own, which ContainerPilot adds itself"),
        ("http://etcd:2379/v3", "the endpoint ends in a path of etcd's own"),
    ],
)
def test_an_endpoint_that_will_not_be_reached_is_warned_about(endpoint: str, warning: str) -> None:
    _, (text,) = settings(f'{{"etcd": {{"endpoints": ["{endpoint}"]}}}}')

    assert f"f:1:25: etcd.endpoints: {warning}" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("{}", "etcd.endpoints: Must provide etcd endpoints"),
        ('{"endpoints": null}', "etcd.endpoints: Must provide etcd endpoints"),
        ('{"endpoints": 5}', "etcd.endpoints: Must provide etcd endpoints, not a number, such as"),
        ('{"endpoints": []}', "etcd.endpoints: client: no endpoints available"),
        (
            '{"endpoints": "etcd:2379"}',
            "etcd.endpoints: cannot use the endpoint 'etcd:2379': the scheme is missing; expected http://host:port",
        ),
        (
            '{"endpoints": ""}',
            "cannot use the endpoint '': the host is missing (is a variable empty?); expected http://",
        ),
        ('{"endpoints": "h\u00f6st"}', "cannot use the endpoint 'h\u00f6st': the scheme is missing"),
        ('{"endpoints": "http://a\\u001b"}', r"cannot use the endpoint 'http://a\x1b': the host has a character"),
        (
            '{"endpoints": ["http://a:1", "http://:2379"]}',
            "f:1:39: etcd.endpoints: cannot use the endpoint 'http://:2379'",
        ),
        ('{"endpoints": "http://e:70000"}', "'http://e:70000': the port is not a number from 1 to 65535"),
        ('{"endpoints": "http://a:1,http://b:1"}', "'http://a:1,http://b:1': "),
        (
            '{"endpoints": "unix:///run/etcd"}',
            "endpoint 'unix:///run/etcd': etcd does not listen on a unix socket; expected http://",
        ),
        (
            '{"endpoints": "http://me:pw@e:1"}',
            "endpoint 'http://…@e:1': it must not contain a name and a password; set etcd.us",
        ),
        ('{"endpoints": "http://e:1", "api": "v4"}', 'etcd.api: must be "v2" or "v3", not "v4"'),
        ('"http://e:1"', "etcd: must be an object {…}, not a string"),
    ],
)
def test_errors_in_the_etcd_settings(value: str, text: str) -> None:
    (error,) = errors(f'{{"etcd": {value}}}')

    assert text in error


def test_each_dialect_prefers_an_api() -> None:
    etcd = '{"etcd": {"endpoints": "http://e:2379"}'
    services, jobs = load_text(f'{etcd}, "services": []}}', "app"), load_text(f'{etcd}, "jobs": []}}')

    assert services.catalog == EtcdSettings(endpoints=("http://e:2379",), preferred_api="v2")
    assert jobs.catalog == EtcdSettings(endpoints=("http://e:2379",), preferred_api="v3")


# -- one of them


def test_null_is_none() -> None:
    assert settings('{"consul": null, "etcd": null, "directory": null}')[0] is None
    assert settings('{"consul": null, "directory": "/d"}')[0] == DirectorySettings(path="/d")


def test_only_one_of_them() -> None:
    assert errors('{"directory": "/d",\n "consul": "c:1"}') == [
        "f:2:12: consul: More than one discovery backend defined: 'directory' is defined already, keep one of them"
    ]


def test_settings_compare_by_value() -> None:
    one: Any = consul('"c:1"')

    assert one == consul('{"address": "c:1"}')
    assert one != consul('"c:2"')
