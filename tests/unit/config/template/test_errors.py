"""Errors of templates: in Go's words, with the true place, and without values of the environment."""

from __future__ import annotations

import signal

import pytest

from cp.config.template import TemplateError, render

ENVIRON = {"A": "x", "B": "y"}


def error_of(text: str, environ: dict[str, str] = ENVIRON, name: str = "") -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(text, environ, name=name)
    return caught.value


READING = [
    ("{{nofunc}}", 'template: :1: function "nofunc" not defined'),
    ("{{", "template: :1: unclosed action"),
    ("{{.A", "template: :1: unclosed action"),
    ("{{\n.A\n", "template: :3: unclosed action started at :1"),
    ("{{/* c", "template: :1: unclosed comment"),
    ("{{/* c */ }}", "template: :1: comment ends before closing delimiter"),
    ("{{if .A}}\n{{/* c", "template: :2: unclosed comment in action started at :1"),
    ("{{ /* c */}}", 'template: :1: unexpected "/" in command'),
    ('{{"a}}', "template: :1: unterminated quoted string"),
    ("{{`a}}", "template: :1: unterminated raw quoted string"),
    ("{{'a}}", "template: :1: unterminated character constant"),
    ('{{"\\q"}}', "template: :1: invalid syntax"),
    ('{{"\\ud800"}}', "template: :1: invalid syntax"),
    ("{{'ab'}}", "template: :1: malformed character constant: 'ab'"),
    ("{{''}}", "template: :1: invalid syntax"),
    ("{{.A+1}}", "template: :1: bad character U+002B '+'"),
    ("{{$x-y}}", "template: :1: bad character U+002D '-'"),
    ("{{a!}}", "template: :1: bad character U+0021 '!'"),
    ("{{☺}}", "template: :1: unrecognized character in action: U+263A '☺'"),
    ("{{1a}}", 'template: :1: bad number syntax: "1a"'),
    ("{{1-2}}", 'template: :1: bad number syntax: "1-2"'),
    ("{{-}}", 'template: :1: illegal number syntax: "-"'),
    ("{{0x}}", 'template: :1: illegal number syntax: "0x"'),
    ("{{1__0}}", 'template: :1: illegal number syntax: "1__0"'),
    ("{{1e400}}", 'template: :1: illegal number syntax: "1e400"'),
    ("{{99999999999999999999}}", 'template: :1: integer overflow: "99999999999999999999"'),
    ("{{089}}", 'template: :1: integer overflow: "089"'),
    ("{{(.A}}", "template: :1: unclosed left paren"),
    ("{{.A)}}", "template: :1: unexpected right paren"),
    ("{{.A : 1}}", "template: :1: expected :="),
    ("{{.A}", "template: :1: bad character U+007D '}'"),
    ("{{.A }", 'template: :1: unexpected "}" in operand'),
    ("{{.A.}}", "template: :1: unexpected <.> in operand"),
    ("{{}}", "template: :1: missing value for command"),
    ("{{if}}{{end}}", "template: :1: missing value for if"),
    ("{{range $x := }}{{end}}", "template: :1: missing value for range"),
    ("{{()}}", "template: :1: missing value for parenthesized pipeline"),
    ("{{1 | 2}}", "template: :1: non executable command in pipeline stage 2"),
    ("{{.A || .B}}", 'template: :1: unexpected "|" in command'),
    ("{{nil.X}}", 'template: :1: unexpected . after term "nil"'),
    ("{{$x}}", 'template: :1: undefined variable "$x"'),
    ("{{if .A}}{{$x := 1}}{{end}}{{$x}}", 'template: :1: undefined variable "$x"'),
    ("{{$x, $y := .A}}", "template: :1: too many declarations in command"),
    ("{{range $x, $y, $z := .}}{{end}}", "template: :1: too many declarations in range"),
    ("{{range $x, 1 := .}}{{end}}", "template: :1: range can only initialize variables"),
    ("{{if .A}}", "template: :1: unexpected EOF"),
    ('{{define "t"}}', "template: :1: unexpected EOF"),
    ("a\n{{end}}", "template: :2: unexpected {{end}}"),
    ("{{else}}", "template: :1: unexpected {{else}}"),
    ("{{if .A}}{{else}}{{else}}{{end}}", "template: :1: expected end; found {{else}}"),
    ("{{if .A}}{{else}}{{else if .A}}{{end}}", "template: :1: expected end; found {{else}}"),
    ("{{with .A}}{{else if .A}}{{end}}", "template: :1: unexpected <if> in input"),
    ("{{if .A}}{{else 1}}{{end}}", 'template: :1: unexpected "1" in else'),
    ("{{if .A}}{{end 1}}", 'template: :1: unexpected "1" in end'),
    ("{{break}}", "template: :1: {{break}} outside {{range}}"),
    ("{{range 2}}{{else}}{{continue}}{{end}}", "template: :1: {{continue}} outside {{range}}"),
    ('{{range 2}}{{block "t" .}}{{break}}{{end}}{{end}}', "template: :1: {{break}} outside {{range}}"),
    ("{{range 2}}{{break 1}}{{end}}", 'template: :1: unexpected "1" in {{break}}'),
    ('{{if .A}}{{define "t"}}{{end}}{{end}}', "template: :1: unexpected <define> in command"),
    ("{{define t}}{{end}}", 'template: :1: unexpected "t" in define clause'),
    ('{{define "t"}}{{else}}{{end}}', "template: :1: unexpected {{else}} in define clause"),
    ('{{block "t" .}}\n{{else}}{{end}}', "template: :1: unexpected {{else}} in block clause"),
    ('{{block "t"}}{{end}}', "template: :1: missing value for block clause"),
    ("{{template .A}}", 'template: :1: unexpected ".A" in template clause'),
    ("{{template verylongname}}", 'template: :1: unexpected "verylongna"... in template clause'),
    (
        '{{define "t"}}1{{end}}{{define "t"}}2{{end}}',
        'template: :1: template: multiple definition of template "t"',
    ),
]

