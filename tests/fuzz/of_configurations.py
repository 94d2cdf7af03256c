"""Target: a whole configuration, of either dialect, from its text to a plan."""

from __future__ import annotations

import re

from cp.config.errors import ConfigError
from cp.config.load import control_socket, load, render
from cp.config.source import Source
from cp.plan import Plan
from cp.platform.address import Address
from tests.fuzz.material import check, choice, is_place_in, text_of

ENVIRON = {"CONTAINERPILOT_PID": "1", "HOST": "db", "PORT": "8500", "EMPTY": "", "CONSUL_HTTP_TOKEN": "t0ken"}
ADDRESSES = [Address("eth0", bytes([10, 0, 0, 7])), Address("lo", bytes([127, 0, 0, 1])), Address("eth0", bytes(16))]
LONGEST_MESSAGE = 20_000  # characters about one error, whatever it is about

_PLACE = re.compile(r"app\.json:(\d+):(\d+): ")


def fuzz_config(data: bytes) -> None:
    """The first byte says whether a command follows on the command line. A plan, or errors with their places."""
    selector, rest = choice(data)
    arguments = ("app", "-v") if selector & 1 else ()
    source = Source("app.json", text_of(rest))
    rendered = source.text
    try:
        rendered = render(source, ENVIRON)
        plan = _load(source, arguments)
    except ConfigError as error:
        check(error.errors)
        for message in (*error.errors, *error.warnings):
            place = _PLACE.match(message)
            check(len(message) < LONGEST_MESSAGE + 20 * len(source.text))
            if place is not None:
                check(is_place_in(rendered, int(place[1]), int(place[2])), message)
    else:
        assert repr(plan)
        assert plan == _load(source, arguments), "a reload of what did not change changes nothing"
    try:
        assert isinstance(control_socket(source, ENVIRON), str)
    except ConfigError as error:
        check(error.errors)


def _load(source: Source, arguments: tuple[str, ...]) -> Plan:
    return load(source, ENVIRON, arguments=arguments, hostname="box", addresses=lambda: ADDRESSES, version="3.9")
