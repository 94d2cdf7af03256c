"""The jobs dialect: `http`, `tcp` and `unix` of a health check."""

from __future__ import annotations

import contextlib
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.config.errors import ConfigError
from cp.plan import LONGEST_SOCKET_PATH, HttpProbe, SocketProbe, Tls
from tests.unit.config.loading import errors_of_jobs, load_job, load_jobs, warnings_of_jobs

FORMS = "expected http://host:port/path, https://host:port/path, :port/path, or unix:///path/of/socket:/path"
TCP_FORMS = "expected host:port, [IPv6 address]:port, or :port"


def probe(**way: Any) -> Any:
    (check,) = load_job(exec="app", health={"interval": 5, **way}).health
    return check.probe


def error(**way: Any) -> str:
    """The one error about a check, without its place."""
    (line,) = errors_of_jobs({"name": "app", "exec": "app", "health": {"interval": 5, **way}}).splitlines()
    return line.partition(": jobs[0].health.")[2]


# -- URLs


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("http://web:8000/health", HttpProbe(host="web", port=8000, target="/health")),
        ("HTTP://web", HttpProbe(host="web", port=80)),
        ("https://web", HttpProbe(host="web", port=443, https=True)),
        ("https://web:8443/a/b/", HttpProbe(host="web", port=8443, https=True, target="/a/b/")),
        ("http://web/a?b=c@d://e", HttpProbe(host="web", port=80, target="/a?b=c@d://e")),
        ("http://web?b=c", HttpProbe(host="web", port=80, target="/?b=c")),
        ("localhost:8000/health", HttpProbe(host="localhost", port=8000, target="/health")),
        (":8000/health", HttpProbe(host="", port=8000, target="/health")),
        (":8000", HttpProbe(host="", port=8000)),
        ("https://:8443/", HttpProbe(host="", port=8443, https=True)),
        ("http://[::1]:8000/", HttpProbe(host="::1", port=8000)),
        ("http://[fe80::1%25eth0]/", HttpProbe(host="fe80::1%eth0", port=80)),
        ("http://bücher.example/", HttpProbe(host="xn--bcher-kva.example", port=80)),
        (" :8000 ", HttpProbe(host="", port=8000)),
        ("unix:///run/app.sock", HttpProbe(host="localhost", port=80, socket="/run/app.sock")),
        ("unix:///run/app.sock:/a:/b", HttpProbe(host="localhost", port=80, socket="/run/app.sock", target="/a:/b")),
    ],
)
def test_a_url(url: str, read: HttpProbe) -> None:
    assert probe(http=url) == read
    assert probe(http={"url": url}) == read


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", f"cannot use the URL '': the host is missing (is a variable empty?); {FORMS}"),
        ("/health", f"cannot use the URL '/health': the host is missing (is a variable empty?); {FORMS}"),
        ("ftp://web", f"cannot use the URL 'ftp://web': the scheme is 'ftp', expected http or https; {FORMS}"),
        ("http://web:0/", f"cannot use the URL 'http://web:0/': the port is not a number from 1 to 65535; {FORMS}"),
        (":/health", f"cannot use the URL ':/health': the port is missing (is a variable empty?); {FORMS}"),
        ("http://::1:80/", "cannot use the URL 'http://::1:80/': write an IPv6 address in brackets, such as [::1]:85"),
        ("http://a b/", "cannot use the URL 'http://a b/': the host has a character that is not allowed in a host nam"),
        (
            "http://a/b c",
            "cannot use the URL 'http://a/b c': its path has a character that is not allowed, write it ",
        ),
        ("http://a/é", "cannot use the URL 'http://a/é': its path has a character that is not allowed, write it as %X"),
        ("http://a/#b", f"cannot use the URL 'http://a/#b': a fragment (#…) is not sent to a server; {FORMS}"),
        (
            "http://me:pass@web/",
            "cannot use the URL 'http://…@web/': it must not contain a name and a password; use \"headers\": "
            '{"Authorization": …}',
        ),
        ("https://me:a/b@web/?c=d://e", "cannot use the URL 'https://…@web/?c=d://e': the port is not a number"),
        (
            "unix://run/app.sock",
            f"cannot use the URL 'unix://run/app.sock': the path of a socket is absolute, so three slashes follow "
            f"unix:; {FORMS}",
        ),
        ("unix:/run/a", "cannot use the URL 'unix:/run/a': the path of a socket is absolute, so three slashes follow"),
        (8000, 'must be a URL, or an object {url: …}, not a number: write ":8000/"'),
        (True, "must be a URL, or an object {url: …}, not a boolean: http://host:port/path, https://host:port/path,"),
        (["http://a"], "must be a URL, or an object {url: …}, not an array: http://host:port/path, https://host:port"),
    ],
)
def test_a_url_that_is_refused(url: Any, text: str) -> None:
    assert error(http=url).startswith(f"http: {text}")
    assert error(http={"url": url}).startswith(f"http.url: {text.replace(', or an object {url: …}', '')}")


