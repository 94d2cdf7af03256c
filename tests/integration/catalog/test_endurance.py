"""After ten thousand failures everything is as it was before: threads, descriptors, memory."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.faults import lies
from tests.system.faults.lying import TRUTH
from tests.system.faults.lying_consul import LyingAgent
from tests.system.faults.lying_etcd import LyingEtcd2, LyingEtcd3

if TYPE_CHECKING:
    from tests.system.faults.lying import Exchange

ROOT = Path(__file__).resolve().parents[3]

by_each = pytest.mark.parametrize("who", ["registrar", "watch"])


def endure(who: str, api: str, url: str, failures: int) -> list[str]:
    """The log; AssertionError if anything is left behind."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.catalog.enduring", who, api, url],
        cwd=ROOT,
        env={**os.environ, "FAILURES": str(failures)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    held: dict[str, Any] = json.loads(done.stdout)
    before, after = held["before"], held["after"]
    assert (after["threads"], after["descriptors"]) == (before["threads"], before["descriptors"])
    assert after["objects"] - before["objects"] < 500
    log: list[str] = held["log"]
    return log


@pytest.mark.parametrize("api", ["consul", "v3"])
@by_each
def test_ten_thousand_refused_connections_leave_nothing_behind(who: str, api: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    log = endure(who, api, f"http://127.0.0.1:{port}", 10_000)

    assert len(log) == 1


@pytest.mark.parametrize("api", ["consul", "v2", "v3"])
@by_each
def test_wrong_answers_of_all_kinds_leave_nothing_behind(who: str, api: str) -> None:
    closed = ("Connection", "close")  # or else it would depend on the last answer whether a socket is open
    answers = [lies.says(500, b"no", closed), lies.drops, lies.cuts_short, lies.speaks_no_http, lies.has_a_huge_header]
    if who == "watch":  # a body says nothing to those who write
        answers.append(lies.says(200, b"[{", closed))
    kinds = itertools.cycle(answers)

    def lie(exchange: Exchange) -> None:
        (next(kinds) if exchange.verb() else TRUTH)(exchange)

    server = {"consul": LyingAgent, "v2": LyingEtcd2, "v3": LyingEtcd3}[api]()
    server.lie(lie)
    try:
        log = endure(who, api, f"http://{server.address}", 1_000)
    finally:
        server.close()

    assert 1 <= len(log) < 1_000
