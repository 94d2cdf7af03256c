"""The log: levels, formats, and redaction. Lines go to a `Sink`, which never blocks."""

from __future__ import annotations

import os
import time

from cp.log.channels import NULL_DEVICE
from cp.log.redaction import Secrets
from cp.log.sink import lost_lines, open_sink
from cp.plan import LoggingSettings
from cp.platform.text import reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.log.channels import Loop
    from cp.log.sink import Sink
    from cp.plan import Level

    Fields = tuple[tuple[str, str], ...]

LEVELS: dict[Level, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3, "fatal": 4, "panic": 5}

# At the end of the program: seconds between two reads of the log's reader, and seconds for all that is left.
FINISH_PATIENCE, FINISH_LIMIT = 0.5, 5.0
_RENDERED_LIMIT = 256  # pairs of level and fields whose text is cached, for the processes that are logging now
_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.")
# Characters that JSON need not escape, but that end a line for some readers, or control a terminal.
_CONTROL_ESCAPES = {code: f"\\u{code:04x}" for code in (0x7F, *range(0x80, 0xA0), 0x2028, 0x2029)}
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class LogError(Exception):
    """The log cannot be written to the output that the configuration names."""


class Log:
    """Writes records: a level, a message and fields. Call all methods on one thread, the loop's.

    A message is text. Bytes that are not UTF-8 are surrogate escapes in it. The formats plain and job write the
    original bytes, json writes U+FFFD, and text writes `\\xNN`.
    """

    __slots__ = (
        "_clean",
        "_format",
        "_fraction",
        "_held",
        "_logging",
        "_loop",
        "_on_pressure",
        "_rendered",
        "_second",
        "_sink",
        "_stamp",
        "_threshold",
        "_wall",
        "_zone",
        "secrets",
    )

    def __init__(
        self, wall: Callable[[], float] = time.time, sink: Sink | None = None, secrets: Secrets | None = None
    ) -> None:
        self.secrets = Secrets() if secrets is None else secrets  # masked everywhere except in the output of jobs
        self._wall = wall
        self._logging = LoggingSettings()
        self._sink = open_sink(self._logging.output) if sink is None else sink
        self._loop: Loop | None = None
        self._on_pressure: Callable[[bool], object] | None = None
        self._clean: dict[Fields, Fields] = {}  # fields, and the same fields with secrets masked
        self._stamp = ""
        self._fraction = ""
        self._zone = ""
        self._held = False
        self._rendered: dict[tuple[str, Fields], tuple[str, ...]] = {}
        self.secrets.on_change = self._clean.clear
        self._use(self._logging)

    def debug(self, message: str, fields: Fields = ()) -> None:
        if self._threshold <= 0:
            self._write("debug", message, fields)

    def info(self, message: str, fields: Fields = ()) -> None:
        if self._threshold <= 1:
            self._write("info", message, fields)

    def warning(self, message: str, fields: Fields = ()) -> None:
        if self._threshold <= 2:
            self._write("warning", message, fields)

    def error(self, message: str, fields: Fields = ()) -> None:
        if self._threshold <= 3:
            self._write("error", message, fields)

    def fatal(self, message: str, fields: Fields = ()) -> None:
        """Write only: the caller ends the program."""
        if self._threshold <= 4:
            self._write("fatal", message, fields)

    @property
    def output(self) -> str:
        """The output: `stdout`, `stderr`, or the path of a file."""
        return self._logging.output

    def child_output(self, line: str, fields: Fields = ()) -> None:
        """Write a line of a child's output, at level info. It is not masked here: `logging.mask` is applied before."""
        if self._threshold <= 1:
            if not self._held:
                self._read_clock()
            self._sink.write(self._format("info", line, self._clean.get(fields) or self._masked_fields(fields)))

    def enabled(self, level: Level) -> bool:
        """Whether records of this level are written."""
        return LEVELS[level] >= self._threshold

    def masked(self, text: str) -> str:
        """A text with its secrets masked, as this log would write it."""
        return self.secrets.masked(text)

    def configure(self, logging: LoggingSettings) -> None:
        """Use this level, format and output. Raises LogError if the output cannot be opened; then nothing changes."""
        if logging.output != self._logging.output:
            self._replace_sink(logging.output)
        self._use(logging)

    def reopen(self) -> None:
        """Open the log file again by its name, after a rotation. If that fails, report it and keep the old file."""
        if self._logging.output in ("stdout", "stderr"):
            return
        try:
            self._replace_sink(self._logging.output)
        except LogError as error:
            self.error(str(error))
            self._complain(str(error))

    def attach(self, loop: Loop, on_pressure: Callable[[bool], object] | None = None) -> None:
        """Let the loop write what cannot be written at once. `on_pressure(True)` requests less output: see `Sink`."""
        self._loop = loop
        self._on_pressure = on_pressure
        self._sink.attach(loop, on_pressure)

    def hold(self, held: bool) -> None:
        """Between `hold(True)` and `hold(False)`, records get the same time and are written together at the end."""
        if held:
            self._read_clock()
        self._held = held
        self._sink.hold(held)

    def flush(self) -> None:
        """Write the pending records within 0.1 seconds, before the exit of a program that cannot start."""
        self._sink.flush()

    def finish(self, longest: float) -> None:
        """Write the pending records before the exit. Waits for a reader that keeps reading, for up to `longest`
        seconds, at most FINISH_LIMIT. The number of unread lines is reported on standard error."""
        sink = self._sink
        sink.flush(FINISH_PATIENCE, min(longest, FINISH_LIMIT))
        if (lost := sink.unwritten) and not sink.is_broken and self._logging.output != "stderr":
            self._complain(f"{lost_lines(lost)}: {sink.name} was not read in time")

    def _use(self, logging: LoggingSettings) -> None:
        self._logging = logging
        self._second = -1
        self._rendered.clear()
        self._threshold = LEVELS[logging.level]
        self._format = {"plain": self._plain, "job": self._job, "text": self._text, "json": self._json}[logging.format]
        self._sink.note = lambda text: self._record("warning", text, ())

    def _replace_sink(self, output: str) -> None:
        try:
            fresh = open_sink(output)
        except OSError as error:
            raise LogError(f"Error initializing log file '{output}': open {output}: {reason_of(error)}") from None
        old, self._sink = self._sink, fresh
        fresh.note = old.note
        if output not in ("stdout", "stderr"):
            fresh.on_broken = lambda reason: self._complain(f"cannot write to the log file '{output}': {reason}")
        if self._loop is not None:
            fresh.attach(self._loop, self._on_pressure)
        lost = old.close()
        if lost:
            self.warning(f"{lost_lines(lost)}: {old.name} did not take them before the log moved on")

    def _complain(self, message: str) -> None:
        """Report a failure of the log file on standard error, without waiting for a reader."""
        try:
            stderr = open_sink("stderr")
        except OSError:
            return
        stderr.write(_raw(f"{self.masked(message)}\n"))
        stderr.close()

    # --- records

    def _write(self, level: Level, message: str, fields: Fields) -> None:
        self._sink.write(self._record(level, message, fields))

    def _record(self, level: Level, message: str, fields: Fields) -> bytes:
        if not self._held:
            self._read_clock()
        return self._format(level, self.secrets.masked(message), self._clean.get(fields) or self._masked_fields(fields))

    def _read_clock(self) -> None:
        now = self._wall()
        second = int(now)
        if second != self._second:
            self._stamp, self._zone = _clock_text(second, plain=self._logging.format == "plain")
            self._second = second
        self._fraction = _fraction(now - second)

    def _masked_fields(self, fields: Fields) -> Fields:
        if len(self._clean) >= _RENDERED_LIMIT:
            self._clean.clear()
        clean = self._clean[fields] = tuple((key, self.secrets.masked(value)) for key, value in fields)
        return clean

    def _plain(self, level: Level, message: str, fields: Fields) -> bytes:
        return _raw(f"{self._stamp} {message}\n")

    def _job(self, level: Level, message: str, fields: Fields) -> bytes:
        who = self._rendered.get((level, fields))
        if who is None:
            values = dict(fields)
            who = ("".join(f" {values[key]}" for key in ("job", "pid") if key in values),)
            self._keep_rendered(level, fields, who)
        return _raw(f"{self._stamp}{self._fraction}{self._zone}{who[0]} {message}\n")

    def _text(self, level: Level, message: str, fields: Fields) -> bytes:
        tail = self._rendered.get((level, fields))
        if tail is None:
            tail = ("".join(f" {key}={_quoted(value)}" for key, value in sorted(fields)),)
            self._keep_rendered(level, fields, tail)
        text = f" msg={_quoted(message)}" if message else ""
        return f'time="{self._stamp}{self._zone}" level={level}{text}{tail[0]}\n'.encode()

    def _json(self, level: Level, message: str, fields: Fields) -> bytes:
        parts = self._rendered.get((level, fields))
        if parts is None:
            parts = _json_parts(level, fields)
            self._keep_rendered(level, fields, parts)
        before, between, after = parts
        stamp = f"{self._stamp}{self._fraction}{self._zone}"
        return f'{before}"msg":{_json_string(message)},{between}"time":"{stamp}"{after}\n'.encode()

    def _keep_rendered(self, level: Level, fields: Fields, text: tuple[str, ...]) -> None:
        if len(self._rendered) >= _RENDERED_LIMIT:
            self._rendered.clear()
        self._rendered[level, fields] = text