def test_the_path_of_a_socket_has_a_limit() -> None:
    path = "/" + "a" * (LONGEST_SOCKET_PATH - 1)
    assert probe(http=f"unix://{path}:/b").socket == path
    assert probe(unix=path) == SocketProbe(socket=path)
    why = f"the path of a socket has at most {LONGEST_SOCKET_PATH} bytes, and this one has {LONGEST_SOCKET_PATH + 1}"
    assert f"{why}; {FORMS}" in error(http=f"unix://{path}a:/b")
    assert error(unix=f"{path}a").endswith(f'{why}; expected a path, such as "/run/app.sock"')


# -- requests


def test_all_keys_of_a_request() -> None:
    assert probe(
        http={
            "url": "https://web/health",
            "method": "post",
            "headers": {"Host": "other", "X-Depth": 2, "X-Gone": None, "X-Empty": ""},
            "body": "é",
            "status": [200, "3xx"],
            "contains": "fine",
            "tls": {"cafile": "/ca.pem", "servername": "web.internal", "verify": False},
        }
    ) == HttpProbe(
        host="web",
        port=443,
        https=True,
        target="/health",
        method="POST",
        headers=(("Host", "other"), ("X-Depth", "2"), ("X-Empty", "")),
        body="é".encode(),
        statuses=((200, 200), (300, 399)),
        contains="fine",
        tls=Tls(ca_file="/ca.pem", server_name="web.internal", verify=False),
    )


def test_tls_without_https_is_reported() -> None:
    job = {"name": "app", "exec": "app", "health": {"interval": 5, "http": {"url": ":80", "tls": {"verify": False}}}}
    assert "jobs[0].health.http.tls: has no effect: the URL does not begin with https://" in warnings_of_jobs(job)


@pytest.mark.parametrize(
    ("status", "ranges"),
    [
        (None, ((200, 299),)),
        (200, ((200, 200),)),
        ("200", ((200, 200),)),
        ("2xx", ((200, 299),)),
        ("2XX, 404", ((200, 299), (404, 404))),
        ("204,200,204", ((200, 200), (204, 204))),
        ("200-204", ((200, 204),)),
        ("200 - 204", ((200, 204),)),
        ([301, 200, None], ((200, 200), (301, 301))),
        (["5xx", "200-299"], ((200, 299), (500, 599))),
    ],
)
def test_statuses(status: Any, ranges: tuple[tuple[int, int], ...]) -> None:
    assert probe(http={"url": ":80", "status": status}).statuses == ranges


