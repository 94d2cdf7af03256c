"""The inputs that the coverage-guided search has kept: they passed then, and they pass now."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fuzz.limits import check_time
from tests.fuzz.minimise import LARGEST_SUM, MOST, name_of, read_folder
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def test_every_target_has_a_small_corpus_and_each_corpus_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    for folder in CORPUS.iterdir():
        inputs = read_folder(folder)
        assert 0 < len(inputs) <= MOST
        assert sum(map(len, inputs)) <= LARGEST_SUM
        assert sorted(map(name_of, inputs)) == sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_that_passed_still_pass(name: str) -> None:
    for path in sorted((CORPUS / name).iterdir()):
        began = time.process_time()
        try:
            TARGETS[name](path.read_bytes())
        except Exception as error:  # whatever it is: the input is worth more than where it broke
            raise AssertionError(f"{path}: {error!r}") from error
        check_time(time.process_time() - began)
