"""Addresses of catalogues, and the proxies on the way."""

from __future__ import annotations

import pytest

from cp.catalog import CatalogError
from cp.catalog.address import parse_address
from cp.catalog.proxy import proxy_for


@pytest.mark.parametrize(
    ("text", "scheme", "meaning"),
    [
        ("127.0.0.1:8500", "http", "http://127.0.0.1:8500"),
        ("consul.example.com", "http", "http://consul.example.com:80"),
        ("consul.example.com", "https", "https://consul.example.com:443"),
        ("[::1]:8500", "http", "http://[::1]:8500"),
        ("[fe80::1%eth0]", "https", "https://[fe80::1%eth0]:443"),
        ("unix:///run/consul.sock", "https", "unix:///run/consul.sock"),
        ("unix://relative.sock", "http", "unix://relative.sock"),
    ],
)
def test_addresses(text: str, scheme: str, meaning: str) -> None:
    assert str(parse_address(text, scheme, "consul.address")) == meaning


@pytest.mark.parametrize(
    "text",
    ["", ":8500", "host:", "host:0", "host:65536", "host:port", "host:-1", "::1", "::1:8500", "http://host:1", "a b:1",
     "host/path:1", "https://https://c:1", "host\n:1", "[]:1", "host:\u0661"],
)  # fmt: skip
def test_addresses_that_make_no_sense_are_named_with_their_key(text: str) -> None:
    with pytest.raises(CatalogError) as caught:
        parse_address(text, "http", "consul.address")
    assert str(caught.value) == (
        f"cannot use consul.address '{text}': expected host:port, [IPv6 address]:port or unix:///path"
    )


def test_a_password_in_an_address_is_not_shown() -> None:
    with pytest.raises(CatalogError, match=r"cannot use consul\.address '\*+@host:1': expected host:port") as caught:
        parse_address("user:s3cret@host:1", "http", "consul.address")
    assert "s3cret" not in str(caught.value)


def test_a_unix_socket_needs_a_path() -> None:
    with pytest.raises(CatalogError, match="the path of the socket is missing"):
        parse_address("unix://", "http", "consul.address")


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(CatalogError, match="the scheme is 'ftp', expected http or https"):
        parse_address("host:1", "ftp", "consul.address")


@pytest.mark.parametrize(
    ("scheme", "host", "environ", "goes_to"),
    [
        ("http", "consul", {}, None),
        ("http", "consul", {"HTTP_PROXY": ""}, None),
        ("http", "consul", {"HTTP_PROXY": "http://proxy:3128"}, ("proxy", 3128)),
        ("http", "consul", {"http_proxy": "proxy:3128"}, ("proxy", 3128)),
        ("http", "consul", {"HTTP_PROXY": "http://proxy/"}, ("proxy", 80)),
        ("http", "consul", {"HTTPS_PROXY": "http://proxy:3128"}, None),
        ("https", "consul", {"HTTPS_PROXY": "http://proxy:3128"}, ("proxy", 3128)),
        ("http", "localhost", {"HTTP_PROXY": "http://proxy:3128"}, None),
        ("http", "127.0.0.9", {"HTTP_PROXY": "http://proxy:3128"}, None),
        ("http", "::1", {"HTTP_PROXY": "http://proxy:3128"}, None),
    ],
)
def test_which_proxy(scheme: str, host: str, environ: dict[str, str], goes_to: tuple[str, int] | None) -> None:
    proxy = proxy_for(scheme, host, 8500, environ)
    assert (None if proxy is None else (proxy.host, proxy.port)) == goes_to


@pytest.mark.parametrize(
    ("host", "exceptions", "direct"),
    [
        ("consul.example.com", "*", True),
        ("consul.example.com", "example.com", True),
        ("consul.example.com", ".example.com", True),
        ("consul.example.com", "*.example.com", True),
        ("consul.example.com", " other , CONSUL.example.com ", True),
        ("consul.example.com", "consul.example.com:8500", True),
        ("consul.example.com", "consul.example.com:80", False),
        ("consul.example.com", "sul.example.com", False),
        ("example.com", ".example.com", False),
        ("example.com", "example.com", True),
        ("10.1.2.3", "10.1.0.0/16", True),
        ("10.1.2.3", "10.2.0.0/16", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "3", False),
        ("fd00::5", "fd00::/8", True),
        ("fd00::5", "[fd00::5]:8500", True),
        ("fd00::5", ",,", False),
    ],
)
def test_what_needs_no_proxy(host: str, exceptions: str, direct: bool) -> None:
    environ = {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": exceptions}
    assert (proxy_for("http", host, 8500, environ) is None) == direct


def test_credentials_of_a_proxy() -> None:
    proxy = proxy_for("http", "consul", 8500, {"HTTP_PROXY": "http://user:p%40ss@proxy:3128"})
    assert proxy is not None
    assert proxy.headers == {"Proxy-Authorization": "Basic dXNlcjpwQHNz"}


@pytest.mark.parametrize(
    "value", ["socks5://user:secret@proxy:1", "https://user:secret@proxy", "http://user:secret@p:x"]
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(value: str) -> None:
    with pytest.raises(ValueError, match="HTTP_PROXY is not the address") as caught:
        proxy_for("http", "consul", 8500, {"HTTP_PROXY": value})
    assert "secret" not in str(caught.value)
