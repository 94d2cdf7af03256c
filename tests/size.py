"""How much is tried: `MATRIX=full` means every case (scripts/nightly.sh), without it a choice that CI has the time for.

Each test that holds several cases says how many by the fixture `record_property` under the name CASES: the sum over a
junit file is what was tried. A test that says nothing is one case.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _pytest.mark.structures import ParameterSet

T = TypeVar("T")

FULL = os.environ.get("MATRIX") == "full"
CASES = "cases"


def mostly_nightly(cases: Iterable[T], *usual: T) -> list[ParameterSet]:
    """The parameters of a test of which a usual run has only these few, because the others hardly ever find more."""
    cases = list(cases)
    assert set(usual) <= set(cases)
    return [pytest.param(case, marks=() if case in usual else pytest.mark.nightly) for case in cases]
