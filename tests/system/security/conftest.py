"""Fixtures of the security tests."""

from __future__ import annotations

from tests.system.security.users import place

__all__ = ["place"]
