"""Good inputs for each target: what hypothesis changes a little, and what the coverage-guided search begins with."""

from __future__ import annotations

import json

from tests.fuzz.material import joined

JOBS = """{
  // a comment, and all that the dialect has
  consul: {address: "{{ .HOST }}:{{ .PORT }}", scheme: 'http', token: "t", tls: {verify: false}},
  logging: {level: "INFO", format: "text", output: "stdout"}, stopTimeout: 5,
  control: {socket: "/tmp/cp.socket"},
  jobs: [
    {name: "app", exec: ["/bin/app", "-v", 5, true], port: 80, interfaces: ["eth0", "static:1.2.3.4"], tags: ["a"],
     initial_status: "passing", restarts: "unlimited", stopTimeout: "1m",
     health: {exec: "/bin/check", interval: 5, ttl: 10, timeout: "2s"},
     when: {source: "pre", once: "exitSuccess", timeout: "60s"}, consul: {enableTagOverride: true}},
    {name: "pre", exec: "/bin/pre --x", timeout: "10s", logging: {raw: true}},
    {name: "api", exec: "/bin/api", main: true, restarts: 5, watchdog: "30s",
     ready: {notify: true, timeout: "60s", onTimeout: "restart"},
     health: [{name: "web", http: {url: "https://[::1]:8443/a?b=c", method: "POST", headers: {Host: "x", "X-A": 1},
       body: "b", status: ["2xx", 301, "400-404"], contains: "ok", tls: {servername: "s"}}, interval: 5, failures: 4,
       passes: 2, startPeriod: "30s", startInterval: "500ms", onUnhealthy: "restart"},
      {name: "db", tcp: ":5432", interval: 9}, {name: "sock", unix: "/run/a.sock", interval: 9},
      {name: "own", http: "unix:///run/a.sock:/b", interval: 9}]},
    {name: "late", exec: "/bin/late", ready: {log: "listening"}, when: {source: "api", once: "ready"}},
    {name: "on-change", exec: "reload", when: {source: "watch.db", each: "changed"}},
    {name: "post", exec: "/bin/post", when: {source: "app", once: "stopped"}},
    {name: "tick", exec: "/bin/tick", when: {interval: "500ms"}, restarts: 3,},
  ],
  watches: [{name: "db", interval: 3, tag: "x", dc: "east"}],
  telemetry: {port: 9090, interfaces: ["inet"], tags: ["t"],
    metrics: [{namespace: "n", subsystem: "s", name: "m", help: "h", type: "gauge"}]},
}"""

SERVICES = """{
  "consul": "consul:8500", "preStart": "/bin/pre", "preStop": ["a", "b"], "postStop": "c", "stopTimeout": 5,
  "logging": {"level": "debug", "format": "json"},
  "services": [{"name": "web", "port": 8000, "poll": 10, "ttl": 30, "health": "/bin/health --x", "timeout": "1s",
    "interfaces": ["eth0[1]", "10.0.0.0/8", "inet6"], "tags": ["{{ .HOST }}"], "failures": 2}],
  "backends": [{"name": "db", "poll": 7, "onChange": "/bin/reload", "tag": "x", "timeout": "2s"}],
  "tasks": [{"name": "t", "command": "/bin/t", "frequency": "1500ms", "timeout": "100ms"}],
  "coprocesses": [{"name": "c", "command": ["/bin/c"], "restarts": "never"}],
  "telemetry": {"port": 9090, "sensors": [{"name": "x", "help": "h", "type": "counter", "poll": 5, "check": ["s"]}]}
}"""

ETCD = """{"etcd": {"endpoints": ["http://e:2379", "https://f"], "prefix": "/a/b", "username": "u", "password": "p",
 "api": "v3"}, "jobs": [{"name": "app", "exec": "x"}]}"""

DIRECTORY = '{"dialect": "services", "directory": "/var/lib/cp", "control": {"socket": "/s"}, "services": []}'

CONFIGURATIONS = (JOBS, SERVICES, ETCD, DIRECTORY)