# The template, where Go sees the mistake, in which template, at what, and what is wrong.
RUNNING = [
    ("{{.A.X}}", "1:4", "", ".A.X", "can't evaluate field X in type string"),
    ("{{.NONE.X}}", "1:7", "", ".NONE.X", "can't evaluate field X in type string"),
    ("é\né{{ .A.X}}", "2:7", "", ".A.X", "can't evaluate field X in type string"),
    ("{{(len .A).X}}", "1:7", "", ".A", "can't evaluate field X in type int"),
    ("{{(1.5).X}}", "1:3", "", "1.5", "can't evaluate field X in type float64"),
    ("{{$.A.X}}", "1:3", "", "$.A.X", "can't evaluate field X in type string"),
    ("{{.A 1}}", "1:2", "", ".A", "A is not a method but has arguments"),
    ("{{1 | $}}", "1:6", "", "$", "can't give argument to non-function $"),
    ("{{(.A) 1}}", "1:2", "", "(.A) 1", "can't give argument to non-function .A"),
    ("{{nil}}", "1:2", "", "nil", "nil is not a command"),
    ("{{$x = 1}}", "1:7", "", "1", "undefined variable: $x"),
    ("{{9223372036854775808}}", "1:2", "", "9223372036854775808", "9223372036854775808 overflows int"),
    ('{{template "t"}}', "1:11", "", '{{template "t"}}', 'template "t" not defined'),
    ('{{define "t"}}{{.X}}{{end}}{{template "t" 5}}', "1:16", "t", ".X", "can't evaluate field X in type int"),
    ("{{range 1.5}}{{end}}", "1:8", "", "1.5", "range can't iterate over 1.5"),
    ("{{range $i, $x := 3}}{{end}}", "1:18", "", "3", "can't use 3 to iterate over more than one variable"),
    ('{{split ","}}', "1:2", "", "split", "wrong number of args for split: want 2 got 1"),
    ('{{.A | split "," "a"}}', "1:7", "", "split", "wrong number of args for split: want 2 got 3"),
    ("{{index}}", "1:2", "", "index", "wrong number of args for index: want at least 1 got 0"),
    ("{{split 1 .A}}", "1:8", "", "1", "expected string; found 1"),
    ("{{split nil .A}}", "1:8", "", "nil", "cannot assign nil to string"),
    ("{{split (loop 1) .A}}", "1:14", "", "1", "wrong type for value; expected string; got []int"),
    ("{{and nil | env}}", "1:12", "", "env", "invalid value; expected string"),
    ('{{join "," "a"}}', "1:11", "", '"a"', 'can\'t handle "a" for arg of type []string'),
    ('{{loop 3 | join ","}}', "1:16", "", '","', "wrong type for value; expected []string; got []int"),
]

