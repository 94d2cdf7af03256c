"""The application and the hooks around it: preStart, preStop, postStop."""

from __future__ import annotations

from cp.plan import INHERIT, KEEP, REPLACE, Job, When

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.services.scope import Scope
    from cp.plan import EventCode

PRE_START, APP, PRE_STOP, POST_STOP = "preStart", "APP", "preStop", "postStop"
HOOK_KEYS = ("preStart", "onStart", "preStop", "postStop")


def start_event(root: Fields) -> tuple[EventCode, str]:
    """Code and source of the event that starts everything except preStart."""
    if root.has("preStart") or root.has("onStart"):
        return "exitSuccess", PRE_START
    return "startup", "global"


def read_hooks(
    root: Fields, scope: Scope, arguments: tuple[str, ...]
) -> tuple[Job | None, Job, Job | None, Job | None]:
    """preStart, the application, preStop and postStop. A hook that is not configured is None.

    The application runs `arguments`. Without any, its job has no process, and ContainerPilot runs until a stop.
    """
    pre_start = _pre_start(root)
    if root.has("onStart"):
        if root.has("preStart"):
            root.warning("onStart", "deprecated, and without effect beside preStart: remove it")
        else:
            root.warning("onStart", "deprecated: use preStart")
    app = Job(
        name=scope.unique(APP),
        label=APP,
        when=scope.at_start(),
        command=arguments or None,
        stdin=INHERIT,
        main=True,
        counted=bool(arguments),
        stop_group=False,
        stopping_on_exit=False,
        announces_unstarted=False,
        output=INHERIT,
        failure_level="info",
        pid_variables=("CONTAINERPILOT_APP_PID",),
        keep_pid_variables=True,
        reload=KEEP,
    )
    pre_stop = _on_app(root, scope, PRE_STOP, "stopping", fatal=False)
    post_stop = _on_app(root, scope, POST_STOP, "stopped", fatal=True)
    for job in (pre_start, app, pre_stop, post_stop):
        if job is not None and job.command is not None:
            scope.variables.claim(job)
    scope.unique(PRE_START)  # even without the hook: a service of this name must not be mistaken for it
    return pre_start, app, pre_stop, post_stop


def _command(root: Fields, key: str) -> tuple[str, ...] | None:
    return root.command(key, f"Could not parse `{key}`: ")


def _pre_start(root: Fields) -> Job | None:
    command = _command(root, "preStart" if root.has("preStart") else "onStart")
    if command is None:
        return None
    return Job(
        name=PRE_START,
        label=PRE_START,
        when=When(code="startup", source="global"),
        command=command,
        fatal=True,
        output=INHERIT,
        failure_level="error",
        pid_variables=("CONTAINERPILOT_PRESTART_PID",),
        keep_pid_variables=True,
        reload=KEEP,
    )


def _on_app(root: Fields, scope: Scope, name: str, code: EventCode, *, fatal: bool) -> Job | None:
    """A hook that starts when the application ends."""
    unique = scope.unique(name)
    command = _command(root, name)
    if command is None:
        return None
    return Job(
        name=unique,
        label=name,
        when=When(code=code, source=APP),
        command=command,
        fatal=fatal,
        output=INHERIT,
        failure_level="error" if fatal else "warning",
        pid_variables=(f"CONTAINERPILOT_{name.upper()}_PID",),
        keep_pid_variables=True,
        reload=REPLACE,
    )
