"""How long an answer takes: more than a signal, a timer or an exit has to wait.

The loop does one thing after another. Whoever asks for `/v3/ping` on the control socket waits until the loop has done
what it does at that moment, and whatever else is in front, which is everything but other clients: so the answers of a
busy loop, asked for at moments that have nothing to do with what it does, are later than signals and timers are. They
are later, too, by what the question itself costs (0.2 ms), and by what the asking thread waits for a processor.
"""

from __future__ import annotations

import socket
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

PAUSE = 0.005  # seconds between two questions
TIMEOUT = 300


class Asking:
    """Asks for an answer on a socket every PAUSE, and notes how long each took, in milliseconds.

    A question that was due while the one before waited for its answer counts from when it was due: a stop of 50 ms
    delays ten questions, not one.
    """

    def __init__(self, path: Path) -> None:
        self.took: list[float] = []
        self._stop = threading.Event()
        self._connection = HTTPConnection("localhost", timeout=TIMEOUT)
        self._connection.sock = socket.socket(socket.AF_UNIX)
        self._connection.sock.connect(str(path))
        self._ask()  # the first one loads what answers
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        due = answered = time.monotonic()
        while not self._stop.is_set():
            due += PAUSE
            if (rest := due - time.monotonic()) > 0:
                self._stop.wait(rest)
            asked = due if due < answered else time.monotonic()
            self._ask()
            answered = time.monotonic()
            self.took.append((answered - asked) * 1000)

    def _ask(self) -> None:
        self._connection.request("GET", "/v3/ping")
        self._connection.getresponse().read()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(TIMEOUT)
        self._connection.close()
