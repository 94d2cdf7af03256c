"""The place in the error when a configuration is not JSON5, or its template is wrong."""

from __future__ import annotations

import pytest

from cp.config.errors import ConfigError
from cp.config.load import render
from cp.config.source import Source
from tests.unit.config.loading import load_text, refused


def test_a_syntax_error_has_its_place_in_front_and_the_report_behind() -> None:
    assert refused('{\n  "consul": "x" "y"\n}').errors == (
        "app.json:2:17: Parse error at line:col [2:17]: invalid character '\"' after object key:value pair\n"
        "    1: {\n"
        '    2:   "consul": "x" "y"\n'
        "-----------------------^\n"
        "Is a comma missing before it?",
    )


def test_a_variable_that_is_not_set_leaves_a_hole_at_its_true_place() -> None:
    text = '{\n    "test": {{ .NO_SUCH_KEY }},\n    "test2": "hello"\n}'

    assert "app.json:2:13: Parse error at line:col [2:13]: " in refused(text).errors[0]


def test_a_key_without_quotes_is_reported_together_with_the_errors() -> None:
    text = '{\n    "a1": 1,\n    "a2": 1,\n    "a3": 1,\n    test2: "hello"\n}'

    assert "Parse error at line:col [5:5]" in str(refused(text))


def test_a_trailing_comma_is_reported_together_with_the_errors() -> None:
    text = '{\n  "consul": "x:1",\n  "tasks": [{\n    "command": ["echo", "hi"]\n  },\n  ]\n}'

    error = refused(text)

    assert "Do you have an extra comma somewhere?" in str(error)
    assert "Parse error at line:col [6:3]" in str(error)


def test_a_template_error_on_line_12_of_40_is_reported_there() -> None:
    lines = ["{"] + [f'  "k{number}": "{{{{ .V }}}}",' for number in range(2, 40)] + ["}"]
    lines[11] = '  "consul": "{{ .CONSUL | nofunction }}",'

    (error,) = refused("\n".join(lines)).errors

    assert error.startswith("app.json:12:")
    assert "Could not apply template to config: template: :12: " in error
    assert "nofunction" in error


def test_a_syntax_error_below_a_template_is_reported_in_its_line() -> None:
    lines = ["{"] + [f'  "k{number}": "{{{{ .V }}}}",' for number in range(2, 40)] + ["}"]
    lines[11] = '  "consul" "{{ .CONSUL }}",'

    (error,) = refused("\n".join(lines)).errors

    assert error.startswith("app.json:12:12: Parse error at line:col [12:12]: ")
    assert "rendered" not in error


def test_places_are_called_those_of_the_rendered_text_if_the_number_of_lines_changed() -> None:
    text = '{{ range split "," "a,b" }}\n{{ end }}{"consul": "x:1",\n "foo": 1}'

    (error,) = refused(text).errors

    assert error.startswith("app.json:4:2: foo: unknown key")
    assert error.endswith(" (line of the rendered configuration; see -template)")


def test_the_first_line_of_a_long_report_says_so() -> None:
    text = '{{ range split "," "a,b" }}\n{{ end }}{"consul" "x:1"}'

    (error,) = refused(text).errors

    assert error.splitlines()[0].endswith(" (line of the rendered configuration; see -template)")


# -- rendering


def test_render_applies_the_template_and_nothing_else() -> None:
    assert render(Source("f", '{ not json {{ .A | default "x" }}'), {"A": "1"}) == "{ not json 1"
    assert render(Source("f", "no template } at all"), {}) == "no template } at all"


def test_render_says_where_a_template_is_wrong() -> None:
    with pytest.raises(ConfigError) as caught:
        render(Source("f", "{\n{{ .X }\n}"), {})

    (error,) = caught.value.errors
    assert error.startswith("f:2:")
    assert "Could not apply template to config: template: :2: " in error


def test_a_value_of_the_environment_may_change_the_meaning() -> None:
    text = '{"backends": [{"name": "upstreamA{{.SUFFIX}}", "poll": 1, "onChange": "x"}], "consul": "x:1"}'

    plan = load_text(text, "app", environ={"SUFFIX": "-ok"})

    assert [watch.name for watch in plan.watches] == ["upstreamA-ok"]
