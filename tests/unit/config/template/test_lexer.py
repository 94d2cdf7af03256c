"""Where actions begin and end, what is trimmed, and how constants are written."""

from __future__ import annotations

import pytest

from cp.config.template import render

ENVIRON = {"A": "x"}

OUTSIDE_ACTIONS = [
    ("", ""),
    ("no action: { } }} $ ' \" `", "no action: { } }} $ ' \" `"),
    ("{{.A}}{{.A}}", "xx"),
    ("{ {{.A}} }", "{ x }"),
    ("{{ .A }}\n", "x\n"),
    ("a\n{{\n.A\n}}\nb", "a\nx\nb"),
    ("é{{.A}}☺", "éx☺"),
]

TRIMMED = [
    ("a \t\r\n {{- .A }} b", "ax b"),
    ("a {{ .A -}} \n\n b", "a xb"),
    ("a {{- .A -}} b", "axb"),
    ("a {{-\n.A\n-}} b", "axb"),
    ("{{- .A -}}", "x"),
    ("a {{- .A -}} {{- .A -}} b", "axxb"),
    ("a\u00a0{{- .A}}", "a\u00a0x"),  # only ASCII space is trimmed
    ("a {{-3}}", "a -3"),  # a minus without a space is a sign
    ("a {{- -3 -}} b", "a-3b"),
    ("{{3 -}} x", "3x"),
]

COMMENTED = [
    ("a {{/* c */}} b", "a  b"),
    ("a {{- /* c */ -}} b", "ab"),
    ("a {{/* c */ -}} b", "a b"),
    ("{{/* two\nlines, and {{.A}} }} in it */}}b", "b"),
]

CONSTANTS = [
    ('{{"a\\tb\\"\\\\\\a\\b\\f\\n\\r\\v"}}', 'a\tb"\\\a\b\f\n\r\v'),
    ('{{"\\x41\\101\\u00e9\\U0001F600"}}', "AAé😀"),
    ('{{"\\303\\251"}}', "é"),  # bytes make up a character
    ('{{"\\xff"}}', "\udcff"),
    ('{{`a\\n"b"`}}', 'a\\n"b"'),
    ("{{`two\nlines`}}", "two\nlines"),
    ("{{`a\r\nb`}}", "a\nb"),
    ('{{"{{"}} {{"}}"}}', "{{ }}"),
    ("{{'a'}} {{'é'}} {{'\\n'}} {{'\\''}} {{'\\x41'}} {{'\\u00e9'}}", "97 233 10 39 65 233"),
    ("{{0}} {{7}} {{-5}} {{+5}} {{1_000}}", "0 7 -5 5 1000"),
    ("{{0x1F}} {{0X_1f}} {{0o17}} {{017}} {{0b101}} {{-0x10}}", "31 31 15 15 5 -16"),
    ("{{9223372036854775807}} {{-9223372036854775808}}", "9223372036854775807 -9223372036854775808"),
    ("{{1.5}} {{.5}} {{5.}} {{1e3}} {{1E-2}} {{1_0.2_5}} {{0x1p4}} {{0x.8p1}}", "1.5 0.5 5 1000 0.01 10.25 16 1"),
    ("{{1.0}} {{-0.0}} {{089.0}}", "1 -0 89"),
    ("{{2i}} {{1+2i}} {{1.5-2e1i}} {{-1-1i}}", "(0+2i) (1+2i) (1.5-20i) (-1-1i)"),
    ("{{true}} {{false}}", "true false"),
]


@pytest.mark.parametrize(("text", "rendered"), OUTSIDE_ACTIONS)
def test_text_outside_actions_is_unchanged(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), TRIMMED)
def test_a_trim_marker_takes_the_white_space_beside_the_action(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), COMMENTED)
def test_a_comment_leaves_nothing(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), CONSTANTS)
def test_constants_are_those_of_go(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered
