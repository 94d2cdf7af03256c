"""The table of keys says what the readers do: they are run on configurations that are made of the table."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cp.config import dialect as detection
from cp.config.fields import Fields
from cp.config.reference.key import JOBS, SERVICES, Key
from cp.config.reference.tree import ROOTS, keys_of, plain, since, without_effect
from tests.unit.config.reference.table import (
    ABSENT,
    ALL,
    ENVIRON,
    KEYS,
    MACHINES,
    Outcome,
    around,
    differences,
    loaded,
    objects,
    with_key,
    without_indices,
)

of_all = pytest.mark.parametrize(("dialect", "path"), ALL, ids=lambda value: str(value))


def some(choose: Any) -> pytest.MarkDecorator:
    """Those keys of the table for which `choose` is true."""
    chosen = [at for at in ALL if choose(KEYS[at])]
    return pytest.mark.parametrize(("dialect", "path"), chosen, ids=lambda value: str(value))


# --- which keys there are


@pytest.mark.parametrize("dialect", ROOTS)
def test_readers_know_exactly_the_keys_of_the_table(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has all keys and no others, and no unknown key is read."""
    known: dict[str, set[str]] = {}
    unknown: set[str] = set()
    opened, used = Fields.__init__, Fields.value

    def recording(self: Fields, problems: Any, value: Any, path: str, keys: tuple[str, ...], **rest: Any) -> None:
        known.setdefault(without_indices(path), set()).update(keys)
        opened(self, problems, value, path, keys, **rest)

    def asking(self: Fields, key: str) -> Any:
        if key not in known[without_indices(self.key_path)]:
            unknown.add(self.key_path_of(key))
        return used(self, key)

    monkeypatch.setattr(Fields, "__init__", recording)
    monkeypatch.setattr(Fields, "value", asking)
    for of, path in ALL:
        if of == dialect:
            loaded(dialect, with_key(dialect, path, KEYS[of, path].example))
    table = objects(dialect)
    for path in known.keys() | table.keys():
        read, described = set(known.get(path, ())), set(table.get(path, ()))
        assert read == described, (
            f"{path or 'top level'}: only the reader knows {sorted(read - described)}, "
            f"only cp/config/reference has {sorted(described - read)}"
        )
    assert not unknown


def test_the_dialect_follows_from_the_keys_that_only_one_of_them_has() -> None:
    of_services, of_jobs = ({key.name for key in ROOTS[dialect]} for dialect in (SERVICES, JOBS))
    assert set(detection.SERVICES_KEYS) == of_services - of_jobs
    # `control` was a key of ContainerPilot 3 alone.
    assert set(detection.JOBS_KEYS) == of_jobs - of_services | {"control"}


# --- examples and defaults


# The application's output never goes through the log.
WARNED = {(SERVICES, "logging.mask")}
# Required beside some values of another key.
SOMETIMES_REQUIRED = {(JOBS, "jobs[].when.source")}


