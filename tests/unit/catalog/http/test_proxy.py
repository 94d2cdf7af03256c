"""Which proxy is on the way to a catalogue."""

from __future__ import annotations

import pytest

from cp.catalog.http.proxy import proxy_for


@pytest.mark.parametrize(
    ("scheme", "host", "environ", "goes_to"),
    [
        ("http", "consul", {}, None),
        ("http", "consul", {"HTTP_PROXY": ""}, None),
        ("http", "consul", {"HTTP_PROXY": "http://proxy:3128"}, ("proxy", 3128)),
        ("http", "consul", {"http_proxy": "proxy:3128"}, ("proxy", 3128)),
        ("http", "consul", {"HTTP_PROXY": "http://proxy/"}, ("proxy", 80)),
        ("http", "consul", {"HTTP_PROXY": " HTTP://proxy:3128 "}, ("proxy", 3128)),
        ("http", "consul", {"HTTP_PROXY": "http://proxy:3128/some/path@x"}, ("proxy", 3128)),
        ("http", "consul", {"HTTP_PROXY": "http://[::1]:3128"}, ("::1", 3128)),
        ("http", "consul", {"HTTP_PROXY": "http://[fe80::1%25eth0]:3128"}, ("fe80::1%eth0", 3128)),
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
def test_addresses_without_a_proxy(host: str, exceptions: str, direct: bool) -> None:
    environ = {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": exceptions}
    assert (proxy_for("http", host, 8500, environ) is None) == direct


def test_credentials_of_a_proxy() -> None:
    proxy = proxy_for("http", "consul", 8500, {"HTTP_PROXY": "http://user:p%40ss@proxy:3128"})
    assert proxy is not None
    assert proxy.headers == {"Proxy-Authorization": "Basic dXNlcjpwQHNz"}


def test_credentials_without_a_password() -> None:
    proxy = proxy_for("http", "consul", 8500, {"HTTP_PROXY": "token@proxy"})
    assert proxy is not None
    assert (proxy.host, proxy.port) == ("proxy", 80)
    assert proxy.headers == {"Proxy-Authorization": "Basic dG9rZW46"}


@pytest.mark.parametrize(
    "value",
    [
        "socks5://user:secret@proxy:1",
        "https://user:secret@proxy",
        "http://user:secret@p:x",
        "http://user:secret@:3128",
        "http://user:secret@p:0",
        "http://user:secret@p:70000",
        "unix:///user:secret@p",
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(value: str) -> None:
    with pytest.raises(ValueError, match="HTTP_PROXY is not the address") as caught:
        proxy_for("http", "consul", 8500, {"HTTP_PROXY": value})
    assert "secret" not in str(caught.value)
