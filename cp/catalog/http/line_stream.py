"""Responses without an end: read line by line, as they come."""

from __future__ import annotations

import time

from cp.catalog.http.sockets import origin
from cp.catalog.protocol import CatalogGarbage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3.response import BaseHTTPResponse

    from cp.catalog.http.sockets import Deadline

READ_SIZE = 64 * 1024
# Bytes that are of no use, after which the server has to wait: one that floods must not keep this process busy.
FLOOD = 1024 * 1024
PAUSE = 0.25  # seconds
LONGEST_LINE = 16 * 1024 * 1024


class LineStream:
    """Receives the lines of one response. This class stops at the first one; subclasses look closer.

    The response is read for `max_wait` seconds, which begin with its head. If `sends_at_once`, the server is known to
    send a first line at once: without that line in the time for any response, there is no response.
    """

    sends_at_once = False

    def __init__(self, max_wait: float) -> None:
        self._max_wait = max_wait
        self.has_begun = False

    def receive_head(self, headers: Mapping[str, str]) -> bool:
        """The headers of the response, their names in any case. True: read no further."""
        return False

    def receive_line(self, line: bytes) -> bool:
        """A line that is not empty, or the rest after the last one. True: read no further."""
        return True

    def follow(self, response: BaseHTTPResponse, deadline: Deadline, headers: Mapping[str, str]) -> None:
        """Read until the stream has enough, the response ends, or the time is over. Raises what urllib3 does."""
        end = time.monotonic() + self._max_wait
        if self.receive_head(headers):
            return
        if not self.sends_at_once:
            self._begin(deadline, end)
        try:
            self._read(response, deadline, end)
        except Exception as error:  # all else goes on from here
            cause = origin(error)
            if not self.has_begun or not isinstance(cause, TimeoutError) or cause.errno is not None:
                raise

    def _read(self, response: BaseHTTPResponse, deadline: Deadline, end: float) -> None:
        pieces: list[bytes] = []
        size = 0
        unused = 0
        while piece := response.read1(READ_SIZE):
            *lines, rest = piece.split(b"\n")
            for line in lines:
                pieces.append(line)
                whole = b"".join(pieces)
                pieces.clear()
                size = 0
                self._begin(deadline, end)
                if whole.strip() and self.receive_line(whole):
                    return
            pieces.append(rest)
            size += len(rest)
            if size > LONGEST_LINE:
                pieces.clear()  # the error's traceback would keep them
                raise CatalogGarbage(f"an answer has a line of more than {LONGEST_LINE >> 20} MiB")
            unused += len(piece)
            if unused > FLOOD and lines:
                unused = 0
                time.sleep(PAUSE)
        whole = b"".join(pieces)
        if whole.strip():
            self.receive_line(whole)

    def _begin(self, deadline: Deadline, end: float) -> None:
        if not self.has_begun:
            self.has_begun = True
            deadline.restart(max(end - time.monotonic(), 0.001))
