"""From settings to a catalogue's client."""

from __future__ import annotations

from cp.plan import ConsulSettings, DirectorySettings
from cp.platform.text import process_environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cp.catalog.protocol import Catalog
    from cp.catalog.unusable_entries import Seen
    from cp.plan import EtcdSettings
    from cp.platform.resolver import Resolver


def open_catalog(
    settings: ConsulSettings | EtcdSettings | DirectorySettings,
    *,
    warn: Callable[[str], object] = lambda text: None,
    inform: Callable[[str], object] = lambda text: None,
    environ: Mapping[str, str] | None = None,
    resolver: Resolver | None = None,
    unusable: Seen | None = None,
) -> Catalog:
    """A client for one thread; nothing is contacted yet. CatalogError if the settings can never work.

    `warn` gets warnings for the log, and `inform` what the client has chosen by itself. Both are called on the client's
    thread. `environ`, by default that of this process, may name an HTTP proxy. Other clients share `resolver`, since
    they look up the same names, and `unusable`, which has the entries that the log has reported. Imports the modules of
    this catalogue only: call it on the thread that will use the client.
    """
    if isinstance(settings, DirectorySettings):
        from cp.catalog.directory.client import Directory

        return Directory(settings, warn, unusable)
    environ = process_environment() if environ is None else environ
    if isinstance(settings, ConsulSettings):
        from cp.catalog.consul.client import Consul

        return Consul(settings, environ, warn, resolver, unusable)
    from cp.catalog.etcd.client import Etcd

    return Etcd(settings, environ, warn, inform, resolver=resolver, unusable=unusable)
