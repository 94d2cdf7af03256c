"""The keys of `restarts` of a job."""

from __future__ import annotations

from cp.config.reference.key import NEW, Key
from cp.config.reference.shared import MOST_RESTARTS

RESTARTS = Key(
    "restarts",
    ("integer", "string", "object"),
    "[How many times](jobs.md#restarts) ContainerPilot starts the job again after it ends: a number, "
    '`"unlimited"` or `"never"`, or an object with rules.',
    {"max": 5, "on": "failure"},
    default="never",
    default_words='`"never"`; `"unlimited"` with `when.interval`',
    values=("unlimited", "never"),
    least=0,
    most=MOST_RESTARTS,
    needs=("exec",),
    keys=(
        Key(
            "max",
            ("integer", "string"),
            'The number of restarts, `"unlimited"` or `"never"`.',
            3,
            default="unlimited",
            values=("unlimited", "never"),
            least=0,
            most=MOST_RESTARTS,
            since=NEW,
        ),
        Key(
            "per",
            "duration",
            "Within any time of this length there are at most `max` restarts. Without it, `max` is for the whole life "
            "of the job.",
            "10m",
            least="1ms",
            needs=("max",),
            since=NEW,
        ),
        Key(
            "on",
            "string",
            'After which runs the job is restarted: `"always"` is after each run, `"failure"` only after a run that '
            "failed.",
            "failure",
            default="always",
            values=("always", "failure"),
            since=NEW,
        ),
        Key(
            "pause",
            "duration",
            "The pause before every restart. It doubles after runs that are shorter than a second.",
            "1s",
            default_words="none before the first restart, then 100 ms",
            least="1ms",
            since=NEW,
        ),
        Key(
            "maxPause",
            "duration",
            "The longest pause. It is not shorter than `pause`.",
            "30s",
            default_words="10 s, or `pause` if that is longer",
            least="1ms",
            since=NEW,
        ),
        Key(
            "then",
            "string",
            'What follows when no restart is left: with `"fail"` the job is complete, with `"delay"` it starts again '
            "as soon as `per` permits it.",
            "delay",
            default="fail",
            values=("fail", "delay"),
            needs=("per",),
            since=NEW,
        ),
    ),
)
