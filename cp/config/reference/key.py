"""One key of a configuration: what it may be, what it means, and what else belongs to it.

To add a key, add one entry to the table of its object. `scripts/generate-docs.py` writes it into the pages, and a test
compares it with what the readers in `cp/config` do with the key.

The text of a configuration is rendered as a template before it is parsed, so any value may come from a template. All
that is here is about the rendered text.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    Kind = Literal[
        "string",
        "integer",
        "boolean",
        "strings",
        "integers",
        "array of strings and integers",
        "seconds",
        "duration",
        "duration with a unit",
        "command",
        "object",
        "array of objects",
    ]
    # What an example or a default is written as.
    Json = str | int | bool | list["Json"] | dict[str, "Json"]

SERVICES, JOBS = "services", "jobs"

# The releases of the Go program whose configurations each dialect is; a key without `since` comes from there.
ORIGINALS = {SERVICES: "2.7", JOBS: "3.8"}


def added_in(version: str, *dialects: str) -> dict[str, str]:
    """For `since`: the key is new in this version of ContainerPilot, in these dialects or in both."""
    return dict.fromkeys(dialects or (SERVICES, JOBS), version)


NEW = added_in("4.0")
NEW_IN_SERVICES = added_in("4.0", SERVICES)
NEW_IN_JOBS = added_in("4.0", JOBS)


class Key:
    """One key of an object.

    `type` is one kind, or the kinds between which a value may choose; the page configuration.md says what each accepts.
    `meaning` is one or two sentences of Markdown, in which links are relative to the folder `docs`.
    `example` is a value that is valid beside the example of the key around it, or without that at top level.

    Default: `default` is a value that means the same as no key, None is "nothing happens"; `default_key` is the key
    beside this one whose value is taken; `default_words` is what people read instead, where the default depends on
    something else. `required` keys have none; a text says when they are required.

    Values: `values` are the strings that are allowed; with `open_values` they are those with a meaning of their own
    beside others; with `any_case` they are compared without regard to case. `least` and `most` are inclusive.

    Others: without one of the keys in `needs` beside it, the key is an error or has no effect, and so it is beside one
    of those in `excludes`. `keys` are those of the object, or of each object of the array.

    `since` has the version for each dialect in which the original did not have the key. The keys of an object are at
    least as new as the object, see `tree.since`. `environment` is a variable of the environment with the same meaning;
    it wins over the key unless `environment_is_default`. A `secret` is masked in all messages. `deprecated` names what
    replaces the key.
    """

    __slots__ = (
        "any_case",
        "default",
        "default_key",
        "default_words",
        "deprecated",
        "environment",
        "environment_is_default",
        "example",
        "excludes",
        "keys",
        "least",
        "meaning",
        "most",
        "name",
        "needs",
        "open_values",
        "required",
        "secret",
        "since",
        "types",
        "values",
    )

    def __init__(
        self,
        name: str,
        type: Kind | tuple[Kind, ...],
        meaning: str,
        example: Json,
        *,
        default: Json | None = None,
        default_key: str = "",
        default_words: str = "",
        required: bool | str = False,
        values: tuple[str, ...] = (),
        open_values: bool = False,
        any_case: bool = False,
        least: int | str | None = None,
        most: int | str | None = None,
        needs: tuple[str, ...] = (),
        excludes: tuple[str, ...] = (),
        keys: tuple[Key, ...] = (),
        since: Mapping[str, str] | None = None,
        environment: str = "",
        environment_is_default: bool = False,
        secret: bool = False,
        deprecated: str = "",
    ) -> None:
        self.name = name
        self.types = type if isinstance(type, tuple) else (type,)
        self.meaning = meaning
        self.example = example
        self.default = default
        self.default_key = default_key
        self.default_words = default_words
        self.required = required
        self.values = values
        self.open_values = open_values
        self.any_case = any_case
        self.least = least
        self.most = most
        self.needs = needs
        self.excludes = excludes
        self.keys = keys
        self.since: Mapping[str, str] = since or {}
        self.environment = environment
        self.environment_is_default = environment_is_default
        self.secret = secret
        self.deprecated = deprecated

    def __repr__(self) -> str:
        return f"Key({self.name!r})"