# Calls of which the function itself has something to say.
CALLS = [
    ("loop", "loop: wrong number of arguments, expected 1 or 2, but got 0"),
    ('loop "zz"', 'strconv.Atoi: parsing "zz": invalid syntax'),
    ('loop "9223372036854775808"', 'strconv.Atoi: parsing "9223372036854775808": value out of range'),
    ("index 1 2", "can't index item of type int"),
    ("index . 1", "value has type int; should be string"),
    ("index . nil", "value is nil; should be of type string"),
    ("index nil 1", "index of untyped nil"),
    ("index .A 1", "reflect: string index out of range"),
    ("index .A 2", "index out of range: 2"),
    ("index .A `0`", "cannot index slice/array with type string"),
    ("index .A nil", "cannot index slice/array with nil"),
    ("slice . 1", "can't slice item of type map[string]string"),
    ("slice nil", "slice of untyped nil"),
    ("slice `abc` 2 1", "invalid slice index: 2 > 1"),
    ("slice (loop 3) 0 2 1", "invalid slice index: 2 > 1"),
    ("slice `abc` 0 1 2", "cannot 3-index slice a string"),
    ("slice `abc` 0 1 2 3", "too many slice indexes: 4"),
    ("len 3", "len of type int"),
    ("call .A", "non-function .A of type string"),
    ("call nil", "call of nil"),
    ("eq 1 1.0", "incompatible types for comparison: int and float64"),
    ("lt 1 `a`", "incompatible types for comparison: int and string"),
    ("lt true false", "invalid type for comparison"),
    ("gt . nil", "invalid type for comparison"),
    ("eq 1", "missing argument for comparison"),
    ('regexReplaceAll "(a" "" "b"', "error parsing regexp: missing closing ): `(a`"),
]

OUR_WORDS = [
    ("{{loop 2.5}}", "error calling loop: loop: expected an integer, but got float64"),
    ("{{loop nil}}", "error calling loop: loop: expected an integer, but got nil"),
    ("{{len nil}}", "error calling len: len of untyped nil"),
    ("{{eq (loop 1) (loop 1)}}", "error calling eq: non-comparable type []int"),
    ("{{eq . (loop 1)}}", "error calling eq: non-comparable types map[string]string and []int"),
    ("{{1+0x1i}}", 'illegal number syntax: "1+0x1i"'),
    ("{{.A | call}}", "error calling call: non-function <string Value> of type string"),
]

REGULAR_EXPRESSIONS = [
    ("a)", "unexpected ): `a)`"),
    ("[a", "missing closing ]: `[a`"),
    ("[z-a]", "invalid character class range: `z-a`"),
    ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
    ("*", "missing argument to repetition operator: `*`"),
    ("(|*)", "missing argument to repetition operator: `*`"),
    ("a**", "invalid nested repetition operator: `**`"),
    ("a*+", "invalid nested repetition operator: `*+`"),
    ("a{1001}", "invalid repeat count: `{1001}`"),
    ("a{2,1}", "invalid repeat count: `{2,1}`"),
    ("a\\", "trailing backslash at end of expression: ``"),
    ("(a)\\1", "invalid escape sequence: `\\1`"),
    ("\\q", "invalid escape sequence: `\\q`"),
    ("\\Z", "invalid escape sequence: `\\Z`"),
    ("\\xg1", "invalid escape sequence: `\\xg1`"),
    ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
    ("(?<!a)", "invalid named capture: `(?<!a)`"),
    ("(?P<n", "invalid named capture: `(?P<n`"),
    ("\\p{Foo", "invalid character class range: `\\p{Foo`"),
    ("\\pX", "invalid character class range: `\\pX`"),
    ("(" * 2000 + ")" * 2000, f"expression nests too deeply: `{'(' * 2000}{')' * 2000}`"),
]

PLACES = [
    ("ab\n  {{nofunc}}", 2, 5),
    ("{{ .A.B }}", 1, 4),
    ("é{{ .A.B }}", 1, 5),
    ("{{.A}}\n\n{{ printf `%d` 1 | index 2 }}", 3, 20),
    ("{{if .A}}\n{{if .B}}\nx{{end}}\n", 1, 1),
    ("x\n {{.A\n\n", 2, 2),
    ("x\n{{.A | `a", 2, 8),
    ("{{if .A}}\n {{end}} {{end}}", 2, 10),
    ("{{range 2}}{{end}}\n {{break}}", 2, 4),
    ("{{(len .A).X}}", 1, 8),
    ("{{print (.A 1)}}\n", 1, 10),
]


@pytest.mark.parametrize(("text", "sentence"), READING)
def test_templates_that_cannot_be_parsed_give_the_errors_of_go(text: str, sentence: str) -> None:
    error = error_of(text)

    assert str(error) == sentence
    assert sentence.endswith(error.message)


