"""The -template flag: writes the configuration with its template applied, and otherwise unchanged."""

from __future__ import annotations

import os

from cp.cli.console import complain, show, write
from cp.config.errors import ConfigError
from cp.config.load import render
from cp.config.source import read
from cp.platform.text import process_environment, reason_of, to_bytes


def write_rendered(argument: str, out: str) -> int:
    """Render the configuration to `-` (standard output), `file://path` or a path. Return the exit code."""
    from cp.log.redaction import Secrets

    environ = process_environment()
    try:
        text = render(read(argument, environ), environ)
    except ConfigError as error:
        complain(f"{Secrets(environ).masked(str(error))}\n")
        return 1
    data = to_bytes(text)
    if out in ("", "-"):
        return show(data)
    try:
        _write(out.removeprefix("file://"), data)
    except OSError as error:
        path = out.removeprefix("file://")
        complain(f"Could not write config file: open {path}: {reason_of(error)}\n")
        return 1
    return 0


def _write(path: str, data: bytes) -> None:
    fd = os.open(to_bytes(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        write(fd, data)
    finally:
        os.close(fd)
