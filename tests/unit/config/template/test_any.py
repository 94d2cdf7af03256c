"""Any text ends: in a rendered text, or in an error with a place in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cp.config.template import TemplateError, render

DELIMITERS = ["{{", "}}", "{{-", "-}}"]
KEYWORDS = ["if", "else", "end", "range", "with", "define", "template", "block", "break", "continue", "nil"]
OPERANDS = [".", ".A", ".B.C", "$", "$x", "true", "false", "0", "1", "-2", "2.5", "1i", "'a'", '"s"', "`r`", '"%d%v"']
FUNCTIONS = ["len", "index", "print", "printf", "eq", "and", "or", "not", "loop", "split", "join", "default", "slice"]
SIGNS = [":=", "=", ",", "|", "(", ")", "/*", "*/", "!"]

any_words = st.lists(st.sampled_from([*DELIMITERS, *KEYWORDS, *OPERANDS, *FUNCTIONS, *SIGNS, " ", "\n"]), max_size=25)
any_action = st.lists(st.sampled_from([*KEYWORDS, *OPERANDS, *FUNCTIONS, *SIGNS]), min_size=1, max_size=6)
any_actions = st.lists(any_action.map(lambda words: "{{" + " ".join(words) + "}}"), max_size=6)


@given(st.text() | any_words.map("".join) | any_actions.map("".join))
def test_any_text_is_rendered_or_refused_with_a_place_in_it(text: str) -> None:
    refusal = None
    try:
        render(text, {"A": "x"})
    except TemplateError as error:
        refusal = error

    if refusal is not None:
        lines = text.split("\n")
        assert 1 <= refusal.line <= len(lines)
        assert 1 <= refusal.column <= len(lines[refusal.line - 1]) + 1


@given(st.text(alphabet="{}% \n").filter(lambda text: "{{" not in text))
def test_a_text_without_actions_is_rendered_as_it_is(text: str) -> None:
    assert render(text, {}) == text


@given(st.text(), st.text())
def test_any_value_is_inserted_as_it_is(before: str, value: str) -> None:
    before = before.replace("{", "")

    assert render(before + "{{.A}}", {"A": value}) == before + value


@given(
    st.text(alphabet="%#0+- 123*.[]vTtbcdoqxXUeEfgGsw!\u00e9", max_size=12),
    st.sampled_from(["", "1", "2.5 `a`", "(loop 2) nil 1i"]),
)
def test_any_form_of_printf_is_printed(form: str, arguments: str) -> None:
    texts_of_the_form = [part for part in form.split("%") if part]

    printed = render("{{printf .FORM " + arguments + "}}", {"FORM": form})

    assert printed.startswith(texts_of_the_form[0] if texts_of_the_form and form[0] != "%" else "")


@given(
    st.text(alphabet="ab\\dDwpLQE[]^-(){}|*+?.$iP<>:,x1\u00e9", max_size=8),
    st.text(alphabet="${}1ab", max_size=5),
)
def test_any_regular_expression_is_used_or_refused(pattern: str, replacement: str) -> None:
    environ = {"PATTERN": pattern, "REPLACEMENT": replacement}
    refusal = ""
    try:
        render('{{regexReplaceAll .PATTERN .REPLACEMENT "abAB1\\n"}}', environ)
    except TemplateError as error:
        refusal = error.message

    assert refusal == "" or refusal.startswith("error calling regexReplaceAll: error parsing regexp: ")
    assert "Python" not in refusal
