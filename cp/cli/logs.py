"""The flag -logs: prints the last lines of jobs, and with -follow those that come."""

from __future__ import annotations

from cp.cli.client import ClientError, exchange
from cp.cli.console import complain, show
from cp.cli.follow import StreamPrinter, follow
from cp.cli.formatting import printable
from cp.cli.replies import read, refusal, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cp.cli.formatting import Data

COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")  # of the names of jobs; none is red
_PLAIN = "\033[0m"
_PARAMETERS = frozenset("0123456789;:")


def logs(paths: list[str], hint: str, query: str, names: Sequence[str], *, follows: bool, as_json: bool) -> int:
    """Print lines. Return the exit code. Raises ClientError."""
    target = "/v3/logs" + (f"?{query}" if query else "")
    printer = LinePrinter(as_json, is_prefixed=len(names) != 1)
    if follows:
        return follow(paths, hint, target, printer)
    status, answer = exchange(paths, "GET", target, hint=hint)
    if status != 200:
        raise ClientError(refusal(status, answer))
    data = _parsed(answer)
    if not isinstance(data, dict):
        raise ClientError("cannot read its answer: it is not a JSON object")
    for note in _list(data.get("notes")):
        printer.note(note)
    return show(b"".join(map(printer.line, _list(data.get("lines")))))


class LinePrinter(StreamPrinter):
    """Prints lines of jobs, with the name of the job before each if there may be several jobs."""

    def __init__(self, as_json: bool, *, is_prefixed: bool) -> None:
        super().__init__(as_json)
        self._is_prefixed = is_prefixed
        width, self._is_coloured = terminal()
        self._is_terminal = width > 0 or self._is_coloured
        self._numbers: dict[str, int] = {}  # of the last line of each job
        self._prefixes: dict[str, str] = {}

    def note(self, note: Data) -> None:
        """Report where the output of a job goes that is not kept."""
        if isinstance(note, dict):
            complain(f"-logs: {printable(str(note.get('job')))}: {printable(str(note.get('about')))}\n")

    def line(self, line: Data, as_sent: bytes = b"") -> bytes:
        """The output for a line; `as_sent` is its JSON."""
        if not isinstance(line, dict):
            raise ClientError("cannot read its answer: a line is not a JSON object")
        job, number, text = str(line.get("job")), line.get("number"), str(line.get("text"))
        if isinstance(number, int):
            self._look_for_a_gap(job, number)
        if self._as_json:
            return as_sent + b"\n" if as_sent else _json(line)
        shown = _harmless(text, colours=self._is_coloured) if self._is_terminal else text
        return f"{self._prefix(job)}{shown}\n".encode("utf-8", "replace")

    def _event(self, kind: bytes, data: bytes) -> bytes:
        if kind == b"note":
            self.note(_parsed(data))
            return b""
        self._lost()
        return self.line(_parsed(data), data)

    def _look_for_a_gap(self, job: str, number: int) -> None:
        before = self._numbers.get(job, number - 1)
        self._numbers[job] = number
        if (lost := number - before - 1) > 0:
            lines = "1 line of" if lost == 1 else f"{lost} lines of"
            verb = "is" if lost == 1 else "are"
            complain(f"-logs: {lines} {printable(job)} {verb} missing here: they came faster than they were read\n")

    def _prefix(self, job: str) -> str:
        if not self._is_prefixed:
            return ""
        found = self._prefixes.get(job)
        if found is None:
            found = f"{printable(job)} | "
            if self._is_coloured:
                found = f"\033[{COLOURS[len(self._prefixes) % len(COLOURS)]}m{found}{_PLAIN}"
            self._prefixes[job] = found
        return found


def _harmless(text: str, *, colours: bool) -> str:
    """A line for a terminal: everything that controls it is escaped, except tabs and, with `colours`, colours."""
    if text.isprintable():
        return text
    parts = []
    position = 0
    while position < len(text):
        letter = text[position]
        if colours and (end := _end_of_colour(text, position)):
            parts.append(text[position:end])
            position = end
            continue
        parts.append(letter if letter == "\t" else printable(letter))
        position += 1
    return "".join(parts) + (_PLAIN if colours and "\033[" in text else "")


def _end_of_colour(text: str, position: int) -> int:
    """The end of the sequence ESC [ numbers m that begins there; 0 if there is none."""
    if not text.startswith("\033[", position):
        return 0
    end = position + 2
    while end < len(text) and text[end] in _PARAMETERS:
        end += 1
    return end + 1 if text[end : end + 1] == "m" else 0


def _parsed(answer: bytes) -> Data:
    """Parse JSON. The usual reader of answers is slow for thousands of lines."""
    try:
        from json import loads
    except ImportError:  # a minimal Python
        return read(answer)
    try:
        data: Data = loads(answer)
    except ValueError:
        raise ClientError("cannot read its answer: it is not valid JSON") from None
    return data


def _json(line: dict[str, Data]) -> bytes:
    """A line as JSON, on one line of its own."""
    from cp.json_fallback import encode_basestring

    members = (
        f'"{key}": {encode_basestring(value) if isinstance(value, str) else value}' for key, value in line.items()
    )
    return f"{{{', '.join(members)}}}\n".encode("utf-8", "replace")


def _list(value: Data) -> list[Data]:
    return value if isinstance(value, list) else []
