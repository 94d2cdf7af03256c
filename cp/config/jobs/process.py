"""The process of a job: its standard input, and the exit codes that count as success."""

from __future__ import annotations

from cp.config.fields import show
from cp.plan import INHERIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.plan import Job

PROCESS_KEYS = ("stdin", "successExitCodes")


def read_stdin(fields: Fields, *, main: bool) -> str:
    """The standard input for the plan: INHERIT, the default of the main job; a path; or "" for `"null"`."""
    if main and fields.is_null("stdin"):
        why = 'null is the same as no `stdin`: write "null" if the main job must not read ContainerPilot\'s input'
        fields.warning("stdin", why)
    if not _has_effect(fields, "stdin"):
        return INHERIT if main else ""
    value = fields.string("stdin")
    if value == INHERIT or value == "null":
        return INHERIT if value == INHERIT else ""
    if "/" not in value:
        from cp.config.nearest import did_you_mean

        fix = did_you_mean(value, (INHERIT, "null"))
        if value and not fix and not fields.is_boolean("stdin"):
            fix = f": write {show(f'./{value}')} for a file"
        fields.error("stdin", f'must be "inherit", "null", or a path with a slash, not {fields.written("stdin")}{fix}')
    return value


def read_success_codes(fields: Fields) -> tuple[int, ...]:
    """The exit codes besides 0 that count as success, as in a shell: 143 is also a death by SIGTERM."""
    codes = fields.integers("successExitCodes", 0, 255)
    return tuple(sorted(set(codes))) if _has_effect(fields, "successExitCodes") else ()


def refuse_two_readers(jobs: list[tuple[Job, Fields]]) -> None:
    """Refuse two jobs that read the same stream: each of them would get a random part."""
    readers = [(job, fields) for job, fields in jobs if job.stdin == INHERIT]
    for job, fields in readers[1:]:
        first, second = readers[0][0], job
        hint = f": give '{(first if first.main else second).name}' the `stdin` \"null\""
        other = f"'{first.name}' reads ContainerPilot's standard input already"
        other += ", as the main job does" if first.main else ""
        if second.main and not fields.has("stdin"):
            other = f"the main job reads ContainerPilot's standard input, and '{first.name}' does, too"
        fields.error("stdin", f"{other}, and only one job can{hint}")


def _has_effect(fields: Fields, key: str) -> bool:
    """Whether the key is present, and the command to which it applies."""
    if not fields.has(key):
        return False
    if not fields.has("exec"):
        fields.warning(key, "has no effect without `exec`")
    return fields.has("exec")
