"""`/v3/ready`: answers when ContainerPilot, or some of its jobs, are ready, or when the time of the client is over."""

from __future__ import annotations

from cp.control.event_stream import of_query
from cp.encoding import percent
from cp.engine.admin import NotPossible
from cp.http.long_answers import gathered, json_parts
from cp.http.messages import Response, answer, refusal
from cp.platform.text import from_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Protocol

    from cp.control.ports import Admin, Outcome
    from cp.engine.loop import Loop, Timer
    from cp.http.long_answers import LongAnswers
    from cp.http.messages import Request

    class Call(Protocol):
        """One request, and its pending answer."""

        request: Request

        def reply(self, response: Response, /) -> None: ...
        def on_gone(self, callback: Callable[[], object], /) -> None: ...


LONGEST_WAIT = 86_400.0  # seconds; a client may ask again


class ReadyRoute:
    """A client waits in the engine, and nothing is repeated meanwhile. One that disconnects leaves nothing behind.

    `limit`: bytes of an answer.
    """

    __slots__ = ("_admin", "_limit", "_long_answers", "_loop")

    def __init__(self, loop: Loop, admin: Admin, long_answers: LongAnswers, limit: int) -> None:
        self._loop = loop
        self._admin = admin
        self._long_answers = long_answers
        self._limit = limit

    def handle(self, call: Call) -> None:
        names = names_of(call.request)
        seconds = _seconds(of_query(call.request, "timeout"))
        if seconds is None:
            call.reply(refusal(422, "Unprocessable Entity: timeout: write a number of seconds, such as 30 or 0.5"))
            return
        timer: Timer | None = None

        def ended(outcome: Outcome) -> None:
            if timer is not None:
                timer.cancel()
            if outcome == "stopping":  # at once: the program may end in a moment
                call.reply(answer(503, {**self._admin.readiness(names, outcome), "jobs": []}))
                return
            self._long_answers.ask(f"ready {outcome} {names}", lambda: self._make(names, outcome), call.reply)

        try:
            leave = self._admin.wait_until_ready(names, ended)
        except NotPossible as error:
            call.reply(refusal(404, str(error)))
            return

        def late() -> None:
            leave()
            ended("timeout")

        def gone() -> None:
            leave()
            if timer is not None:
                timer.cancel()

        timer = self._loop.call_later(seconds, late)
        call.on_gone(gone)

    def _make(self, names: tuple[str, ...], outcome: Outcome) -> Generator[None, None, Response]:
        content = self._admin.readiness(names, outcome)
        body = yield from gathered(json_parts(content), self._limit)
        return Response(200 if content["ready"] else 503, body)


def names_of(request: Request) -> tuple[str, ...]:
    """The jobs that the query names, each once."""
    pairs = (each.partition("=") for each in request.query.split("&"))
    found = (from_bytes(percent.decoded(value.encode("latin-1"))) for name, _, value in pairs if name == "job")
    return tuple(dict.fromkeys(found))


def _seconds(text: str) -> float | None:
    """A number of seconds; 0 without one. None: it is not a number."""
    digits = text.replace(".", "", 1)
    if not text:
        return 0.0
    if not (digits.isascii() and digits.isdecimal() and len(text) < 20):
        return None
    return min(float(text), LONGEST_WAIT)
