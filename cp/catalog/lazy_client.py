"""A client of the catalogue that its thread opens when it makes the first call."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.protocol import Catalog


class LazyClient:
    """Belongs to one thread, which calls `get` and `warm_up`. Any thread may call the other methods.

    An attempt to open it that fails is repeated at the next call. A client that is closed before it is open is closed
    as soon as it is open, so that its calls fail.
    """

    __slots__ = ("_catalog", "_closed", "_open")

    def __init__(self, open: Callable[[], Catalog]) -> None:
        """`open` makes the client; it may raise CatalogError."""
        self._open = open
        self._catalog: Catalog | None = None
        self._closed = False

    def get(self) -> Catalog:
        """The client, opened now if it is not open. Raises what `open` raises."""
        if self._catalog is None:
            self._catalog = self._open()
            if self._closed:  # `close` may have run before it was open
                self._catalog.close()
        return self._catalog

    def warm_up(self) -> None:
        """Open it, so that the first call finds all modules imported."""
        try:
            self.get()
        except Exception:  # whatever it is, the first call fails as well and reports it
            return

    @property
    def is_open(self) -> bool:
        """Whether it has been opened. It stays so when it is closed."""
        return self._catalog is not None

    def interrupt(self) -> None:
        """Make the call under way fail."""
        if self._catalog is not None:
            self._catalog.interrupt()

    def close(self) -> None:
        """Make the call under way and all later ones fail."""
        self._closed = True
        if self._catalog is not None:
            self._catalog.close()
