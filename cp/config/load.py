"""Loads a configuration: read, render, parse, check, compile to a Plan.

It opens no socket, starts no process and reads no clock, and imports only modules of ContainerPilot.
"""

from __future__ import annotations

from cp.config.errors import ConfigError, short
from cp.config.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cp.config.confidential import Secrets
    from cp.config.errors import Problems
    from cp.config.json5.parser import Document
    from cp.config.origins import Origins
    from cp.plan import Plan
    from cp.platform.address import Address

_OTHER_LINES = " (line of the rendered configuration; see -template)"


def render(source: Source, environ: Mapping[str, str], secrets: Secrets | None = None) -> str:
    """Apply the template. Raises ConfigError with the location in the source."""
    if "{{" not in source.text:
        return source.text
    from cp.config import template

    try:
        return template.render(source.text, environ)
    except template.TemplateError as error:
        from cp.config.origins import meant_by

        location, why = f"{source.name}:{error.line}:{error.column}", f"{error}{meant_by(error.message, environ)}"
        if secrets is not None:
            _note_named_variables(source.text, environ, secrets)
            why = secrets.masked(why)
        raise ConfigError([f"{location}: Could not apply template to config: {short(why)}"]) from None


def load(
    source: Source,
    environ: Mapping[str, str],
    *,
    arguments: tuple[str, ...],
    hostname: str,
    addresses: Callable[[], list[Address]],
    version: str = "",
    secrets: Secrets | None = None,
) -> Plan:
    """Compile a configuration to a plan. Raises ConfigError with all its errors.

    `environ` is for templates and catalogue settings, and has CONTAINERPILOT_PID; `arguments` is the command on the
    command line; `addresses` reads the addresses of this machine, and is called only if a choice needs them; `version`
    is ContainerPilot's; `secrets` learns the secrets of the configuration, and masks them in messages.
    """
    text = render(source, environ, secrets)
    document, problems = _parse(source, environ, text, secrets)
    from cp.config import dialect

    detected = dialect.detect(document.root, problems, has_command=bool(arguments))
    if detected.name == dialect.JOBS:
        if arguments:
            why = f"this is the jobs dialect ({detected.reason}), which runs only jobs"
            problems.warning(detected.offset, "", f"the command that follows on the command line is not run: {why}")
        from cp.config.jobs.compiler import compile_jobs

        return compile_jobs(document, problems, environ, hostname=hostname, addresses=addresses, version=version)
    from cp.config.services.compiler import compile_services

    return compile_services(
        document, problems, environ, arguments=arguments, hostname=hostname, addresses=addresses, version=version
    )


def control_socket(source: Source, environ: Mapping[str, str]) -> str:
    """The path of the control socket, for clients; empty: one of the usual paths. Ignores errors outside of `control`.

    Raises ConfigError if the text cannot be rendered or parsed, or if `control` has errors."""
    text = render(source, environ)
    document, problems = _parse(source, environ, text)
    root = document.root
    control = root.data.get("control") if isinstance(root.data, dict) else None
    if control is None or control.data is None:
        return ""
    if isinstance(control.data, dict) and "socket" in control.data and control.data.keys() <= {"socket", "users"}:
        path = control.data["socket"].data
        # The usual case. `read_control` has the same result, but its import takes as long as the request to the server.
        if isinstance(path, str) and 0 < len(path) < 100 and path.isascii() and path.isprintable() and path[0] == "/":
            return path
    from cp.config.control import read_control
    from cp.config.fields import Fields
    from cp.config.json5.parser import Value

    if isinstance(control.data, dict):  # only the server needs the users, whose names may not exist here
        control = Value(
            {key: each for key, each in control.data.items() if key != "users"}, control.offset, control.keys
        )
    part = Value({"control": control}, root.offset, root.keys)
    path = read_control(Fields(problems, part, "", ("control",)), announced=True).socket
    problems.check()
    return path


def _note_named_variables(text: str, environ: Mapping[str, str], secrets: Secrets) -> None:
    from cp.config.confidential import note_named_variables

    note_named_variables(text, environ, secrets)


def _parse(
    source: Source, environ: Mapping[str, str], text: str, secrets: Secrets | None = None
) -> tuple[Document, Problems]:
    from cp.config.errors import Problems
    from cp.config.json5.parser import JsonError, Value, parse

    masked = str if secrets is None else secrets.masked
    # Places are those of the rendered text. They are equal to those of the file if the number of lines is the same.
    name, note = source.name, _OTHER_LINES if text.count("\n") != source.text.count("\n") else ""

    origins: list[Origins] = []

    def template() -> Origins:
        if not origins:
            from cp.config.origins import Origins

            origins.append(Origins(source, environ, text, masked))
        return origins[0]

    try:
        document = parse(text)
    except JsonError as error:
        from cp.config.formats import nothing_in, other_format

        redacted, hints = text, error.hints
        if secrets is not None:
            _note_named_variables(text, environ, secrets)
            redacted = secrets.starred(text)
        if text is not source.text and (hint := template().of_syntax_error(error.offset)):
            hints = (f"{hint}.",)
        elif other := other_format(name, text):
            hints = (other,)
        if nothing := nothing_in(text, is_rendered=text is not source.text):
            line, column = error.line, max(error.column, 1)
            first = f"Parse error at line:col [{line}:{column}]: {error.reason}: {nothing}"
            raise ConfigError(["\n".join((f"{name}:{line}:{column}: {first}{note}", *hints))]) from None
        first, newline, rest = error.report(redacted, hints).partition("\n")
        raise ConfigError([f"{name}:{error.line}:{error.column}: {first}{note}{newline}{rest}"]) from None
    if document.root.data is None:
        document.root = Value({}, document.root.offset)  # null is the same as nothing
    if secrets is not None:
        from cp.config.confidential import member, note_secrets

        note_secrets(document.root, environ, secrets)
        # The key may be in another case, or have escapes.
        if ("http" in text.lower() or "\\" in text) and member(document.root, "jobs") is not None:
            from cp.config.jobs.confidential import note_secrets_of_checks

            note_secrets_of_checks(document.root, secrets)
    origin = (lambda offset: template().of_value(offset)) if text is not source.text else None
    problems = Problems(document, name, note, masked, origin)
    if not isinstance(document.root.data, dict):
        from cp.config.json5.parser import kind

        what = f"Could not parse configuration: must be an object {{…}}, not {kind(document.root)}"
        problems.error(document.root.offset, "", what)
        problems.check()
    return document, problems
