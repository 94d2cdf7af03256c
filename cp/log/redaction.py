"""The secrets, and where they are masked.

There are two rules. ContainerPilot's own messages never contain a secret of its configuration. The output of jobs
belongs to the jobs: only the values of the variables in `logging.mask` are masked in it.
"""

from __future__ import annotations

import os
import stat

from cp.plan import MASK, SHORTEST_MASKED
from cp.platform.text import from_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cp.log.masking import Matcher

# Environment variables that ContainerPilot reads: secrets, and URLs that may contain one.
CREDENTIALS = ("CONSUL_HTTP_TOKEN", "CONSUL_HTTP_AUTH")
URLS = ("CONSUL_HTTP_ADDR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")

FORMER = 2  # earlier values of a variable that are still masked in the output of jobs
FORMER_SECRETS = 15  # earlier values of a setting or a token file that are still masked in ContainerPilot's messages

_FILE_LIMIT = 4096  # bytes of a token file
_LONG_USER = 20  # characters; a user name without a password that is at least so long is a token (`git` is not)
_AUTHORITY = 1024  # characters of a URL in which the user and the password before the host are searched
_AUTHORITY_ENDS = '/?# \t\r\n"<>`\\'


def without(text: str, secrets: Iterable[str]) -> str:
    """A text without these secrets, for other threads than the loop's, to which `Secrets` belongs."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    return text


class Secrets:
    """All secrets, and the masking of texts. For one thread.

    `on_change` is called when a text that was masked before may contain another secret. `on_output_change` receives the
    matcher for the output of jobs.
    """

    __slots__ = ("_files", "_is_stale", "_listed", "_matcher", "_named", "_own", "on_change", "on_output_change")

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self.on_change: Callable[[], object] = lambda: None
        self.on_output_change: Callable[[Matcher], object] = lambda matcher: None
        self._own = Values(FORMER_SECRETS)
        self._named: frozenset[str] = frozenset()  # the names in `logging.mask`
        self._listed = Values(FORMER)  # the values of these variables
        self._files: dict[str, tuple[int, int, int] | None] = {}
        self._matcher: Matcher | None = None  # for ContainerPilot's own messages
        self._is_stale = False
        for name, value in (environ or {}).items():
            self.learn(name, value)

    # --- sources of secrets

    def add(self, source: str, secret: str) -> None:
        """Set the current secret of a source, such as a key of the configuration."""
        if secret.strip() and self._own.add(source, secret):
            self._changed()

    def add_url(self, source: str, url: str) -> None:
        """Add the password in a URL, or in the part of a URL after `://`."""
        info = url.rpartition("://")[2].rpartition("@")[0]
        user, colon, password = info.partition(":")
        secret = password if colon else user
        self.add(source, secret)
        if "%" in secret:
            from cp.encoding.percent import decoded

            self.add(f"{source}, decoded", from_bytes(decoded(to_bytes(secret))))

    def learn(self, name: str, value: str) -> None:
        """Learn the value of an environment variable before a process gets it."""
        if name in CREDENTIALS:
            self.add(name, value)
            if name == "CONSUL_HTTP_AUTH":
                self.add(f"{name}, the password", value.partition(":")[2])
        elif name in URLS:
            self.add_url(name, value)
        if name in self._named and self._list(name, value):
            self._output_changed()

    def mask_in_output(self, names: Iterable[str], environ: Mapping[str, str]) -> None:
        """Mask the values of these variables in the output of jobs, in addition to earlier ones."""
        self._named = frozenset(names)
        if [name for name in sorted(self._named & environ.keys()) if self._list(name, environ[name])]:
            self._output_changed()

    def watch(self, path: str) -> None:
        """Treat the content of this file as a secret, now and after each change; "" for no file."""
        if path not in self._files:
            self._files = {path: None} if path else {}

    def _list(self, name: str, value: str) -> bool:
        return len(value.strip()) >= SHORTEST_MASKED and self._listed.add(name, value)

    def _changed(self) -> None:
        self._is_stale = True
        self.on_change()

    def _output_changed(self) -> None:
        self._changed()
        matcher = _matcher_of(self._listed.all())
        assert matcher is not None
        self.on_output_change(matcher)

    def _read_files(self) -> None:
        for path, seen in self._files.items():
            try:
                status = os.stat(to_bytes(path))
                stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                if stamp == seen or not stat.S_ISREG(status.st_mode):
                    continue
                fd = os.open(to_bytes(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    text = from_bytes(os.read(fd, _FILE_LIMIT)).strip()
                finally:
                    os.close(fd)
            except (OSError, ValueError):
                continue  # the client that needs the file reports the error
            self._files[path] = stamp
            self.add(path, text)

    # --- masking

    def masked(self, text: str) -> str:
        """Replace every secret, and the password of any URL, by `********`."""
        matcher = self._current_matcher()
        if matcher is not None:
            data = _encoded(text)
            found = matcher.masked(data)
            if found != data:
                text = from_bytes(found)
        return _masked_urls(text) if "@" in text and "://" in text else text

    def starred(self, text: str) -> str:
        """Replace each character of a secret by `*`, so that the length stays."""
        matcher = self._current_matcher()
        data = _encoded(text)
        pieces: list[str] = []
        done = 0
        for start, end in matcher.spans(data) if matcher is not None else ():
            pieces += (from_bytes(data[done:start]), "*" * len(from_bytes(data[start:end])))
            done = end
        return "".join((*pieces, from_bytes(data[done:])))

    def _current_matcher(self) -> Matcher | None:
        """The matcher for ContainerPilot's own messages."""
        if self._files:
            self._read_files()
        if self._is_stale:
            self._matcher = _matcher_of([*self._own.all(), *self._listed.all()])
            self._is_stale = False
        return self._matcher


class Values:
    """The current value of each source, and its earlier values."""

    __slots__ = ("_by_source", "_former")

    def __init__(self, former: int) -> None:
        self._former = former
        self._by_source: dict[str, list[str]] = {}

    def add(self, source: str, value: str) -> bool:
        """Set the current value. Return whether the source did not have it before."""
        known = self._by_source.setdefault(source, [])
        is_new = value not in known
        if not is_new:
            known.remove(value)
        known.append(value)
        del known[: -1 - self._former]
        return is_new

    def all(self) -> list[str]:
        return [value for values in self._by_source.values() for value in values]


def _matcher_of(values: list[str]) -> Matcher | None:
    if not values:
        return None
    from cp.log.masking import Matcher

    return Matcher(map(to_bytes, dict.fromkeys(values)))


def _encoded(text: str) -> bytes:
    try:
        return to_bytes(text)
    except ValueError:  # a surrogate that is not the escape of a byte
        return text.encode(errors="replace")


def _user_info(text: str, start: int) -> str:
    """The part before the @ of the authority that begins here; empty if there is none."""
    authority = text[start : start + _AUTHORITY]
    for end in _AUTHORITY_ENDS:
        authority = authority.partition(end)[0]
    return authority.rpartition("@")[0]


def _masked_urls(text: str) -> str:
    pieces: list[str] = []
    done = 0
    start = text.find("://")
    while start >= 0:
        start += 3
        info = _user_info(text, start)
        user, colon, password = info.partition(":")
        if colon and password:
            pieces += (text[done:start], user, ":", MASK)
            done = start + len(info)
        elif len(user) >= _LONG_USER:
            pieces += (text[done:start], MASK)
            done = start + len(info)
        start = text.find("://", start)
    return "".join(pieces) + text[done:] if pieces else text
