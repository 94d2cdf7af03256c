"""Fixtures for the system tests."""

from __future__ import annotations

from tests.system.servers import consul, start_consul

__all__ = ["consul", "start_consul"]
