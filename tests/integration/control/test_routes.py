"""Answers of the control plane, path by path."""

from __future__ import annotations

import json
import signal

import pytest

from cp.encoding.go_numbers import shortest
from tests.integration.control.serving import World, request

# --- the whole


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_ping_answers_to_any_method(world: World, method: str) -> None:
    answer = world.ask(method, "/v3/ping")
    assert (answer.status, answer.body) == (200, b"\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "target", ["/v3/xxxx", "/", "/v3", "/v3/ping/", "/v3/jobs/", "/v3/jobs/app/dance", "/v3/jobs/app/start/", "*"]
)
def test_an_unknown_path_is_not_found(world: World, target: str) -> None:
    answer = world.ask("GET", target)
    assert answer.status == 404
    assert answer.error == f"404 page not found: there is no '{target}'"
    assert world.counted == []


@pytest.mark.parametrize(
    "target",
    [
        "/v3/environ",
        "/v3/env",
        "/v3/metric",
        "/v3/reload",
        "/v3/maintenance/enable",
        "/v3/maintenance/disable",
        "/v3/jobs/app/start",
        "/v3/jobs/app/stop",
        "/v3/jobs/app/restart",
        "/v3/jobs/app/signal",
    ],
)
def test_an_order_is_not_given_by_get(world: World, target: str) -> None:
    answer = world.ask("GET", target)
    assert (answer.status, answer.error) == (405, "Method Not Allowed: use POST")
    assert answer.headers["allow"] == "POST"
    assert world.admin.requests == []
    assert not world.admin.in_maintenance


@pytest.mark.parametrize("target", ["/v3/jobs", "/v3/jobs/app", "/v3/events"])
def test_read_only_paths_refuse_post(world: World, target: str) -> None:
    answer = world.ask("POST", target)
    assert (answer.status, answer.error) == (405, "Method Not Allowed: use GET")
    assert answer.headers["allow"] == "GET, HEAD"


def test_answers_are_counted_by_pattern_and_status(world: World) -> None:
    for method, target, body in (
        ("GET", "/v3/ping", ""),
        ("GET", "/v3/reload", ""),
        ("POST", "/v3/env", "{{"),
        ("GET", "/v3/jobs/app?pretty", ""),
        ("GET", "/v3/jobs/nobody", ""),
        ("POST", "/v3/jobs/app/stop", ""),
    ):
        world.ask(method, target, body)
    assert world.counted == [
        ("/v3/ping", 200),
        ("/v3/reload", 405),
        ("/v3/env", 422),
        ("/v3/jobs/<name>", 200),
        ("/v3/jobs/<name>/stop", 200),
    ]


def test_the_log_shows_the_place_and_the_duration(world: World) -> None:
    assert world.log.lines == ["info control: serving at socket0"]
    world.control.close()
    world.settle()
    assert world.log.lines[1:] == ["debug control: stopped serving at socket0"]


def test_a_default_socket_is_announced_quietly(tmp_path: object, serve: object) -> None:
    assert callable(serve)
    assert serve(announced=False).log.lines == ["debug control: serving at socket0"]


# --- environ


def test_an_environment_that_the_operator_refuses(world: World) -> None:
    world.admin.fault = "no process could be started any more"
    answer = world.ask("POST", "/v3/environ", {"A": "b"})
    assert (answer.status, answer.error) == (422, "Unprocessable Entity: no process could be started any more")
    assert world.admin.environment == {"KEPT": "as it was"}


