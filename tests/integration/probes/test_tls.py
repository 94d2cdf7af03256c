"""The check `http` over TLS: certificates, their names, their files, and servers that do not speak TLS."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from cp.plan import HttpProbe, SocketProbe, Tls
from cp.probes.contexts import MOST_CONTEXTS
from tests.certificates import Authority
from tests.integration.probes.serving import OK, TIMEOUT, Connection, World, says

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.probes.serving import Handler, Server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.issue("server", "DNS:localhost", "IP:127.0.0.1")
    made.issue("other", "DNS:other.example")
    made.issue("expired", "IP:127.0.0.1", days=-1)
    made.issue("client", "DNS:client")
    return made


def serve(world: World, authority: Authority, name: str, handle: Handler, *, clients: bool = False) -> Server:
    """A server with this certificate, which may ask for one of its clients."""
    server = world.serve(handle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = authority.file.parent
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.file)
    server.context = context
    return server


def check(world: World, server: Server, *, host: str = "127.0.0.1", **tls: Any) -> str:
    text = world.check(HttpProbe(host=host, port=server.port, https=True, tls=Tls(**tls)))
    text = text.replace(f"GET https://{host}:{server.port}/: ", "")
    return re.sub(r"\bin \d+(\.\d)? m?s", "in N ms", text)


def test_a_certificate_of_the_given_authority(world: World, authority: Authority) -> None:
    server = serve(world, authority, "server", says(OK))

    for host in ("127.0.0.1", "localhost"):
        assert check(world, server, host=host, ca_file=str(authority.file)) == "passed: 200 OK in N ms"


def test_a_certificate_that_nobody_has_signed_whom_we_trust(world: World, authority: Authority) -> None:
    server = serve(world, authority, "server", says(OK))

    assert check(world, server).startswith("failed: its certificate is not valid: ")
    assert check(world, server, verify=False) == "passed: 200 OK in N ms"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("expired", "certificate has expired"),
        ("other", "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ],
)
def test_a_certificate_that_is_not_valid(world: World, authority: Authority, name: str, why: str) -> None:
    server = serve(world, authority, name, says(OK))

    assert check(world, server, ca_file=str(authority.file)) == f"failed: its certificate is not valid: {why}"
    assert check(world, server, verify=False) == "passed: 200 OK in N ms"


def test_a_certificate_for_another_name(world: World, authority: Authority) -> None:
    server = serve(world, authority, "other", says(OK))

    text = check(world, server, ca_file=str(authority.file), server_name="other.example")

    assert text == "passed: 200 OK in N ms"


def test_a_server_that_wants_a_certificate(world: World, authority: Authority) -> None:
    server = serve(world, authority, "server", says(OK), clients=True)
    folder = authority.file.parent
    own = {"client_cert": str(folder / "client.pem"), "client_key": str(folder / "client.key")}

    assert check(world, server, ca_file=str(authority.file), **own) == "passed: 200 OK in N ms"
    # The server tells it after the handshake, with TLS 1.3 (or closes the connection before we have read that).
    assert check(world, server, ca_file=str(authority.file)).startswith("failed: ")


def test_a_file_that_is_missing_is_named_and_read_again_by_the_next_check(
    world: World, authority: Authority, tmp_path: Path
) -> None:
    server = serve(world, authority, "server", says(OK))
    file = tmp_path / "ca.pem"

    assert check(world, server, ca_file=str(file)) == (f"failed: cannot set up TLS: {file}: no such file or directory")
    file.write_text("no certificate")
    assert check(world, server, ca_file=str(file)).startswith(f"failed: cannot set up TLS: {file}: ")
    file.write_text(authority.file.read_text())
    assert check(world, server, ca_file=str(file)) == "passed: 200 OK in N ms"


def test_a_file_that_was_replaced_is_read_after_a_failure(world: World, authority: Authority, tmp_path: Path) -> None:
    server = serve(world, authority, "server", says(OK))
    file = tmp_path / "ca.pem"
    file.write_text(Authority(tmp_path / "another").file.read_text())

    assert check(world, server, ca_file=str(file)).startswith("failed: its certificate is not valid: ")
    file.write_text(authority.file.read_text())
    assert check(world, server, ca_file=str(file)) == "passed: 200 OK in N ms"


def test_a_server_without_tls(world: World) -> None:
    def handle(connection: Connection) -> None:
        connection.raw.recv(1000)
        connection.raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    text = check(world, world.serve(handle))

    assert re.fullmatch(r"failed: TLS: [a-z ]+: it may speak http, not https", text)


def test_a_server_that_closes_within_the_handshake(world: World) -> None:
    def handle(connection: Connection) -> None:
        connection.raw.recv(1000)

    assert check(world, world.serve(handle)) == "failed: the server closed the connection within the TLS handshake"


def test_a_server_that_never_shakes_hands(world: World) -> None:
    def handle(connection: Connection) -> None:
        connection.raw.recv(1000)
        world.skip(TIMEOUT)
        connection.hold()

    text = world.check(HttpProbe(host="127.0.0.1", port=(server := world.serve(handle)).port, https=True))

    assert text.endswith(f":{server.port}/: timeout: no TLS handshake within 100.0 s")


def test_a_response_that_ends_with_the_end_of_tls_while_the_connection_stays(
    world: World, authority: Authority
) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.raw.sendall(b"HTTP/1.0 200 OK\r\n\r\nok")
        assert isinstance(connection.raw, ssl.SSLSocket)
        connection.raw.settimeout(0.01)
        try:
            connection.raw.unwrap()
        except OSError:
            pass
        connection.closing.wait(1.0)

    server = serve(world, authority, "server", handle)

    assert check(world, server, ca_file=str(authority.file)) == "passed: 200 OK in N ms"


def test_a_context_is_made_once_and_few_are_kept(world: World, authority: Authority) -> None:
    server = serve(world, authority, "server", says(OK))
    made = world.probes._contexts._made
    check(world, server, ca_file=str(authority.file))
    first = dict(made)
    check(world, server, ca_file=str(authority.file))
    assert made == first

    for number in range(MOST_CONTEXTS + 3):
        check(world, server, ca_file=str(authority.file), verify=False, server_name=f"name{number}")
    assert len(made) == MOST_CONTEXTS


def test_https_over_a_unix_socket(
    world: World, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    server = world.serve(says(OK), path=Path("app.sock"))
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = authority.file.parent
    server.context.load_cert_chain(folder / "server.pem", folder / "server.key")

    text = world.check(
        HttpProbe(host="", port=443, socket="app.sock", https=True, tls=Tls(ca_file=str(authority.file)))
    )

    assert text.startswith("passed: GET unix://app.sock:/: 200 OK in ")


def test_tcp_checks_import_no_tls_and_no_http(world: World) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert world.check(SocketProbe(host="127.0.0.1", port=listener.getsockname()[1])).startswith("passed")

    assert not world.probes._modules._imported
