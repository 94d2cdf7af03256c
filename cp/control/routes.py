"""The paths of the control socket: each request becomes a call of `Admin`, and its outcome becomes the answer.

Imported when the first client says something.
"""

from __future__ import annotations

from collections import deque

from cp.control.event_stream import Feed, of_query, shape, wants_stream
from cp.control.log_stream import BadQuery, LogFeed, LogQuery, listed
from cp.control.ready import ReadyRoute
from cp.control.request_bodies import Unprocessable, environment_changes, metric_values, signal_number
from cp.encoding import percent
from cp.engine.admin import NotPossible
from cp.http.long_answers import LongAnswers, gathered, json_parts, report
from cp.http.messages import EVENT_STREAM, TEXT, Response, answer, refusal
from cp.platform.text import from_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from cp.control.ports import Admin, OnAnswer
    from cp.engine.loop import Loop, Timer
    from cp.engine.ports import Done, Log
    from cp.http.exchange import Exchange, ResponseStream
    from cp.http.messages import Request

    # The steps in which a body is read. A handler without a body returns None and answers at once, or later.
    Steps = Iterator[None] | None

PATIENCE = 8.0  # seconds until a client learns that its request is still in progress; subcommands wait for 10 s

SMALL_BODY = 1 << 14  # bytes; a body up to this size is read at the same time as others

_DONE = Response(200, b"\n", TEXT)


class Call:
    """One request on a known path, and its pending answer."""

    __slots__ = ("_exchange", "_on_answer", "_pattern", "request")

    def __init__(self, request: Request, exchange: Exchange, pattern: str, on_answer: OnAnswer | None) -> None:
        self.request = request
        self._exchange = exchange
        self._pattern = pattern
        self._on_answer = on_answer

    def reply(self, response: Response) -> None:
        self._count(response.status)
        self._exchange.reply(response)

    @property
    def answered(self) -> bool:
        return self._exchange.answered

    def follow(self, add: Callable[[Callable[[], ResponseStream], str], None]) -> None:
        """Answer with a stream, which `add` opens with its first argument; the second one is the last id that the
        client has got."""
        self._count(200)
        if self.request.method == "HEAD":
            self._exchange.reply(Response(200, b"", EVENT_STREAM))
            return
        last_id = self.request.headers.get("last-event-id", "")
        add(lambda: self._exchange.stream(200, EVENT_STREAM), last_id)

    def on_gone(self, callback: Callable[[], object]) -> None:
        """Set what is called if the client disconnects before its answer."""
        self._exchange.on_gone = callback

    def _count(self, status: int) -> None:
        if self._on_answer is not None and status != 404:
            self._on_answer(self._pattern, status)


