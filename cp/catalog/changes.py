"""What counts as a change of a watch. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from cp.catalog import Instance


class Sighting:
    """A list of instances, and how it differs from the sighting before it, whose number is one less."""

    __slots__ = ("added", "instances", "number", "places", "removed")

    def __init__(self, instances: Iterable[Instance], before: Sighting | None) -> None:
        self.instances = sorted(instances, key=_order)
        self.places = [(instance.address, instance.port) for instance in self.instances]
        self.number: int = 0 if before is None else before.number + 1
        self.added: list[Instance] = []
        self.removed: list[Instance] = []
        if before is not None:
            self.compare_with(before)

    def compare_with(self, other: Sighting) -> None:
        self.added = missing(other.instances, self.instances)
        self.removed = missing(self.instances, other.instances)

    def differs_from(self, other: Sighting) -> bool:
        """By number, or by address or port of any one in the order of their ids. Tags do not count."""
        return self.places != other.places


def missing(present: Iterable[Instance], wanted: Iterable[Instance]) -> list[Instance]:
    """Those of `wanted` whose address and port are not present; of several at one place, as many as are too many."""
    places: dict[tuple[str, int], int] = {}
    for instance in present:
        place = (instance.address, instance.port)
        places[place] = places.get(place, 0) + 1
    found = []
    for instance in wanted:
        place = (instance.address, instance.port)
        if places.get(place, 0) > 0:
            places[place] -= 1
        else:
            found.append(instance)
    return found


def _order(instance: Instance) -> Any:
    return (instance.id, instance.address, instance.port)
