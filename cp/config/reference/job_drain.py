"""The keys of `drain` of a job."""

from __future__ import annotations

from cp.config.reference.key import NEW, Key

DRAIN = Key(
    "drain",
    ("duration", "object"),
    "[How long the job goes on serving](draining.md) between its deregistration and its end: a time, or an object.",
    {"until": "idle"},
    least="0s",
    needs=("port",),
    since=NEW,
    keys=(
        Key(
            "min",
            "duration",
            "The shortest drain. Without `until` it is the time that the drain takes.",
            "5s",
            default_words="2 s, or `max` if that is shorter",
            least="0s",
        ),
        Key(
            "max",
            "duration",
            "The longest drain. It is not shorter than `min`.",
            "1m",
            default_words="30 s, or `min` if that is longer",
            least="0s",
            needs=("until",),
        ),
        Key(
            "until",
            "string",
            '`"idle"`: the drain ends when no client from another address than loopback is connected to the `port`.',
            "idle",
            values=("idle",),
        ),
    ),
)