def _clock_text(second: int, *, plain: bool) -> tuple[str, str]:
    """Local date and time, and the zone in the format of RFC 3339."""
    moment = time.localtime(second)
    if plain:
        return time.strftime("%Y/%m/%d %H:%M:%S", moment), ""
    minutes = moment.tm_gmtoff // 60
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    zone = f"{sign}{minutes // 60:02}:{minutes % 60:02}" if minutes else "Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S", moment), zone


def _fraction(fraction: float) -> str:
    """The fraction of a second to the microsecond, without trailing zeros; empty for zero."""
    digits = f"{min(round(fraction * 1_000_000), 999_999):06}".rstrip("0")
    return f".{digits}" if digits else ""


def _raw(line: str) -> bytes:
    try:
        return to_bytes(line)
    except UnicodeEncodeError:  # a surrogate that is not the escape of a byte
        return _readable(line).encode()


def _readable(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


def _quoted(text: str) -> str:
    """Quote a value for logfmt."""
    if _BARE.issuperset(text):
        return text
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(_escaped(character) for character in text)}"'


def _escaped(character: str) -> str:
    short = _SHORT_ESCAPES.get(character)
    if short is not None:
        return short
    if character.isprintable():
        return character
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_parts(level: Level, fields: Fields) -> tuple[str, str, str]:
    """The members of an object ordered by key, in three parts: before "msg", between "msg" and "time", after "time"."""
    before = [f'"level":"{level}"']
    between: list[str] = []
    after: list[str] = []
    for key, value in fields:
        text = value if key == "pid" and value.isdecimal() and value.isascii() else _json_string(value)
        part = before if key < "msg" else between if key < "time" else after
        part.append(f"{_json_string(key)}:{text}")
    return (
        f"{{{','.join(sorted(before))},",
        "".join(f"{member}," for member in sorted(between)),
        "".join(f",{member}" for member in sorted(after)) + "}",
    )


