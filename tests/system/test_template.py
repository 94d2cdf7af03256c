"""-template: the rendered configuration, without running anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot

ENVIRONMENT = {"NAME": "Template", "USER": "pilot", "PARTS": "a:b:c", "FOO": "a=b", "EMPTY": ""}


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{{.NAME}}", "Template"),
        ("{{.NONAME}}", ""),
        ('{{.NONAME | default "World"}}', "World"),
        ("{{.NONAME | default 100}}", "100"),
        ("{{.NONAME | default 10.1}}", "10.1"),
        ('{{.PARTS | split ":" | join "."}}', "a.b.c"),
        ('{{.NAME | replaceAll "e" "_"}}', "T_mplat_"),
        ('{{.NAME | regexReplaceAll "[epa]+" "_"}}', "T_m_l_t_"),
        ("{{ .FOO }}", "a=b"),
        ('{{ index . "NAME" }}{{ index . "MY-VAR" }}', "Template"),
        ("{{ if and .NAME .USER }}both{{ else }}not{{ end }}", "both"),
        ("{{ if .EMPTY }}yes{{ else }}no{{ end }}", "no"),
        ('{{ range $i, $p := .PARTS | split ":" }}{{ $i }}{{ $p }} {{ end }}', "0a 1b 2c "),
        ("a {{- /* gone */ -}} b", "ab"),
        ('{{ printf "%05.1f|%-4s|%q" 3.14159 .USER .FOO }}', '003.1|pilot|"a=b"'),
        ("{{ .CONTAINERPILOT_PID }}", ""),
        ("{{ with .USER }}{{ . }}{{ end }}", "pilot"),
    ],
)
def test_template_is_rendered(pilot: StartPilot, template: str, result: str) -> None:
    # Only what begins with a brace is taken for text, and a template may be anywhere in it.
    done = pilot.run("-config", "{ " + template, "-template", env=ENVIRONMENT)

    assert (done.code, done.stdout) == (0, "{ " + result)


def test_output_may_be_a_file_and_is_the_same(pilot: StartPilot) -> None:
    text = (
        '{\n  "consul": "consul:8500",\n  "backends": [{"name": "up{{ .NAME }}", "poll": 1, "onChange": "true"}]\n}\n'
    )
    (pilot.folder() / "config.json").write_text(text)
    old = pilot.folder() / "testJSON.json"
    old.write_text("x" * 10_000)

    printed = pilot.run("-template", "-config", "file://config.json", "-out", "-", env=ENVIRONMENT)
    written = pilot.run("-template", "-config", "file://config.json", "-out", "file://testJSON.json", env=ENVIRONMENT)

    assert (printed.code, written.code, written.stdout) == (0, 0, "")
    assert printed.stdout == old.read_text() == text.replace("{{ .NAME }}", "Template")


def test_rendered_text_can_be_loaded(pilot: StartPilot) -> None:
    text = json.dumps({"preStart": ["echo", "upstreamA{{.TESTRENDERCONFIGISPARSEABLE}}"]})

    rendered = pilot.run("-template", "-config", text, env={"TESTRENDERCONFIGISPARSEABLE": "-ok"})
    done = pilot.run("-config", rendered.stdout, "true")

    assert done.stdout == "upstreamA-ok\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-config", "file:///xxxx", "-out", "-"], "Could not read config file: open /xxxx: no such file or directory"),
        (
            ["-config", "{}", "-out", "file:///a/b/c/d/e/f.json"],
            "Could not write config file: open /a/b/c/d/e/f.json: no such file or directory",
        ),
        (["-config", "{ {{ .NAME }"], "Could not apply template to config: "),
        (["-config", "{ {{ .NAME.FIELD }}"], "Could not apply template to config: "),
        ([], "-config flag is required"),
    ],
)
def test_a_template_that_cannot_be_rendered_gives_1(pilot: StartPilot, arguments: list[str], complaint: str) -> None:
    done = pilot.run("-template", *arguments, env=ENVIRONMENT)

    assert done.code == 1
    assert complaint in done.stderr
    assert done.stdout == ""


def test_text_that_is_not_a_configuration_is_still_rendered(pilot: StartPilot) -> None:
    done = pilot.run("-template=true", "-config", "{ not json {{ .NAME }}", env=ENVIRONMENT)

    assert (done.code, done.stdout) == (0, "{ not json Template")


def test_template_false_runs_the_command(pilot: StartPilot) -> None:
    assert pilot.run("-template=false", "-config", "{}", "echo", "ran").stdout == "ran\n"
