"""The values of fields, variables, pipelines and loops."""

from __future__ import annotations

import pytest

from cp.config.template import render

ENVIRON = {"NAME": "Template", "A": "x", "B": "", "PARTS": "a:b:c", "MY-VAR": "dashed", "COUNT": "3"}
ALL = "map[A:x B: COUNT:3 MY-VAR:dashed NAME:Template PARTS:a:b:c]"

VARIABLES_OF_THE_ENVIRONMENT = [
    ("Hello, {{.NAME}}!", "Hello, Template!"),
    ("Hello, {{ .NONE }}!", "Hello, !"),
    ("{{$.NAME}} {{(.).NAME}} {{($).NAME}}", "Template Template Template"),
    ('{{index . "MY-VAR"}}{{index . "NO-VAR"}}', "dashed"),
    ("{{.}}", ALL),
    ("{{len .}}", "6"),
]

PIPELINES = [
    ("{{.A | print}}", "x"),
    ('{{.A | printf "%s%s" "y" | printf "%q"}}', '"yx"'),
    ('{{printf "%d %s" 1 (print "a" "b")}}', "1 ab"),
    ("{{(len .A) | print 5}}", "5 1"),
    ("{{ (((.A))) }}", "x"),
    ("{{.A|len|print}}", "1"),
    ("{{print\n.A\n| len\n}}", "1"),
]

VARIABLES = [
    ("{{$x := 1}}{{$x}}", "1"),
    ("{{$x:=.A|len}}{{$x}}", "1"),
    ("{{$x := 1}}{{$x = 2}}{{$x}}", "2"),
    ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
    ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
    ("{{if $x := .A}}{{$x}}{{end}}", "x"),
    ("{{if $x := .B}}1{{else}}[{{$x}}]{{end}}", "[]"),
    ("{{with $x := .A}}{{$x}}{{.}}{{$.NAME}}{{end}}", "xxTemplate"),
    ("{{$m := .}}{{$m.NAME}}", "Template"),
    ('{{define "t"}}{{$}}{{end}}{{$x := 1}}{{template "t" $x}}', "1"),
    ("{{range $x := 2}}{{$x}}{{end}}", "01"),
    ("{{$x := 9}}{{range $x = loop 3}}{{end}}{{$x}}", "2"),
    ("{{$i := 0}}{{$x := 0}}{{range $i, $x = loop 7 9}}{{end}}{{$i}}{{$x}}", "18"),
]

RANGES = [
    ("{{range loop 3}}{{.}},{{end}}", "0,1,2,"),
    ("{{range $i, $e := loop 2 5}}{{$i}}={{$e}},{{end}}", "0=2,1=3,2=4,"),
    ("{{range $e := loop 2 5}}i={{$e}},{{end}}", "i=2,i=3,i=4,"),
    ('{{range split ":" .PARTS}}<{{.}}>{{end}}', "<a><b><c>"),
    ("{{range $k, $v := .}}{{$k}}={{$v}};{{end}}", "A=x;B=;COUNT=3;MY-VAR=dashed;NAME=Template;PARTS=a:b:c;"),
    ("{{range 3}}{{.}}{{end}}", "012"),
    ("{{range 0}}1{{else}}none{{.A}}{{end}}", "nonex"),
    ("{{range -1}}1{{else}}none{{end}}", "none"),
    ("{{range loop 0}}1{{else}}none{{end}}", "none"),
    ("{{range loop 9}}{{if eq . 2}}{{continue}}{{end}}{{if eq . 5}}{{break}}{{end}}{{.}}{{end}}!", "0134!"),
    ("{{range 2}}{{range 3}}{{if .}}{{break}}{{end}}a{{end}}b{{end}}", "abab"),
    ("{{range 2}}{{$x := .}}{{with true}}{{continue}}{{end}}never{{end}}{{$.A}}", "x"),
    ("{{range 2}}{{with $.A}}{{.}}{{end}}{{.}}{{end}}", "x0x1"),
    ('{{define "n"}}{{range .}}1{{else}}none{{end}}{{end}}{{template "n"}}', "none"),
]

LOGIC = [
    ("{{and 1 0 2}} {{and 1 2}} {{or 0 2 3}} {{or 0 ``}}|", "0 2 2 |"),
    ("{{if and .A .NAME}}both{{end}}", "both"),
    ("{{if or .NONE .A}}one{{end}}", "one"),
    ("{{if not .NONE}}none{{end}}", "none"),
    ("{{or 1 (index 1 2)}} {{and 0 (index 1 2)}}", "1 0"),  # what is not needed is not evaluated
    ("{{0 | and 1}} {{0 | or 2}}", "0 2"),
    (
        "{{if 0}}t{{else}}f{{end}}{{if 0.0}}t{{else}}f{{end}}{{if 0i}}t{{else}}f{{end}}{{if ``}}t{{else}}f{{end}}",
        "ffff",
    ),
    ("{{if 1}}t{{end}}{{if 0.1}}t{{end}}{{if `0`}}t{{end}}{{if .}}t{{end}}{{if loop 1}}t{{end}}", "ttttt"),
]


@pytest.mark.parametrize(("text", "rendered"), VARIABLES_OF_THE_ENVIRONMENT)
def test_the_environment_is_the_data_and_unset_variables_are_empty(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), PIPELINES)
def test_a_pipeline_hands_each_result_on_as_the_last_argument(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), VARIABLES)
def test_a_variable_lives_to_the_end_of_its_block(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), RANGES)
def test_a_range_visits_each_element(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), LOGIC)
def test_empty_values_and_zero_are_false(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


def test_a_long_list_costs_only_what_is_visited() -> None:
    assert render("{{range loop 1000000}}{{if eq . 2}}{{break}}{{end}}{{.}}{{end}}", {}) == "01"


def test_bytes_that_are_not_utf_8_go_through() -> None:
    assert render("{{.RAW}} {{len .RAW}}", {"RAW": "a\udcff"}) == "a\udcff 2"


def test_the_environment_may_be_any_mapping_and_stays_as_it_is() -> None:
    import types

    assert render("{{$x := .A}}{{$x = `other`}}{{.A}}", types.MappingProxyType({"A": "x"})) == "x"
