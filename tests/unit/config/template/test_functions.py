"""Go's own functions, and ContainerPilot's."""

from __future__ import annotations

import pytest

from cp.config.template import render

ENVIRON = {
    "NAME": "Template",
    "USER": "pilot",
    "PARTS": "a:b:c",
    "COUNT": "3",
    "NAME_1": "one",
    "U": "héé",
    "S": " a \n",
}

OWN = [
    ('{{ .NONE | default "World" }}', "World"),
    ('{{ .NAME | default "World" }}', "Template"),
    ("{{ .NONE | default 100 }} {{ .NONE | default 10.1 }} {{ .NONE | default true }}", "100 10.1 true"),
    ("{{ .NONE | default 1000000.0 }} {{ .NONE | default 100000.0 }}", "1e+06 100000"),
    ("{{ 5 | default `x` }} {{ loop 2 | default `y` }} {{ default `z` nil }}", "x y z"),
    ("{{ .NONE | default nil }} {{ .NONE | default (loop 2) }}", "<nil> [0 1]"),
    ('{{ env "USER" }}{{ env "NONE" }} {{ env (printf "NA%s" "ME_1") }}', "pilot one"),
    ('{{ .PARTS | split ":" }} {{ .PARTS | split ":" | join "." }}', "[a b c] a.b.c"),
    ('{{ .NONE | split ":" | join "." }}|{{ .NONE | split ":" | len }}', "|0"),
    ('{{ " \\t a,b \\n" | split "," | printf "%q" }}', '["a" "b"]'),
    ('{{ .U | split "" | printf "%q" }}', '["h" "é" "é"]'),
    ('{{ join "," nil }}', ""),
    ('{{ .NAME | replaceAll "e" "_" }} {{ "ab" | replaceAll "" "-" }}', "T_mplat_ -a-b-"),
    ('{{ .NAME | regexReplaceAll "[epa]+" "_" }}', "T_m_l_t_"),
    ("{{ loop 5 }} {{ loop 2 5 }} {{ loop 10 1 }}", "[0 1 2 3 4] [2 3 4] [10 9 8 7 6 5 4 3 2]"),
    ("{{ loop 0 }} {{ loop 3 3 }} {{ loop -3 }}", "[] [] [0 -1 -2]"),
    ("{{ loop .COUNT }} {{ loop 1 .COUNT }} {{ loop `+2` }} {{ loop `-02` }}", "[0 1 2] [1 2] [0 1] [0 -1]"),
]

VALUES = [
    ("{{len `abc`}} {{len .U}} {{len (loop 4)}}", "3 5 4"),
    ("{{index `abc` 1}} {{index .U 1}}", "98 195"),
    ("{{index (loop 5 9) 2}} {{index (split `:` .PARTS) 1}} {{index . `NAME`}} {{index . `NONE`}}|", "7 b Template |"),
    ("{{index . `NAME` 0}} {{index 5}}", "84 5"),
    ("{{slice `abcdef` 2}} {{slice `abcdef` 1 3}} {{slice `abc`}} {{slice .U 1 3}}", "cdef bc abc é"),
    ("{{slice (loop 5) 1 3}} {{slice (slice (loop 5) 1 3) 0 4}} {{slice (loop 5) 1 2 3}}", "[1 2] [1 2 3 4] [1]"),
    ("{{not true}} {{not 0}} {{not ``}}", "false true true"),
]

COMPARISONS = [
    ("{{eq 1 1}} {{eq `a` `b`}} {{eq 1.5 1.5}} {{eq true false}} {{eq 1i 1i}}", "true false true false true"),
    ("{{eq 1 2 3 1}} {{eq `x` `y` `z`}}", "true false"),
    ("{{ne 1 2}} {{ne `a` `a`}}", "true false"),
    ("{{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2 3}}", "true true false false"),
    ("{{lt `a` `b`}} {{lt `B` `a`}} {{lt 1.5 2.5}} {{lt `z` `é`}}", "true true true true"),
    ("{{eq (index `a` 0) 97}} {{lt (index `a` 0) 98}}", "true true"),  # a byte is an integer
    ("{{eq nil nil}} {{eq nil 1}} {{eq . nil}}", "true false false"),
    ("{{if eq .NAME `Template`}}same{{end}}", "same"),
]

