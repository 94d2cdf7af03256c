"""Fixtures of the telemetry tests."""

from __future__ import annotations

import pytest

from tests.system.telemetry.scraping import Port


@pytest.fixture
def port() -> Port:
    return Port()
