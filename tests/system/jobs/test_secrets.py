"""Tokens and passwords: whatever ContainerPilot writes or tells, they are not in it."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from tests.system.jobs.configs import app, config, job
from tests.system.program import run
from tests.system.scripts import forever, sh
from tests.system.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.control import Answer
    from tests.system.pilot_fixtures import StartPilot

SECRET = "hunter2/ab'c\"d"
PLAIN_SECRET = "s3cr3t-0123"
KEY_LINES = ["MIIEvQIBADANBgkqhkiG9w0BAQEF", "AASCBKcwggSjAgEAAoIBAQDAAAAA"]
KEY = "\n".join(["-----BEGIN PRIVATE KEY-----", *KEY_LINES, "-----END PRIVATE KEY-----"])
ENV = {"DB_PASSWORD": SECRET, "API_KEY_FOR_MAIL": PLAIN_SECRET, "TLS_PRIVATE_KEY": KEY}
MASK = "********"


@pytest.mark.parametrize("format", ["default", "text", "json"])
def test_secrets_of_the_environment_are_masked_in_what_children_print(pilot: StartPilot, format: str) -> None:
    says = sh('echo "mail: $API_KEY_FOR_MAIL"; echo "db: $DB_PASSWORD" >&2; echo "$TLS_PRIVATE_KEY"; echo end')
    started = pilot(config(job("says", says), app(), logging={"format": format}), env=ENV)

    started.wait_for_line(r"\bend\b")
    started.wait_for_line(r"db: ")

    assert f"mail: {MASK}" in started.output()
    assert f"db: {MASK}" in started.output()
    assert not leaks(started.output())


def test_raw_output_is_the_childs_own(pilot: StartPilot) -> None:
    started = pilot(config(app(), job("says", sh('echo "$API_KEY_FOR_MAIL"'), logging={"raw": True})), env=ENV)

    started.wait_for_line(f"^{PLAIN_SECRET}$")


def test_secrets_are_masked_in_errors_events_jobs_metrics_and_the_debug_log(pilot: StartPilot) -> None:
    port, checks = free_port(), sh('echo "no $DB_PASSWORD"; exit 1')
    jobs = [
        app(),
        job("lost", "/nowhere/{{ .API_KEY_FOR_MAIL }} {{ .API_KEY_FOR_MAIL }}"),
        job("shown", ["sh", "-c", "exec sleep 1000 # {{ .API_KEY_FOR_MAIL }}"]),
        job("checked", forever("checked"), health={"exec": checks, "interval": 1, "ttl": 5}),
    ]
    more = {"logging": {"level": "DEBUG"}, "telemetry": {"port": port, "interfaces": "lo"}}
    started = pilot(config(*jobs, **more), env=ENV)
    started.wait_for(lambda: started.jobs()["checked"]["health"]["output"], what="a check")
    started.wait_for(lambda: started.jobs()["lost"]["state"] == "complete")

    told = [
        body(started.ask("GET", "/v3/jobs")),
        body(started.ask("GET", "/v3/events")),
        started.run("-jobs", env=ENV).stdout,
        started.run("-events", env=ENV).stdout,
        *(http(port, path) for path in ("/metrics", "/status", "/readyz")),
        started.output(),
        started.errors(),
    ]

    assert f"no {MASK}" in started.jobs()["checked"]["health"]["output"]
    assert MASK in started.jobs()["lost"]["lastExit"]["text"]
    assert "loaded config:" in started.output()
    for text in told:
        assert not leaks(text), text


def test_a_reload_that_is_refused_tells_no_secret(pilot: StartPilot) -> None:
    started = pilot(config(app()), env=ENV)
    started.jobs()
    started.configure('{control: {socket: "control.socket"}, stopTimeout: "{{ .API_KEY_FOR_MAIL }}", jobs: []}')

    answer = started.ask("POST", "/v3/reload")
    finished = started.run("-reload", env=ENV)

    assert answer.status == 422
    assert MASK in body(answer)
    assert finished.code == 1
    assert MASK in finished.stderr
    for text in (body(answer), finished.stderr, finished.stdout, started.output(), started.errors()):
        assert not leaks(text)


def test_a_configuration_that_is_refused_tells_no_secret(tmp_path: Path) -> None:
    text = '{consul: {address: "me:hunter2pw@consul:8500", token: {{ .API_KEY_FOR_MAIL }}}, jobs: []}'
    for flags in ([], ["-jobs"], ["-template"]):
        finished = run(["-config", text, *flags], tmp_path, env=ENV)
        for output in (finished.stdout, finished.stderr):
            assert not leaks(output) or flags == ["-template"]
            assert "hunter2pw" not in output or flags == ["-template"]


def test_a_secret_that_is_set_later_is_masked_from_then_on(pilot: StartPilot) -> None:
    says = job("says", sh('echo "late: $LATE_TOKEN"'), when={"interval": "100ms"}, restarts="unlimited")
    started = pilot(config(app(), says))
    started.wait_for_line("late: $")

    assert started.ask("POST", "/v3/environ", {"LATE_TOKEN": PLAIN_SECRET}).status == 200

    started.wait_for_line(rf"late: {'[*]' * 8}$")
    assert not leaks(started.output())


def test_a_token_file_is_masked_again_when_it_changes(pilot: StartPilot, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first-token-1\n")
    says = job("says", sh(f"while :; do cat {file}; sleep 0.1; done"))
    consul = {"address": f"127.0.0.1:{free_port()}", "tokenfile": str(file)}
    started = pilot(config(app(), says, consul=consul))
    started.wait_for_line(r"[*]{8}$")

    file.write_text("second-token-2\n")
    started.wait_for(lambda: started.output().count(MASK) >= 30)

    assert "first-token-1" not in started.output()
    # It is looked at once a second.
    assert "second-token-2" not in started.output().splitlines()[-1]


def test_passwords_in_urls_are_masked(pilot: StartPilot) -> None:
    says = sh('echo "at $DATABASE_URL"; echo git https://me:from-elsewhere@host/x; echo user git+ssh://git@host')
    started = pilot(
        config(app(), job("says", says)), env={"DATABASE_URL": "postgres://app:pass%40word1@db:5432/app?sslmode=off"}
    )

    started.wait_for_line(r"at postgres://app:[*]{8}@db:5432/app\?sslmode=off$")
    started.wait_for_line(r"git https://me:[*]{8}@host/x$")
    started.wait_for_line(r"user git\+ssh://git@host$")


def leaks(text: str) -> list[str]:
    return [part for part in (PLAIN_SECRET, "hunter2/ab", *KEY_LINES) if part in text]


def body(answer: Answer) -> str:
    return answer.body.decode()


def http(port: int, path: str) -> str:
    client = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("GET", path)
        return client.getresponse().read().decode()
    finally:
        client.close()
