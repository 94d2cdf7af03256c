"""Fixtures for all tests."""

from __future__ import annotations

from tests.system.pilot_fixtures import built_archive, pilot

__all__ = ["built_archive", "pilot"]
