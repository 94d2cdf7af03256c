"""Targets: what catalogues answer, as bodies and as bytes on a connection, and the files of the directory."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any, cast

from cp.catalog.consul import instances
from cp.catalog.consul.client import Consul
from cp.catalog.directory import records
from cp.catalog.directory.folder import Folder
from cp.catalog.etcd import client as etcd_module
from cp.catalog.etcd.endpoints import Endpoints
from cp.catalog.etcd.records import EtcdReader
from cp.catalog.etcd.v2 import Etcd2
from cp.catalog.etcd.v3 import Etcd3
from cp.catalog.http.client import Response
from cp.catalog.http.sockets import DeadlineSocket, origin
from cp.catalog.protocol import CatalogEntry, CatalogError, CatalogGarbage, Instance
from cp.plan import ConsulSettings, EtcdSettings
from tests.fuzz.held import folder
from tests.fuzz.material import SEPARATOR, check, choice, parts, text_of
from tests.unit.catalog.fakes import service, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cp.catalog.http.line_stream import LineStream

STATUSES = (200, 201, 204, 400, 401, 403, 404, 405, 412, 429, 500, 503)
MOST_QUESTIONS = 300  # that one call may ask, of a server that answers them all at once
LONGEST_MESSAGE = 3000  # characters
SECRET = "s3cr3t-t0ken"


def _checked(found: list[Instance]) -> None:
    for one in found:
        assert isinstance(one.id, str)
        assert isinstance(one.address, str)
        assert type(one.port) is int
        assert 0 <= one.port <= 65535
        assert one.address
        assert all(isinstance(tag, str) for tag in one.tags)


# --- Consul


def fuzz_consul(data: bytes) -> None:
    """The body of an answer, as it is and as if it were a large one: which is parsed in slices, to the same result."""
    small = _instances(data)
    size, instances.SLICE = instances.SLICE, 64
    largest, instances.LARGE = instances.LARGE, -1
    try:
        large = _instances(data)
    finally:
        instances.SLICE, instances.LARGE = size, largest
    # A number beyond 64 bits is none to the fast parser.
    assert small == large or b"0000000000" in data or any(len(run) > 18 for run in _digit_runs(data))


def _digit_runs(data: bytes) -> list[bytes]:
    return bytes(c if c in b"0123456789" else 32 for c in data).split()


def _instances(body: bytes) -> list[Instance] | None:
    try:
        found, unusable = instances.parse_instances(body)
    except CatalogGarbage as error:
        check(len(str(error)) < LONGEST_MESSAGE)
        return None
    assert all(unusable.values())
    _checked(found)
    return found


class _Wire:
    """Connections of a catalogue's client on which the given bytes come, for any request."""

    def __init__(self) -> None:
        self.answer = b""
        self.most = 3  # connections; the next ones are refused
        self._peers: list[socket.socket] = []

    def attach(self, http: Any) -> None:
        def connect() -> DeadlineSocket:
            if len(self._peers) >= self.most:
                raise ConnectionRefusedError(111, "Connection refused")
            ours, peer = socket.socketpair()
            self._peers.append(peer)
            peer.sendall(self.answer[:50_000])
            peer.shutdown(socket.SHUT_WR)
            connected = DeadlineSocket(fileno=ours.detach())
            connected.deadline = http._deadline
            return connected

        http._open_socket = connect

    def close(self) -> None:
        while self._peers:
            self._peers.pop().close()


def fuzz_http(data: bytes) -> None:
    """The bytes of a whole answer of Consul's, to each of the calls."""
    settings = ConsulSettings(address="127.0.0.1:1", token=SECRET, connect_timeout=2.0, read_timeout=2.0)
    client = Consul(settings, {})
    wire = _Wire()
    wire.answer = data
    wire.attach(client._http)
    calls: tuple[Callable[[], object], ...] = (
        lambda: _checked(client.instances(watch())[0]),
        lambda: _checked(client.wait_for_change(watch(), 7, 1.0)[0]),
        lambda: client.register(service(), "passing"),
        lambda: client.heartbeat(service(separate_check=True), "passing", ""),
        lambda: client.deregister(service()),
        lambda: _check_entry(client.entry(service())),
    )
    for call in calls:
        try:
            call()
        except CatalogError as error:
            _check_message(error)
        wire.close()
    client.close()


