"""The plan: what a configuration means, as frozen data.

Both dialects compile to it, one engine runs it, and a reload is the difference of two of them. Nothing here behaves:
a difference between the dialects is a field with a name of its own, so that no engine code asks where a plan came from.
All times are in seconds.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, Literal

    from typing_extensions import Self, dataclass_transform  # part of the type checker

    @dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=True)
    class _Transform(type): ...

    _Meta = _Transform

    # Types of texts: they cost nothing, since only the type checker reads them.
    # fmt: off
    EventCode = Literal[  # `engine.events.Code`. "" = no event. Configurations may name "quit", which nothing sends.
        "", "startup", "shutdown", "exitSuccess", "exitFailed", "stopping", "stopped", "healthy", "unhealthy",
        "changed", "timerExpired", "enterMaintenance", "exitMaintenance", "error", "signal", "metric", "quit",
    ]
    # fmt: on
    EventKind = Literal["", "check", "change"]  # for the history
    Dialect = Literal["services", "jobs"]
    Level = Literal["debug", "info", "warning", "error", "fatal", "panic"]
    Status = Literal["", "passing", "warning", "critical"]  # of a service in a catalogue; "" = none yet
    MetricKind = Literal["counter", "gauge", "histogram", "summary"]
else:

    class _Meta(type):
        """Turns annotated names into slots: what `dataclasses` does, without the 15 ms that importing it costs."""

        def __new__(mcs, name, bases, namespace):
            own = fields = _annotated(namespace)
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            for base in bases:
                fields = getattr(base, "_fields", ()) + fields
                defaults = {**getattr(base, "_defaults", {}), **defaults}
            namespace["__slots__"] = own
            namespace["_fields"] = fields
            namespace["_defaults"] = defaults
            cls = super().__new__(mcs, name, bases, namespace)
            cls._setters = tuple((field, getattr(cls, field).__set__) for field in fields)
            return cls

    def _annotated(namespace):
        """The annotated names of a class body."""
        found = namespace.get("__annotations__")
        if found is None and namespace.keys() & {"__annotate__", "__annotate_func__"}:
            # From Python 3.14 on, a class body has a function instead, unless its module imports the future (PEP 649).
            from annotationlib import Format, call_annotate_function, get_annotate_from_class_namespace

            found = call_annotate_function(get_annotate_from_class_namespace(namespace), Format.FORWARDREF)
        return tuple(found or ())


class Record(metaclass=_Meta):
    """Frozen, slotted, keyword-only, comparable by value: the base of all plan data."""

    if not TYPE_CHECKING:

        def __init__(self, **values):
            merged = {**self._defaults, **values}
            for field, put in self._setters:
                if field not in merged:
                    raise TypeError(f"{type(self).__name__} needs {field!r}")
                put(self, merged[field])
            if len(merged) != len(self._setters):
                unknown = sorted(merged.keys() - set(self._fields))
                raise TypeError(f"{type(self).__name__} has no {unknown[0]!r}")

        def __setattr__(self, name, value):
            raise AttributeError(f"{type(self).__name__} is frozen")

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field) for field in getattr(self, "_fields", ()))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        fields: tuple[str, ...] = getattr(self, "_fields", ())
        return f"{type(self).__name__}({', '.join(f'{f}={getattr(self, f)!r}' for f in fields)})"

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed; an unknown field is a TypeError."""
        return type(self)(**{**dict(zip(getattr(self, "_fields", ()), self._values(), strict=True)), **changes})


# Where a child's output goes, and what it reads.
INHERIT = "inherit"  # our own standard streams, as they are
LOG = "log"  # line by line into the log, at level info

# What a reload does to a job.
KEEP = "keep"  # never touched: the application, preStart
REPLACE = "replace"  # always stopped and started anew
WHEN_CHANGED = "when-changed"  # only if its compiled form differs

# The statuses of a service in a catalogue.
PASSING: Final = "passing"
WARNING: Final = "warning"
CRITICAL: Final = "critical"
STATUSES: Final = (PASSING, WARNING, CRITICAL)

