"""Addresses of servers as people write them, and invalid ones."""

from __future__ import annotations

import pytest

from cp.config.endpoint import CredentialsError, EndpointError, parse_endpoint


@pytest.mark.parametrize(
    ("text", "scheme", "meaning"),
    [
        ("127.0.0.1:8500", "http", "http://127.0.0.1:8500"),
        ("consul.example.com", "http", "http://consul.example.com:80"),
        ("consul.example.com", "https", "https://consul.example.com:443"),
        ("consul.example.com.", "http", "http://consul.example.com.:80"),
        ("a_b-1:1", "http", "http://a_b-1:1"),
        ("bücher.example:1", "http", "http://bücher.example:1"),
        ("http://consul:8500", "https", "http://consul:8500"),
        ("HTTPS://Consul:8501", "http", "https://Consul:8501"),
        (" \t http://consul:8500\r\n", "http", "http://consul:8500"),
        ("http://consul:8500/", "http", "http://consul:8500"),
        ("consul:8500//", "http", "http://consul:8500"),
        ("http://gateway/consul", "http", "http://gateway:80/consul"),
        ("http://gateway/consul/one/", "http", "http://gateway:80/consul/one"),
        ("gateway:1/a%20b;c=d@e:f", "http", "http://gateway:1/a%20b;c=d@e:f"),
        ("[::1]:8500", "http", "http://[::1]:8500"),
        ("https://[fd00::1]/consul", "http", "https://[fd00::1]:443/consul"),
        ("[fe80::1%eth0]", "https", "https://[fe80::1%eth0]:443"),
        ("http://[fe80::1%25eth0.100]:1", "http", "http://[fe80::1%eth0.100]:1"),
        ("[fe80::1%25]:1", "http", "http://[fe80::1%25]:1"),
        ("unix:///run/consul.sock", "https", "unix:///run/consul.sock"),
        ("UNIX:///run/Consul.sock", "http", "unix:///run/Consul.sock"),
        ("unix://relative.sock", "http", "unix://relative.sock"),
    ],
)
def test_valid_endpoints(text: str, scheme: str, meaning: str) -> None:
    assert str(parse_endpoint(text, scheme)) == meaning


def test_its_parts() -> None:
    one = parse_endpoint("https://[fe80::1%25eth0]/a/b/")
    assert (one.scheme, one.host, one.port, one.path, one.socket) == ("https", "fe80::1%eth0", 443, "/a/b", "")
    assert (one.origin, one.port_given) == ("https://[fe80::1%eth0]:443", False)
    assert parse_endpoint("consul:80").port_given
    socket = parse_endpoint("unix:///a/b")
    assert (socket.scheme, socket.host, socket.path, socket.socket) == ("http", "localhost", "", "/a/b")


HOST = r"the host is missing \(is a variable empty\?\)"
PART = r"the host has an empty part \(is a variable empty\?\)"
NO_PORT = r"the port is missing \(is a variable empty\?\)"
PORT = "the port is not a number from 1 to 65535"
CHARACTER = "the host has a character that is not allowed in a host name"
BRACKETS = "the text in brackets is not an IPv6 address"
PATH = "its path has a character that is not allowed"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", HOST),
        (" ", HOST),
        (":8500", HOST),
        ("http://", HOST),
        ("http://:8500", HOST),
        ("http:///consul", HOST),
        ("/consul", HOST),
        ("[]:8500", HOST),
        (".consul:8500", PART),
        ("a..b:8500", PART),
        (".", PART),
        ("host:", NO_PORT),
        ("host:/path", NO_PORT),
        ("[::1]:", NO_PORT),
        ("host:0", PORT),
        ("host:00000", PORT),
        ("host:65536", PORT),
        ("host:70000", PORT),
        ("host:000080", PORT),
        ("host:9" + "0" * 5000, PORT),
        ("host:port", PORT),
        ("host:-1", PORT),
        ("host:\u0661", PORT),
        ("host:8500 x", PORT),
        ("::1", "write an IPv6 address in brackets"),
        ("::1:8500", "write an IPv6 address in brackets"),
        ("fd00::1", "write an IPv6 address in brackets"),
        ("a b:1", CHARACTER),
        ("<no value>:8500", CHARACTER),
        ("$CONSUL:8500", CHARACTER),
        ("{{ .CONSUL }}:8500", CHARACTER),
        ("consul,other", CHARACTER),
        ("host\\x:1", CHARACTER),
        ("a\x00b", CHARACTER),
        ("a\u2028b", CHARACTER),
        ("\ud800", CHARACTER),
        ("fe80%eth0", CHARACTER),
        ("a" * 64, "the host name is too long"),
        (".".join(["a" * 60] * 5), "the host name is too long"),
        ("[consul]", BRACKETS),
        ("[consul]:8500", BRACKETS),
        ("[127.0.0.1]:8500", BRACKETS),
        ("[::1", BRACKETS),
        ("[::g]:1", BRACKETS),
        ("[::1]8500", "after the ] only a colon and the port can follow"),
        ("[::1]x:8500", "after the ] only a colon and the port can follow"),
        ("[fe80::1%]:1", "the zone after the % is not the name of an interface"),
        ("[fe80::1%a b]:1", "the zone after the % is not the name of an interface"),
        ("http://h/?a=b", PATH),
        ("http://h/#x", PATH),
        ("http://h?a=b", PATH),
        ("http://h/a b", PATH),
        ("http://h/\u00fc", PATH),
        ("http://h/a\nb", PATH),
        ("ftp://host:1", "the scheme is 'ftp', expected http or https"),
        ("httpshttps://c:1", "the scheme is 'httpshttps', expected http or https"),
        ("https://https://c:1", NO_PORT),
        ("me:s3cret://c", "the scheme is none, expected http or https"),
        ("unix://", "the path of the socket is missing"),
        ("unix:///" + "a" * 107, "the path of a socket has at most 107 bytes, and no NUL"),
        ("unix:///a\ud800b", "the path of the socket has an incomplete character"),
        ("unix:///a\x00b", "the path of a socket has at most 107 bytes, and no NUL"),
    ],
)
def test_invalid_endpoints_are_refused(text: str, why: str) -> None:
    with pytest.raises(EndpointError, match=f"^{why}"):
        parse_endpoint(text)


@pytest.mark.parametrize("text", ["me:s3cret@c:1", "http://s3cret@c", "https://me:s3cret@:0/?#"])
def test_a_password_in_an_address_is_not_shown(text: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        parse_endpoint(text)
    assert str(caught.value) == "it must not contain a name and a password"
