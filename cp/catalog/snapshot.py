"""Compares the instances of a watch at two times. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from cp.catalog.protocol import Instance


class Snapshot:
    """The instances at one time. None: they are not known, and every other snapshot differs."""

    __slots__ = ("instances", "places")

    def __init__(self, instances: Iterable[Instance] | None) -> None:
        self.instances = sorted(instances or (), key=_order)
        self.places = None if instances is None else [(instance.address, instance.port) for instance in self.instances]

    def differs_from(self, other: Snapshot) -> bool:
        """In the number of instances, or in the address or port of one, in the order of ids. Tags do not count."""
        return self.places != other.places


def _order(instance: Instance) -> Any:
    return (instance.id, instance.address, instance.port)
