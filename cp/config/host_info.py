"""The facts about the machine that a configuration needs: its name and its addresses."""

from __future__ import annotations

from cp.config import interfaces
from cp.platform.text import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.config.fields import Fields
    from cp.platform.address import Address


class HostInfo:
    """`version` is ContainerPilot's. `addresses` reads the addresses of this machine. It is called at most once, and
    only if a choice depends on them."""

    __slots__ = ("_addresses", "_hostname", "_known", "version")

    def __init__(self, hostname: str, addresses: Callable[[], list[Address]], version: str = "") -> None:
        self._hostname = hostname
        self.version = version
        self._addresses = addresses
        self._known: list[Address] | None = None

    def service_id(self, name: str) -> str:
        """The id of a service of this name in the catalogue, if the configuration does not name one."""
        return f"{name}-{self._hostname}"

    def address(self, fields: Fields, default: tuple[str, ...], advice: str) -> str:
        """The address that `interfaces` selects, or `default` without it. Adds an error and returns "" if none matches.

        `advice` is added to the error if no address matches the default.
        """
        specs = fields.strings("interfaces", single=True) or default
        try:
            if self._known is None and interfaces.needs_addresses(specs):
                self._known = self._addresses()
            return interfaces.choose(specs, self._known or [])
        except interfaces.InterfaceError as error:
            fix = "" if fields.has("interfaces") else f"\n{advice}"
            fields.error("interfaces", f"{error}{fix}")
        except OSError as error:
            fields.error("interfaces", f"cannot read the network addresses: {reason_of(error)}")
        return ""
