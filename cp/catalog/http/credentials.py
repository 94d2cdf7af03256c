"""The credentials for Consul or a proxy before it, and how messages hide them."""

from __future__ import annotations

import os

from cp.catalog.protocol import CatalogRefused
from cp.log.redaction import without
from cp.platform.text import reason_of, to_bytes


class Authorization:
    """User and password for a proxy before the agent. The agent itself does not use them."""

    def __init__(self, credentials: str) -> None:
        """`user:password`, or a user alone; "": none."""
        from base64 import b64encode

        user, _, password = credentials.partition(":")
        encoded = b64encode(to_bytes(f"{user}:{password}")).decode()
        self.header = f"Basic {encoded}" if credentials else ""
        self._secrets = [secret for secret in (encoded, credentials, password) if secret] if credentials else []

    def masked(self, text: str) -> str:
        return without(text, self._secrets)


class Token:
    """The ACL token: that of its file, which is read again after a change, or else the configured one."""

    def __init__(self, token: str, file: str) -> None:
        self._token = token
        self._file = file
        self.key = "consul.tokenfile" if file else "consul.token"  # for messages, if it is refused
        self._seen: tuple[int, int, int] | None = None  # the state of the file when it was read
        self._read = ""

    def value(self) -> str:
        """The token; empty if there is none. CatalogRefused if its file cannot be read."""
        token = (self._from_file() if self._file else "") or self._token
        if not (token.isascii() and token.isprintable()):
            raise CatalogRefused(f"cannot use {self.key}: a token is one line of printable ASCII characters")
        return token

    def masked(self, text: str) -> str:
        """The text without the token, which an agent may quote."""
        return without(text, (self._token, self._read))

    def _from_file(self) -> str:
        try:
            with open(to_bytes(self._file), encoding="latin-1") as file:
                status = os.fstat(file.fileno())
                seen = (status.st_ino, status.st_mtime_ns, status.st_size)
                if seen != self._seen:
                    self._read = file.read(4096).strip()
                    self._seen = seen
        except OSError as error:
            raise CatalogRefused(f"cannot read consul.tokenfile '{self._file}': {reason_of(error)}") from None
        return self._read
