"""How late a server is, as the benchmark sees it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from benchmarks.asking import PAUSE, Asking
from tests.limits import DEADLINE

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
STOP = 40 * PAUSE


@pytest.mark.timing
def test_a_stop_delays_all_questions_that_fell_due_in_it(tmp_path: Path) -> None:
    """A server that answers at once, except for one stop."""
    listener = socket.create_server(str(tmp_path / "socket"), family=socket.AF_UNIX)
    enough = threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            for number in range(1000):
                if not client.recv(4096):
                    return
                if number == 3:
                    threading.Event().wait(STOP)
                if number == 60:
                    enough.set()
                client.sendall(ANSWER)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    asking = Asking(tmp_path / "socket")
    asking.start()
    assert enough.wait(DEADLINE)
    asking.stop()
    server.join(DEADLINE)
    listener.close()

    late = [took for took in asking.took if took > 1000 * STOP / 4]
    assert max(asking.took) >= 1000 * STOP
    assert len(late) >= 0.7 * STOP / PAUSE