TEMPLATES = (
    "plain",
    '{{ .A }}-{{ .B | default "x" }}{{ if eq .A "1" }}one{{ else if .B }}two{{ else }}three{{ end }}',
    "{{ range $i, $x := loop 3 }}{{ $i }}{{ $x }}{{ if gt $x 1 }}{{ break }}{{ end }}{{ else }}none{{ end }}",
    '{{ range split "," .A }}{{ . | printf "%-5s|" }}{{ continue }}{{ end }}{{ with $y := .B }}{{ $y }}{{ end -}} x',
    '{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" .A }}{{ block "b" 1 }}{{ . }}{{ end }}{{/* c */}}',
    '{{ regexReplaceAll "(a+)(?P<n>b)" "${n}-$1" .A }}{{ replaceAll "a" "b" .B }}{{ join "," (split ":" .C) }}',
    '{{ printf "%05d %+.2e %q %x %v %T %[1]*d %U" 42 1.5 "s" "t" nil true 3 65 }}{{ print 1 2i "a" `b` \'c\' }}',
    "{{ $x := 1 }}{{ $x = len .A }}{{ index .A 0 }}{{ slice .A 0 1 }}{{ html .B }}{{ js .B }}{{ urlquery .C }}{{ . }}",
    '{{ and .A (or .B 1) }}{{ ne 1 2 }}{{ le 0x1p-2 .5 }}{{ println (loop 2 -2) }}{{ env "A" }}',
)


