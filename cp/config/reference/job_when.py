"""The keys of `when` of a job."""

from __future__ import annotations

from cp.config.reference.key import Key

# The events that may start a job. `quit` never comes; ContainerPilot 3 accepted it.
EVENTS = (
    *("exitSuccess", "exitFailed", "stopping", "stopped", "healthy", "unhealthy", "ready", "timerExpired", "changed"),
    *("startup", "shutdown", "enterMaintenance", "exitMaintenance", "error", "quit", "SIGHUP", "SIGUSR2"),
)

WHEN = Key(
    "when",
    "object",
    "[The event or the interval](jobs.md#when) that starts the job.",
    {"source": "prepare", "once": "exitSuccess"},
    default_words="at the start, once",
    keys=(
        Key(
            "once",
            "string",
            "Starts the job when [this event](jobs.md#events) comes for the first time.",
            "exitSuccess",
            values=EVENTS,
            needs=("source",),
            excludes=("each", "interval"),
        ),
        Key(
            "each",
            "string",
            "Starts the job each time [this event](jobs.md#events) comes.",
            "exitSuccess",
            values=EVENTS,
            needs=("source",),
            excludes=("once", "interval"),
        ),
        Key(
            "source",
            "string",
            "Who sends the event: a job, `check.JOB`, `watch.NAME`, `SIGHUP` or `SIGUSR2`. An event of `global` needs "
            "none.",
            "prepare",
            default_words='`"global"` for its events',
            needs=("once", "each"),
            excludes=("interval",),
        ),
        Key(
            "interval",
            "duration",
            "Runs the job at the start, and then again after each interval.",
            "10m",
            least="1ms",
            excludes=("source", "once", "each", "timeout"),
        ),
        Key(
            "timeout",
            "duration",
            "The time limit of the wait for the event. After it the event is `timerExpired`, and the job is done. If "
            "it is the main job, everything stops with exit code 1.",
            "5m",
            needs=("once", "each"),
            excludes=("interval",),
        ),
    ),
)
