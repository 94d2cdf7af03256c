"""Entries of a catalogue that cannot be used: what is wrong with them, and one warning for each."""

from __future__ import annotations

from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

NOT_A_PORT = "its port is not a number from 0 to 65535"
NO_ADDRESS = "it has no address"
NOT_TAGS = "its tags are not a list of strings"

MOST_REPORTS = 5  # warnings for one response; a server may have any number of such entries


def is_port(value: object) -> bool:
    """Whether a JSON value is a port; 0 is that of a service without one. (In Python, true is an integer.)"""
    return type(value) is int and 0 <= value <= 65535


class Seen:
    """The unusable entries that the clients of one catalogue have seen. Several clients may see the same one.

    Each client calls on its own thread. The lock is held for microseconds.
    """

    def __init__(self) -> None:
        self.lock = allocate_lock()
        self.clients: dict[str, int] = {}  # the number of clients that see it, by the name of the entry

    def client(self) -> Client:
        return Client(self)


class Client:
    """The unusable entries that one client sees."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._mine: set[str] = set()
        self._closed = False

    def adds(self, name: str) -> bool:
        """Add an entry. True if no other client sees it."""
        with self._seen.lock:
            if self._closed or name in self._mine:
                return False
            self._mine.add(name)
            others = self._seen.clients.get(name, 0)
            self._seen.clients[name] = others + 1
            return others == 0

    def keeps(self, names: Container[str]) -> None:
        """Remove all entries but these."""
        with self._seen.lock:
            for name in [name for name in self._mine if name not in names]:
                self._drop(name)

    def close(self) -> None:
        """Remove all entries, and add none from now on."""
        with self._seen.lock:
            self._closed = True
            for name in tuple(self._mine):
                self._drop(name)

    def _drop(self, name: str) -> None:
        self._mine.discard(name)
        self._seen.clients[name] -= 1
        if not self._seen.clients[name]:
            del self._seen.clients[name]


class UnusableEntries:
    """The unusable entries of one watch. `warn` gets a line for each one that no other client of `seen` has seen."""

    def __init__(self, warn: Callable[[str], object], seen: Seen | None = None) -> None:
        self._warn = warn
        self._client = (seen or Seen()).client()
        self.close = self._client.close

    def report(self, texts: Mapping[str, str]) -> None:
        """`texts`: a sentence for each unusable entry that exists now, by its name."""
        self._client.keeps(texts)
        new = [text for name, text in texts.items() if self._client.adds(name)]
        for text in new[:MOST_REPORTS]:
            self._warn(text)
        if len(new) > MOST_REPORTS:
            self._warn(f"{len(new) - MOST_REPORTS} more entries of the catalogue are ignored for such reasons")