@pytest.mark.parametrize(("text", "line_column", "template", "node", "message"), RUNNING)
def test_templates_that_cannot_be_executed_give_the_errors_of_go(
    text: str, line_column: str, template: str, node: str, message: str
) -> None:
    error = error_of(text)

    assert str(error) == f'template: :{line_column}: executing "{template}" at <{node}>: {message}'
    assert error.message == message


@pytest.mark.parametrize(("call", "problem"), CALLS)
def test_errors_of_functions_are_those_of_go(call: str, problem: str) -> None:
    message = f"error calling {call.split()[0]}: {problem}"

    assert str(error_of(f"{{{{{call}}}}}")) == f'template: :1:2: executing "" at <{call}>: {message}'


@pytest.mark.parametrize(("text", "message"), OUR_WORDS)
def test_errors_that_go_handles_badly_have_better_words(text: str, message: str) -> None:
    assert error_of(text).message == message


@pytest.mark.parametrize(("pattern", "problem"), REGULAR_EXPRESSIONS)
def test_a_bad_regular_expression_gives_the_error_of_go(pattern: str, problem: str) -> None:
    error = error_of('{{regexReplaceAll .PATTERN "" ""}}', {"PATTERN": pattern})

    assert error.message == f"error calling regexReplaceAll: error parsing regexp: {problem}"


def test_a_class_by_script_is_reported_as_unknown() -> None:
    error = error_of('{{regexReplaceAll "\\\\p{Greek}" "" ""}}')

    assert "general categories" in error.message
    assert error.message.endswith("`\\p{Greek}`")


@pytest.mark.parametrize(("text", "line", "column"), PLACES)
def test_the_place_is_that_of_the_mistake(text: str, line: int, column: int) -> None:
    error = error_of(text)

    assert (error.line, error.column) == (line, column)


def test_the_name_of_the_template_is_in_the_error() -> None:
    assert str(error_of("{{nofunc}}", name="pilot")) == 'template: pilot:1: function "nofunc" not defined'
    assert str(error_of("{{.A.X}}", name="pilot")).startswith('template: pilot:1:4: executing "pilot" at <.A.X>: ')


@pytest.mark.parametrize(
    "text",
    [
        "{{range .SECRET}}{{end}}",
        "{{range $.SECRET}}{{end}}",
        "{{eq . .}}",
        "{{eq (split `,` .SECRET) (split `,` .SECRET)}}",
        "{{eq . (loop 1)}}",
        "{{loop .}}",
        "{{index .SECRET 99}}",
        "{{.SECRET.X}}",
        "{{.SECRET | call}}",
        "{{lt .SECRET 1}}",
    ],
)
def test_an_error_never_shows_the_environment(text: str) -> None:
    assert "hunter2" not in str(error_of(text, {"SECRET": "hunter2"}))


def test_templates_that_call_each_other_without_limit_are_stopped() -> None:
    error = error_of('{{define "t"}}{{template "t"}}{{end}}\n{{template "t"}}')

    assert error.message == "exceeded maximum template depth (100000)"


def test_parentheses_nest_only_so_deep() -> None:
    assert render("{{" + "(" * 50 + "1" + ")" * 50 + "}}", {}) == "1"
    assert error_of("{{" + "(" * 10000 + "1" + ")" * 10000 + "}}").message == "max expression depth exceeded"


def test_a_deep_expression_is_shown_in_an_error() -> None:
    error = error_of("{{index 1 " + "(print " * 50 + "1" + ")" * 50 + "}}")

    assert error.message == "error calling index: can't index item of type int"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ loop 1000000000 }}", "loop: 1000000000 numbers are too many, 1000000 is the limit"),
        ("{{ range 1000000000 }}{{ end }}", "more than 1000000 rounds and template calls"),
        ('{{ define "x" }}{{ template "x" }}{{ template "x" }}{{ end }}{{ template "x" }}', "template depth (100000)"),
        ('{{ range 2000 }}{{ printf "%100000d" 1 }}{{ end }}', "more than 67108864 characters of output"),
    ],
)
def test_a_template_that_would_never_end_is_an_error(text: str, words: str) -> None:
    assert words in str(error_of(text))


def test_rounds_in_rounds_are_counted_together() -> None:
    text = "{{ range 200 }}{{ range 200 }}{{ range 200 }}{{ end }}{{ end }}{{ end }}"
    assert "more than 1000000 rounds and template calls" in str(error_of(text))


def test_an_expression_that_matches_without_limit_is_an_error_and_the_timer_is_restored() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    text = '{{ regexReplaceAll "(a+)+$" "x" "' + "a" * 40 + '!" }}'
    assert "takes more than 1 s" in str(error_of(text))
    assert signal.getsignal(signal.SIGVTALRM) is before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
