"""Unit tests have the machine to themselves by not using it."""

from __future__ import annotations

from tests.isolation import pytest_runtest_call, pytest_runtest_setup, pytest_runtest_teardown

__all__ = ["pytest_runtest_call", "pytest_runtest_setup", "pytest_runtest_teardown"]