@pytest.mark.parametrize("target", ["/v3/environ", "/v3/env"])
def test_variables_are_set_emptied_and_unset(world: World, target: str) -> None:
    answer = world.ask("POST", target, {"A": "value=with=signs", "B": "", "C": None, "D": "null", "É": "\u20ac"})
    assert (answer.status, answer.body) == (200, b"\n")
    assert world.admin.environment == {
        "KEPT": "as it was", "A": "value=with=signs", "B": "", "C": None, "D": "null", "É": "\u20ac",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{{", "the body is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
        ("", "the body is not JSON: Expecting value (line 1, column 1)"),
        (b'{"A": "\xff"}', "the body is not UTF-8: see byte 7"),
        ("[]", "the body must be a JSON object, not an array"),
        ("null", "the body must be a JSON object, not null"),
        ('"A"', "the body must be a JSON object, not a string"),
        ('{"FOO": 1}', "the value of FOO must be a string or null, not a number"),
        ('{"FOO": true}', "the value of FOO must be a string or null, not a boolean"),
        ('{"FOO": {}}', "the value of FOO must be a string or null, not an object"),
        ('{"FOO": []}', "the value of FOO must be a string or null, not an array"),
        ('{"": "x"}', "the name of a variable must not be empty"),
        ('{"A=B": "x"}', "the name A=B must not have '=' in it"),
        ('{"A\\u0000B": "x"}', "the name 'A\\x00B' must not have a NUL character in it"),
        ('{"FOO": "a\\u0000b"}', "the value of FOO must not have a NUL character in it"),
        ('{"FOO": "\\ud800"}', "the value of FOO is not Unicode text"),
        ('{"FOO": NaN}', "the body is not JSON: NaN is none of its numbers"),
        ('{"FOO": 1e999}', "the number 1e999 is out of range"),
        ('{"FOO": ' + "9" * 5000 + "}", f"the number {'9' * 100}... is out of range"),
        ("[" * 100_000, "the body is nested too deeply"),
        ('{"A":' * 100_000, "the body is nested too deeply"),
    ],
)
def test_one_bad_variable_changes_nothing(world: World, body: str | bytes, why: str) -> None:
    if isinstance(body, str) and body.startswith('{"') and len(body) < 100:
        body = '{"KEPT": "changed", ' + body[1:]  # a good one is before the bad one
    answer = world.ask("POST", "/v3/environ", body)
    assert answer.status == 422
    assert answer.error == f"Unprocessable Entity: {why}"
    assert world.admin.environment == {"KEPT": "as it was"}


def test_a_large_body_is_read_in_steps_and_keeps_nobody_waiting(world: World) -> None:
    many = {f"variable-{number}": "value" for number in range(20_000)}
    bodies = [request("POST", "/v3/environ", {**many, "LAST": str(number)}) for number in range(3)]
    clients = [world.client() for _ in bodies]
    world.ask("GET", "/v3/ping")  # HTTP is there
    for client, body in zip(clients, bodies, strict=True):
        client.send(body[:-1])
    world.settle()
    for client in clients:
        client.send(b"}")
    assert world.ask("GET", "/v3/ping").status == 200
    assert world.ask("POST", "/v3/metric", {"m": 1}).status == 200
    assert "LAST" not in world.admin.environment
    assert [client.answer().status for client in clients] == [200, 200, 200]
    assert world.admin.environment["LAST"] in ("0", "1", "2")
    assert len(world.admin.environment) == 20_002


def test_of_a_variable_given_twice_the_last_counts(world: World) -> None:
    assert world.ask("POST", "/v3/environ", '{"A": 1, "A": "second"}').status == 200
    assert world.admin.environment["A"] == "second"


# --- metric


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.0", "1"),
        ("1.5", "1.5"),
        ("-0.25", "-0.25"),
        ("1000000", "1e+06"),
        ("0", "0"),
        ('"84"', "84"),
        ('" 1e3 "', " 1e3 "),
        ('"+Inf"', "+Inf"),
        ('"nan"', "nan"),
    ],
)
def test_a_metric_is_recorded_as_it_was_written(world: World, value: str, text: str) -> None:
    answer = world.ask("POST", "/v3/metric", f'{{"mymetric": {value}}}')
    assert (answer.status, answer.body) == (200, b"\n")
    assert world.admin.metrics == [("mymetric", text)]


def test_metrics_are_recorded_in_the_order_they_came_in(world: World) -> None:
    world.ask("POST", "/v3/metric", {"mymetric": 1.5, "myothermetric": 2})
    assert world.admin.metrics == [("mymetric", "1.5"), ("myothermetric", "2")]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{{", "the body is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
        ("[1]", "the body must be a JSON object, not an array"),
        ('{"m": true}', "the value of m must be a number, not a boolean"),
        ('{"m": null}', "the value of m must be a number, not null"),
        ('{"m": {}}', "the value of m must be a number, not an object"),
        ('{"m": "xxx"}', "the value of m must be a number, not 'xxx'"),
        ('{"m": ""}', "the value of m must be a number, not ''"),
        ('{"m": "1_000"}', "the value of m must be a number, not '1_000'"),
        ('{"m": "\\u0661"}', "the value of m must be a number, not '\u0661'"),
    ],
)
def test_a_value_that_is_not_a_number_is_not_recorded(world: World, body: str, why: str) -> None:
    answer = world.ask("POST", "/v3/metric", body.replace("{", '{"good": 1, ', 1) if body[1] == '"' else body)
    assert (answer.status, answer.error) == (422, f"Unprocessable Entity: {why}")
    assert world.admin.metrics == []


