"""The flag -status: what a person asks first, on one screen; with -follow again and again."""

from __future__ import annotations

import os
from time import sleep, time

from cp.cli.client import ClientError, exchange
from cp.cli.console import show, unwritable, write
from cp.cli.formatting import status_screen
from cp.cli.replies import read, refusal, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import NoReturn
else:
    import _signal  # the C module: `signal` imports enum

PAUSE = 1.0  # seconds between two looks
_TOP, _CLEAR = b"\033[H", b"\033[J"


def status(paths: list[str], hint: str, *, follows: bool, as_json: bool) -> int:
    """Print the status. Return the exit code. Raises ClientError."""
    if not follows:
        return show(_look(paths, hint, as_json=as_json))
    for number in (_signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, _leave)
    width, _ = terminal()
    in_place = width > 0 and not as_json
    screen = _look(paths, hint, as_json=as_json)
    first = True
    while True:
        try:
            if in_place:
                write(1, (_TOP + _CLEAR if first else _TOP) + screen.replace(b"\n", b"\033[K\n") + _CLEAR)
            else:
                write(1, screen if first or as_json else b"\n" + screen)
        except BrokenPipeError:
            return 0  # nobody reads any longer
        except OSError as error:
            return unwritable(error)
        first = False
        sleep(PAUSE)
        try:
            screen = _look(paths, hint, as_json=as_json)
        except ClientError:
            return 0  # ContainerPilot has ended


def _look(paths: list[str], hint: str, *, as_json: bool) -> bytes:
    code, answer = exchange(paths, "GET", "/v3/status", hint=hint)
    if code != 200:
        raise ClientError(refusal(code, answer))
    if as_json:
        return answer
    width, colours = terminal()
    return status_screen(read(answer), time(), width=width, colours=colours).encode("utf-8", "replace")


def _leave(*_: object) -> NoReturn:
    os._exit(0)