PRINTED = [
    ("{{print 1 2 `a` 3 4 `b` `c` true false}}", "1 2a3 4bctrue false"),
    ("{{println 1 `a` 2.5}}|{{println}}|{{print}}", "1 a 2.5\n|\n|"),
    ("{{print nil}} {{html nil}}", "<nil> &lt;no value&gt;"),
    ('{{html `<a href="x">&\'</a>`}}', "&lt;a href=&#34;x&#34;&gt;&amp;&#39;&lt;/a&gt;"),
    (
        '{{js "it\'s <b> & \\"=\\" \\\\ \\n é \\u200b"}}',
        'it\\\'s \\u003Cb\\u003E \\u0026 \\"\\u003D\\" \\\\ \\u000A é \\u200B',
    ),
    ("{{urlquery `a b&c/é~-_.`}} {{urlquery 1 2}}", "a+b%26c%2F%C3%A9~-_. 1+2"),
]

REGULAR_EXPRESSIONS = [
    ("a(x*)b", "${1}y", "-ab-axxb-", "-y-xxy-"),
    ("a(x*)b", "$1y", "-ab-axxb-", "---"),  # the group named 1y
    ("a(x*)b", "$$1 $ ${ $0", "axb", "$1 $ ${ axb"),
    ("(?P<first>a)(?<second>b)", "${second}$first", "ab", "ba"),
    ("(?P<1st>a)", "<${1st}>", "a", "<a>"),
    ("(a)|(b)", "[$1$2$9]", "ab", "[a][b]"),
    ("x*", "-", "axc", "-a-c-"),
    ("|a", "-", "a", "-a-"),
    ("(?i)hello", "_", "Hello HELLO", "_ _"),
    ("a(?i)b|c", "_", "aB C ac", "_ _ a_"),
    ("(?i:a)b", "_", "Ab AB", "_ AB"),
    ("(?U)a+", "_", "aaa", "___"),
    ("(?s).", "_", "a\n", "__"),
    (".", "_", "a\n", "_\n"),
    ("$", "!", "a\nb\n", "a\nb\n!"),
    ("(?m)^(.)$", "<$1>", "a\nb\n", "<a>\n<b>\n"),
    ("\\Aa|b\\z", "_", "aabb", "_ab_"),
    ("\\d+|\\s", "_", "12 é\v", "__é\v"),  # as in RE2, a vertical tab is no \s
    ("[^\\w-]", "_", "a-é.b", "a-__b"),
    ("\\pL+", "_", "añ12Ж!", "_12_!"),
    ("\\p{Lu}|\\p{^L}", "_", "aB1", "a__"),
    ("[[:alpha:]]+[[:^digit:]]", "_", "ab-1", "_1"),
    ("[]a-]", "_", "]a-b", "___b"),
    ("\\Qa.b\\E+", "_", "a.bbb axb", "_ axb"),
    ("\\x{e9}\\x41\\101\\.", "_", "éAA.", "_"),
    ("a{2}|b{,2}", "_", "aab{,2}", "__"),
    ("\\bfoo\\b", "_", "foo foobar", "_ foobar"),
    ("[&&~~||[]", "_", "a&b[", "a_b_"),
]


@pytest.mark.parametrize(("text", "rendered"), OWN)
def test_the_functions_of_containerpilot(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), VALUES)
def test_lengths_indexes_and_slices_count_bytes_as_go_does(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), COMPARISONS)
def test_values_of_one_kind_can_be_compared(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("text", "rendered"), PRINTED)
def test_values_are_printed_and_escaped(text: str, rendered: str) -> None:
    assert render(text, ENVIRON) == rendered


@pytest.mark.parametrize(("pattern", "replacement", "text", "replaced"), REGULAR_EXPRESSIONS)
def test_regular_expressions_are_those_of_go(pattern: str, replacement: str, text: str, replaced: str) -> None:
    environ = {"PATTERN": pattern, "REPLACEMENT": replacement, "TEXT": text}

    assert render("{{regexReplaceAll .PATTERN .REPLACEMENT .TEXT}}", environ) == replaced