def _check_entry(entry: CatalogEntry | None) -> None:
    if entry is not None:
        assert entry.place.isprintable()
        assert len(entry.place) < LONGEST_MESSAGE
        assert 0 <= entry.port <= 65535


def _check_message(error: CatalogError) -> None:
    text = str(error)
    assert text.isprintable(), text
    assert SECRET not in text
    assert len(text) < LONGEST_MESSAGE
    assert error.retry_after >= 0


# --- etcd


class _Response:
    """Reads like the stream of an answer: the received bytes, up to this number at a time."""

    length = None

    def __init__(self, data: bytes, step: int) -> None:
        self._data = data
        self._step = step

    def read1(self, size: int) -> bytes:
        piece, self._data = self._data[: self._step], self._data[self._step :]
        return piece


class _Patience:
    def restart(self, seconds: float) -> None:
        pass


class _Endpoints(Endpoints):
    """Gives the given answers one after the other, and repeats the last one."""

    def __init__(self, settings: EtcdSettings, answers: list[bytes]) -> None:
        super().__init__(settings, {})
        self._answers = answers
        self.requests = 0

    def _next(self) -> Response:
        self.requests += 1
        assert self.requests <= MOST_QUESTIONS, "it sends requests without limit"
        data = self._answers[min(self.requests, len(self._answers)) - 1]
        selector, body = choice(data)
        headers = {"x-etcd-index": str(selector * 3), "retry-after": "1"} if selector & 16 else {}
        return Response(STATUSES[selector % len(STATUSES)], headers, body)

    def request(self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Response:
        assert target.isascii()
        assert target.isprintable()
        return self._next()

    def stream(
        self, method: str, target: str, stream: LineStream, *, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        answer = self._next()
        if answer.status == 200:
            response = cast("Any", _Response(answer.body, 1 + len(answer.body) % 7))
            try:
                stream.follow(response, cast("Any", _Patience()), answer.headers)
            except CatalogError:
                raise
            except Exception as error:
                raise AssertionError("reading failed, of what was all there") from origin(error)
            answer.body = b""
        return answer


def _fuzz_etcd(data: bytes, make: Callable[[EtcdSettings, Endpoints, EtcdReader], Any]) -> None:
    """Answers between separators; the first byte of each chooses its status and headers."""
    settings = EtcdSettings(endpoints=("http://127.0.0.1:1",), username="me", password=SECRET)
    warned: list[str] = []
    answers = data.split(SEPARATOR)
    calls: tuple[Callable[[Any], object], ...] = (
        lambda api: _checked(api.instances(watch())[0]),
        lambda api: _checked(api.wait_for_change(watch(), 7, 1.0)[0]),
        lambda api: api.enter(service()),
        lambda api: api.renew(service()),
        lambda api: api.remove(service()),
        lambda api: api.read(service()),
    )
    for call in calls:
        endpoints = _Endpoints(settings, answers)
        api = make(settings, endpoints, EtcdReader(warned.append))
        try:
            call(api)
        except CatalogError as error:
            _check_message(error)
        endpoints.close()
    for text in warned:
        assert text.isprintable()


def fuzz_etcd2(data: bytes) -> None:
    """Answers of API v2."""
    _fuzz_etcd(data, Etcd2)


def fuzz_etcd3(data: bytes) -> None:
    """Answers of the JSON gateway."""
    _fuzz_etcd(data, lambda settings, endpoints, reader: Etcd3(settings, endpoints, reader, "/v3"))
    version = etcd_module.parse_version(text_of(parts(data, 2)[0]))
    assert version is None or etcd_module.gateways(version)


# --- the directory


def fuzz_record(data: bytes) -> None:
    """The content of a file: an entry, or one warning. An entry that is written again reads the same."""
    place = os.path.join(folder(), "catalogue")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "web.json"), "wb") as file:
        file.write(data)
    warned: list[str] = []
    found = Folder(place, warned.append).scan()
    assert len(found) + len(warned) == 1
    for text in warned:
        assert len(text) < LONGEST_MESSAGE
    for record in found.values():
        entry = service(record.name, id=record.id, address=record.address, port=record.port, tags=record.tags)
        again = records.InstanceRecord(json.loads(records.encode(entry, record.status, "", record.deadline)))
        assert (again.id, again.name, again.address, again.port, again.tags, again.status) == (
            *(record.id, record.name, record.address, record.port, record.tags, record.status),
        )
