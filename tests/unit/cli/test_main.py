"""The entry of the wheel and of the source tree."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from cp import __main__
from cp.cli import main as command_line

if TYPE_CHECKING:
    import pytest


def test_signals_are_blocked_before_the_program_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: list[str]) -> int:
        blocked.update(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        return 3

    blocked: set[int] = set()
    monkeypatch.setattr(command_line, "main", run)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        code = __main__.main()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    assert code == 3
    assert blocked >= signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
