"""Secrets: never in what ContainerPilot itself says; in the output of jobs only where `logging.mask` asks for it."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.limits import DEADLINE
from tests.system.jobs.configs import app, config, job
from tests.system.program import run
from tests.system.scripts import forever, python, sh
from tests.system.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.control import Answer
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

MASK = "********"
STARS = r"[*]{8}"
TOKEN = "hunter2/ab'c\"d"
PASSWORD = "hünter2/ab'c\"d&e f"
KEY_LINES = ["MIIEvQIBADANBgkqhkiG9w0BAQEF", "AASCBKcwggSjAgEAAoIBAQDAAAAA", "Xw=="]
KEY = "\n".join(["-----BEGIN PRIVATE KEY-----", *KEY_LINES, "-----END PRIVATE KEY-----"])


# --- what ContainerPilot itself says


def test_secrets_of_the_configuration_are_in_no_output(pilot: StartPilot) -> None:
    port, checks = free_port(), sh('echo "no $CONSUL_HTTP_TOKEN"; exit 1')
    jobs = [
        app(),
        job("lost", ["/nowhere/{{ .CONSUL_HTTP_TOKEN }} {{ .LISTED }}"]),
        job("shown", ["sh", "-c", "exec sleep 1000 # {{ .CONSUL_HTTP_TOKEN }} {{ .LISTED }}"]),
        job("checked", forever("checked"), health={"exec": checks, "interval": 1, "ttl": 5}),
        job("listed", forever("listed"), health={"exec": sh('echo "no $LISTED"'), "interval": 1, "ttl": 5}),
    ]
    more = {
        "logging": {"level": "DEBUG", "mask": ["LISTED"]},
        "telemetry": {"port": port, "interfaces": "lo"},
        "consul": f"127.0.0.1:{free_port()}",
    }
    env = {"CONSUL_HTTP_TOKEN": TOKEN, "LISTED": PASSWORD}
    text = json.dumps(config(*jobs, **more), ensure_ascii=False)
    text = text.replace("{{ .CONSUL_HTTP_TOKEN }}", '{{ .CONSUL_HTTP_TOKEN | replaceAll "\\"" "\\\\\\"" }}')
    text = text.replace("{{ .LISTED }}", '{{ .LISTED | replaceAll "\\"" "\\\\\\"" }}')
    started = pilot(text, env=env)
    for name in ("checked", "listed"):
        started.wait_for(lambda name=name: started.jobs()[name]["health"]["output"], what="a check")  # type: ignore[misc]
    started.wait_for(lambda: started.jobs()["lost"]["state"] == "complete")

    shown = [
        body(started.ask("GET", "/v3/jobs")),
        body(started.ask("GET", "/v3/events")),
        *(started.run(*flags, env=env).stdout for flags in (["-jobs"], ["-events"], ["-job", "checked"])),
        *(http(port, path) for path in ("/metrics", "/status", "/readyz")),
        "\n".join(line for line in started.output().splitlines() if " no " not in line),
        started.errors(),
    ]

    assert f"no {MASK}" in started.jobs()["checked"]["health"]["output"]
    assert f"no {MASK}" in started.jobs()["listed"]["health"]["output"]
    assert f"{MASK} {MASK}" in started.jobs()["lost"]["lastExit"]["text"]
    assert "loaded config:" in started.output()
    for text in shown:
        assert not [part for part in ("hunter2", "hünter2", "h\\u00fcnter2", "ab'c") if part in text], text
    # The check's own line is its own.
    assert f"no {TOKEN}" in started.output()


def test_a_reload_that_is_refused_shows_no_secret(pilot: StartPilot) -> None:
    env = {"CONSUL_HTTP_TOKEN": "s3cr3t-0123", "LISTED": "s3cr3t-4567"}
    started = pilot(config(app()), env=env)
    started.jobs()
    started.configure(
        '{control: {socket: "control.socket"}, stopTimeout: "{{ .CONSUL_HTTP_TOKEN }} {{ .LISTED }}", jobs: [], '
        'logging: {mask: ["LISTED"]}}'
    )

    answer = started.ask("POST", "/v3/reload")
    finished = started.run("-reload", env=env)

    assert answer.status == 422
    assert f"{MASK} {MASK}" in body(answer)
    assert finished.code == 1
    assert MASK in finished.stderr
    for text in (body(answer), finished.stderr, finished.stdout, started.output(), started.errors()):
        assert "s3cr3t" not in text


@pytest.mark.parametrize("flags", [[], ["-jobs"]])
@pytest.mark.parametrize(
    "text",
    [
        'consul: {address: "me:s3cr3tpw@consul:8500", token: {{ .TOKEN }}}, jobs: []',
        'consul: {address: "me:s3cr3tpw@consul:8500"}, jobs: [{name: "me:s3cr3tpw"}]',
        'consul: {token: "s3cr3t-0"}, jobs: [{name: "a", exec: "a", when: {interval: "s3cr3t-0"}}]',
        'consul: "http://me:s3cr3t,;)pw@consul:8500/", jobs: [], stopTimeout: "s3cr3t,;)pw"',
    ],
)
def test_the_errors_of_a_configuration_show_no_secret(tmp_path: Path, text: str, flags: list[str]) -> None:
    whole = f'{{control: {{socket: "none"}}, {text}}}'
    finished = run(["-config", whole, *flags], tmp_path, env={"TOKEN": "s3cr3t-0123"})

    assert finished.code == 1
    for output in (finished.stdout, finished.stderr):
        assert "s3cr3t" not in output


def test_template_prints_the_configuration_as_it_is(tmp_path: Path) -> None:
    finished = run(
        ["-template", "-config", '{consul: {token: "{{ .CONSUL_HTTP_TOKEN }}"}}'],
        tmp_path,
        env={"CONSUL_HTTP_TOKEN": "s3cr3t-0"},
    )

    assert finished.stdout == '{consul: {token: "s3cr3t-0"}}'


def test_a_token_file_that_is_replaced_is_never_quoted(pilot: StartPilot, tmp_path: Path) -> None:
    """Not even in the moment in which it is replaced: a check says what it finds there, and we quote it."""
    file = tmp_path / "token"
    file.write_text("token-000\n")
    replace = (
        "for number in range(1, 1000):\n"
        "    time.sleep(0.3)\n"
        f"    with open({str(file)!r}, 'w') as file: file.write(f'token-{{number:03}}')\n"
    )
    checks = {"exec": sh(f"cat {file}"), "interval": 1, "ttl": 5}
    consul = {"address": f"127.0.0.1:{free_port()}", "tokenfile": str(file)}
    started = pilot(
        config(job("app", forever(), health=checks), job("replaces", python(replace)), consul=consul), env={}
    )
    shown: list[str] = []

    def quoted() -> bool:
        shown.append(started.jobs()["app"]["health"]["output"])
        return shown.count(MASK) > 3 and len({line for line in started.output().splitlines() if "token-" in line}) > 2

    started.wait_for(quoted, what="some checks")
    assert not [text for text in shown if "token-" in text]


# --- the output of jobs


@pytest.mark.parametrize("format", ["default", "text", "json"])
def test_not_a_byte_of_the_output_of_jobs_is_changed(pilot: StartPilot, format: str) -> None:
    env = {
        "CONSUL_HTTP_TOKEN": "t0ken-t0ken",
        "MAX_TOKEN": "128000",
        "SECRETS_BACKEND": "kubernetes",
        "DB_PASSWORD": "hunter2-hunter2",
        "DATABASE_URL": "postgres://app:pass%40word1@db:5432/app",
    }
    lines = ['{"bytes":128000}', "kubernetes", *env.values(), "git https://me:from-elsewhere@host/x"]
    more = {"logging": {"format": format}, "consul": f"127.0.0.1:{free_port()}"}
    started = pilot(config(app(), job("says", ["printf", "%s\n", *lines, "the end"]), **more), env=env)

    started.wait_for_line(r"the end")

    found = [shown(line, format) for line in started.output().splitlines()]
    assert found[found.index(lines[0]) :][: len(lines)] == lines


def shown(line: str, format: str) -> str:
    """The message of a line of the log."""
    if format == "json":
        message: str = json.loads(line)["msg"]
        return message
    if format == "text":
        message = line.partition(" msg=")[2].rpartition(" job=")[0]
        return message.removeprefix('"').removesuffix('"').replace('\\"', '"')
    return line.split(" ", 3)[-1]


FORMS = {
    "as it is": PASSWORD,
    "JSON": json.dumps(PASSWORD)[1:-1],
    "JSON of PHP": json.dumps(PASSWORD)[1:-1].replace("/", "\\/"),
    "JSON of Go": json.dumps(PASSWORD, ensure_ascii=False)[1:-1].replace("&", "\\u0026"),
    "JSON, capitals": json.dumps(PASSWORD)[1:-1].replace("00fc", "00FC"),
    "percent": quote(PASSWORD, safe=""),
    "percent, small letters": quote(PASSWORD, safe="").replace("%C3%BC", "%c3%bc"),
    "a form": quote(PASSWORD, safe="").replace("%20", "+"),
}


@pytest.mark.parametrize("dialect", ["jobs", "services"])
@pytest.mark.parametrize("format", ["default", "text", "json"])
def test_variables_that_are_named_are_masked_in_each_form(pilot: StartPilot, format: str, dialect: str) -> None:
    logging = {"format": format, "mask": ["DB_PASSWORD", "TLS_KEY", "SHORT", "UNSET"]}
    env = {"DB_PASSWORD": PASSWORD, "TLS_KEY": KEY, "SHORT": "1234567", "OTHER": "other-other"}
    says = [
        "printf",
        "%s\n",
        *(f"<{each}>" for each in FORMS.values()),
        KEY,
        f"[{json.dumps(KEY)}]",
        "1234567",
        "other-other",
        "end",
    ]
    if dialect == "jobs":
        started = pilot(config(app(), job("says", says), logging=logging), env=env)
    else:
        configured = {"coprocesses": [{"name": "says", "command": says}], "logging": logging}
        started = pilot(configured, forever(), env=env)

    started.wait_for_line(r"\bend\b")

    output = started.output()
    assert output.count(f"<{MASK}>") + output.count(f"\\u003c{MASK}\\u003e") == len(FORMS)
    assert not [part for part in ("nter2", *KEY_LINES) if part in output]
    assert output.count(MASK) == len(FORMS) + len(KEY_LINES) + 1
    assert "1234567" in output
    assert "other-other" in output
    assert "the value of SHORT has fewer than 8 characters" in output


def test_raw_output_goes_past_the_log_and_a_warning_says_so(pilot: StartPilot) -> None:
    says = job("says", sh('echo "$DB_PASSWORD"'), logging={"raw": True})
    started = pilot(config(app(), says, logging={"mask": ["DB_PASSWORD"]}), env={"DB_PASSWORD": "hunter2-hunter2"})

    started.wait_for_line("^hunter2-hunter2$")
    started.wait_for_line("`mask` has no effect on the output of says: it goes directly to ContainerPilot's own")


def test_a_value_is_masked_from_the_first_line_on_that_could_have_it(pilot: StartPilot) -> None:
    says = job("says", sh('echo "late: $LATE"'), when={"source": "SIGHUP", "each": "signal"})
    started = pilot(config(app(), says, logging={"mask": ["LATE"]}))
    started.jobs()

    for turn in range(1, 8):
        if turn % 2:
            assert started.ask("POST", "/v3/environ", {"LATE": f"value-of-{turn}"}).status == 200
        else:
            assert started.run("-putenv", f"LATE=value-of-{turn}").code == 0
        started.signal("HUP")
        started.wait_for(lambda turn=turn: started.output().count("late: ") == turn)  # type: ignore[misc]

    assert started.output().count(f"late: {MASK}\n") == 7
    assert "value-of" not in started.output()


def test_a_reload_that_names_a_variable_masks_later_output(pilot: StartPilot) -> None:
    says = job("says", sh('while :; do echo "it is $DB_PASSWORD"; sleep 0.02; done'))
    started = pilot(config(app(), says), env={"DB_PASSWORD": "hunter2-hunter2"})
    started.wait_for_line("it is hunter2-hunter2$")

    started.configure(config(app(), says, logging={"mask": ["DB_PASSWORD"]}))
    assert started.run("-reload").code == 0
    seen = len(started.output())
    started.wait_for_line(f"it is {STARS}$")

    assert "hunter2" not in started.output()[seen:]


def test_secrets_in_long_lines_are_masked_for_all_sizes_of_reads(pilot: StartPilot) -> None:
    huge = "huge-" + "0123456789" * 4000
    script = (
        "import sys\nout = sys.stdout\nkey = os.environ['HUGE']\n"
        "for before in (0, 30000, 65500, 65530, 65536):\n"
        "    out.write('x' * before + os.environ['SMALL'] + 'y' * 70000 + key + 'z' + key + '\\n'); out.flush()\n"
        "out.write('no end ' + 'x' * 65530 + os.environ['SMALL']); out.flush()\n"
    )
    started = pilot(
        config(job("says", python(script)), logging={"mask": ["HUGE", "SMALL"]}),
        env={"HUGE": huge, "SMALL": "hunter2-hunter2"},
    )

    assert started.wait_exit() == 0

    lines = [line.split(" ", 3)[-1] for line in started.output().splitlines() if " says " in line]
    joined = "".join(lines)
    assert joined.count(MASK) == 5 * 3 + 1
    assert not [part for part in ("hunter2", "huge", "0123456789") if part in joined]
    assert (
        joined.replace(MASK, "")
        == "".join("x" * before + "y" * 70000 + "z" for before in (0, 30000, 65500, 65530, 65536))
        + "no end "
        + "x" * 65530
    )
    assert max(map(len, lines)) <= 65536 + 100


def test_output_that_is_hard_to_mask_delays_nothing(pilot: StartPilot) -> None:
    hard = "a" * 30000 + "b"
    script = "import sys\nwhile True: sys.stdout.write('a' * 65536 + '\\\\u0061%61' * 1000)"
    started = pilot(config(app(), job("floods", python(script)), logging={"mask": ["HARD"]}), env={"HARD": hard})
    started.wait_for(lambda: started.stdout_file.stat().st_size > 1_000_000)

    assert ask_quickly(started)
    assert started.stop() == 0


def ask_quickly(started: Pilot) -> bool:
    with started.client() as client:
        return all(client.ask("GET", "/v3/ping").status == 200 for _ in range(20))


def body(answer: Answer) -> str:
    return answer.body.decode()


def http(port: int, path: str) -> str:
    client = HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        client.request("GET", path)
        return client.getresponse().read().decode()
    finally:
        client.close()
