"""Inputs that are nearly good: each ends as its target says, in a value or in the error that people see."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import grammars, strategies
from tests.fuzz.limits import check_time
from tests.fuzz.targets import TARGETS
from tests.size import FULL

# Their own limit of time is `check_time`, of the processor's time: on a busy machine a deadline means nothing.
few = settings(max_examples=80 if FULL else 30)
many = settings(max_examples=250 if FULL else 60)


def run(name: str, data: bytes) -> None:
    began = time.process_time()
    TARGETS[name](data)
    check_time(time.process_time() - began)


@pytest.mark.parametrize("name", TARGETS)
def test_a_good_input_after_a_few_accidents(name: str) -> None:
    @few
    @given(strategies.any_input(name))
    def accidents(data: bytes) -> None:
        run(name, data)

    accidents()


GRAMMARS: dict[str, st.SearchStrategy[bytes]] = {
    "config": strategies.configurations,
    "template": grammars.templates,
    "control": grammars.requests,
    "telemetry": grammars.requests,
    "consul": strategies.consul_lists,
    "etcd2": strategies.etcd2_answers,
    "etcd3": strategies.etcd3_answers,
    "record": strategies.directory_records,
    "command_line": grammars.command_lines,
}


@pytest.mark.parametrize("name", GRAMMARS)
def test_an_input_by_the_grammar_with_wrong_values(name: str) -> None:
    @many
    @given(GRAMMARS[name])
    def grammar(data: bytes) -> None:
        run(name, data)

    grammar()