# What a signal to ContainerPilot means.
STOP, RELOAD, MAINTENANCE, EVENT, REOPEN_LOG = "stop", "reload", "maintenance", "event", "reopen-log"


class When(Record):
    """What starts a job: an event, and for a periodic job the rhythm that this event sets going."""

    code: EventCode  # "" = nothing ever starts it
    source: str  # the event's source, compared exactly
    each: bool = False  # every time, not only the first
    interval: float | None = None  # run again this often
    delay: float = 0.0  # from the event to the first run
    timeout: float | None = None  # give up if the event has not come by then


class Health(Record):
    """A repeated check; without a command it only sends heartbeats."""

    label: str  # in messages, such as "app.health"
    interval: float
    command: tuple[str, ...] | None = None
    timeout: float | None = None
    timeout_text: str = ""  # as the configuration wrote it
    output: str = LOG
    log_fields: tuple[tuple[str, str], ...] = ()
    log_pid: bool = False  # its lines in the log have the field `pid`
    source: str = ""  # of the events that its exits are; "" = they are none
    failures: int = 0  # so many in a row are reported as critical; 0 = never
    logs_failures: bool = False  # failed checks, and changes of health, are logged above level debug
    unstartable: str = "unable to start"  # the beginning of the line for a check that cannot be started
    trusted: bool = False  # without a command: healthy from the first heartbeat on, not unknown


class Service(Record):
    """What the catalogue is told about a job."""

    name: str
    id: str
    address: str
    port: int
    ttl: int
    tags: tuple[str, ...] = ()
    initial_status: Status = ""  # registered before the first check, with this status
    separate_check: bool = False  # Consul: the TTL check is an entry of its own and has the service's id
    enable_tag_override: bool = False
    deregister_critical_after: str = ""


class Job(Record):
    """A unit of work: a process, a health check, a registration, or any mix of them."""

    name: str  # unique in the plan
    when: When
    command: tuple[str, ...] | None = None
    label: str = ""  # in messages, such as "task[backup]"
    stdin: str = ""  # what it reads: INHERIT, a path, or "" for nothing
    source: str = ""  # of the job's events, which other jobs may share; "" = its name
    main: bool = False  # when it completes, everything is stopped and its code is ours
    fatal: bool = False  # when it fails, everything is stopped and its code is ours
    restarts: int | None = 0  # None = unlimited
    success_codes: tuple[int, ...] = ()  # exit codes besides 0 that are no failure; 128+N is a death by signal N
    timeout: float | None = None  # of one run; then its group is killed
    timeout_text: str = ""  # as the configuration wrote it
    stop_timeout: float | None = None  # how long the jobs on its `stopping` may hold up its stop; None = no limit
    stop_group: bool = True  # SIGTERM goes to the group, not to the process alone
    stops_last: bool = False  # lives until all others are gone
    killed_unasked: bool = False  # SIGKILL at once, no SIGTERM, in a stop that nobody asked for
    stopping_on_exit: bool = True  # `stopping` is announced also when the process ended by itself
    announces_unstarted: bool = True  # `stopping` and `stopped` are announced also if it never started
    sweeps_group: bool = False  # what an exit leaves of the group gets SIGTERM
    output: str = LOG
    wait_for_output: bool = False  # an exit counts once all holders of the output have closed it
    log_fields: tuple[tuple[str, str], ...] = ()
    log_pid: bool = False  # its lines in the log have the field `pid`
    failure_level: Level = "debug"  # at which a failed run is logged
    failure_text: str = "exited ({code}): {reason}"  # and in which words, after its label
    pid_variables: tuple[str, ...] = ()  # set in the environment of what starts later
    keep_pid_variables: bool = False  # also after the process is gone
    pauses_in_maintenance: bool = False  # triggers are ignored meanwhile
    health: Health | None = None
    service: Service | None = None
    always_healthy: bool = False  # it stands for ContainerPilot itself: it is healthy as long as somebody can ask
    metric: str = ""  # what it prints is a value of this metric; then `output` is only about its standard error
    reload: str = WHEN_CHANGED