@of_all
def test_the_example_loads_without_a_complaint_and_has_an_effect(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    outcome = loaded(dialect, with_key(dialect, path, key.example))
    assert outcome.errors == ()
    assert bool(outcome.warnings) == (bool(key.deprecated) or (dialect, path) in WARNED), outcome.warnings
    if not key.required and key.name != "dialect":
        assert outcome.plan != loaded(dialect, with_key(dialect, path, ABSENT)).plan


@of_all
def test_exactly_the_required_keys_are_missed(dialect: str, path: str) -> None:
    without = loaded(dialect, with_key(dialect, path, ABSENT))
    required = bool(KEYS[dialect, path].required) or (dialect, path) in SOMETIMES_REQUIRED
    assert bool(without.errors_at(path)) == required
    assert bool(without.errors) == required


@some(lambda key: key.default is not None or key.default_key)
def test_the_default_written_out_changes_nothing(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    default = key.default if key.default is not None else of_sibling(dialect, path, key)
    for addresses in MACHINES:
        without = loaded(dialect, with_key(dialect, path, ABSENT), addresses=addresses)
        written = loaded(dialect, with_key(dialect, path, default), addresses=addresses)
        assert without.plan == written.plan
        assert bool(without.errors) == bool(written.errors)


def of_sibling(dialect: str, path: str, key: Key) -> Any:
    """The value of the key beside this one that counts in its place."""
    parent, _, _ = path.rpartition(".")
    sibling = KEYS[dialect, f"{parent}.{key.default_key}"]
    value = around(with_key(dialect, path, ABSENT), path)[sibling.name]
    if "seconds" in sibling.types:
        return f"{value}s"
    return " ".join(value) if isinstance(value, list) else value


# Defaults in words that depend on another key: this key, with what beside it, and the default written out.
CONDITIONAL: list[tuple[str, str, dict[str, Any], Any]] = [
    (JOBS, "jobs[].when", {}, {"once": "startup", "source": "global"}),
    (JOBS, "jobs[].when.source", {"once": "startup"}, "global"),
    (JOBS, "jobs[].stdin", {"main": True}, "inherit"),
    (JOBS, "jobs[].restarts", {"when": {"interval": "7s"}}, "unlimited"),
    (JOBS, "jobs[].timeout", {"when": {"interval": "7s"}}, "7s"),
    (JOBS, "jobs[].id", {}, "app-host"),
    (JOBS, "jobs[].drain.min", {}, "2s"),
    (JOBS, "jobs[].drain.max", {}, "30s"),
    (JOBS, "telemetry.metrics[].help", {}, "counter app_orders"),
    *((dialect, "consul.address", {}, "127.0.0.1:8500") for dialect in ROOTS),
    *((dialect, "consul.scheme", {}, "http") for dialect in ROOTS),
]
# Defaults in words that the system, Consul, etcd or the place of the socket decides: the plan has nothing there.
DECIDED_LATER = {"cafile", "capath", "servername", "datacenter", "dc", "api", "socket", "startInterval"}
DECIDED_LATER |= {"pause", "maxPause"}


@pytest.mark.parametrize(("dialect", "path", "beside", "default"), CONDITIONAL)
def test_a_default_in_words_is_that_of_the_reader(
    dialect: str, path: str, beside: dict[str, Any], default: Any
) -> None:
    def read(value: Any) -> Outcome:
        configuration = with_key(dialect, path, value)
        around(configuration, path).update(beside)
        return loaded(dialect, configuration)

    without = read(ABSENT)
    assert without.plan is not None
    assert without.plan == read(default).plan


@some(lambda key: key.default_words)
def test_each_default_in_words_is_tested(dialect: str, path: str) -> None:
    if (dialect, path) in [(of, at) for of, at, *_ in CONDITIONAL]:
        return
    key = KEYS[dialect, path]
    assert key.name in DECIDED_LATER
    without = loaded(dialect, with_key(dialect, path, ABSENT)).plan
    written = loaded(dialect, with_key(dialect, path, key.example)).plan
    assert without is not None
    assert written is not None
    assert all(before in NOTHING for before, _ in differences(without, written).values())


NOTHING = (None, "", b"", (), 0, 0.0, False)
# What a key changes although it has no default.
CONSEQUENCES = {
    (SERVICES, "services[].health"): {"trusted"},  # nothing says that the service is not healthy
    (SERVICES, "preStart"): {"code", "source"},  # the application waits for it
    (SERVICES, "onStart"): {"code", "source"},
    (SERVICES, "telemetry.sensors[].namespace"): {"name", "metric"},  # a part of them
    (SERVICES, "telemetry.sensors[].subsystem"): {"name", "metric"},
    (JOBS, "telemetry.metrics[].namespace"): {"name", "help", "lookups"},
    (JOBS, "telemetry.metrics[].subsystem"): {"name", "help", "lookups"},
    (JOBS, "jobs[].when.once"): {"code", "source"},  # the default is one of `when`
    (JOBS, "jobs[].when.each"): {"code", "source"},
    **{(JOBS, f"jobs[].ready.{kind}"): {"kind"} for kind in ("log", "fd", "health", "file")},
    (JOBS, "jobs[].ready.notify"): {"kind", "text"},
    (JOBS, "jobs[].drain.until"): {"max"},
    (JOBS, "jobs[].health.name"): {"label", "log_fields"},
}


@some(lambda key: not (key.required or key.default is not None or key.default_key or key.default_words or key.keys))
def test_a_key_without_a_default_gives_nothing(dialect: str, path: str) -> None:
    """If the plan has a value without the key, the table must name it."""
    key = KEYS[dialect, path]
    without = loaded(dialect, with_key(dialect, path, ABSENT)).plan
    written = loaded(dialect, with_key(dialect, path, key.example)).plan
    assert without is not None
    assert written is not None
    defaults = {at: before for at, (before, _) in differences(without, written).items() if before not in NOTHING}
    assert {at.rpartition(".")[2] for at in defaults} == CONSEQUENCES.get((dialect, path), set()), defaults


# --- types

PROBES: dict[str, Any] = {
    "words": "no such word",
    "digits": "7",
    "truth": "true",
    "time": "7s",
    "number": 7,
    "boolean": True,
    "strings": ["no such word"],
    "numbers": [7],
    "object": {},
    "objects": [{}],
}
TEXTS = {"words", "digits", "truth", "time"}
# What each type is, and what else its readers take for it.
TYPES: dict[str, tuple[set[str], set[str]]] = {
    "string": (TEXTS, {"number", "boolean"}),
    "integer": ({"number"}, {"digits", "boolean"}),
    "boolean": ({"boolean"}, {"number", "truth"}),
    "strings": ({"strings"}, {"numbers", "object"}),
    "integers": ({"numbers"}, set()),
    "array of strings and integers": ({"strings", "numbers"}, set()),
    "seconds": ({"number"}, {"digits", "boolean"}),
    "duration": ({"number", "time"}, {"digits", "boolean"}),
    "duration with a unit": ({"time"}, set()),
    "command": (TEXTS | {"strings"}, {"numbers"}),
    "object": ({"object"}, set()),
    "array of objects": ({"objects"}, set()),
}
# Their readers take nothing for what it is not.
STRICT = {"consul", "dialect", "directory", "etcd.endpoints", "logging.mask", "control.users"}
STRICT |= {"jobs[].restarts", "jobs[].restarts.max", "coprocesses[].restarts"}
STRICT |= {"jobs[].health.http", "jobs[].health.http.url", "jobs[].health.http.status"}
TYPE_ERROR = re.compile(
    r"not an? (boolean|number|string|array|object)|must be (a whole number|true or false), not"
    r"|time: (invalid duration|missing unit|unknown unit)|an argument is a string|no endpoints available"
    r"|must be an array of|must be the name or the number of a user|accepts positive integers"
)


def is_of_wrong_type(dialect: str, path: str, value: Any) -> bool:
    outcome = loaded(dialect, with_key(dialect, path, value))
    return any(TYPE_ERROR.search(error) for error in outcome.errors_at(path))


@of_all
def test_readers_accept_and_refuse_the_types_of_the_table(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    own = set().union(*(TYPES[kind][0] for kind in key.types))
    taken = set().union(*(TYPES[kind][1] for kind in key.types))
    unclear = taken - own if path in STRICT else set()
    if key.values:
        assert "string" in key.types
        unclear |= TEXTS | {"number", "boolean"} if path in STRICT else set()
    wrong = {name for name, value in PROBES.items() if is_of_wrong_type(dialect, path, value)}
    assert wrong - unclear == PROBES.keys() - own - taken - unclear


# The fields of a plan that are times.
TIMES = {"interval", "delay", "timeout", "timeout_text", "ttl", "stop_timeout", "shutdown_timeout"}
TIMES |= {"start_period", "start_interval", "watchdog", "watchdog_text", "per", "pause", "max_pause", "min", "max"}
TIMES |= {"connect_timeout", "read_timeout", "deregister_critical_after"}


@some(lambda key: {"integer", "seconds", "duration", "duration with a unit"} & set(key.types))
def test_seconds_and_durations_are_the_keys_that_set_times(dialect: str, path: str) -> None:
    types = KEYS[dialect, path].types
    unit = "s" if "duration with a unit" in types else ""
    least = KEYS[dialect, path].least
    first = max(7, least) if isinstance(least, int) else 7
    one, other = (loaded(dialect, with_key(dialect, path, f"{first + more}{unit}")).plan for more in (0, 1))
    assert one is not None
    assert other is not None
    changed = {at.rpartition(".")[2] for at in differences(one, other)}
    assert changed
    assert (changed <= TIMES) == ("integer" not in types), changed


# --- values and limits

CHOICES = re.compile(
    r"(?:choose one of|must be(?: one of)?|accepts positive integers,) (.*?)(?:, not |: |\n| in backend| \(did|$)"
)


@some(lambda key: key.values)
def test_readers_accept_the_values_of_the_table(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    for value in key.values:
        other_dialect = key.name == "dialect" and value != dialect
        assert loaded(dialect, with_key(dialect, path, value)).errors == () or other_dialect
    for value in (value for value in key.values if key.any_case):
        written = loaded(dialect, with_key(dialect, path, value)).plan
        assert loaded(dialect, with_key(dialect, path, value.upper())).plan == written
    if not key.any_case:
        upper = loaded(dialect, with_key(dialect, path, key.values[0].upper()))
        assert upper.errors_at(path)


@some(lambda key: key.values and not key.open_values)
def test_readers_refuse_other_values_and_name_those_of_the_table(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    (error,) = loaded(dialect, with_key(dialect, path, "no-such-value")).errors_at(path)
    found = CHOICES.search(error)
    assert found is not None, error
    assert set(re.findall(r"\w+", found[1])) - {"or"} == set(key.values)


@some(lambda key: key.open_values)
def test_readers_accept_other_values_where_the_table_says_so(dialect: str, path: str) -> None:
    assert loaded(dialect, with_key(dialect, path, "/a/path")).errors == ()


BELOW = {"1ns": "0s", "1ms": "999us", "0s": "-1s"}
NUMBERS = {"integer", "integers", "seconds", "duration", "duration with a unit", "array of strings and integers"}


def complaints(dialect: str, path: str, value: Any) -> list[str]:
    return loaded(dialect, with_key(dialect, path, value)).complaints_at(path)


@some(lambda key: NUMBERS & set(key.types))
def test_the_limits_are_those_of_the_table(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    is_time = "seconds" not in key.types and not {"integer", "integers"} & set(key.types)
    if key.least is not None:
        assert not loaded(dialect, with_key(dialect, path, key.least)).errors_at(path)
        assert complaints(dialect, path, BELOW[key.least] if isinstance(key.least, str) else key.least - 1)
    else:
        assert not loaded(dialect, with_key(dialect, path, "-7s" if is_time else -7)).errors
    if isinstance(key.most, int):
        assert not complaints(dialect, path, key.most)
        assert complaints(dialect, path, key.most + 1)
    else:
        assert not loaded(dialect, with_key(dialect, path, "1000000h" if is_time else 10**10)).errors


# --- what belongs together


@some(lambda key: key.needs)
def test_a_key_without_its_required_key_is_reported(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    alone = loaded(dialect, with_key(dialect, path, key.example, needs=False))
    neither = loaded(dialect, with_key(dialect, path, ABSENT, needs=False))
    assert alone.complaints, f"{path} needs {key.needs}, but the reader neither refuses nor warns without it"
    assert alone.complaints != neither.complaints or alone.plan == neither.plan


@some(lambda key: key.excludes)
def test_a_key_beside_one_that_excludes_it_is_reported(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    for other in key.excludes:
        parent = path.removesuffix(key.name)
        assert key.name in KEYS[dialect, parent + other].excludes
        configuration = with_key(dialect, path, key.example)
        around(configuration, path)[other] = KEYS[dialect, parent + other].example
        assert loaded(dialect, configuration).complaints


class UsedVariables(dict[str, str]):
    """An environment that notes which variables are looked for."""

    names: set[str]

    def __init__(self) -> None:
        super().__init__()
        self.names = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)


# Without a key of their own: credentials for a proxy, and whether to use TLS.
OTHER_VARIABLES = {"CONSUL_HTTP_AUTH", "CONSUL_HTTP_SSL"}


@pytest.mark.parametrize("dialect", ROOTS)
def test_readers_look_for_the_variables_of_the_table(dialect: str) -> None:
    used = UsedVariables()
    for of, path in ALL:
        if of == dialect:
            loaded(dialect, with_key(dialect, path, KEYS[of, path].example), environ=used)
    named = {key.environment for (of, _), key in KEYS.items() if of == dialect} - {""}
    assert used.names - set(ENVIRON) == named | OTHER_VARIABLES


@some(lambda key: key.environment)
def test_a_variable_has_the_meaning_of_its_key(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    example = key.example
    other = not example if isinstance(example, bool) else f"{example}0"
    variable = {key.environment: str(other).lower() if isinstance(other, bool) else str(other)}

    def read(value: Any, environ: dict[str, str]) -> Outcome:
        return loaded(dialect, with_key(dialect, path, value), environ=environ)

    assert read(ABSENT, variable).plan == read(other, {}).plan
    winner = example if key.environment_is_default else other
    assert read(example, variable).plan == read(winner, {}).plan


class Noted:
    """The secrets of a configuration."""

    def __init__(self) -> None:
        self.secrets: list[str] = []

    def add(self, source: str, secret: str) -> None:
        self.secrets.append(secret)

    def add_url(self, source: str, url: str) -> None: ...

    def masked(self, text: str) -> str:
        return text

    starred = masked


@of_all
def test_the_secrets_of_the_table_are_masked(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    noted = Noted()
    loaded(dialect, with_key(dialect, path, key.example), secrets=noted)
    assert (key.example in noted.secrets) == key.secret


# --- words


@of_all
def test_a_meaning_is_one_to_three_plain_sentences(dialect: str, path: str) -> None:
    key = KEYS[dialect, path]
    assert re.match(r"[A-Z\"`\[]", key.meaning)
    assert key.meaning.endswith((".", "`."))
    assert "](" not in plain(key.meaning)
    assert len(plain(key.meaning)) < 300


def test_a_key_is_at_least_as_new_as_the_object_around_it() -> None:
    assert (since(JOBS, "jobs[].name"), since(SERVICES, "services[].name")) == ("3.8", "2.7")
    assert (since(JOBS, "consul.tls.cafile"), since(SERVICES, "consul.tls.cafile")) == ("3.8", "4.0")
    assert (since(JOBS, "control.socket"), since(JOBS, "control.users")) == ("3.8", "4.0")
    assert since(JOBS, "jobs[].stopTimeout") == "3.8"


def test_plain_text_has_the_words_of_links_and_code() -> None:
    assert plain("[How many](jobs.md#restarts) of `a[b]`, or [c](d.md).") == "How many of a[b], or c."
    assert plain("none") == "none"


@pytest.mark.parametrize(
    ("dialect", "path", "instead"),
    [(dialect, path, instead) for dialect in ROOTS for path, instead in without_effect(dialect).items()],
)
def test_a_key_without_effect_is_reported_with_its_replacement(dialect: str, path: str, instead: str) -> None:
    parent, _, name = path.rpartition(".")
    around = parent.removesuffix("[]")
    example: Any = KEYS[dialect, around].example
    example = [{**example[0], name: 1}] if parent.endswith("[]") else {**example, name: 1}
    (warning,) = (
        text for text in loaded(dialect, with_key(dialect, around, example)).complaints if f".{name}: has no" in text
    )
    assert warning.endswith(f"use {instead}")
    assert (dialect, path) not in KEYS


def test_the_keys_of_an_object_are_found_by_its_path() -> None:
    assert [key.name for key in keys_of(JOBS, "watches[]")] == ["name", "interval", "tag", "dc", "mode"]
    assert keys_of(SERVICES, "") is ROOTS[SERVICES]
    with pytest.raises(KeyError):
        keys_of(JOBS, "jobs[].no-such-object")
