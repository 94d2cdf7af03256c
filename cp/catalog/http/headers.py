"""The headers of an answer, read as the standard library's `email` reads them, and without it.

`http.client` takes `email.parser` for half a dozen lines. That brings a megabyte, and is a third of what a heartbeat
has this process do. These stand in for two classes of `email`; `http.client` itself limits how much there is to read.
"""

from __future__ import annotations

import re
from io import StringIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_name = re.compile("[!-9;-~]*:").match  # with the colon; `email` knows no spaces before it


class Message:
    """Names and values in the order of their lines, as `email.message.Message` has them."""

    # That all was understood is what urllib3 asks these three for.
    defects: tuple[Exception, ...] = ()

    def is_multipart(self) -> bool:
        return False

    def get_payload(self) -> None:
        return None

    def __init__(self) -> None:
        self._headers: list[tuple[str, str]] = []

    def __getattr__(self, wanted: str) -> Any:
        """Whoever wants more of a message gets it from a real one."""
        if wanted.startswith("_"):
            raise AttributeError(wanted)
        from email.message import Message

        real = Message()
        for name, value in self._headers:
            real[name] = value
        return getattr(real, wanted)

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
        """One more of that name."""
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
        """The headers up to the first line that is none. A folded value keeps its line ends, a last one excepted."""
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
