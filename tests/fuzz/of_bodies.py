"""Targets: what is sent to the control plane, what is exposed of metrics, and what the server's clients read."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

from cp.cli.client import ClientError, ControlConnection
from cp.cli.replies import formatted, read, refusal, still_going_on
from cp.config.template.values import to_bytes
from cp.control.request_bodies import Unprocessable, environment_changes, metric_values, signal_number
from cp.encoding.go_numbers import parse_float
from cp.encoding.prometheus import KINDS
from cp.telemetry.metrics.definition import Definition, MetricError
from cp.telemetry.metrics.family import Family
from cp.telemetry.metrics.registry import Metrics
from tests.fuzz.held import folder, hold
from tests.fuzz.material import check, choice, parts, text_of, whole
from tests.unit.telemetry.metrics.parsers import expose, openmetrics_text, prometheus_text, read_openmetrics, read_text

LONGEST_REFUSAL = 1000  # characters, whatever was refused


def fuzz_bodies(data: bytes) -> None:
    """The body of a request, read as each of the three kinds: good values or a short refusal."""
    try:
        for name, value in whole(environment_changes(data)).items():
            assert name
            assert "=" not in name
            os.fsencode(name)
            assert value is None or b"\0" not in os.fsencode(value)
    except Unprocessable as error:
        check(len(str(error)) < LONGEST_REFUSAL)
    try:
        for name, text in whole(metric_values(data)):
            name.encode()
            with contextlib.suppress(ValueError):
                parse_float(text)
    except Unprocessable as error:
        check(len(str(error)) < LONGEST_REFUSAL)
    try:
        assert whole(signal_number(data)) in signal.valid_signals()
    except Unprocessable as error:
        check(len(str(error)) < LONGEST_REFUSAL)


def fuzz_signal(data: bytes) -> None:
    """The name of a signal."""
    quoted = text_of(data).encode("utf-8", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    fuzz_bodies(f'{{"signal": "{quoted}"}}'.encode())


def fuzz_exposition(data: bytes) -> None:
    """Lines of a metric: its kind, then help, label and values between separators. Whatever is recorded, the parsers
    of Prometheus's own library read it."""
    selector, rest = choice(data)
    help_text, label, numbers = map(text_of, parts(rest, 3))
    kind = KINDS[selector % len(KINDS)]
    name = ("x", "x_total", "x_sum", "a:b")[selector // 4 % 4]
    labels = ("job", "other") if selector & 16 else ()
    family = Family(Definition(name=name, kind=kind, help=help_text, labels=labels), lambda: 0.0)
    metrics = Metrics(lambda: 0.0, list)
    metrics.swap([Metrics.user(name, kind, help_text)], keep_unchanged=False)
    for number in numbers.split(" "):
        with contextlib.suppress(MetricError):
            metrics.record(name, number)
        try:
            value = parse_float(number)
        except ValueError:
            continue
        family.take(value, (label, "a") if labels else ())
    for text in (prometheus_text([family]), expose(metrics)[2].decode()):
        read_text(_readable(text))
    accepted = "application/openmetrics-text; version=1.0.0"
    for text in (openmetrics_text([family]), expose(metrics, accepted)[2].decode()):
        if text.endswith("# EOF\n"):
            read_openmetrics(_readable(text))


def _readable(text: str) -> str:
    """The text as it arrives: with U+FFFD in the place of invalid characters."""
    return text.encode("utf-8", "replace").decode()


class _Listener:
    """One unix socket for all inputs, made when the first comes."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self.path = ""

    def connected(self, answer: bytes) -> ControlConnection:
        """A connection on which just this answer comes."""
        if self._socket is None:
            self.path = os.path.join(folder(), "client")
            self._socket = socket.socket(socket.AF_UNIX)
            hold(self._socket.close)
            self._socket.bind(self.path)
            self._socket.listen()
        connection = ControlConnection([self.path], time.monotonic() + 5)
        served, _ = self._socket.accept()
        with served:
            served.sendall(answer[:50_000])
        return connection


_listener = _Listener()


def fuzz_client(data: bytes) -> None:
    """An answer, byte by byte as it comes over the control socket: the output cannot control a terminal."""
    connection = _listener.connected(data)
    try:
        status, headers = connection.head()
        body = b"".join(connection.body(headers))
    except ClientError as error:
        check(len(str(error)) < LONGEST_REFUSAL)
        body, status = data, 500
    finally:
        connection.close()
    found = [refusal(status, body), still_going_on(body)]
    for command in ("jobs", "job", "events"):
        with contextlib.suppress(ClientError):
            found.append(formatted(command, body).decode())
    with contextlib.suppress(ClientError):
        read(body)
    for text in found:
        assert all(line.isprintable() for line in text.split("\n")), text
        to_bytes(text)
