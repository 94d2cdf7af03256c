"""The flags that query a running ContainerPilot: each sends one request over its control socket.

Only the `control` part of the configuration is read, for the path of the socket; broken_configuration.py is for one
with errors. Health checks and sensors run -ping and -putmetric every second, so the code for everything else is
imported where it is used.
"""

from __future__ import annotations

import os

from cp.cli.client import ClientError, NoServer, exchange
from cp.cli.console import complain, show
from cp.encoding import percent
from cp.platform.text import process_environment, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Mapping

    from cp.cli.options import Options
else:
    import _signal  # the C module: `signal` imports enum


ControlRequest = tuple[str, str, bytes]  # method, target, body


def run(command: str, options: Options) -> int:
    """Carry out the subcommand with this name. Return the exit code."""
    _take_signals()
    failed = f"-{command}: failed" if command == "ping" else f"-{command}: failed to run subcommand"
    try:
        paths, hint = socket_paths(options.config, process_environment())
        if command == "logs":
            from cp.cli.logs import logs

            query = "&".join(
                [f"job={encoded(name)}" for name in options.names] + [f"lines={options.lines}"] * bool(options.lines)
            )
            return logs(paths, hint, query, options.names, follows=options.follow, as_json=options.json)
        if command == "status":
            from cp.cli.status import status as print_status

            return print_status(paths, hint, follows=options.follow, as_json=options.json)
        if options.follow:
            from cp.cli.follow import follow_events

            return follow_events(paths, hint, events_of(options.job), options.json)
        if command == "wait":
            from cp.cli.wait import wait

            return wait(paths, hint, options.names, options.seconds, options.timeout, options.json)
        method, target, body = _request_of(command, options)
        status, answer = exchange(paths, method, target, body, hint=hint)
        if 200 <= status < 300 and status != 202:
            return _succeed(command, options, answer)
        from cp.cli.replies import refusal, still_going_on

        if status == 202:
            complain(f"-{command}: still going on: {still_going_on(answer)}\n")
            return 0
        complain(f"{failed}: {refusal(status, answer)}\n")
    except ClientError as error:
        from cp.log.redaction import Secrets

        text = str(error)
        if isinstance(error, NoServer) and os.getuid() == 0:
            from cp.cli.replies import sockets_of_others

            text += sockets_of_others(paths, process_environment())
        complain(f"{failed}: {Secrets(process_environment()).masked(text)}\n")
    return 1


def _succeed(command: str, options: Options, answer: bytes) -> int:
    if command == "ping":
        return show(b"ok\n")
    if command not in ("jobs", "job", "events"):
        return 0
    if options.json:
        return show(answer)
    from cp.cli.replies import formatted

    return show(formatted(command, answer))


def socket_paths(argument: str, environ: Mapping[str, str]) -> tuple[list[str], str]:
    """The paths at which the socket may be, the best first, and a hint for the case that no server listens.

    Raises ClientError if the configuration is not valid and no server listens at the remaining paths.
    """
    from cp.control.socket_paths import paths_for_clients

    if not argument and not environ.get("CONTAINERPILOT"):
        return paths_for_clients(environ), ": is ContainerPilot running? If it has a control.socket, name its -config"
    from cp.config.errors import ConfigError
    from cp.config.load import control_socket
    from cp.config.source import read

    hint = ": is ContainerPilot running, and does -config name its configuration?"
    source = None
    try:
        source = read(argument, environ)
        path = control_socket(source, environ)
    except ConfigError as error:
        from cp.cli.broken_configuration import paths_despite

        return paths_despite(error, source, environ), hint
    return [path] if path else paths_for_clients(environ), hint


def encoded(name: str) -> str:
    """Percent-encode a name as a part of a path in a URL."""
    return percent.encoded(to_bytes(name))


def events_of(job: str) -> str:
    """The target of a request for the events of a job; without a job, for all events."""
    return f"/v3/events?job={encoded(job)}" if job else "/v3/events"


def object_of(values: Mapping[str, str | None]) -> bytes:
    """Format an object of strings and nulls as JSON."""
    members = [f"{_quoted(key)}: {'null' if value is None else _quoted(value)}" for key, value in values.items()]
    return f"{{{', '.join(members)}}}".encode("ascii")


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    try:
        from _json import encode_basestring_ascii
    except ImportError:  # a minimal Python
        from cp.json_fallback import encode_basestring_ascii

    return encode_basestring_ascii(text)


def _request_of(command: str, options: Options) -> ControlRequest:
    """The request of a subcommand."""
    if command == "putmetric":
        return "POST", "/v3/metric", object_of(options.putmetric)
    if command == "putenv":
        return "POST", "/v3/environ", object_of(options.putenv)
    if command in ("ping", "jobs"):
        return "GET", f"/v3/{command}", b""
    if command == "events":
        return "GET", events_of(options.job), b""
    if command == "reload":
        return "POST", "/v3/reload", b""
    if command == "maintenance":
        return "POST", f"/v3/maintenance/{options.maintenance}", b""
    if command == "job":
        return "GET", f"/v3/jobs/{encoded(options.job)}", b""
    if command == "signal":
        name, sent = options.signal
        is_number = sent.isascii() and sent.isdecimal() and len(sent) < 4
        body = f'{{"signal": {int(sent)}}}'.encode() if is_number else object_of({"signal": sent})
        return "POST", f"/v3/jobs/{encoded(name)}/signal", body
    name = {"start": options.start, "stop": options.stop, "restart": options.restart}[command]
    return "POST", f"/v3/jobs/{encoded(name)}/{command}", b""


def _take_signals() -> None:
    """Accept signals again. The archive's entry blocks all of them, as an application at PID 1 needs it."""
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _signal.valid_signals())
