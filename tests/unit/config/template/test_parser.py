"""How blocks nest, what their ends belong to, and which definition of a template holds."""

from __future__ import annotations

import pytest

from cp.config.template import render

ENVIRON = {"A": "x", "EMPTY": ""}

BLOCKS = [
    ("{{if .A}}yes{{end}}", "yes"),
    ("{{if .NONE}}yes{{end}}", ""),
    ("{{if .EMPTY}}yes{{else}}no{{end}}", "no"),
    ("{{if .NONE}}1{{else if .EMPTY}}2{{else if .A}}3{{else}}4{{end}}", "3"),
    ("{{if .NONE}}1{{else if .EMPTY}}2{{else}}4{{end}}!", "4!"),
    ("{{if .A}}{{if .NONE}}1{{else}}2{{end}}{{else}}3{{end}}", "2"),
    ("{{if .A}}1{{else}}{{if .A}}2{{end}}{{end}}3", "13"),
    ("{{with .A}}{{.}}{{end}}", "x"),
    ("{{with .NONE}}1{{else with .A}}2{{.}}{{else}}3{{end}}", "2x"),
    ("{{with .NONE}}1{{else}}{{.A}}{{end}}", "x"),
    ("{{range 2}}{{range 2}}{{.}}{{end}};{{end}}", "01;01;"),
]

DEFINITIONS = [
    ('{{define "t"}}[{{.}}]{{end}}{{template "t" .A}}{{template "t" 5}}', "[x][5]"),
    ("{{template `t`}}{{define `t`}}T{{end}}", "T"),
    ('{{define "t"}}[{{.}}]{{end}}{{template "t"}}', "[<no value>]"),
    ('{{define "t"}}{{.A}}{{end}}{{template "t"}}', "<no value>"),
    ('{{define "t"}}{{$.B}}{{end}}{{template "t" .}}', ""),
    ('{{define "a"}}1{{template "b"}}{{end}}{{define "b"}}2{{end}}{{template "a"}}', "12"),
    ('{{block "b" .A}}<{{.}}>{{end}}', "<x>"),
    ('{{define "b"}}mine{{end}}{{block "b" .A}} {{end}}', "mine"),
    ('{{block "outer" .}}{{block "inner" .A}}{{.}}{{end}}!{{end}}', "x!"),
    ('{{define "t"}}{{end}}{{define "t"}}second{{end}}{{template "t"}}', "second"),
    ('{{define "t"}}first{{end}}{{define "t"}} \n{{/* empty */}}{{end}}{{template "t"}}', "first"),
    ('{{define "n"}}{{if .}}{{len .}}{{template "n" (slice . 1)}}{{end}}{{end}}{{template "n" "abc"}}', "321"),
]


@pytest.mark.parametrize(("text", "rendered"), BLOCKS)
def test_blocks_nest_and_have_alternatives(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), DEFINITIONS)
def test_a_template_can_be_defined_and_called(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


def test_blocks_may_nest_deeper_than_pythons_stack() -> None:
    depth = 3000

    assert render("{{if .A}}" * depth + "in" + "{{end}}" * depth, ENVIRON) == "in"
    assert render("{{if .NONE}}" + "{{else if .NONE}}" * depth + "{{else}}out{{end}}", ENVIRON) == "out"


def test_templates_may_call_each_other_deeper_than_pythons_stack() -> None:
    text = '{{define "n"}}{{if .}}{{template "n" (slice . 1)}}{{else}}bottom{{end}}{{end}}{{template "n" (loop 3000)}}'

    assert render(text, ENVIRON) == "bottom"
