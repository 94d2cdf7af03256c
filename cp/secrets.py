"""What must not be shown: tokens, passwords, keys, wherever they come from. Masked in texts before they leave."""

from __future__ import annotations

import os
import stat

from cp.text import from_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MASK = "********"
LIMIT = 256  # texts that are looked for; above it the one that was learned first is forgotten
SHORTEST = 6  # characters of a variable's value that is taken for a secret

# A variable whose name has one of these words, or two in a row that belong together, holds a secret.
WORDS = ("PASS", "PWD", "PASSWORDS", "SECRETS", "CREDENTIAL", "CREDENTIALS")
PAIRS = ("API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "ENCRYPTION_KEY", "SIGNING_KEY", "AUTH_KEY", "ACCOUNT_KEY")
# The end of a word is enough, as in PGPASSWORD.
ENDINGS = ("PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY")
# The variable says something about a secret, and is none.
HARMLESS_LAST_WORDS = ("FILE", "PATH", "DIR", "URL", "URI", "NAME", "TTL", "TIMEOUT", "LENGTH")
# Values that stand in many other places too: to mask them would hide more than it keeps.
PLAIN_WORDS = (
    *("always", "bearer", "changeme", "default", "disabled", "enabled", "ignore", "manual", "nobody", "optional"),
    *("password", "postgres", "prompt", "required", "secret", "simple", "string", "unused"),
)

_FILE_LIMIT = 4096  # bytes of a file that holds a secret
_PIECE = 16  # characters of a line of a secret of several lines, at least
_TOKEN_IN_URL = 20  # characters of a user without a password, at least, to be a token; `git` is none
_AUTHORITY = 1024  # characters of what may stand before the host in a URL
_AUTHORITY_ENDS = "/?# \t\r\n\"'<>`\\,;)"


class Secrets:
    """The texts to mask. For one thread."""

    __slots__ = ("_files", "_known", "_ordered", "_shortest")

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._known: dict[str, None] = {}  # in the order in which they were learned
        self._ordered: tuple[str, ...] = ()  # the longest first: one secret may be part of another
        self._shortest = 0
        self._files: dict[str, tuple[int, int, int] | None] = {}
        for name, value in (environ or {}).items():
            self.learn(name, value)

    def masked(self, text: str) -> str:
        """The text with `********` in the place of every secret, and of what stands before the @ of a URL."""
        if len(text) >= self._shortest:
            for secret in self._ordered:
                if secret in text:
                    text = text.replace(secret, MASK)
        return _masked_urls(text) if "@" in text and "://" in text else text

    def whole(self, data: bytes) -> int:
        """How many of these bytes, the beginning of a line, can be masked for themselves: no secret goes across their
        end, be it one of which the rest is still to come. At least half of them, whatever they are."""
        end, least = len(data), len(data) // 2
        secrets = [to_bytes(secret) for secret in self._ordered if "\n" not in secret]
        for _ in range(8):  # what goes across the new end may begin even earlier; for ever, if someone wants it to
            start = min(_torn(data, end, least, secrets), default=end)
            if start == end:
                break
            end = start
        return end

    def add(self, secret: str) -> None:
        """From now on this text is masked, also as reprs, JSON and URLs write it."""
        if not secret:
            return
        for form in _forms(secret):
            self._known.pop(form, None)  # it is the latest again
            self._known[form] = None
        while len(self._known) > LIMIT:
            del self._known[next(iter(self._known))]
        self._ordered = tuple(sorted(self._known, key=len, reverse=True))
        self._shortest = len(self._ordered[-1])

    def learn(self, name: str, value: str) -> None:
        """A variable of an environment: is it, or has it, a secret?"""
        if is_secret(name, value):
            self.add(value)
        elif "@" in value and "://" in value:
            for password in passwords_in(value):
                if len(password) >= SHORTEST and password.lower() not in PLAIN_WORDS:
                    self.add(password)

    def watch(self, path: str) -> None:
        """What this file says is a secret, now and whenever `refresh` finds that it has changed."""
        if path and path not in self._files:
            self._files[path] = None
            self.refresh()

    def refresh(self) -> None:
        """Look at the watched files. What they said before stays a secret."""
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
            except OSError:
                continue  # who needs the file says what is wrong with it
            self._files[path] = stamp
            self.add(text)


def is_secret(name: str, value: str) -> bool:
    """Whether a variable with this name and this value looks like a secret."""
    if len(value) < SHORTEST or value.lower() in PLAIN_WORDS:
        return False
    words = name.upper().replace("-", "_").replace(".", "_").split("_")
    if words[-1] in HARMLESS_LAST_WORDS:
        return False
    if not any(word in WORDS or word.endswith(ENDINGS) for word in words):
        joined = f"_{'_'.join(words)}_"
        if not any(f"_{pair}_" in joined for pair in PAIRS):
            return False
    return not _is_path(value)


def passwords_in(text: str) -> list[str]:
    """What URLs in a text have between user and host, as it is written there."""
    found: list[str] = []
    start = text.find("://")
    while start >= 0:
        user, colon, password = _user_info(text, start + 3).partition(":")
        if colon and password:
            found.append(password)
        elif len(user) >= _TOKEN_IN_URL:
            found.append(user)
        start = text.find("://", start + 3)
    return found


def of_catalog(settings: object) -> Iterable[str]:
    """The secrets of the settings of a catalogue, whichever it is."""
    for name in ("token", "password", "http_auth"):
        yield getattr(settings, name, "")
    yield getattr(settings, "http_auth", "").partition(":")[2]
    for address in (getattr(settings, "address", ""), *getattr(settings, "endpoints", ())):
        yield from passwords_in(address if "://" in address else f"http://{address}")


def _is_path(value: str) -> bool:
    """A file that is there, or could be: secrets in base64 may begin with a slash too."""
    if not value.startswith(("/", "./", "../", "~/", "file://")) or "\n" in value:
        return False
    if value.startswith(("~/", "file://")):
        return True
    folder = os.path.dirname(value)
    return os.path.lexists(to_bytes(value)) or (folder != "/" and os.path.isdir(to_bytes(folder)))


def _forms(secret: str) -> list[str]:
    """A secret as it is, and as it looks inside a repr, a JSON string, a URL, and line by line."""
    if secret.isalnum():
        return [secret]
    both = repr(secret + "\"'")[1:-4]  # with both quotes in it, a repr escapes the single one
    in_json = secret.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    forms = [secret, both, both.replace("\\'", "'"), in_json, _percent_encoded(secret), _percent_decoded(secret)]
    if "\n" in secret:  # a key in PEM: a child prints one line at a time
        lines = [line.strip() for line in secret.splitlines()]
        forms += [line for line in lines if len(line) >= _PIECE and not line.startswith("-----")]
    return [form for form in dict.fromkeys(forms) if form.strip()]


def _percent_encoded(text: str) -> str:
    data = to_bytes(text)
    return "".join(
        chr(byte) if byte < 0x80 and (chr(byte).isalnum() or chr(byte) in "-._~") else f"%{byte:02X}" for byte in data
    )


def _percent_decoded(text: str) -> str:
    first, *rest = to_bytes(text).split(b"%")
    parts = [first]
    for part in rest:
        try:
            parts.append(bytes.fromhex(part[:2].decode("ascii")) + part[2:] if len(part) >= 2 else b"%" + part)
        except ValueError:
            parts.append(b"%" + part)
    return from_bytes(b"".join(parts))


def _torn(data: bytes, end: int, least: int, secrets: Iterable[bytes]) -> Iterator[int]:
    """Where the secrets begin that go across this end, as far as can be seen; nothing before `least`."""
    for secret in secrets:
        start = data.find(secret[:1], max(least, end - len(secret) + 1), end)
        while start >= 0 and not _agree(data, start, secret):
            start = data.find(secret[:1], start + 1, end)
        if start >= 0:
            yield start
    before = data[max(least, end - 4 * _AUTHORITY) : end]  # as many bytes as so many characters may have
    _, begins, rest = before.rpartition(b"://")
    if begins and not any(byte in rest for byte in _AUTHORITY_ENDS.encode()):
        yield end - len(begins + rest)
    elif before.endswith((b":", b":/")):
        yield before.rindex(b":") + end - len(before)


def _agree(data: bytes, start: int, secret: bytes) -> bool:
    """Whether a secret may begin here; a few bytes mostly say that it does not."""
    return secret.startswith(data[start : start + 8]) and secret.startswith(data[start : start + len(secret)])


def _user_info(text: str, start: int) -> str:
    """What stands before the @ of the authority that begins here; empty if there is none."""
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
        elif len(user) >= _TOKEN_IN_URL:
            pieces += (text[done:start], MASK)
            done = start + len(info)
        start = text.find("://", start)
    return "".join(pieces) + text[done:] if pieces else text
