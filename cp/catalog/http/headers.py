"""Reads the headers of a response as the standard library's `email` does, without that package.

`http.client` uses `email.parser` for half a dozen lines. This takes a megabyte, and a third of the time of a heartbeat.
The classes here replace two classes of `email` for the subset of urllib3. `http.client` limits the size of headers.
"""

from __future__ import annotations

import re
from io import StringIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_name = re.compile("[!-9;-~]*:").match  # with the colon; like `email`, without spaces before it


class Message:
    """Names and values in the order of their lines, as `email.message.Message` has them."""

    # urllib3 reads these three to find headers that were not understood.
    defects: tuple[Exception, ...] = ()

    def is_multipart(self) -> bool:
        return False

    def get_payload(self) -> None:
        return None

    def __init__(self) -> None:
        self._headers: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Any:
        """All other attributes are those of a real message."""
        if name.startswith("_"):
            raise AttributeError(name)
        from email.message import Message

        real = Message()
        for header, value in self._headers:
            real[header] = value
        return getattr(real, name)

    def get_all(self, name: str, failobj: Any = None) -> Any:
        name = name.lower()
        return [value for each, value in self._headers if each.lower() == name] or failobj

    def get(self, name: str, failobj: Any = None) -> Any:
        name = name.lower()
        for each, value in self._headers:
            if each.lower() == name:
                return value
        return failobj

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def __setitem__(self, name: str, value: str) -> None:
        """Add a header, also if there is one of that name."""
        self._headers.append((name, value))

    def __delitem__(self, name: str) -> None:
        name = name.lower()
        self._headers = [header for header in self._headers if header[0].lower() != name]

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __len__(self) -> int:
        return len(self._headers)

    def keys(self) -> list[str]:
        return [name for name, _ in self._headers]

    def values(self) -> list[str]:
        return [value for _, value in self._headers]

    def items(self) -> list[tuple[str, str]]:
        return self._headers.copy()


class Parser:
    """In place of `email.parser.Parser`."""

    def __init__(self, _class: type[Message] = Message) -> None:
        self._class = _class

    def parsestr(self, text: str) -> Message:
        """The headers up to the first other line. A folded value keeps its line ends, except the last one."""
        headers: list[tuple[str, str]] = []
        for line in StringIO(text, newline=""):
            if line[0] in " \t":
                if headers:
                    name, value = headers.pop()
                    headers.append((name, value + line))
            elif named := _name(line):
                headers.append((line[: named.end() - 1], line[named.end() :]))
            elif line.startswith("From "):  # the first line of a mail in a mailbox
                headers.append(("", ""))
            else:
                break
        message = self._class()
        message._headers = [(name, value.lstrip(" \t\r\n").rstrip("\r\n")) for name, value in headers if name]
        return message
