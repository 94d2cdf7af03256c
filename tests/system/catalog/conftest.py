"""Fixtures of the catalogue's system tests."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.system.catalog.live import Party, Relay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.servers import Consul


@pytest.fixture
def party() -> Iterator[Party]:
    party = Party()
    yield party
    party.close()


@pytest.fixture
def name() -> str:
    """A service name that no other test of the shared Consul has."""
    return f"app-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def relay(consul: Consul) -> Iterator[Relay]:
    """Before the shared Consul."""
    relay = Relay(consul.address)
    yield relay
    relay.close()