def _http(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join((*lines, "", "")).encode() + body


_HOST = "Host: x"
REQUESTS = (
    _http("GET /v3/ping HTTP/1.1", _HOST),
    _http("POST /v3/environ HTTP/1.1", _HOST, "Content-Length: 10", body=b'{"A": "b"}'),
    _http(
        *("POST /v3/metric HTTP/1.1", _HOST, "Transfer-Encoding: chunked"),
        body=b'6\r\n{"m": \r\n4;x=y\r\n1.5}\r\n0\r\nT: t\r\n\r\n',
    ),
    _http("GET /v3/jobs HTTP/1.0", "Connection: keep-alive") + _http("GET /v3/jobs/app HTTP/1.1", _HOST),
    _http("POST /v3/jobs/app/restart HTTP/1.1", _HOST, "Content-Length: 0") + _http("GET /v3/jobs/ap HTTP/1.1", _HOST),
    _http(
        *("POST /v3/jobs/of%20two%20words%2Fand%20a%20slash/signal HTTP/1.1", _HOST, "Content-Length: 17"),
        body=b'{"signal": "HUP"}',
    ),
    _http("GET /v3/events?follow=1 HTTP/1.1", _HOST, "Accept: text/event-stream", "Last-Event-ID: 0"),
    _http("HEAD /v3/events HTTP/1.1", _HOST)
    + _http("POST /v3/maintenance/enable HTTP/1.1", _HOST, "Content-Length: 0"),
    _http("POST /v3/reload HTTP/1.1", _HOST, "Expect: 100-continue", "Content-Length: 2", body=b"{}"),
    _http("GET http://x/v3/ping?a=b HTTP/1.1", _HOST, "Upgrade: h2c", "Connection: upgrade"),
    _http(
        *("GET /metrics HTTP/1.1", _HOST, "Accept: application/openmetrics-text;q=0.5,text/plain"),
        "Accept-Encoding: gzip;q=1, br",
    ),
    _http("GET /status HTTP/1.1", _HOST) + _http("GET /readyz HTTP/1.1", _HOST) + _http("GET /healthz HTTP/1.0"),
    _http("CONNECT x:1 HTTP/1.1", _HOST),
    _http("GET / HTTP/2.0"),
)

_ENTRY = {
    "Node": {"ID": "n", "Node": "node-1", "Address": "10.1.2.3", "Meta": {"a": '"},{"'}},
    "Service": {"ID": "web-1", "Service": "web", "Tags": ["blue"], "Address": "10.0.0.1", "Port": 80, "Meta": None},
    "Checks": [{"Node": "node-1", "Output": '[{"Node":{"A":"no"}},{"Node":{}}]', "Status": "passing"}],
}
_BARE = {"Node": {"Address": "10.0.0.9"}, "Service": {"ID": "b", "Address": "", "Port": 0, "Tags": None}}
CONSUL = tuple(
    json.dumps(entries, separators=(",", ":")).encode() for entries in ([], [_BARE], [_ENTRY, _BARE], [_ENTRY] * 3)
)

ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Consul-Index: 9\r\n\r\n[]",
    _http(
        *("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "X-Consul-Index: 3", "X-Consul-KnownLeader: false"),
        body=b"2\r\n[]\r\n0\r\n\r\n",
    ),
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + CONSUL[2],
    b"HTTP/1.1 500 Oops\r\nRetry-After: 5\r\nContent-Length: 17\r\n\r\nno cluster leader",
    b"HTTP/1.1 429 Slow\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 403 No\r\nContent-Length: 26\r\n\r\nPermission denied s3cr3t-t",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 204 None\r\nA: b\r\n c\r\n\r\n",
)

_V2 = {
    "action": "get",
    "node": {
        "key": "/containerpilot/web",
        "dir": True,
        "nodes": [
            {
                "key": "/containerpilot/web/web-box1",
                "dir": True,
                "nodes": [
                    {
                        "key": "/containerpilot/web/web-box1/service",
                        "value": '{"id":"web-box1","name":"web","address":"10.0.0.1","port":80,"tags":null}',
                    }
                ],
            }
        ],
    },
}
_V2_CHANGE = {"action": "update", "node": {"key": "/c/w/x", "dir": True, "modifiedIndex": 9, "createdIndex": 8}}
_V2_ERROR = {"errorCode": 100, "message": "Key not found", "cause": "/x", "index": 5}
ETCD2 = (
    joined(b"\x18" + json.dumps(_V2).encode()),
    joined(b"\x18" + json.dumps(_V2_CHANGE).encode() + b"\n", b"\x18" + json.dumps(_V2).encode()),
    joined(b"\x05" + json.dumps(_V2_ERROR).encode()),
    joined(b"\x01{}", b"\x00{}", b"\x05" + json.dumps({**_V2_ERROR, "errorCode": 102}).encode()),
    joined(b"\x0a" + json.dumps({**_V2_ERROR, "errorCode": 300, "cause": "Not a file"}).encode()),
)

_TOKEN = b'\x00{"header":{},"token":"abc.1"}'
_KEYS = (
    b'\x00{"header":{"revision":"9"},"kvs":[{"key":"L2NvbnRhaW5lcnBpbG90L3dlYi94","value":"eyJpZCI6IngiLCJuYW1lIjoid2ViIiwi'
    b'YWRkcmVzcyI6IjEiLCJwb3J0IjoxLCJ0YWdzIjpbImEiXX0="}],"count":"1"}'
)
ETCD3 = (
    joined(_TOKEN, _KEYS),
    joined(_TOKEN, _KEYS.replace(b'"count"', b'"more":true,"count"'), _KEYS),
    joined(_TOKEN, b'\x00{"result":{"created":true,"header":{"revision":"9"}}}\n{"result":{"events":[{}]}}\n', _KEYS),
    joined(_TOKEN, b'\x00{"result":{"created":true,"header":{"revision":"9"}}}\n{"result":{"canceled":true}}', _KEYS),
    joined(_TOKEN, b'\x00{"ID":"1","TTL":"10"}', b'\x00{"header":{}}'),
    joined(
        _TOKEN, b'\x03{"error":"etcdserver: lease already exists","code":9}', b'\x00{"result":{"TTL":"10"}}', b"\x00{}"
    ),
    joined(_TOKEN, b'\x00{"result":{"ID":"1","TTL":"10"}}', b'\x00{"count":"1"}'),
    joined(b'\x03{"error":"etcdserver: authentication is not enabled","code":9}', _KEYS),
    joined(_TOKEN, b'\x04{"error":"etcdserver: invalid auth token","code":16}', _TOKEN, _KEYS),
    joined(b'\x0a{"error":{"grpc_code":14,"message":"no leader"}}'),
    joined(b"3.4.23"),
)

RECORDS = (
    b'{"id": "web-box1", "name": "web", "address": "10.0.0.1", "port": 80, "tags": ["a"], "status": "passing", '
    b'"output": "", "ttl": 10, "deadline": 1767225600.5}',
    b'{"id": "", "name": "", "address": "", "port": -1, "tags": [], "status": "", "deadline": 1}',
)

OVERVIEW = (
    b'{"maintenance": true, "stopping": false, "jobs": [{"name": "app", "state": "running", "pid": 7, "since": '
    b'"2026-01-02T03:04:05.000Z", "restarts": 2, "health": {"status": "critical", "output": "x"}, "reason": "r", '
    b'"waitsFor": ["a"], "exit": {"code": 1}}]}'
)
EVENTS = b'{"events": [{"number": 1, "at": "2026-01-02T03:04:05.000Z", "code": "exitSuccess", "source": "app"}]}'
CLIENT = (
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(OVERVIEW), OVERVIEW),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(EVENTS), EVENTS),
    b'HTTP/1.1 409 Conflict\r\n\r\n{"error": "no \\u001b[31m"}\n',
    b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 22\r\n\r\n{"state": "reloading"}',
)


def _encoded(*texts: str) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in texts)