class Watch(Record):
    """A service whose instances are followed in the catalogue."""

    name: str
    source: str  # of its events
    interval: float  # between looks, where the catalogue cannot push
    delay: float = 0.0  # from its start to the first look
    tag: str = ""
    datacenter: str = ""
    push: bool = True  # False: plain polling
    starts_on: tuple[EventCode, str] = ("startup", "global")  # code and source of an event
    pauses_in_maintenance: bool = False
    remembers: bool = False  # what it saw last survives a reload even if the watch changed


class Tls(Record):
    """Client side of TLS to a catalogue; paths of files, empty = unset."""

    ca_file: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    server_name: str = ""
    verify: bool = True


class ConsulSettings(Record):
    address: str  # host:port, or unix:///path
    scheme: str = "http"
    token: str = ""
    token_file: str = ""
    http_auth: str = ""  # user:password, for a proxy that asks for them
    namespace: str = ""
    partition: str = ""
    datacenter: str = ""
    tls: Tls = Tls()
    connect_timeout: float = 2.0
    read_timeout: float = 10.0


class EtcdSettings(Record):
    endpoints: tuple[str, ...]
    prefix: str = "/containerpilot"
    api: str = ""  # "v2", "v3", "" = ask the server
    preferred_api: str = "v3"  # of a server that speaks both, where `api` is empty
    username: str = ""
    password: str = ""
    tls: Tls = Tls()
    connect_timeout: float = 2.0
    read_timeout: float = 10.0


class DirectorySettings(Record):
    path: str


MASK = "********"  # in place of a secret
SHORTEST_MASKED = 8  # characters of a value that `logging.mask` masks


class LoggingSettings(Record):
    """How ContainerPilot logs."""

    level: Level = "info"
    format: str = "plain"  # plain (services dialect's default), job (jobs dialect's default), text, json
    output: str = "stdout"  # stdout, stderr or a path
    mask: tuple[str, ...] = ()  # variables whose values are masked in the output of jobs


class ControlSettings(Record):
    """The socket on which a running ContainerPilot takes orders."""

    socket: str = ""  # a path that must be had; "" = the first of the usual places that can be had, or none
    announced: bool = True  # in the log at level info, else debug
    users: tuple[int, ...] | None = ()  # who may use it besides root and the user that we run as; None = everyone


class Metric(Record):
    """A metric of the configuration."""

    name: str  # as it is exposed
    kind: MetricKind
    help: str
    lookups: tuple[str, ...] = ()  # names besides its own that values may come under
    rounds_up: bool = True  # a summary's rank is the rounded up share of its values, not the rounded down one


class TelemetrySettings(Record):
    """Where metrics, status and health of ContainerPilot itself are served over HTTP."""

    address: str  # IPv4 or IPv6
    port: int
    job: str = ""  # the name of the job that stands for it, which is always healthy
    path: str = "/metrics"
    metrics: tuple[Metric, ...] = ()
    keeps_unchanged: bool = True  # a metric that a reload does not change keeps its values
    announcement: str = "telemetry: serving at {address}"  # in the log, once it serves


class Plan(Record):
    """Everything a configuration says."""

    dialect: Dialect  # for messages only
    jobs: tuple[Job, ...] = ()
    watches: tuple[Watch, ...] = ()
    catalog: ConsulSettings | EtcdSettings | DirectorySettings | None = None
    logging: LoggingSettings = LoggingSettings()
    control: ControlSettings = ControlSettings()
    telemetry: TelemetrySettings | None = None
    stop_timeout: float = 5.0  # the one budget of a stop; negative: SIGKILL at once
    shutdown_timeout: float | None = None  # hard limit of a whole stop, hooks included
    environ: tuple[tuple[str, str], ...] = ()  # added to the environment of all children
    signals: tuple[tuple[str, str], ...] = ()  # ("SIGHUP", RELOAD), ...; what is not named goes to the main job
    warnings: tuple[str, ...] = ()  # what the reader should know, each with its place