class ControlRoutes:
    """Answers the requests. Call all methods on the loop's thread.

    `limit`: bytes of an answer; making a longer one stops there, because the server refuses it anyway.
    """

    def __init__(self, loop: Loop, admin: Admin, log: Log, on_answer: OnAnswer | None, limit: int) -> None:
        self._loop = loop
        self._admin = admin
        self._log = log
        self._on_answer = on_answer
        self._limit = limit
        self._long_answers = LongAnswers(loop)
        self._feed = Feed(loop, admin.history)
        self._ready = ReadyRoute(loop, admin, self._long_answers, limit)
        self._log_feed = LogFeed(loop, admin.open_output)
        self._large: deque[Iterator[None]] = deque()  # requests with large bodies, which are read one after the other
        self._fixed: dict[str, tuple[str, Callable[[Call], Steps]]] = {
            "/v3/environ": ("POST", self._environ),
            "/v3/env": ("POST", self._environ),
            "/v3/metric": ("POST", self._metric),
            "/v3/reload": ("POST", self._reload),
            "/v3/maintenance/enable": ("POST", lambda call: self._maintenance(call, wanted=True)),
            "/v3/maintenance/disable": ("POST", lambda call: self._maintenance(call, wanted=False)),
            "/v3/ping": ("", lambda call: call.reply(_DONE)),
            "/v3/jobs": ("GET", lambda call: self._answer_long(call, "jobs", admin.overview)),
            "/v3/status": ("GET", lambda call: self._answer_long(call, "status", admin.status)),
            "/v3/events": ("GET", self._events),
            "/v3/ready": ("GET", self._ready.handle),
            "/v3/logs": ("GET", self._logs),
        }
        self._of_a_job: dict[str, tuple[str, Callable[[Call, str], Steps]]] = {
            "": ("GET", self._job),
            "/start": ("POST", lambda call, name: self._change_job(call, name, admin.start_job)),
            "/stop": ("POST", lambda call, name: self._change_job(call, name, admin.stop_job)),
            "/restart": ("POST", lambda call, name: self._change_job(call, name, admin.restart_job)),
            "/signal": ("POST", self._signal),
        }

    def handle(self, request: Request, exchange: Exchange) -> None:
        path = request.path
        fixed = self._fixed.get(path)
        if fixed is not None:
            method, run = fixed
            call = Call(request, exchange, path, self._on_answer)
            if _is_allowed(call, method):
                self._run(call, run)
            return
        if path.startswith("/v3/jobs/"):
            name, slash, verb = path[len("/v3/jobs/") :].partition("/")
            of_a_job = self._of_a_job.get(slash + verb)
            if name and of_a_job is not None:
                method, act = of_a_job
                call = Call(request, exchange, f"/v3/jobs/<name>{slash}{verb}", self._on_answer)
                if _is_allowed(call, method):
                    self._run(call, lambda call: act(call, _decoded(name)))
                return
        exchange.reply(refusal(404, f"404 page not found: there is no '{path[:200]}'"))

    def _run(self, call: Call, run: Callable[[Call], Steps]) -> None:
        steps = run(call)
        if steps is None:
            return
        answering = self._answering(call, steps)
        if len(call.request.body) <= SMALL_BODY:
            self._loop.add_pieces(answering)
            return
        self._large.append(answering)
        if len(self._large) == 1:
            self._loop.add_pieces(self._answer_large())

    def _answer_large(self) -> Iterator[None]:
        """Read large bodies one after the other: parsing 1 MiB takes some memory."""
        while self._large:
            yield from self._large[0]
            self._large.popleft()

    def _answering(self, call: Call, steps: Iterator[None]) -> Iterator[None]:
        """Run the steps of a request. It is carried out even if the client disconnects meanwhile."""
        try:
            yield from steps
        except (Unprocessable, NotPossible) as error:
            call.reply(_unprocessable(str(error)))
        except Exception as error:  # an error in ContainerPilot: the client must not wait forever
            report(self._loop, error)
            if not call.answered:
                call.reply(refusal(500, "internal error: see the log"))

    def _answer_long(self, call: Call, name: str, content: Callable[[], dict[str, object]]) -> None:
        """Give a long answer; all clients that request this name at the same time get the same one."""

        def make() -> Generator[None, None, Response]:
            body = yield from gathered(json_parts(content()), self._limit)
            return Response(200, body)

        self._long_answers.ask(name, make, call.reply)

    # --- the whole program

    def _environ(self, call: Call) -> Iterator[None]:
        changes = yield from environment_changes(call.request.body)
        self._admin.change_environment(changes)
        call.reply(_DONE)

    def _metric(self, call: Call) -> Iterator[None]:
        values = yield from metric_values(call.request.body)
        self._admin.record_metrics(values)
        call.reply(_DONE)

    def _reload(self, call: Call) -> None:
        self._log.debug("control: reloading app via control plane")

        def begin(done: Done) -> None:
            def finished(fault: str) -> None:
                if not fault:
                    self._log.debug("control: reloaded app via control plane")
                done(fault)

            self._admin.reload(finished)

        self._wait(
            call,
            begin,
            lambda fault: refusal(422, fault) if fault else _DONE,
            lambda: answer(202, {"state": "reloading"}),
        )

    def _maintenance(self, call: Call, *, wanted: bool) -> None:
        if self._admin.stopping:
            what = "enter" if wanted else "leave"
            call.reply(refusal(409, f"cannot {what} maintenance: ContainerPilot is stopping"))
        else:
            call.reply(answer(200, {"updated": self._admin.set_maintenance(wanted)}))

    def _events(self, call: Call) -> None:
        admin = self._admin
        name = _decoded(of_query(call.request, "job"))
        if name and admin.job(name) is None and not admin.history.entries(name):  # a job of an earlier plan has entries
            call.reply(self._shown(name))
        elif wants_stream(call.request):
            call.follow(lambda open_stream, last_id: self._feed.add(open_stream, last_id, name))
        else:
            self._answer_long(call, f"events {name}", lambda: {"events": map(shape, admin.history.entries(name))})

    def _logs(self, call: Call) -> None:
        admin = self._admin
        try:
            query = LogQuery(call.request)
        except BadQuery as error:
            call.reply(_unprocessable(str(error)))
            return
        unknown = next((name for name in query.jobs if admin.job(name) is None), None)
        if unknown is not None:
            call.reply(self._shown(unknown))
            return
        jobs, notes = query.jobs or admin.names(), admin.output_notes(query.jobs)
        if wants_stream(call.request):
            call.follow(lambda open_stream, last_id: self._log_feed.add(open_stream, query, jobs, notes, last_id))
            return

        def make() -> Generator[None, None, Response]:
            body = yield from gathered(listed(admin.output, query, jobs, notes), self._limit)
            return Response(200, body)

        self._long_answers.ask(f"logs {query.key}", make, call.reply)

    # --- one job

    def _job(self, call: Call, name: str) -> None:
        call.reply(self._shown(name))

    def _change_job(self, call: Call, name: str, act: Callable[[str, Done], None]) -> None:
        if self._admin.job(name) is None:
            call.reply(self._shown(name))
            return
        self._wait(
            call,
            lambda done: act(name, done),
            lambda fault: refusal(409, fault) if fault else self._shown(name),
            lambda: self._shown(name, 202),
        )

    def _signal(self, call: Call, name: str) -> Iterator[None]:
        if self._admin.job(name) is None:
            call.reply(self._shown(name))
            return
        number = yield from signal_number(call.request.body)
        try:
            self._admin.signal_job(name, number)
        except NotPossible as error:
            call.reply(refusal(409, str(error)))
        else:
            call.reply(self._shown(name))

    def _shown(self, name: str, status: int = 200) -> Response:
        job = self._admin.job(name)
        if job is None:
            return refusal(404, f"there is no job '{name}'{self._admin.nearest(name)}")
        return answer(status, job)

    # --- answers that may come later

    def _wait(
        self,
        call: Call,
        begin: Callable[[Done], None],
        outcome: Callable[[str], Response],
        meanwhile: Callable[[], Response],
    ) -> None:
        """Begin an operation and answer with its outcome; after PATIENCE seconds answer with the present state.

        The operation is carried out even if the client disconnects, also while it waits for its turn: a request counts
        once it is complete, and disconnecting does not cancel it.
        """
        is_pending = True
        timer: Timer | None = None

        def settle() -> bool:
            nonlocal is_pending
            was_pending, is_pending = is_pending, False
            if timer is not None:
                timer.cancel()
            return was_pending

        def done(fault: str) -> None:
            if settle():
                call.reply(outcome(fault))

        def late() -> None:
            if settle():
                call.reply(meanwhile())

        call.on_gone(settle)
        begin(done)
        if is_pending:
            timer = self._loop.call_later(PATIENCE, late)


def _decoded(text: str) -> str:
    """A name in a target: `a%2Fb` is `a/b`."""
    return from_bytes(percent.decoded(text.encode("latin-1")))


def _is_allowed(call: Call, method: str) -> bool:
    """Whether the path takes the request's method; otherwise answer with 405. GET includes HEAD, "" is any method."""
    if call.request.method == method or not method or (method == "GET" and call.request.method == "HEAD"):
        return True
    allowed = "GET, HEAD" if method == "GET" else method
    call.reply(refusal(405, f"Method Not Allowed: use {method}", headers=(("Allow", allowed),)))
    return False


def _unprocessable(why: str) -> Response:
    return refusal(422, f"Unprocessable Entity: {why}")