def test_a_metric_that_the_operator_refuses_is_unprocessable(world: World) -> None:
    world.admin.fault = "there is no metric 'm'"
    answer = world.ask("POST", "/v3/metric", {"m": 1})
    assert (answer.status, answer.error) == (422, "Unprocessable Entity: there is no metric 'm'")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (123456.0, "123456"),
        (1234567.0, "1.234567e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (0.1 + 0.2, "0.30000000000000004"),
        (-0.0, "-0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_numbers_are_written_as_go_does(value: float, text: str) -> None:
    assert shortest(value) == text


# --- maintenance


@pytest.mark.parametrize("body", ["", "{{", "null"])
def test_maintenance_is_entered_and_left_once_with_any_body(world: World, body: str) -> None:
    for path, updated, after in (
        ("enable", True, True),
        ("enable", False, True),
        ("disable", True, False),
        ("disable", False, False),
    ):
        answer = world.ask("POST", f"/v3/maintenance/{path}", body)
        assert (answer.status, answer.json) == (200, {"updated": updated})
        assert world.admin.in_maintenance is after


@pytest.mark.parametrize(("path", "what"), [("enable", "enter"), ("disable", "leave")])
def test_maintenance_is_not_changed_any_more_during_a_stop(world: World, path: str, what: str) -> None:
    world.admin.in_maintenance = what == "leave"
    world.admin.stopping = True
    answer = world.ask("POST", f"/v3/maintenance/{path}")
    assert (answer.status, answer.error) == (409, f"cannot {what} maintenance: ContainerPilot is stopping")
    assert world.admin.in_maintenance is (what == "leave")


# --- reload


def test_a_reload_is_answered_when_it_is_done(world: World) -> None:
    world.admin.waits = True
    client = world.client()
    client.send(b"POST /v3/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nignored")
    world.pump(lambda: world.admin.requests)
    assert world.log.lines[1:] == ["debug control: reloading app via control plane"]
    world.admin.finish()
    answer = client.answer()
    assert (answer.status, answer.body) == (200, b"\n")
    assert world.log.lines[2:] == ["debug control: reloaded app via control plane"]


def test_a_refused_reload_reports_all_errors(world: World) -> None:
    world.admin.fault = "app.json5:3:1: jobs[0]: unknown key 'exce'\napp.json5:9:1: and another"
    answer = world.ask("POST", "/v3/reload")
    assert (answer.status, answer.error) == (422, world.admin.fault)
    assert world.log.lines[1:] == ["debug control: reloading app via control plane"]


def test_a_reload_that_takes_long_is_accepted_and_goes_on(world: World) -> None:
    world.admin.waits = True
    client = world.client()
    client.send(b"POST /v3/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    world.pump(lambda: world.admin.requests)
    world.advance(8.1)
    answer = client.answer()
    assert (answer.status, answer.json) == (202, {"state": "reloading"})
    world.admin.finish()
    assert world.log.lines[-1] == "debug control: reloaded app via control plane"
    assert world.counted == [("/v3/reload", 202)]


def test_two_hundred_reloads_in_a_row_are_answered(world: World) -> None:
    for _ in range(200):
        assert world.ask("POST", "/v3/reload").status == 200
    assert world.log.lines.count("debug control: reloaded app via control plane") == 200


# --- jobs


def test_all_jobs_are_in_one_answer(world: World) -> None:
    answer = world.ask("GET", "/v3/jobs")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == world.admin.overview()


def test_a_job_with_spaces_and_slashes_has_a_path(world: World) -> None:
    answer = world.ask("GET", "/v3/jobs/of%20two%20words%2fand%20a%20slash")
    assert answer.json == {"name": "of two words/and a slash", "state": "running"}


@pytest.mark.parametrize("name", ["100%", "%zz", "%c3%a9"])
def test_a_percent_sign_that_escapes_nothing_is_itself(world: World, name: str) -> None:
    decoded = "é" if name == "%c3%a9" else name
    assert world.ask("GET", f"/v3/jobs/{name}").error == f"there is no job '{decoded}'"


def test_an_unknown_job_is_not_found_and_the_nearest_is_named(world: World) -> None:
    for method, verb in (("GET", ""), ("POST", "/start"), ("POST", "/signal")):
        answer = world.ask(method, f"/v3/jobs/ap{verb}")
        assert (answer.status, answer.error) == (404, "there is no job 'ap' (did you mean 'app'?)")


def test_output_that_is_not_text_is_still_json(world: World) -> None:
    world.admin.jobs["app"]["output"] = b"caf\xe9".decode(errors="surrogateescape")
    assert world.ask("GET", "/v3/jobs/app").json["output"] == "caf\ufffd"


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_the_answer_to_an_order_shows_the_job_afterwards(world: World, verb: str) -> None:
    world.admin.waits = True
    client = world.client()
    client.send(f"POST /v3/jobs/app/{verb} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    world.pump(lambda: world.admin.requests)
    world.admin.jobs["app"]["state"] = "moved"
    world.admin.finish()
    answer = client.answer()
    assert (answer.status, answer.json) == (200, {"name": "app", "state": "moved"})
    assert world.admin.requests == [(verb, "app")]


def test_a_job_that_moves_slowly_is_shown_as_it_is_meanwhile(world: World) -> None:
    world.admin.waits = True
    client = world.client()
    client.send(b"POST /v3/jobs/app/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    world.pump(lambda: world.admin.requests)
    world.admin.jobs["app"]["state"] = "terminating"
    world.advance(8.1)
    answer = client.answer()
    assert (answer.status, answer.json) == (202, {"name": "app", "state": "terminating"})
    world.admin.finish()


def test_a_move_that_is_refused_says_why(world: World) -> None:
    world.admin.fault = "it runs already"
    answer = world.ask("POST", "/v3/jobs/app/start")
    assert (answer.status, answer.error) == (409, "it runs already")


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("HUP", signal.SIGHUP),
        ("SIGHUP", signal.SIGHUP),
        ("sigterm", signal.SIGTERM),
        (1, 1),
        ("15", 15),
        ("RTMIN+3", signal.SIGRTMIN + 3),
        ("SIGRTMAX-1", signal.SIGRTMAX - 1),
        ("RTMIN", signal.SIGRTMIN),
    ],
)
def test_a_job_is_sent_a_signal(world: World, wanted: object, number: int) -> None:
    answer = world.ask("POST", "/v3/jobs/app/signal", {"signal": wanted})
    assert (answer.status, answer.json["name"]) == (200, "app")
    assert world.admin.signals == [number]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("FOO", "there is no signal FOO: name one as HUP, SIGHUP, 1 or RTMIN+3"),
        ("_BLOCK", "there is no signal _BLOCK: name one as HUP, SIGHUP, 1 or RTMIN+3"),
        ("RTMIN+99", "there is no signal RTMIN+99: name one as HUP, SIGHUP, 1 or RTMIN+3"),
        (0, "there is no signal 0: name one as HUP, SIGHUP, 1 or RTMIN+3"),
        (1.5, "there is no signal 1.5: name one as HUP, SIGHUP, 1 or RTMIN+3"),
        (65, "there is no signal 65: name one as HUP, SIGHUP, 1 or RTMIN+3"),
        (True, "the signal must be a name or a number, not a boolean"),
        (None, 'name a signal: {"signal": "HUP"}'),
    ],
)
def test_an_unknown_signal_is_not_sent(world: World, wanted: object, why: str) -> None:
    answer = world.ask("POST", "/v3/jobs/app/signal", {"signal": wanted})
    assert (answer.status, answer.error) == (422, f"Unprocessable Entity: {why}")
    assert world.admin.signals == []


def test_a_signal_to_a_job_without_a_process_is_a_conflict(world: World) -> None:
    world.admin.fault = "it has no process"
    answer = world.ask("POST", "/v3/jobs/app/signal", {"signal": "HUP"})
    assert (answer.status, answer.error) == (409, "it has no process")


# --- HEAD


@pytest.mark.parametrize("target", ["/v3/jobs", "/v3/jobs/app", "/v3/jobs/nobody", "/v3/events", "/v3/ping"])
def test_head_is_get_without_a_body(world: World, target: str) -> None:
    got = world.ask("GET", target)
    client = world.client()
    client.send(f"HEAD {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = client.until_closed().partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {got.status} ".encode())
    assert f"Content-Length: {len(got.body)}".encode() in head
    assert body == b""


def test_head_of_an_order_is_not_an_order(world: World) -> None:
    answer = world.ask("HEAD", "/v3/reload")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert world.admin.requests == []


# --- events


def test_the_last_events_are_listed(world: World) -> None:
    world.history.happen("startup", "global")
    world.history.happen("healthy", "app")
    assert json.loads(world.ask("GET", "/v3/events").body) == {
        "events": [
            {"number": 1, "at": "2026-11-22T16:50:01.000Z", "code": "startup", "source": "global"},
            {"number": 2, "at": "2026-11-22T16:50:02.000Z", "code": "healthy", "source": "app"},
        ]
    }


def test_the_events_of_one_job_are_listed(world: World) -> None:
    for source in ("app", "global", "of two words/and a slash", "app", "gone"):
        world.history.happen("healthy", source)

    def numbers(query: str) -> list[int]:
        return [event["number"] for event in json.loads(world.ask("GET", f"/v3/events?{query}").body)["events"]]

    assert numbers("job=app") == [1, 4]
    assert numbers("x=1&job=of%20two%20words%2Fand%20a%20slash") == [3]
    assert numbers("job=gone") == [5]  # a reload has removed it
    assert numbers("job=") == [1, 2, 3, 4, 5]


def test_the_events_of_a_job_that_never_was(world: World) -> None:
    for query in ("job=nobody", "job=nobody&follow=1"):
        answer = world.ask("GET", f"/v3/events?{query}")
        assert answer.status == 404
        assert answer.error.startswith("there is no job 'nobody'")