def _json_string(text: str) -> str:
    try:
        from _json import encode_basestring  # the C function alone: `json` imports `re`
    except ImportError:  # a minimal Python
        from cp.json_fallback import encode_basestring

    is_odd = "\x7f" in text or not (text.isascii() or text.isprintable())  # cheap; true for every surrogate
    if is_odd:
        text = _readable(text)
    quoted = encode_basestring(text)
    if is_odd:
        quoted = quoted.translate(_CONTROL_ESCAPES)
    if "<" in quoted or ">" in quoted or "&" in quoted:
        quoted = quoted.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return quoted


def report_fatal(log: Log, message: str) -> None:
    """Log what ends the program, and print it on standard error too if the log is on neither standard stream."""
    log.fatal(message)
    log.flush()
    if not _is_seen(log):
        try:  # not sys.stderr, which is None if it was closed
            os.write(2, to_bytes(f"{log.masked(message)}\n"))
        except OSError:
            pass


def _is_seen(log: Log) -> bool:
    """Whether a fatal line of the log appears on a standard stream: the log is no other file, and not turned off."""
    if not log.enabled("fatal"):
        return False
    try:
        streams = {"stdout": os.fstat(1), "stderr": os.fstat(2)}
        goes_to = streams.get(log.output) or os.stat(to_bytes(log.output))
    except OSError:
        return False
    is_stream = any(os.path.samestat(goes_to, stream) for stream in streams.values())
    return is_stream and goes_to.st_rdev != NULL_DEVICE
