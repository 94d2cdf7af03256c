"""Entries of a catalogue that cannot be used: what is wrong with them, and one report of each while it is there."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOT_A_PORT = "its port is not a number from 0 to 65535"
NO_ADDRESS = "it has no address"
NOT_TAGS = "its tags are not a list of strings"

MOST_REPORTS = 5  # of one answer; a server may invent names faster than anybody reads


def is_port(value: object) -> bool:
    """Whether JSON says a port; 0 stands for a service without one. To Python true is a number, too."""
    return type(value) is int and 0 <= value <= 65535


class Unusable:
    """The entries of one watch that cannot be used. `warn` receives what a person should know."""

    def __init__(self, warn: Callable[[str], object]) -> None:
        self._warn = warn
        self._known: frozenset[str] = frozenset()

    def report(self, texts: Mapping[str, str]) -> None:
        """`texts` has a sentence for each that is there now, by the name of the entry."""
        new = [text for name, text in texts.items() if name not in self._known]
        self._known = frozenset(texts)
        for text in new[:MOST_REPORTS]:
            self._warn(text)
        if len(new) > MOST_REPORTS:
            self._warn(f"{len(new) - MOST_REPORTS} more entries of the catalogue are ignored for such reasons")
