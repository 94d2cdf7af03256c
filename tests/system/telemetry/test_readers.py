"""Many who read a large page of metrics at the same time: they share it, and delay nothing."""

from __future__ import annotations

import socket
import threading
from http.client import HTTPException
from typing import TYPE_CHECKING

import pytest

from tests.limits import DEADLINE
from tests.system.jobs.configs import config, job
from tests.system.pilot import now, wait_for

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.telemetry.scraping import Port

JOBS, READERS = 500, 30
FEW = 5  # pages; each reader had one of its own once
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PROMPT = 2.0  # seconds of the wall's clock, on any machine; the stop itself takes some hundredths


def start(pilot: StartPilot, port: Port) -> Pilot:
    """A program whose page has half a MiB: many jobs have run once, and one goes on."""
    jobs = [job(f"job-number-{number}", "true") for number in range(JOBS)]
    started = pilot(config(*jobs, job("app", ["sleep", "1000"], main=True), telemetry=port.config()))
    port.wait_for_value(started, f'containerpilot_job_exits{{job="job-number-{JOBS - 1}",code="0"}}', "1")
    return started


def read_all(client: socket.socket) -> bytes:
    """The body of the answer; it is whole."""
    data = b""
    while piece := client.recv(1 << 20):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return body


def test_readers_that_ask_at_the_same_moment_share_a_page(pilot: StartPilot, port: Port) -> None:
    start(pilot, port)
    clients = [socket.create_connection(("127.0.0.1", port.number), timeout=DEADLINE) for _ in range(READERS)]
    for client in clients:
        client.sendall(REQUEST[:-1])
    for client in clients:
        client.sendall(REQUEST[-1:])
    pages = [read_all(client) for client in clients]
    for client in clients:
        client.close()
    # Two pages never are the same: they tell how much time the program has used.
    assert len(set(pages)) <= FEW
    assert all(b'containerpilot_job_starts{job="job-number-0"} 1\n' in page for page in pages)


@pytest.mark.timing
def test_readers_do_not_delay_a_stop(pilot: StartPilot, port: Port) -> None:
    started = start(pilot, port)
    pages: list[bytes] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                pages.append(port.ask("/metrics").body)
            except (OSError, HTTPException):
                pass  # it is gone, or goes

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    try:
        wait_for(lambda: len(pages) > READERS, what="pages for all")
        before, requested_at = len(pages), now()
        assert started.stop() == 143
        took = now() - requested_at
    finally:
        over.set()
        for reader in readers:
            reader.join()
    # Of the pages that were made during the stop, of which there once was one for each reader.
    assert len(set(pages[before:])) <= FEW
    assert took < PROMPT  # of the wall's clock: a stop that waits for all readers takes longer on a slow machine alone