STATUSES = 'such as 200, "2xx", "200,204", "200-204", or [200, 301]'


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("1xx", f': must be a status from 200 to 599, {STATUSES}, not "1xx"'),
        (199, f': must be a status from 200 to 599, {STATUSES}, not "199"'),
        (600, f': must be a status from 200 to 599, {STATUSES}, not "600"'),
        (2.5, f': must be a status from 200 to 599, {STATUSES}, not "2.5"'),
        ("200,ok", f': must be a status from 200 to 599, {STATUSES}, not "ok"'),
        ("204-200", f': must be a status from 200 to 599, {STATUSES}, not "204-200"'),
        ("", f': must be a status from 200 to 599, {STATUSES}, not ""'),
        ([200, "²00"], f'[1]: must be a status from 200 to 599, {STATUSES}, not "²00"'),
        ([], f": has no status: name one, {STATUSES}"),
        ([None], f": has no status: name one, {STATUSES}"),
        (True, f": must be a status, not a boolean: {STATUSES}"),
        ({}, f": must be a status, not an object: {STATUSES}"),
        ([[200]], f"[0]: must be a status, not an array: {STATUSES}"),
    ],
)
def test_statuses_that_are_refused(status: Any, text: str) -> None:
    found = errors_of_jobs(
        {"name": "app", "exec": "app", "health": {"interval": 5, "http": {"url": ":80", "status": status}}}
    )
    assert found.splitlines()[0].partition(": jobs[0].health.")[2] == f"http.status{text}"


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"url": None}, 'url: is missing: add it, such as "url": "http://localhost:8000/health"'),
        ({"method": "GET /"}, 'method: must be a method of HTTP, such as GET, HEAD or POST, not "GET /"'),
        ({"method": ""}, 'method: must be a method of HTTP, such as GET, HEAD or POST, not ""'),
        ({"method": "connect"}, 'method: must be a method of HTTP, such as GET, HEAD or POST, not "connect"'),
        (
            {"method": "HEAD", "contains": "x"},
            "contains: a response to HEAD has no body that could contain it: use GET",
        ),
        ({"headers": "A: b"}, "headers: must be an object of names and values, not a string"),
        ({"headers": {"a b": "c"}}, "headers.a b: is not the name of a header"),
        ({"headers": {"": "c"}}, "headers.: is not the name of a header"),
        ({"headers": {"A": "b", "a": "c"}}, "headers.a: is repeated: names of headers match in any case"),
        ({"headers": {"A": "b\r\nC: d"}}, "headers.A: has a character that is not allowed in a header"),
        ({"headers": {"A": "é"}}, "headers.A: has a character that is not allowed in a header"),
        ({"headers": {"A": True}}, "headers.A: must be a string, not a boolean"),
        ({"headers": {"A": ["b"]}}, "headers.A: must be a string, not an array"),
        ({"headers": {"host": " "}}, "headers.host: must not be empty"),
        (
            {"headers": {"content-length": 3}},
            "headers.content-length: cannot be set: ContainerPilot decides about the connection",
        ),
        ({"body": {"a": 1}}, "body: must be a string, not an object"),
        ({"contains": ""}, "contains: must not be empty: each body would contain it. Is a variable empty?"),
        ({"contians": "x"}, "contians: unknown key (did you mean 'contains'?): '[0].health.http' has invalid keys: c"),
        ({"tls": {"ca": "x"}}, "tls.ca: unknown key (the keys here are cafile, capath, clientcert, clientkey, ser"),
    ],
)
def test_a_request_that_is_refused(keys: dict[str, Any], text: str) -> None:
    assert error(http={"url": "https://web", **keys}).startswith(f"http.{text}")


texts = st.text(max_size=8)
any_http = st.fixed_dictionaries(
    {"url": st.sampled_from([":80", "http://web/a?b", "https://[::1]/"]) | texts.map("http://web/{}".format)},
    optional={
        "method": st.sampled_from(["GET", "head", "Post", "OPTIONS"]) | texts,
        "headers": st.dictionaries(texts | st.sampled_from(["Host", "A-B", "Accept", "TE"]), texts, max_size=3),
        "body": texts,
    },
)


@given(any_http)
def test_what_is_accepted_can_be_sent(http: dict[str, Any]) -> None:
    """The client would raise an error in the loop for a request that it cannot send."""
    with contextlib.suppress(ConfigError):
        (job,) = load_jobs({"name": "app", "exec": "app", "health": {"interval": 5, "http": http}}).jobs
        request = job.health[0].probe
        assert isinstance(request, HttpProbe)
        names = {name.lower() for name, _ in request.headers}
        headers = [*request.headers, *([] if "host" in names else [("Host", "x")])]
        client = h11.Connection(h11.CLIENT)
        sent = client.send(h11.Request(method=request.method, target=request.target, headers=headers))
        assert sent is not None
        server = h11.Connection(h11.SERVER)
        server.receive_data(sent)
        assert isinstance(server.next_event(), h11.Request)


