"""`onUnhealthy` and `onTimeout`: what follows when a run fails although its process lives.

Imported only for a configuration with one of them.
"""

from __future__ import annotations

from cp.config.fields import one_of
from cp.plan import NOTHING, RESTART, STOP_JOB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.plan import OnFailure

_CHOICES: tuple[OnFailure, ...] = (NOTHING, RESTART, STOP_JOB)


def read_on_failure(fields: Fields, key: str, job: Fields, restarts: int | None) -> OnFailure:
    """The value of the key. `job` is the object of the job, and `restarts` what its `restarts` mean."""
    text = fields.string(key)
    if not text:
        return NOTHING
    choice = one_of(text, _CHOICES)
    if choice is None:
        from cp.config.nearest import did_you_mean

        known = ", ".join(_CHOICES)
        fields.error(key, f"must be one of {known}, not {fields.written(key)}{did_you_mean(text, _CHOICES)}")
        return NOTHING
    if choice == NOTHING:
        return NOTHING
    if not job.has("exec"):
        fields.error(key, f'"{choice}" needs an `exec` of the job: without it there is no process to terminate')
    elif choice == RESTART and restarts == 0:
        never = "are not set" if not job.has("restarts") else f"are {job.written('restarts')}"
        fields.error(
            key,
            f'"{RESTART}" needs `restarts` of the job, which {never}: set them, such as "restarts": "unlimited", '
            f'or use "{STOP_JOB}"',
        )
    return choice
