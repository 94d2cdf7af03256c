"""The lines of jobs over the control socket: a list, and a stream that goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.control.serving import Client, World, request


def listed(world: World, query: str = "") -> Any:
    return world.ask("GET", f"/v3/logs{query}").json


def texts(world: World, query: str = "") -> list[str]:
    return [line["text"] for line in listed(world, query)["lines"]]


def follow(world: World, query: str = "", headers: str = "") -> Client:
    client = world.client()
    client.send(request("GET", f"/v3/logs?follow=1{query}", headers=headers))
    head = client.read(lambda data: b"\r\n\r\n" in data)
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"), head
    client.first = head.partition(b"\r\n\r\n")[2]
    return client


def events(data: bytes) -> list[tuple[str, str, Any]]:
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
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


def say(world: World, job: str, *lines: str) -> None:
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    world.admin.open_output().of(job).keep(data, len(lines))


OTHER = "of two words/and a slash"
ENCODED = "of%20two%20words%2Fand%20a%20slash"


def test_nothing_was_printed_yet(world: World) -> None:
    assert listed(world) == {"notes": [], "lines": []}


def test_lines_of_all_jobs_in_their_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cp.engine.job_output.time", lambda: 1795365000.25)
    say(world, "app", "1", "2")
    say(world, OTHER, "3")
    say(world, "app", "4 \udcff ü \x1b\u2028")
    at = "2026-11-22T16:30:00.250Z"
    assert listed(world) == {
        "notes": [],
        "lines": [
            {"job": "app", "number": 1, "at": at, "text": "1"},
            {"job": "app", "number": 2, "at": at, "text": "2"},
            {"job": OTHER, "number": 1, "at": at, "text": "3"},
            {"job": "app", "number": 3, "at": at, "text": "4 \ufffd ü \x1b\u2028"},
        ],
    }
    assert texts(world, f"?job={ENCODED}") == ["3"]
    assert texts(world, f"?job=app&job={ENCODED}&lines=2") == ["3", "4 \ufffd ü \x1b\u2028"]
    assert texts(world, "?job=app&lines=0") == []


def test_a_hundred_lines_unless_others_are_wanted(world: World) -> None:
    say(world, "app", *map(str, range(90)))
    say(world, OTHER, *map(str, range(90, 300)))
    assert texts(world) == [str(number) for number in range(200, 300)]
    assert texts(world, "?lines=250") == [str(number) for number in range(50, 300)]
    assert texts(world, "?lines=all") == [str(number) for number in range(300)]


@pytest.mark.parametrize("lines", ["", "-1", "1.5", "many", "9" * 20])
def test_a_wrong_number_of_lines_is_refused(world: World, lines: str) -> None:
    answer = world.ask("GET", f"/v3/logs?lines={lines}")
    assert answer.status == 422
    assert "it must be a number, or 'all'" in answer.error


def test_an_unknown_job_is_refused(world: World) -> None:
    for query in ("job=ap", "job=app&job=ap&follow=1"):
        answer = world.ask("GET", f"/v3/logs?{query}")
        assert (answer.status, answer.error) == (404, "there is no job 'ap' (did you mean 'app'?)")


def test_a_note_says_where_other_output_goes(world: World) -> None:
    world.admin.jobs["app"]["raw"] = True
    note = {"job": "app", "about": "unread"}
    assert listed(world, "?job=app")["notes"] == [note]
    assert listed(world, f"?job={ENCODED}")["notes"] == []
    client = follow(world)
    data = client.first + client.read(lambda data: b"unread" in client.first + data)
    assert events(data) == [("", "note", note)]


def test_a_stream_begins_with_the_last_lines_and_goes_on(world: World) -> None:
    say(world, "app", "1", "2", "3")
    client = follow(world, "&lines=2")
    world.pump(lambda: world.admin.open_output().followers)
    say(world, OTHER, "4")
    say(world, "app", *map(str, range(5, 200)))
    data = client.first + client.read(lambda data: b'"199"' in data and data.endswith(b"\n\n\r\n"))
    found = events(data)
    assert [line["text"] for _, _, line in found] == [str(number) for number in range(2, 200)]
    assert [id for id, _, _ in found] == [str(number) for number in range(2, 200)]
    assert found[2][2]["job"] == OTHER


def test_a_stream_of_one_job_also_if_it_is_removed_and_comes_back(world: World) -> None:
    client = follow(world, "&job=app")
    world.pump(lambda: world.admin.open_output().followers)
    say(world, OTHER, "no")
    say(world, "app", "1")
    world.admin.open_output().keep_only([])
    say(world, "app", "2")
    data = client.first + client.read(lambda data: b'"2"' in data and data.endswith(b"\n\n\r\n"))
    assert [(line["text"], line["number"]) for _, _, line in events(data)] == [("1", 1), ("2", 1)]


@pytest.mark.parametrize(("last", "numbers"), [("2", ["3", "4"]), ("4", []), ("99", ["4"]), ("x", ["4"]), ("0", ["4"])])
def test_a_client_that_comes_back_gets_what_it_missed(world: World, last: str, numbers: list[str]) -> None:
    say(world, "app", "1", "2", "3")
    say(world, "app", "4")
    client = follow(world, "&lines=1", f"Last-Event-ID: {last}\r\n")
    data = client.first + client.read(lambda data: data.endswith(b"\n\n\r\n") or client.first)
    assert [id for id, _, _ in events(data)] == numbers


def test_a_slow_reader_misses_lines_and_sees_it_by_their_numbers(world: World) -> None:
    client = follow(world)
    output = world.admin.open_output()
    world.pump(lambda: output.followers)
    for _ in range(1000):
        say(world, "app", *["x" * 100] * 40)
        world.turn()
    say(world, "app", "the end")
    data = client.first + client.read(lambda data: b"the end" in data and data.endswith(b"\n\n\r\n"))
    numbers = [line["number"] for _, _, line in events(data)]
    assert numbers[-1] == 40_001 == output.of("app").count
    assert len(numbers) < 40_001
    assert numbers == sorted(set(numbers))


def test_a_reader_that_leaves_is_forgotten(world: World) -> None:
    client = follow(world)
    output = world.admin.open_output()
    world.pump(lambda: output.followers)
    client.close()
    world.pump(lambda: not output.followers)
    assert world.control.connections == 0


def test_a_quiet_stream_is_kept_alive_by_comments(world: World) -> None:
    client = follow(world)
    world.settle()
    client.read(lambda data: data or client.first)
    for _ in range(3):
        world.advance(15.1)
        assert client.read(len) == b"3\r\n:\n\n\r\n"


def test_the_last_lines_are_sent_when_the_server_closes(world: World) -> None:
    client = follow(world)
    world.pump(lambda: world.admin.open_output().followers)
    say(world, "app", *map(str, range(100)))
    world.control.close()
    data = client.first + client.read(lambda data: data.endswith(b"0\r\n\r\n"))
    assert [line["text"] for _, _, line in events(data.removesuffix(b"0\r\n\r\n"))] == [str(n) for n in range(100)]
