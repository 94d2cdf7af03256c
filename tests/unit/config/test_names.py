"""The environment variables that are made of names, and the names that a catalogue can carry."""

from __future__ import annotations

import pytest

from cp.config.names import ip_variable, is_service_name, pid_variable


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("testCase", "TESTCASE"),
        ("test-case", "TEST_CASE"),
        ("/bin/to/testCase", "TESTCASE"),
        ("/bin/to/testCase.sh", "TESTCASE"),
        ("./bin/to/testCase.sh", "TESTCASE"),
        ("/bin/to/test-Case.sh", "TEST_CASE"),
        ("/bin/to/test-Case--now.sh", "TEST_CASE_NOW"),
        # what the rule says beyond it
        ("my job", "MY_JOB"),
        ("a.tar.gz", "A_TAR"),
        ("a.b.b", "A_B"),
        ("-x-", "_X_"),
        ("5", "5"),
        ("tâche", "T_CHE"),
    ],
)
def test_the_variable_of_a_process(name: str, variable: str) -> None:
    assert pid_variable(name) == f"CONTAINERPILOT_{variable}_PID"


def test_the_variable_of_an_address() -> None:
    assert ip_variable("my-webApp") == "CONTAINERPILOT_MY_WEBAPP_IP"


@pytest.mark.parametrize("name", ["myService", "my-service", "my-service-123"])
def test_names_that_a_catalogue_can_carry(name: str) -> None:
    assert is_service_name(name)


@pytest.mark.parametrize("name", ["my_service", "-my-service", "my%service", "MyService", "x", "", "ab\n", "été"])
def test_names_that_it_cannot(name: str) -> None:
    assert not is_service_name(name)
