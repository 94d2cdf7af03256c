"""Followers of events: their first events, later ones, and when they are disconnected."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cp.http.server import Limits
from tests.integration.control.serving import Client, Entry, World, request

Serve = Callable[..., World]


def follow(world: World, headers: str = "", target: str = "/v3/events?follow=1") -> Client:
    client = world.client()
    client.send(request("GET", target, headers=headers))
    head = client.read(lambda data: b"\r\n\r\n" in data)
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"), head
    client.first = head.partition(b"\r\n\r\n")[2]
    return client


def events(data: bytes) -> list[tuple[str, str, dict[str, object]]]:
    """(id, event, data) of each in a chunked stream."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    found = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


@pytest.mark.parametrize(
    ("headers", "target"),
    [
        ("", "/v3/events?follow=1"),
        ("Accept: text/event-stream\r\n", "/v3/events"),
        ("Accept: text/html;q=0.5, Text/Event-Stream;q=0.9\r\n", "/v3/events?x=1"),
    ],
)
def test_a_follower_gets_kept_events_and_new_ones(world: World, headers: str, target: str) -> None:
    world.history.happen("startup", "global")
    client = follow(world, headers, target)
    world.pump(lambda: world.history.followers)
    world.history.happen("healthy")
    data = client.first + client.read(lambda data: b"healthy" in data and data.endswith(b"\n\n\r\n"))
    assert events(data) == [
        ("1", "startup", {"number": 1, "at": "2026-11-22T16:50:01.000Z", "code": "startup", "source": "global"}),
        ("2", "healthy", {"number": 2, "at": "2026-11-22T16:50:02.000Z", "code": "healthy", "source": "app"}),
    ]


def test_a_follower_of_one_job_gets_only_its_events(world: World) -> None:
    for source in ("app", "other", "app"):
        world.history.happen("healthy", source)
    client = follow(world, "Last-Event-ID: 1\r\n", "/v3/events?follow=1&job=app")
    world.pump(lambda: world.history.followers)
    world.history.happen("healthy", "other")
    world.history.happen("unhealthy", "app")
    data = client.first + client.read(lambda data: b"unhealthy" in data and data.endswith(b"\n\n\r\n"))
    assert [id for id, _, _ in events(data)] == ["3", "5"]


def test_a_number_of_an_event_of_another_job_is_one_of_this_history(world: World) -> None:
    for source in ("app", "other", "other"):
        world.history.happen("healthy", source)
    client = follow(world, "Last-Event-ID: 3\r\n", "/v3/events?follow=1&job=app")
    world.pump(lambda: world.history.followers)
    world.history.happen("healthy", "app")
    data = client.first + client.read(lambda data: data.endswith(b"\n\n\r\n"))
    assert [id for id, _, _ in events(data)] == ["4"]


@pytest.mark.parametrize(
    ("last", "numbers"),
    [("2", ["3"]), ("3", []), ("0", ["1", "2", "3"]), ("999", ["1", "2", "3"]), ("nonsense", ["1", "2", "3"])],
)
def test_a_client_that_reconnects_gets_missed_events(world: World, last: str, numbers: list[str]) -> None:
    for _ in range(3):
        world.history.happen("healthy")
    client = follow(world, f"Last-Event-ID: {last}\r\n")
    data = client.first + client.read(lambda data: data.endswith(b"\n\n\r\n") or client.first)
    assert [number for number, _, _ in events(data)] == numbers


def test_an_old_client_gets_the_events_bare(world: World) -> None:
    client = world.client()
    client.send(b"GET /v3/events?follow=1 HTTP/1.0\r\n\r\n")
    assert client.read(lambda data: data.endswith(b"\r\n\r\n:\n\n"))
    world.history.happen("healthy")
    data = '{"number": 1, "at": "2026-11-22T16:50:01.000Z", "code": "healthy", "source": "app"}'
    assert client.read(lambda read: read.endswith(b"\n\n")) == f"id: 1\nevent: healthy\ndata: {data}\n\n".encode()


def test_a_quiet_stream_is_kept_alive_by_comments(world: World) -> None:
    client = follow(world)
    world.settle()
    client.read(lambda data: data or client.first)
    for _ in range(3):
        world.advance(15.1)
        assert client.read(len) == b"3\r\n:\n\n\r\n"


def test_a_follower_that_leaves_is_forgotten(world: World) -> None:
    client = follow(world)
    assert len(world.history.followers) == 1
    client.close()
    world.pump(lambda: not world.history.followers)
    assert world.control.connections == 0


def test_a_follower_that_stops_reading_is_let_go_after_a_while(world: World) -> None:
    follow(world)
    while world.control.connections:
        world.history.happen("healthy", "x" * 1000)
        world.settle()
        if len(world.history.kept) > 200:  # the kernel's buffer is full, ours is not
            world.advance(5.1)
            break
    assert world.control.connections == 0
    assert world.history.followers == []


def test_a_follower_that_lags_too_far_behind_is_let_go_at_once(serve: Serve) -> None:
    world = serve(Limits(stream=100_000))
    follow(world)
    while world.history.followers:
        world.history.happen("healthy", "x" * 10_000)
        world.turn()
        assert len(world.history.kept) < 100
    assert world.control.connections == 0