# -- sockets


@pytest.mark.parametrize(
    ("address", "read"),
    [
        (":5432", SocketProbe(port=5432)),
        ("db:5432", SocketProbe(host="db", port=5432)),
        ("10.0.0.1:1", SocketProbe(host="10.0.0.1", port=1)),
        ("[::1]:65535", SocketProbe(host="::1", port=65535)),
    ],
)
def test_a_port(address: str, read: SocketProbe) -> None:
    assert probe(tcp=address) == read


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("5432", f"'5432': write \":5432\" for a port of the job; {TCP_FORMS}"),
        (5432, f"'5432': write \":5432\" for a port of the job; {TCP_FORMS}"),
        ("tcp://db:1", f"'tcp://db:1': it is not a URL; {TCP_FORMS}"),
        ("db:1/a", f"'db:1/a': it has no path; {TCP_FORMS}"),
        ("db", f"'db': the port is missing; {TCP_FORMS}"),
        ("", f"'': the host is missing (is a variable empty?); {TCP_FORMS}"),
        (":", f"':': the port is missing (is a variable empty?); {TCP_FORMS}"),
        ("db:65536", f"'db:65536': the port is not a number from 1 to 65535; {TCP_FORMS}"),
        ("::1:80", f"'::1:80': write an IPv6 address in brackets, such as [::1]:8500; {TCP_FORMS}"),
        ("me:pass@db:1", f"'…@db:1': it must not contain a name and a password; {TCP_FORMS}"),
    ],
)
def test_a_port_that_is_refused(address: Any, text: str) -> None:
    assert error(tcp=address) == f"tcp: cannot use the address {text}"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("run/app.sock", "'run/app.sock': its path must be absolute; expected a path, such as \"/run/app.sock\""),
        ("", "'': its path must be absolute; expected a path, such as \"/run/app.sock\""),
        ("unix:///run/a", "'unix:///run/a': its path must be absolute; write \"/run/a\""),
    ],
)
def test_a_socket_that_is_refused(path: str, text: str) -> None:
    assert error(unix=path) == f"unix: cannot use the socket {text}"


# -- secrets


def test_the_credentials_of_a_request_are_secrets() -> None:
    from cp.log.redaction import Secrets
    from tests.unit.config.reference.table import loaded

    secrets = Secrets()
    headers = {"Authorization": "Bearer swordfish", "X-Api-Key": "hunter2-hunter2", "Accept": "text/plain"}
    job = {"name": "app", "exec": "x", "health": {"interval": 5, "http": {"url": ":80", "headers": headers}}}
    plan = loaded("jobs", {"jobs": [job]}, secrets=secrets).plan
    masked = secrets.masked(repr(plan))
    assert "swordfish" not in masked
    assert "hunter2" not in masked
    assert "text/plain" in masked


def test_the_credentials_in_the_query_of_a_url_are_secrets_unless_they_are_too_short_to_mask() -> None:
    from cp.log.redaction import Secrets
    from tests.unit.config.reference.table import loaded

    secrets = Secrets()
    http = {"url": ":80/x?a=visible&api_key=hunter2-hunter2&token=swordfish", "headers": {"X-Key": "1"}}
    jobs = [
        {"name": "app", "exec": "x", "health": {"interval": 5, "http": http}},
        {"name": "other", "exec": "x", "health": {"interval": 5, "http": ":81/y?secret=crossword&key=1"}},
    ]
    loaded("jobs", {"jobs": jobs}, secrets=secrets)
    text = "visible hunter2-hunter2 swordfish crossword 1"
    assert secrets.masked(text) == "visible ******** ******** ******** 1"
