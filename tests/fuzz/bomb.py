"""A process of its own for an input that is meant to take everything: it may have so much memory and time, and no more.

Usage: python -m tests.fuzz.bomb NAME, which prints how the product ended it.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import TYPE_CHECKING

from cp.catalog.consul.instances import parse_instances
from cp.catalog.protocol import CatalogGarbage
from cp.config.errors import ConfigError
from cp.config.json5.parser import JsonError, parse
from cp.config.load import load
from cp.config.source import Source
from cp.config.template import TemplateError, render
from cp.control.request_bodies import Unprocessable, read_object
from tests.fuzz.material import whole

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = 640 * 1024 * 1024  # bytes of address space, the interpreter's 100 MB included
SECONDS = 40  # of the processor's time; none needs a quarter of that on a slow machine

_LONG = '{{ $x := printf "%1000000d" 1 }}'


def _configuration(text: str) -> object:
    return load(Source("app.json", text), {}, arguments=(), hostname="box", addresses=list)


def _many_jobs(count: int) -> str:
    """All wait for what is not there, and its name is like the names of all others."""
    name = "a-job-with-quite-a-long-name-{:05}"
    jobs = [
        {"name": name.format(at), "exec": "x", "when": {"source": name.format(at + count), "once": "exitSuccess"}}
        for at in range(count)
    ]
    return json.dumps({"jobs": jobs})


TEMPLATES: dict[str, tuple[str, str]] = {
    # name: template, words of the refusal ("" if it is none)
    # What is to be ended by the clock would take ten times as long on a usual machine: others are faster.
    "deep branches": ("{{ if 1 }}" * 20_000 + "{{ end }}" * 20_000, ""),
    "branches left open": ("{{ if 1 }}" * 10_000, "unexpected EOF"),
    "deep blocks": ("".join(f'{{{{ block "{at}" . }}}}' for at in range(10_000)) + "{{ end }}" * 10_000, ""),
    "deep parentheses": ("{{" + "(" * 100_000 + "}}", "max expression depth exceeded"),
    "a template that calls itself": (
        '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}',
        "maximum template depth",
    ),
    "a template that calls itself twice": (
        '{{ define "a" }}{{ template "a" . }}{{ template "a" . }}{{ end }}{{ template "a" . }}',
        "maximum template depth",
    ),
    "rounds": ("{{ range 9999999999 }}{{ end }}", "more than 1000000 rounds"),
    "rounds of much": ("{{ range 999999 }}" + "{{ if . }}x{{ end }}" * 100 + "{{ end }}", "read and made"),
    "rounds of long texts": (_LONG + "{{ range 999999 }}{{ if len $x }}{{ end }}{{ end }}", "read and made"),
    "rounds of plain text": ("{{ range 999999 }}" + "x" * 10_000 + "{{ end }}", "characters of output"),
    "a list too long": ("{{ loop 1000000000 }}", "numbers are too many"),
    "a text that doubles": ('{{ $x := "0123456789" }}' + "{{ $x = print $x $x }}" * 40, "read and made"),
    "a text in itself": (_LONG + '{{ replaceAll " " $x $x }}', "replaceAll: the result has"),
    "a text between nothings": (_LONG + '{{ replaceAll "" $x $x }}', "replaceAll: the result has"),
    "a text between its letters": (
        '{{ $x := replaceAll " " "a" (printf "%1000000d" 1) }}{{ join $x (split "" $x) }}',
        "join: the result has",
    ),
    "too many parts": ('{{ split "" (replaceAll " " "a" (printf "%9999999d" 1)) }}', "parts are too many"),
    "widths of many actions": ('{{ printf "%9999999d" 1 }}' * 400, "characters of output"),
    "widths of one form": ("{{ printf `" + "%999999d" * 400 + "`" + " 1" * 400 + " }}", "printf: the result has"),
    "widths of a list": ('{{ printf "%100000d" (loop 100000) }}', "printf: the result has"),
    "a value many times": (_LONG + "{{ printf `" + "%[1]s" * 4000 + "` $x }}", "printf: the result has"),
    "digits after the point": (
        "{{ printf `" + "%.999999f" * 400 + "`" + " 1.5" * 400 + " }}",
        "printf: the result has",
    ),
    "variables": ("".join(f"{{{{ $x{at} := 1 }}}}" for at in range(5000)), "more than 1000 variables"),
    "ways to match": ('{{ regexReplaceAll "(a*)*$" "" "' + "a" * 50 + 'b" }}', "takes more than 1 s"),
    "ways to match, many times": (
        '{{ range 1000 }}{{ regexReplaceAll "(a*)*$" "" "' + "a" * 20 + 'b" }}{{ end }}',
        "takes more than 1 s",
    ),
    "large classes": ("{{ regexReplaceAll `(?i)" + "\\W" * 5000 + '` "" "abc" }}', "takes more than 1 s"),
    "braces of a pattern": ("{{ regexReplaceAll `" + "a{" * 2_000_000 + '` "" "abc" }}', "takes more than 1 s"),
    "groups of a pattern": ("{{ regexReplaceAll `" + "(" * 1000 + '` "" "abc" }}', "nests too deeply"),
    "repeated repetitions": ('{{ regexReplaceAll "((a{1000}){1000}){1000}" "" "aaaa" }}', ""),
    "a match many times": (
        _LONG + "{{ regexReplaceAll ` *` `" + "$0" * 100 + "` $x }}",
        "regexReplaceAll: the result has",
    ),
}

OTHERS: dict[str, tuple[Callable[[], object], str]] = {
    "brackets": (lambda: parse("[" * 100_000), "nested deeper than 100 levels"),
    "objects": (lambda: parse('{"a":' * 100_000), "nested deeper than 100 levels"),
    "at signs": (lambda: parse("[" + "@" * 1_000_000), "looking for beginning of value"),
    "passwords": (lambda: parse("[" + "token" * 100_000), "in literal true"),
    "digits": (lambda: parse("9" * 1_000_000), "out of range"),
    "a comment left open": (lambda: parse("/*" + " /" * 500_000), "never closed"),
    "a string left open": (lambda: parse('"' + "\\\\" * 500_000), "has no closing"),
    "names that look like others": (lambda: _configuration(_many_jobs(300)), "app.json:1:"),
    "a key of a megabyte": (lambda: _configuration('{"' + "jobs" * 250_000 + '": 1, "jobs": []}'), "unknown key"),
    "thousands of unknown keys": (
        lambda: _configuration('{"jobs": [], ' + ", ".join(f'"k{at}": 1' for at in range(2000)) + "}"),
        "and 1950 more errors",
    ),
    "a body of brackets": (lambda: whole(read_object(b"[" * 1_000_000)), "nested too deeply"),
    "a catalogue of brackets": (lambda: parse_instances(b"[" * 1_000_000), "not a list of service instances"),
    "a catalogue of commas": (lambda: parse_instances(b"[" + b'},{"Node":{' * 100_000), "not a list of service"),
}

BOMBS: dict[str, tuple[Callable[[], object], str]] = {
    **{
        f"template: {name}": (lambda text=text: render(text, {}), words)  # type: ignore[misc]
        for name, (text, words) in TEMPLATES.items()
    },
    **OTHERS,
}


def main(name: str) -> None:
    """Says `done`, or the refusal, on one line."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        BOMBS[name][0]()
    except (TemplateError, JsonError, ConfigError, Unprocessable, CatalogGarbage) as error:
        place = f"{error.line}:{error.column}: " if isinstance(error, (TemplateError, JsonError)) else ""
        text = error.message if isinstance(error, TemplateError) else str(error)
        sys.stdout.write(place + " ".join(text[-100_000:].split()))
    else:
        sys.stdout.write("done")


if __name__ == "__main__":
    main(sys.argv[1])
