"""An error in what the template wrote is traced back to its action, and to the variable that is missing."""

from __future__ import annotations

import pytest

from cp.config.errors import ConfigError
from cp.config.load import control_socket, load
from cp.config.source import Source
from cp.log.redaction import Secrets
from tests.unit.config.loading import load_text, refused

NOT_SET = "gives nothing: the variable PORT is not set"


def last_line(text: str, **environ: str) -> str:
    return str(refused(text, environ=environ)).rpartition("\n")[2]


@pytest.mark.parametrize(
    ("text", "line_column"),
    [
        ("{\n  port: {{ .PORT }},\n}", "2:9"),
        ("{\n  port: {{ .PORT }}\n}", "2:9"),
        ("{\n  port: {{ .PORT }} // the port\n}", "2:9"),
        ("{\n  port: {{ .PORT }}\n  name: 'x'\n}", "2:9"),
        ('{\n  port: {{ .PORT }}\n  "name": 1\n}', "2:9"),
        ("{\n  ports: [1, {{ .PORT }}, 2]\n}", "2:14"),
        ("{\n{{ if .NOPE }}\n\n{{ end }}port: {{- .PORT -}} ,\n}", "4:16"),
        ("{{ .PORT }}", "1:1"),
    ],
)
def test_a_hole_is_named_with_its_variable_and_its_place_in_the_template(text: str, line_column: str) -> None:
    assert last_line(text) == f"{{{{ .PORT }}}} at app.json:{line_column} {NOT_SET}."


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("{{ .A }}", "{{ .A }} at app.json:1:5 gives nothing: the variable A is empty."),
        ("{{ .A | default .B }}", "{{ .A | default .B }} at app.json:1:5 gives nothing: the variable B is not set, "
         "the variable A is empty."),
        ('{{ env "C" }}', '{{ env "C" }} at app.json:1:5 gives nothing: the variable C is not set.'),
        ("{{ $.A }}", "{{ $.A }} at app.json:1:5 gives nothing: the variable A is empty."),
        ("{{ printf (or .A .D) }}", "{{ printf (or .A .D) }} at app.json:1:5 gives nothing: the variable D is not set, "
         "the variable A is empty."),
        ('{{ "" }}', '{{ "" }} at app.json:1:5 gives nothing.'),
    ],
)  # fmt: skip
def test_all_variables_that_have_nothing_to_give_are_named(action: str, words: str) -> None:
    assert last_line(f"{{a: {action}, b: 1}}", A="") == words


def test_invalid_text_is_traced_to_the_template_action_that_wrote_it() -> None:
    assert last_line("{a: 1, port: {{ .PORT }}}", PORT="http") == "{{ .PORT }} at app.json:1:14 wrote it."
    assert last_line('{name: "{{ .NAME }}"}', NAME='a"b') == "{{ .NAME }} at app.json:1:9 wrote it."
    assert last_line('{name: "{{ .NAME }}"}', NAME='a"') == ("The text before it is from {{ .NAME }} at app.json:1:9.")


def test_text_that_no_template_wrote_has_its_ordinary_hints() -> None:
    for text in ("{a: {{ .A }}, b: ,}", "{a: {{ .A }}, b: 1 c: 2}", "{a: 1,, b: {{ .A }}}"):
        assert "{{" not in str(refused(text, environ={"A": "1"})).rpartition("^")[2]
    assert "gives nothing" not in str(refused('{a: "{{ .A }}", b: 1 c: 2}', environ={"A": ""}))


def test_a_value_that_is_refused_is_traced_as_well() -> None:
    text = '{consul: "c:8500",\njobs: [{name: "{{ .NAME }}", exec: "x"},\n{name: "b", port: {{ .PORT }}, health: {}}]}'

    messages = refused(text, environ={"NAME": "", "PORT": "-1"}).errors

    assert messages[0].startswith("app.json:2:15: jobs[0].name: ")
    assert messages[0].endswith(" ({{ .NAME }} at app.json:2:16 gives nothing: the variable NAME is empty)")
    (port,) = [each for each in messages if "jobs[1].port" in each]
    assert port.endswith(" ({{ .PORT }} at app.json:3:19 wrote it)")


@pytest.mark.parametrize("key", ["interval", "once", "each", "source"])
def test_a_trigger_that_is_empty_is_traced_to_its_variable(key: str) -> None:
    when = f'{{{key}: "{{{{ .EVERY }}}}"}}'

    [messages] = load_text(f'{{consul: "c:8500", jobs: [{{name: "a", exec: "x",\nwhen: {when}}}]}}').warnings

    assert messages.startswith("app.json:2:7: jobs[0].when: has none of 'interval', 'once' and 'each', so the job is ")
    line_column = f"2:{len(key) + 11}"
    assert messages.endswith(
        f" ({{{{ .EVERY }}}} at app.json:{line_column} gives nothing: the variable EVERY is not set)"
    )


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("interfaces", """{consul: "c:8500", jobs: [{name: "a1", exec: "x", port: 1,
        health: {exec: "x", interval: 1, ttl: 2}, interfaces: ["static:10.0.0.1", '{{ .HOLE }}']}]}"""),
        ("mask", """{consul: "c:8500", logging: {mask: ["A", "{{ .HOLE }}"]}, jobs: [{name: "a", exec: "x"}]}"""),
        ("telemetry.interfaces", """{consul: "c:8500", telemetry: {port: 9090,
        interfaces: ["{{ .HOLE }}", "inet"]}, jobs: [{name: "a", exec: "x"}]}"""),
    ],
)  # fmt: skip
def test_an_empty_element_of_an_array_is_traced_to_its_variable(key: str, text: str) -> None:
    [messages] = [line for line in refused(text, environ={}).errors if f"{key}: " in line]

    assert "gives nothing: the variable HOLE is not set)" in messages