def test_readers_that_are_served_late_get_everything(world: World) -> None:
    """Events that come while the clients have to wait, as in a stop: none is lost, none comes twice."""
    clients = [follow(world) for _ in range(10)]
    world.history.happen("healthy", "first")
    for client in clients:
        client.first += client.read(lambda data: b"first" in data)
    for _ in range(3000):
        world.history.happen("stopped", "job")
    world.history.happen("shutdown", "last")
    for client in clients:
        data = client.first + client.read(lambda data: b"last" in data and data.endswith(b"\n\n\r\n"))
        assert [int(number) for number, _, _ in events(data)] == list(range(1, 3003))


def test_events_just_before_the_end_are_sent(world: World) -> None:
    """The last events of a stop, which no client has had a turn for."""
    clients = [follow(world), follow(world), follow(world, target="/v3/events?follow=1&job=app")]
    world.settle()
    for _ in range(300):
        world.history.happen("stopped", "other")
    world.history.happen("stopped", "app")

    world.control.close()

    numbers = [[int(number) for number, _, _ in events(client.until_closed())] for client in clients]
    assert numbers == [list(range(1, 302)), list(range(1, 302)), [301]]


def test_a_reader_whose_turn_comes_while_the_server_closes_gets_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cp.http.server.CLOSE_TURN", 0.0)
    clients = [follow(world) for _ in range(5)]
    world.settle()
    for _ in range(300):
        world.history.happen("stopped", "other")

    world.control.close()

    for client in clients:
        assert [int(number) for number, _, _ in events(client.until_closed())] == list(range(1, 301))


def test_each_event_is_formatted_once_for_all_followers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [follow(world) for _ in range(50)]
    world.settle()
    formatted: list[int] = []

    def shape(entry: Entry) -> dict[str, object]:
        formatted.append(entry.number)
        return {}

    monkeypatch.setattr("cp.control.event_stream.shape", shape)
    for _ in range(20):
        world.history.happen("healthy", "app")
    for client in clients:
        client.read(lambda data: b"id: 20\n" in data and data.endswith(b"\n\n\r\n"))
    assert formatted == list(range(1, 21))


def test_nothing_is_sent_while_an_event_is_published(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred readers made each of the thousands of events of a stop take milliseconds."""
    for _ in range(10):
        follow(world)
    world.settle()
    sent: list[bytes] = []
    monkeypatch.setattr("cp.http.exchange.ResponseStream.send", lambda _, data: sent.append(data))
    world.history.happen("healthy")
    assert not sent
    world.pump(lambda: len(sent) == 10)


def test_a_reader_that_is_too_many_events_behind_is_cut_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cp.control.event_stream.MOST_WAITING", 100)
    client = follow(world)
    world.settle()
    for _ in range(101):
        world.history.happen("healthy")
    world.pump(lambda: not world.control.connections)
    assert not client.until_closed().endswith(b"0\r\n\r\n")
    assert world.history.followers == []


def test_a_reader_of_one_job_does_not_get_events_of_others(world: World) -> None:
    whole, one = follow(world), follow(world, target="/v3/events?follow=1&job=app")
    for number in range(200):
        world.history.happen("healthy", "app" if number % 10 == 0 else "other")
    data = one.first + one.read(lambda data: b"id: 191\n" in data and data.endswith(b"\n\n\r\n"))
    assert [int(number) for number, _, _ in events(data)] == list(range(1, 200, 10))
    data = whole.first + whole.read(lambda data: b"id: 200\n" in data and data.endswith(b"\n\n\r\n"))
    assert [int(number) for number, _, _ in events(data)] == list(range(1, 201))


def test_lists_of_two_jobs_that_are_requested_at_once_are_two(world: World) -> None:
    world.history.happen("healthy", "app")
    world.history.happen("healthy", "of two words/and a slash")
    clients = {name: world.client() for name in ("app", "of%20two%20words%2Fand%20a%20slash")}
    for name, client in clients.items():
        client.send(request("GET", f"/v3/events?job={name}"))
    numbers = [[event["number"] for event in client.answer().json["events"]] for client in clients.values()]
    assert numbers == [[1], [2]]


def test_a_follower_that_reads_slowly_loses_nothing(world: World) -> None:
    client = follow(world)
    data = client.first
    for number in range(1, 1001):
        world.history.happen("healthy", "x" * 1000)
        if number % 100 == 0:
            data += client.read(lambda data: len(data) > 100_000)
            world.advance(3)
    while b"id: 1000\n" not in data or not data.endswith(b"\n\n\r\n"):
        data += client.read(len)
    assert [int(number) for number, _, _ in events(data)] == list(range(1, 1001))


def test_head_does_not_follow(world: World) -> None:
    client = world.client()
    client.send(request("HEAD", "/v3/events?follow=1", headers="Connection: close\r\n"))
    head, _, body = client.until_closed().partition(b"\r\n\r\n")
    assert b"Content-Type: text/event-stream" in head
    assert body == b""
    assert world.history.followers == []
