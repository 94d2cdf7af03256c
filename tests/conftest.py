"""What all tests share: fixtures, and how Hypothesis searches."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.system.pilot_fixtures import built_archive, pilot

__all__ = ["built_archive", "pilot"]

# How long an example takes says more about the machine, which others use as well, than about what is tested.
SLOW_MACHINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("containerpilot", deadline=None, suppress_health_check=SLOW_MACHINE)
settings.load_profile("containerpilot")
