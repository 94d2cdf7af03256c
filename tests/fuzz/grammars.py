"""Inputs that Hypothesis generates by grammars: templates, requests, command lines."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzz.material import joined

# --- templates

_operands = st.sampled_from(
    [
        ".A",
        ".B",
        ".",
        "$",
        "$x",
        "1",
        "-3",
        "2.5",
        "1i",
        "0x1F",
        "'a'",
        '"s"',
        "`%v|%5d`",
        "true",
        "nil",
        "(loop 3)",
        '"a+"',
        '(split "," .A)',
        "(index .A 0)",
        "(len .B)",
        "(printf `%[2]*[1]d` 1 3)",
    ]
)
_functions = st.sampled_from(
    [
        "",
        "",
        "print",
        "printf",
        "println",
        "len",
        "index",
        "slice",
        "eq",
        "ne",
        "lt",
        "and",
        "or",
        "not",
        "html",
        "js",
        "urlquery",
        "default",
        "env",
        "split",
        "join",
        "replaceAll",
        "regexReplaceAll",
        "loop",
        "call",
    ]
)
_commands = st.builds(
    lambda function, operands: " ".join([*([function] if function else []), *operands]),
    _functions,
    st.lists(_operands, min_size=1, max_size=3),
)
pipelines = st.lists(_commands, min_size=1, max_size=3).map(" | ".join)

bodies = st.recursive(
    st.sampled_from(["text ", "\n", "{{/* c */}}"]) | pipelines.map(lambda inside: f"{{{{ {inside} }}}}"),
    lambda inner: (
        st.builds(
            lambda opening, pipeline, body, otherwise: (
                f"{{{{ {opening} {pipeline} -}}}} {body}{otherwise}{{{{ end }}}}"
            ),
            st.sampled_from(
                ["if", "with", "range", "with $x :=", "range $i, $x :=", 'block "b"', 'define "t" }}{{ if']
            ),
            pipelines,
            inner,
            st.sampled_from(
                ["", "", "{{ else }}no", "{{ break }}", '{{ template "t" . }}', '{{ template "b" 1 }}', "{{ end }}"]
            ),
        )
        | st.lists(inner, max_size=3).map("".join)
    ),
    max_leaves=8,
)
templates = st.builds(
    lambda text, a, b: joined(text.encode(), a, b, b""),
    st.builds(lambda first, text: first + text, st.sampled_from(["", "{{ $x := .A }}"]), bodies),
    st.sampled_from([b"1,2,3", b"", b"a", "é\u2028".encode(), b"0"]),
    st.sampled_from([b"<&>", b"x", b""]),
)

# --- requests

_methods = st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"CONNECT", b"get", b"G\0T"])
_targets = st.sampled_from(
    [
        b"/v3/ping",
        b"/v3/environ",
        b"/v3/metric",
        b"/v3/jobs",
        b"/v3/jobs/app",
        b"/v3/jobs/app/stop",
        b"/v3/jobs/%a",
        b"/v3/env",
        b"/v3/jobs/app/signal",
        b"/v3/events",
        b"/v3/events?follow=1",
        b"/v3/reload",
        b"/v3/maintenance/disable",
        b"*",
        b"/",
        b"http://x/v3/ping",
        b"/metrics",
        b"/status",
        b"/readyz",
        b"/v3/jobs/" + b"a" * 300,
        b"/v3/jobs//start",
        b"\xe9",
    ]
)
_versions = st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.9", b"HTTP"])
_lines = st.sampled_from(
    [
        b"Host: x",
        b"Host: y",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Connection: upgrade",
        b"Upgrade: h2c",
        b"A:b",
        b"Expect: 100-continue",
        b"Content-Length: 0",
        b"Content-Length: 99999999999999999999",
        b"Content-Length: -1",
        b": x",
        b"Transfer-Encoding: gzip, chunked",
        b"Accept: text/event-stream",
        b"Last-Event-ID: 7",
        b" folded",
        b"X: " + b"y" * 900,
    ]
)
_contents = st.sampled_from(
    [
        b"",
        b"{}",
        b'{"A": "b"}',
        b'{"m": 1}',
        b'{"signal": "HUP"}',
        b"[",
        b'{"a=": 1}',
        b"\xff",
        b"[" * 2000,
        b"x" * 3000,
    ]
)


@st.composite
def _request(draw: st.DrawFn) -> bytes:
    head = [b" ".join((draw(_methods), draw(_targets), draw(_versions))), b"Host: x"]
    head += draw(st.lists(_lines, max_size=3))
    body = draw(_contents)
    if draw(st.booleans()) and body:
        head.append(b"Transfer-Encoding: chunked")
        cut = draw(st.integers(1, len(body)))
        chunks = [body[:cut], body[cut:]] if cut < len(body) else [body]
        body = b"".join(b"%x%b\r\n%b\r\n" % (len(each), draw(st.sampled_from((b"", b";a=b"))), each) for each in chunks)
        body += draw(st.sampled_from((b"0\r\n\r\n", b"0\r\nT: x\r\n\r\n", b"0\r\n", b"-1\r\n", b"")))
    elif body:
        head.append(b"Content-Length: %d" % (len(body) + draw(st.sampled_from((0, 0, 0, 0, 1, -1)))))
    ending = draw(st.sampled_from((b"\r\n", b"\r\n", b"\r\n", b"\n")))
    return ending.join(head) + ending * 2 + body


requests = st.builds(
    lambda size, several: bytes([size]) + b"".join(several),
    st.integers(0, 255),
    st.lists(_request(), min_size=1, max_size=3),
)

# --- arguments

_flags = st.sampled_from(
    [
        "-putenv",
        "-putmetric",
        "-signal",
        "--job",
        "-start",
        "-stop",
        "-restart",
        "-maintenance",
        "-json",
        "-follow",
        "-events",
        "-ping",
        "-jobs",
        "-reload",
        "-config",
        "-template=false",
        "--",
        "-x",
        "-",
        "-help=0",
        "---a",
        "-job=",
    ]
)
_arguments = st.sampled_from(
    ["A=b", "A", "=", "a=b=HUP", "app=9", "m=1e5", "enable", "x y", "\u00e9\u2028", "a/b%2F?#", "\r\nX: y"]
)
command_lines = st.lists(_flags | _arguments | st.text(max_size=5), max_size=6).map(
    lambda arguments: "\0".join(arguments).encode("utf-8", "surrogatepass")
)
