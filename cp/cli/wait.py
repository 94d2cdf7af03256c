"""The flag -wait: waits until ContainerPilot, or some of its jobs, are ready.

A script may run it before ContainerPilot, so it waits for the control socket, too, and connects again after a
connection was lost.
"""

from __future__ import annotations

from time import monotonic, sleep

from cp.cli.client import ClientError, ConnectionLost, NoServer, exchange
from cp.cli.console import complain, show
from cp.cli.formatting import printable
from cp.cli.replies import read, refusal
from cp.encoding import percent
from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.cli.formatting import Data

LONGEST_REQUEST = 3600.0  # seconds; then the client asks again
GRACE = 2.0  # seconds in which the answer about a time that is over must come
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5  # seconds between two attempts to connect
NOTICE_AFTER = 5.0  # seconds without a server, after which standard error says so
OUT_OF_USE = ("held", "skipped", "complete")  # only a request, or a reload, starts such a job again
BUSY = 503  # all connections of the server are in use


def wait(
    paths: list[str], hint: str, names: tuple[str, ...], timeout: float | None, timeout_text: str, as_json: bool
) -> int:
    """Return the exit code: 0 when these jobs are ready, or without names, ContainerPilot as a whole; 1 if they are not
    ready in time, or will not become ready. `timeout` is in seconds; None: no limit.

    Raises ClientError if waiting makes no sense.
    """
    started = monotonic()
    pause, noticed = FIRST_PAUSE, False
    while True:
        rest = LONGEST_REQUEST if timeout is None else max(0.0, started + timeout - monotonic())
        seconds = min(rest, LONGEST_REQUEST)
        try:
            status, answer = exchange(paths, "GET", _target(names, seconds), timeout=seconds + GRACE, hint=hint)
        except NoServer as error:
            if not error.may_start:
                raise
            why = str(error)
        except ConnectionLost as error:
            why = str(error)
        else:
            data = _state(status, answer)
            if data is None:
                if status != BUSY:
                    raise ClientError(refusal(status, answer))
                why = refusal(status, answer)
            elif data.get("outcome") == "timeout" and (timeout is None or rest > LONGEST_REQUEST):
                continue
            else:
                return _finish(data, answer, timeout_text, as_json)
        rest = LONGEST_PAUSE if timeout is None else started + timeout - monotonic()
        if rest <= 0:
            complain(f"-wait: not ready within {timeout_text}: {why}\n")
            return 1
        if not noticed and monotonic() - started > NOTICE_AFTER:
            noticed = True
            complain(f"-wait: still waiting: {why}\n")
        sleep(min(pause, rest))
        pause = min(2 * pause, LONGEST_PAUSE)


def _target(names: tuple[str, ...], seconds: float) -> str:
    jobs = "".join(f"&job={percent.encoded(to_bytes(name))}" for name in names)
    return f"/v3/ready?timeout={seconds:.3f}{jobs}"


def _state(status: int, answer: bytes) -> dict[str, Data] | None:
    """The answer of the server; None if it is an error."""
    if status not in (200, BUSY):
        return None
    data = read(answer)
    return data if isinstance(data, dict) and "ready" in data else None


def _finish(data: dict[str, Data], answer: bytes, timeout_text: str, as_json: bool) -> int:
    """Print the answer. Return the exit code."""
    is_ready = data["ready"] is True
    if as_json and (code := show(answer)):
        return code
    if is_ready:
        return 0
    jobs = data.get("jobs")
    rows = [each for each in jobs if isinstance(each, dict)] if isinstance(jobs, list) else []
    if data.get("outcome") == "stopping":
        complain("-wait: ContainerPilot is stopping\n")
        return 1
    if data.get("outcome") == "ended":
        first = "not ready, and only a request or a reload can change that"
        rows = [row for row in rows if row.get("state") in (None, *OUT_OF_USE)]
    else:
        first = f"not ready within {timeout_text}"
        if data.get("maintenance") is True:
            first += ", in maintenance"
    lines = [f"{row.get('name')} {row.get('about')}" for row in rows]
    complain("".join(f"{printable(line)}\n" for line in (f"-wait: {first}{':' if lines else ''}", *lines)))
    return 1
