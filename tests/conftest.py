"""Shared by all tests: fixtures, options, and the settings of Hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from tests.size import FULL
from tests.system.pilot_fixtures import built_archive, pilot

if TYPE_CHECKING:
    import pytest

__all__ = ["built_archive", "pilot"]

# The only profile. How long an example takes or how many are thrown away says nothing about the program. A usual run
# tries the same examples each time: what it finds comes from the change that is tested. A full run looks for new ones.
settings.register_profile(
    "containerpilot",
    deadline=None,
    derandomize=not FULL,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.load_profile("containerpilot")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("containerpilot")
    group.addoption(
        "--timing", choices=("with", "without", "only"), default="with", help="the tests that are marked `timing`"
    )
    group.addoption("--smoke", action="store_true", help="of the system tests only those that are marked `smoke`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    timing, smoke = config.getoption("timing"), config.getoption("smoke")

    def is_wanted(item: pytest.Item) -> bool:
        is_timing = item.get_closest_marker("timing") is not None
        if smoke and "tests/system/" in item.nodeid and item.get_closest_marker("smoke") is None:
            return False
        if not FULL and item.get_closest_marker("nightly") is not None:
            return False
        return bool(timing == "with" or is_timing == (timing == "only"))

    unwanted = [item for item in items if not is_wanted(item)]
    if unwanted:
        items[:] = [item for item in items if is_wanted(item)]
        config.hook.pytest_deselected(items=unwanted)
