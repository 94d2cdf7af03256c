"""Targets: templates, and two of their functions that have a language of their own."""

from __future__ import annotations

from cp.config.template import TemplateError, render
from tests.fuzz.material import check, choice, is_place_in, parts, text_of

LONGEST_RESULT = 64 * 1024 * 1024 + 16 * 1024 * 1024  # characters, whatever the template says
PRINTF_ARGUMENTS = ("", "1", "-7", "2.5 `a`", "(loop 3) nil 1i", "true (index .FORM 0)", "1 2 3 4", ". (split `` `ab`)")


def fuzz_template(data: bytes) -> None:
    """A template, and behind separators three environment variables: a text, or an error with its place."""
    template, *values = parts(data, 4)
    text = text_of(template)
    _rendered(text, dict(zip("ABC", map(text_of, values), strict=True)))


def fuzz_printf(data: bytes) -> None:
    """A form, for one of several lists of arguments: all of fmt's complaints are in the text, so nothing fails but
    what is too long."""
    selector, form = choice(data)
    arguments = PRINTF_ARGUMENTS[selector % len(PRINTF_ARGUMENTS)]
    _rendered("{{printf .FORM " + arguments + "}}", {"FORM": text_of(form)}, may_fail=("index out of range", "printf:"))


def fuzz_regex(data: bytes) -> None:
    """A pattern, a replacement, a text: replaced, refused as no regular expression, or out of time."""
    pattern, replacement, text = map(text_of, parts(data, 3))
    environ = {"PATTERN": pattern, "REPLACEMENT": replacement, "TEXT": text}
    _rendered(
        "{{regexReplaceAll .PATTERN .REPLACEMENT .TEXT}}",
        environ,
        may_fail=("error parsing regexp: ", "takes more than 1 s", "regexReplaceAll: the result"),
    )


def _rendered(text: str, environ: dict[str, str], may_fail: tuple[str, ...] = ("",)) -> None:
    try:
        result = render(text, environ)
    except TemplateError as error:
        check(is_place_in(text, error.line, error.column), (error.line, error.column))
        check(any(words in error.message for words in may_fail), error.message)
        return
    assert len(result) < LONGEST_RESULT
    if "{{" not in text:
        assert result == text
