"""Random desired states and random outages: the registrar reaches the desired state, whatever happens to its calls."""

from __future__ import annotations

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from cp.catalog.desired import DesiredState
from cp.catalog.desired_service import DesiredService
from tests.model.drawing import registrar_scenario_from_seed
from tests.model.registrar_model import play
from tests.size import FULL


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_catalogue_reaches_the_desired_state_whatever_happens_to_the_calls(workers: int) -> None:
    @seed(workers)
    @settings(max_examples=700 if FULL else 150)
    @given(st.lists(st.binary(min_size=4, max_size=4), max_size=25))
    def check(steps: list[bytes]) -> None:
        play(workers, steps)

    check()


FAULTS = {
    "a deregistration does not come first": (
        DesiredService,
        "deregisters_first",
        property(lambda desired: False, lambda desired, wanted: None),
    ),
    "what was forgotten is not registered again": (DesiredState, "_unknown", lambda desired_state, *outcome: None),
    "nobody learns that a deregistration was tried": (
        DesiredState,
        "_release_all",
        lambda desired_state, desired: None,
    ),
    "two may make a call for one service": (
        DesiredService,
        "busy",
        property(lambda desired: False, lambda desired, is_busy: None),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_model_of_the_registrar_finds_a_fault(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, instead = FAULTS[fault]
    monkeypatch.setattr(owner, name, instead)
    with pytest.raises(AssertionError):
        play_many(2000)


def play_many(number: int) -> None:
    for each in range(number):
        play(*registrar_scenario_from_seed(each))