def test_an_array_that_is_refused_for_another_reason_is_traced_to_no_template() -> None:
    for array in ('["{{ .A }}x", "x y"]', '["x{{ .A }}", ["{{ .A }}"]]', '[{a: "{{ .A }}"}]'):
        text = f'{{consul: "c:8500", logging: {{mask: {array}}}, jobs: [{{name: "a", exec: "x"}}]}}'
        assert "{{ .A }}" not in refused(text, environ={}).errors[0]


def test_no_value_of_the_environment_is_shown() -> None:
    text = '{consul: "c:8500", jobs: [{name: "a", exec: "x", restarts: "{{ .SECRET }}{{ .EMPTY }}"}], x: {{ .SECRET }}'

    assert "hush" not in last_line(text, SECRET="hush")
    error = refused(f"{text.partition(', x:')[0]}}}", environ={"SECRET": "hush", "EMPTY": ""}).errors[0]
    assert error.endswith(
        "({{ .SECRET }} at app.json:1:61 wrote it; {{ .EMPTY }} at app.json:1:74 gives nothing: "
        "the variable EMPTY is empty)"
    )


def test_secrets_are_masked_in_these_errors_too() -> None:
    source = Source("app.json", '{a: {{ .A | printf "s3cret" | len | slice "" }},}')
    secrets = Secrets()
    secrets.add("consul.token", "s3cret")
    with pytest.raises(ConfigError) as messages:
        load(source, {}, arguments=(), hostname="h", addresses=list, secrets=secrets)
    assert "s3cret" not in str(messages.value)


def test_a_client_gets_the_same_error() -> None:
    with pytest.raises(ConfigError, match=r"\{\{ \.SOCKET \}\} at app\.json:1:20 gives nothing: the variable SOCKET"):
        control_socket(Source("app.json", "{control: {socket: {{ .SOCKET }}}}"), {})


# --- other languages


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("consul: localhost:8500\njobs:\n  - name: app\n", "YAML"),
        ("---\n# comment\njobs: []\n", "YAML"),
        ("# comment\n\n- name: app\n", "YAML"),
        ("%YAML 1.2\n---\n", "YAML"),
        ('"consul": localhost\n', ""),
        ("stopTimeout: 5 # seconds\nx: 1", "YAML"),
        ('consul = "localhost:8500"\n', "TOML or HCL"),
        ('# comment\n[[jobs]]\nname = "app"\n', "TOML"),
        ('[consul]\naddress = "x"\n', "TOML"),
        ('job "app" {\n  exec = "x"\n}\n', "HCL"),
        ("consul {\n}\n", "HCL"),
        ('consul: "localhost:8500",\njobs: []', ""),
        ("jobs: [\n]", ""),
        ("# comment\n{jobs: []}", ""),
        ("{jobs: [}", ""),
        ("/etc/x\n", ""),
        ("\n", ""),
    ],
)
def test_a_text_in_another_language_is_named(text: str, language: str) -> None:
    messages = last_line(text)

    example = '{consul: "localhost:8500", jobs: []}'
    hint = f"This looks like {language}. A configuration is JSON or JSON5: one object, such as {example}."
    assert (messages == hint) == bool(language)
    assert ("looks like" in messages) == bool(language)
    assert not language or "double quotes" not in messages


@pytest.mark.parametrize(("ending", "language"), [("yaml", "YAML"), ("YML", "YAML"), ("toml", "TOML"), ("hcl", "HCL")])
def test_the_language_follows_from_the_name_of_the_file(ending: str, language: str) -> None:
    with pytest.raises(ConfigError, match=f"This looks like {language}"):
        control_socket(Source(f"/etc/app.{ending}", "{a: x}"), {})
    assert control_socket(Source(f"/etc/app.{ending}", "{}"), {}) == ""


def test_the_error_for_a_comment_of_another_language_shows_how_to_write_it() -> None:
    for text in ("# comment\n{jobs: []}", "{jobs: [] # none\n}", "{jobs: [\n# none\n]}"):
        assert last_line(text) == "A comment begins with //, or is between /* and */."


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("jobs[0].main", "{jobs: [{name: 'app', exec: 'x', main: '{{ .S }}'}]}"),
        ("jobs[0].logging.raw", "{jobs: [{name: 'app', exec: 'x', logging: {raw: '{{ .S }}'}}]}"),
        ("consul.tls.verify", "{consul: {address: 'c:1', tls: {verify: '{{ .S }}'}}, jobs: []}"),
    ],
)
def test_an_empty_boolean_is_false_and_the_template_that_left_it_so_is_named(key: str, text: str) -> None:
    warnings = load_text(text).warnings

    column = text.index("{{") + 1
    words = (
        f"{key}: is empty, which means false: write true or false ({{{{ .S }}}} at app.json:1:{column} gives nothing: "
    )
    assert [each for each in warnings if f"{words}the variable S is not set)" in each]
    assert not [each for each in load_text(text, environ={"S": "false"}).warnings if key in each]
