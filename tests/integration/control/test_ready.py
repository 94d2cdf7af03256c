"""`/v3/ready`: clients that wait until jobs are ready."""

from __future__ import annotations

import pytest

from cp.control.ready import LONGEST_WAIT
from tests.integration.control.serving import World, request


def test_an_answer_at_once_shows_the_present_state(world: World) -> None:
    answer = world.ask("GET", "/v3/ready")
    assert answer.status == 503
    assert answer.json["outcome"] == "timeout"
    assert [job["name"] for job in answer.json["jobs"]] == ["app", "of two words/and a slash"]
    assert world.counted == [("/v3/ready", 503)]
    assert world.admin.waiting == []


def test_the_answer_comes_when_the_jobs_are_ready(world: World) -> None:
    client = world.client()
    client.send(request("GET", "/v3/ready?timeout=30&job=of%20two%20words%2Fand%20a%20slash&job=app&job=app"))
    world.pump(lambda: world.admin.waiting)
    assert world.admin.waiting[0][0] == ("of two words/and a slash", "app")
    world.advance(29)
    assert len(world.admin.waiting) == 1

    world.admin.end_wait("ready")
    answer = client.answer()
    assert (answer.status, answer.json) == (200, {"ready": True, "outcome": "ready", "jobs": []})


@pytest.mark.parametrize(("text", "seconds"), [("1", 1), ("0.5", 0.5), ("999999999", LONGEST_WAIT)])
def test_the_answer_comes_when_the_time_is_over(world: World, text: str, seconds: float) -> None:
    client = world.client()
    client.send(request("GET", f"/v3/ready?timeout={text}"))
    world.pump(lambda: world.admin.waiting)
    world.advance(seconds - 0.2)
    assert len(world.admin.waiting) == 1

    world.advance(0.3)
    assert world.admin.waiting == []
    assert (client.answer().status, world.counted) == (503, [("/v3/ready", 503)])


@pytest.mark.parametrize("text", ["x", "-1", "1s", "1e9", "NaN", "%C2%B2", "1.2.3", "1" * 30])
def test_what_is_no_number_of_seconds_is_refused(world: World, text: str) -> None:
    answer = world.ask("GET", f"/v3/ready?timeout={text}")
    assert (answer.status, answer.error) == (
        422,
        "Unprocessable Entity: timeout: write a number of seconds, such as 30 or 0.5",
    )


def test_an_unknown_job_is_refused_with_the_nearest(world: World) -> None:
    answer = world.ask("GET", "/v3/ready?timeout=30&job=ap")
    assert (answer.status, answer.error) == (404, "there is no job 'ap' (did you mean 'app'?)")


def test_a_client_that_leaves_leaves_nothing_behind(world: World) -> None:
    client = world.client()
    client.send(request("GET", "/v3/ready?timeout=30"))
    world.pump(lambda: world.admin.waiting)
    client.close()
    world.pump(lambda: not world.admin.waiting)
    world.advance(31)
    assert world.counted == []
    assert world.control.connections == 0


def test_head_waits_too(world: World) -> None:
    client = world.client()
    client.send(request("HEAD", "/v3/ready?timeout=30"))
    world.pump(lambda: world.admin.waiting)
    world.admin.end_wait("ready")
    assert client.answer(head=True).status == 200


def test_fifty_clients_that_wait_delay_nobody(world: World) -> None:
    clients = [world.client() for _ in range(50)]
    for client in clients:
        client.send(request("GET", "/v3/ready?timeout=30"))
    world.pump(lambda: len(world.admin.waiting) == 50)
    assert world.ask("GET", "/v3/ping").status == 200

    for _ in clients:
        world.admin.end_wait("ready")
    assert [client.answer().status for client in clients] == [200] * 50
