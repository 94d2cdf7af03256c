"""Time limits of clients, and clients that leave."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cp.http.server import Limits
from tests.integration.control.serving import World, request

PING = b"GET /v3/ping HTTP/1.1\r\nHost: x\r\n\r\n"
Serve = Callable[..., World]


# --- time


def test_half_a_request_is_given_up_after_a_while(world: World) -> None:
    client = world.client()
    client.send(b"POST /v3/environ HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    world.pump(lambda: world.control.connections)
    world.advance(3)
    assert world.control.connections == 1
    world.advance(2.2)
    answer = client.answer()
    assert (answer.status, answer.error) == (408, "Request Timeout: no complete request came within 5 s")
    assert client.until_closed() == b""


def test_one_byte_a_second_is_too_slow(world: World) -> None:
    client = world.client()
    world.pump(lambda: world.control.connections)
    for number in range(5):
        assert world.control.connections == 1
        client.send(PING[number : number + 1])
        world.advance(1.01)
    assert client.answer().status == 408


def test_a_silent_client_is_closed(world: World) -> None:
    client = world.client()
    world.settle()
    world.advance(5.1)
    assert client.answer().status == 408
    assert client.until_closed() == b""


def test_a_client_without_more_requests_is_closed_silently(world: World) -> None:
    client = world.client()
    client.send(PING)
    client.answer()
    world.advance(4)
    client.send(PING)
    client.answer()
    world.advance(3)
    assert world.control.connections == 1
    world.advance(2.2)
    assert client.until_closed() == b""
    assert world.control.connections == 0


def test_a_client_may_wait_long_for_an_answer(world: World) -> None:
    world.admin.waits = True
    client = world.client()
    client.send(request("POST", "/v3/reload"))
    world.pump(lambda: world.admin.requests)
    world.advance(7)
    world.admin.finish()
    assert client.answer().status == 200


def test_a_client_that_never_reads_a_long_answer_is_closed(world: World) -> None:
    world.admin.jobs["app"]["output"] = "x" * 1_000_000
    client = world.client()
    client.send(request("GET", "/v3/jobs/app"))
    world.pump(lambda: world.counted)
    world.advance(3)
    assert world.control.connections == 1
    world.advance(2.2)
    assert world.control.connections == 0


def test_a_client_that_reads_a_long_answer_slowly_gets_all_of_it(world: World) -> None:
    world.admin.jobs["app"]["output"] = "x" * 1_000_000
    client = world.client()
    client.send(request("GET", "/v3/jobs/app") + PING)
    size = 1
    while size < 1_000_000:
        world.advance(4)
        size += len(client.read(len))
    assert world.control.connections == 1


def test_an_answer_beyond_the_limit_is_an_error(serve: Serve) -> None:
    world = serve(Limits(response=100))
    world.admin.jobs["app"]["output"] = "x" * 100
    answer = world.ask("GET", "/v3/jobs/app")
    assert (answer.status, answer.error) == (500, "the answer is larger than 100 bytes")


def test_thousands_of_jobs_and_events_with_long_names_are_sent(world: World) -> None:
    for number in range(5000):
        name = f"job-{number}-{'x' * 300}"
        world.admin.jobs[name] = {"name": name, "state": "running"}
    for number in range(200):
        world.history.happen("stopped", f"{number}-{'x' * 10_000}")
    for target in ("/v3/jobs", "/v3/events"):
        answer = world.ask("GET", target)
        assert len(answer.body) > 1 << 20
        assert answer.status == 200
    assert world.ask("GET", "/v3/jobs").json == world.admin.overview()


def test_long_answers_that_nobody_reads_fill_no_memory(serve: Serve) -> None:
    world = serve(Limits(unread=4 << 20))
    world.admin.jobs["app"]["output"] = "x" * (3 << 20)
    lazy = world.client()
    lazy.send(request("GET", "/v3/jobs/app"))
    world.pump(lambda: world.counted)
    refused = world.ask("GET", "/v3/jobs/app")
    assert (refused.status, refused.error) == (503, "others have not read their answers yet, try again later")
    assert world.ask("GET", "/v3/ping").status == 200
    assert len(lazy.answer().body) > 3 << 20
    assert world.ask("GET", "/v3/jobs/app").status == 200


# --- who leaves


@pytest.mark.parametrize("sent", [b"", b"GET /v3", PING, PING + b"GET /v3", request("POST", "/v3/environ", {"A": "b"})])
def test_a_client_that_leaves_at_any_time_leaves_nothing_behind(world: World, sent: bytes) -> None:
    client = world.client()
    client.send(sent)
    client.close()
    world.pump(lambda: world.control.connections)
    world.pump(lambda: not world.control.connections)
    assert world.log.errors() == []


def test_an_order_counts_though_its_client_has_gone(world: World) -> None:
    client = world.client()
    client.send(request("POST", "/v3/environ", {"A": "b"}))
    client.close()
    world.pump(lambda: "A" in world.admin.environment)


def test_a_client_that_leaves_during_its_reload_leaves_nothing_behind(world: World) -> None:
    world.admin.waits = True
    client = world.client()
    client.send(request("POST", "/v3/reload"))
    world.pump(lambda: world.admin.requests)
    client.close()
    world.pump(lambda: not world.control.connections)
    world.admin.finish()
    assert world.log.lines[-1] == "debug control: reloaded app via control plane"
    assert world.counted == []


def test_an_internal_error_is_logged_and_the_client_gets_500(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def overview() -> dict[str, object]:
        raise ZeroDivisionError

    monkeypatch.setattr(world.admin, "overview", overview)
    answer = world.ask("GET", "/v3/jobs")
    assert (answer.status, answer.error) == (500, "internal error: see the log")
    world.pump(lambda: world.faults)
    assert [type(fault) for fault in world.faults] == [ZeroDivisionError]
    world.faults.clear()
