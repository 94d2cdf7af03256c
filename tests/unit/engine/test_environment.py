"""The environment of children: what is inherited, withheld and added."""

from __future__ import annotations

from cp.engine.context import Environment

INHERITED = {"PATH": "/bin", "NOTIFY_SOCKET": "/run/notify", "LISTEN_FDS": "1"}
NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS")


def withholding() -> Environment:
    environment = Environment(INHERITED)
    environment.withheld = environment.unchanged(NAMES, INHERITED)
    return environment


def test_only_inherited_variables_are_withheld() -> None:
    environment = withholding()
    assert environment.withheld == ("NOTIFY_SOCKET", "LISTEN_FDS")
    assert environment.compose() == {"PATH": "/bin"}
    assert environment.get() == INHERITED  # for the templates of a configuration


def test_one_withheld_variable_may_be_passed_on() -> None:
    environment = withholding()
    assert environment.compose((), "NOTIFY_SOCKET") == {"PATH": "/bin", "NOTIFY_SOCKET": "/run/notify"}
    assert environment.compose(passed_on="WATCHDOG_USEC") == {"PATH": "/bin"}


def test_a_child_may_get_a_value_of_its_own() -> None:
    environment = withholding()
    extra = (("NOTIFY_SOCKET", "/run/ours"),)
    assert environment.compose(extra) == {"PATH": "/bin", "NOTIFY_SOCKET": "/run/ours"}
    assert environment.compose(extra, "NOTIFY_SOCKET") == {"PATH": "/bin", "NOTIFY_SOCKET": "/run/ours"}


def test_a_variable_that_is_set_on_request_reaches_the_children() -> None:
    environment = withholding()
    environment.set("LISTEN_FDS", "2")
    assert environment.withheld == ("NOTIFY_SOCKET",)
    assert environment.compose() == {"PATH": "/bin", "LISTEN_FDS": "2"}
    assert environment.unchanged(NAMES, INHERITED) == ("NOTIFY_SOCKET",)  # also after a reload
