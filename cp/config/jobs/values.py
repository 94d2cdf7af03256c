"""Readers of single values of keys that ContainerPilot 3 does not have: stricter than those of its own keys.

Imported only for a configuration with such a key.
"""

from __future__ import annotations

from cp.config import durations
from cp.config.fields import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields


def refuse_switch(fields: Fields, key: str) -> None:
    """Add an error for a boolean in place of a duration. For keys that ContainerPilot 3 has, `true` is `1`."""
    value = fields.value(key)
    if value is not None and isinstance(value.data, bool):
        fields.error(key, f'must be a duration, such as "30s", not {fields.written(key)}')


def read_duration(fields: Fields, key: str, label: str, *, may_be_zero: bool = False) -> tuple[float | None, str]:
    """A duration in seconds, and its text; None if it is missing or invalid. `label` is its name in errors.

    The shortest one is a millisecond, or `may_be_zero`.
    """
    refuse_switch(fields, key)
    text = fields.string(key)
    limit = fields.duration(key, f"unable to parse {label} '{text}': ")
    if limit is None:
        return None, ""
    if may_be_zero and limit[0] < 0:
        fields.error(key, f"{label} '{text}' must not be negative")
    elif not may_be_zero and limit[0] < durations.MILLISECOND:
        fields.error(key, f"{label} '{text}' cannot be less than 1ms")
    return durations.seconds(limit[0]), limit[1]


def read_choice(fields: Fields, key: str, choices: tuple[str, ...]) -> str:
    """One of these texts; empty if it is missing."""
    if not fields.has(key):
        return ""
    text = fields.string(key)
    if text not in choices:
        from cp.config.nearest import did_you_mean

        known = " or ".join(show(choice) for choice in choices)
        fields.error(key, f"must be {known}, not {fields.written(key)}{did_you_mean(text, choices)}")
    return text