SEEDS: dict[str, tuple[bytes, ...]] = {
    "json5": _encoded(
        *CONFIGURATIONS, "[+1, .5, 5., -0xA, 1e-3, Infinity, -NaN]", "{'a': '\\x41\\u00e9\\ud83d\\ude00\\\n'} // x",
        '["\\ud800", null, true, false, {"a": {"a": [[]]}, "a": 1}, "postgres://u:p@h/", {token: "s"}]',
    ),
    "config": tuple(bytes([selector]) + text.encode() for text in CONFIGURATIONS for selector in (0, 1)),
    "template": tuple(joined(text.encode(), b"1,2", b"a&b", b"x:y") for text in TEMPLATES),
    "printf": tuple(
        bytes([number]) + form
        for number, form in enumerate((b"%5.3v|%-05d", b"%+q%#x", b"%[2]*[1]d", b"%e%G% x%p", b"%b%o%O%c%U", b"%t%T"))
    ),
    "regex": tuple(
        joined(*pieces)
        for pieces in (
            (b"(a+)b", b"$1-${1}x", b"aab"), (b"(?i)[^\\d\\pL[:alpha:]]{2,3}?", b"$$", "a1é é--".encode()),
            (b"(?P<x>\\bw\\x41*|\\Qa.b\\E)(?s:.)$", b"$x", b"wa.b\n"), (b"(?U)a+?(?m)^b", b"", b"aa\nb"),
        )
    ),
    "duration": _encoded("30", "500ms", "1h30m", "-1.5s", "1\u00b5s2ns", "+.5h"),
    "interface": tuple(
        joined(text, b"\x01" + bytes(range(16)) + b"\x00\x0a\x00\x00\x07" + bytes(12))
        for text in (b"eth0\neth1[1]", b"inet6\ninet", b"10.0.0.0/8", b"static:::1", b"eth0@if3:inet6", b"fe80::/10")
    ),
    "netlink": (
        (24 + 8).to_bytes(4, "little") + b"\x14\x00\x00\x00" + bytes(8) + b"\x02\x08\x00\x00\x02\x00\x00\x00"
        + b"\x08\x00\x01\x00\x0a\x00\x00\x01",
        (20).to_bytes(4, "little") + b"\x03\x00\x02\x00" + bytes(12),
    ),
    "command_line": _encoded(
        "-putenv\0A=b\0-putenv=C", "--putmetric=m=1.5", "-signal\0app=RTMIN+3", "-job=a b/%", "-events\0-follow\0-json",
        "-config\0x\0--\0app\0-v", "-maintenance=enable", "-restart\0\u00e9",
    ),
    "masking": tuple(
        joined(secrets.encode(), text.encode())
        for secrets, text in (
            ("hunter2/\u00e4\u20ac", 'a hunter2/\u00e4\u20ac "hunter2\\/\\u00E4\\u20ac" hunter2%2F%c3%a4%E2%82%AC'),
            ("b c+d/\U0001f600", '{"a":"b c+d\\/\\ud83d\\ude00"} b+c%2Bd%2f%F0%9F%98%80'),
            ("hunter22\x01\\\\\\n1234%41", "\\x68unter22 %68unter22 \\\\\\n1234%2541 hunter22hunter22"),
            ("-----BEGIN-----\n0123456789\nab==\n-----END-----", "0123456789\nab==\n0123456789\\nab=="),
            ("abcdabcd\x01cdabcdab", "abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd\\\\u0041"),
        )
    ),
    "control": tuple(bytes([number]) + request for number, request in enumerate(REQUESTS)),
    "telemetry": tuple(bytes([number]) + request for number, request in enumerate(REQUESTS)),
    "client": CLIENT,
    "consul": CONSUL,
    "http": ANSWERS,
    "etcd2": ETCD2,
    "etcd3": ETCD3,
    "record": RECORDS,
    "bodies": _encoded(
        '{"A": "b", "C": null}', '{"m": 1.5, "n": "2e3", "o": "NaN"}', '{"signal": "RTMAX-2"}', '{"signal": 15}',
        '{"signal": "sighup ", "x": [true, {}]}', '{"a=b": "\\u0000\\ud800"}', "[]",
    ),
    "signal": _encoded("HUP", "SIGTERM", "rtmin+3", "SIGRTMAX-0", " 9 ", "_BLOCK", "sigsig"),
    "exposition": tuple(
        bytes([number]) + joined(b"he\\lp \"q\"\n", 'a\\b"c\nd\u20ac'.encode(), b"1 -2.5e3 inf nan 0x1 1e400")
        for number in (0, 1, 2, 3, 20, 21, 22, 23)
    ),
}  # fmt: skip
