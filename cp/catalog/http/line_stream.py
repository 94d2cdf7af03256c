"""Answers without an end: read line by line, as they come."""

from __future__ import annotations

import time

from cp.catalog.http.sockets import origin
from cp.catalog.protocol import CatalogGarbage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse

    from cp.catalog.http.sockets import Deadline

READ_SIZE = 64 * 1024
# Bytes of no interest, after which we let the server wait: one that floods us must not keep this process busy.
FLOOD = 1024 * 1024
PAUSE = 0.25  # seconds
LONGEST_LINE = 16 * 1024 * 1024


class LineStream:
    """What is heard of one answer: its first line, if a subclass does not look closer.

    It is listened to for `max_wait` seconds, which begin with the head of the answer. Where `greeted`, the server is
    known to send a first line at once: if that is not there in the time that any answer has, there is no answer.
    """

    greeted = False

    def __init__(self, max_wait: float) -> None:
        self._max_wait = max_wait
        self.begun = False  # something was heard

    def opened(self, headers: Mapping[str, str]) -> bool:
        """The head of the answer, with names in lower case; true = enough."""
        return False

    def heard(self, line: bytes) -> bool:
        """A line that is not empty, or what the answer ends with; true = enough."""
        return True

    def follow(self, response: HTTPResponse, deadline: Deadline, headers: Mapping[str, str]) -> None:
        """Listens until it has heard enough, the answer ends, or the time is over. Raises what http.client does."""
        end = time.monotonic() + self._max_wait
        if self.opened(headers):
            return
        if not self.greeted:
            self._begin(deadline, end)
        try:
            self._listen(response, deadline, end)
        except Exception as error:  # all else goes on from here
            cause = origin(error)
            if not self.begun or not isinstance(cause, TimeoutError) or cause.errno is not None:
                raise

    def _listen(self, response: HTTPResponse, deadline: Deadline, end: float) -> None:
        pieces: list[bytes] = []
        size = 0
        quiet = 0
        while piece := response.read1(READ_SIZE):
            *lines, rest = piece.split(b"\n")
            for line in lines:
                pieces.append(line)
                whole = b"".join(pieces)
                pieces.clear()
                size = 0
                self._begin(deadline, end)
                if whole.strip() and self.heard(whole):
                    return
            pieces.append(rest)
            size += len(rest)
            if size > LONGEST_LINE:
                pieces.clear()  # the error's traceback would keep them
                raise CatalogGarbage(f"an answer has a line of more than {LONGEST_LINE >> 20} MiB")
            quiet += len(piece)
            if quiet > FLOOD and lines:
                quiet = 0
                time.sleep(PAUSE)
        check_whole(response)
        whole = b"".join(pieces)
        if whole.strip():
            self.heard(whole)

    def _begin(self, deadline: Deadline, end: float) -> None:
        if not self.begun:
            self.begun = True
            deadline.restart(max(end - time.monotonic(), 0.001))


def check_whole(response: HTTPResponse) -> None:
    """ValueError if there should have been more; of a chunked answer http.client itself would say so."""
    if response.length:
        raise ValueError("the answer ends too early")
