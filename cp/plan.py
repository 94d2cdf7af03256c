"""The plan: the meaning of a configuration as frozen data.

Both dialects compile to a plan, one engine runs it, and a reload compares two of them. It has no behaviour: a
difference between the dialects is a field with its own name, so that the engine never needs to know the dialect. All
times are in seconds.
"""

from __future__ import annotations

from cp.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal

    # Types of texts: they cost nothing, since only the type checker reads them.
    # fmt: off
    EventCode = Literal[  # `engine.events.Code`. "" = no event. Configurations may name "quit", which nothing sends.
        "", "startup", "shutdown", "exitSuccess", "exitFailed", "stopping", "stopped", "healthy", "unhealthy",
        "changed", "timerExpired", "ready", "enterMaintenance", "exitMaintenance", "error", "signal", "metric", "quit",
    ]
    # fmt: on
    EventKind = Literal["", "check", "change"]  # for the history
    Dialect = Literal["services", "jobs"]
    Level = Literal["debug", "info", "warning", "error", "fatal", "panic"]
    Status = Literal["", "passing", "warning", "critical"]  # of a service in a catalogue; "" = none yet
    MetricKind = Literal["counter", "gauge", "histogram", "summary"]
    OnFailure = Literal["none", "restart", "stop"]  # what a job does with a run that fails while its process lives
    ReadyKind = Literal["notify", "log", "fd", "health", "file"]

# The destination of a child's output, and the source of its input.
INHERIT = "inherit"  # ContainerPilot's own standard streams, unchanged
LOG = "log"  # the log, line by line, at level info

# What a reload does to a job.
KEEP = "keep"  # nothing: for the application, preStart
REPLACE = "replace"  # stops and starts it
WHEN_CHANGED = "when-changed"  # stops and starts it if its compiled form differs

# What a job does with a run that fails while its process lives. In all cases but NOTHING the process is terminated.
NOTHING: Final = "none"
RESTART: Final = "restart"  # `restarts` decides, as after any exit
STOP_JOB: Final = "stop"  # the job is complete

# The statuses of a service in a catalogue.
PASSING: Final = "passing"
WARNING: Final = "warning"
CRITICAL: Final = "critical"
STATUSES: Final = (PASSING, WARNING, CRITICAL)

# The action for a signal to ContainerPilot.
STOP, RELOAD, MAINTENANCE, EVENT, REOPEN_LOG = "stop", "reload", "maintenance", "event", "reopen-log"


class When(Record):
    """The trigger of a job: an event, and for a periodic job the schedule that begins with the event."""

    code: EventCode  # "": nothing starts it
    source: str  # the event's source, compared exactly
    each: bool = False  # start at every such event, not only the first
    interval: float | None = None  # seconds between two runs
    delay: float = 0.0  # seconds from the event to the first run
    timeout: float | None = None  # seconds after which the job gives up waiting for the event


class Restarts(Record):
    """Rules for the restarts of a job, besides their number. Without `per` the number is for the life of the job."""

    per: float | None = None  # seconds: the number is for every time of this length
    on_failure: bool = False  # only after a run that failed
    pause: float | None = None  # seconds before every restart; None: as without rules
    max_pause: float | None = None  # seconds to which the pauses grow after short runs; None: as without rules
    delays: bool = False  # without a restart left, the job waits until one is; otherwise it is complete


class Drain(Record):
    """How long the process of a job goes on serving between its deregistration and its end.

    Without `is_idle` that is `min` seconds. With it, it is as long as there are connections to the port of the job, but
    from `min` to `max` seconds.
    """

    min: float
    max: float
    is_idle: bool = False


class Tls(Record):
    """Client settings of TLS. Paths of files may be empty: unset."""

    ca_file: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    server_name: str = ""
    verify: bool = True


class HttpProbe(Record):
    """A request to the application, and the response that it must give."""

    host: str  # "": the address with which the job is registered, otherwise localhost
    port: int
    socket: str = ""  # the path of a unix socket, instead of a host
    https: bool = False
    target: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    statuses: tuple[tuple[int, int], ...] = ((200, 299),)  # ranges, with both ends
    contains: str = ""  # a part of the body
    tls: Tls = Tls()


class SocketProbe(Record):
    """A server that must accept connections, at a TCP port or a unix socket."""

    host: str = ""  # "": the address with which the job is registered, otherwise localhost
    port: int = 0
    socket: str = ""


class Check(Record):
    """A repeated health check. Without a command and a probe it is a heartbeat: it only confirms the registration."""

    label: str  # in messages, such as "app.health"
    interval: float
    name: str = ""  # among several checks of a job
    command: tuple[str, ...] | None = None
    probe: HttpProbe | SocketProbe | None = None  # a check without a process
    timeout: float | None = None
    timeout_text: str = ""  # as it is written in the configuration
    start_period: float = (
        0.0  # seconds from the start of a run, in which failures do not count before the first success
    )
    start_interval: float = 0.0  # seconds between two checks until then; 0: `interval`
    failures: int = 1  # so many in a row make it unhealthy
    passes: int = 1  # so many in a row make it healthy again
    critical_after: int = 0  # so many failures in a row are reported to the catalogue as critical; 0: never
    on_unhealthy: OnFailure = "none"
    output: str = LOG
    log_fields: tuple[tuple[str, str], ...] = ()
    log_pid: bool = False  # its lines in the log have the field `pid`
    source: str = ""  # the source of the events for its exits; "": it has none
    logs_failures: bool = False  # failed checks, and changes of health, are logged above level debug
    unstartable: str = "unable to start"  # the beginning of the message for a check that cannot be started
    trusted: bool = False  # a heartbeat: it makes the job healthy, instead of leaving its health unknown

    @property
    def is_heartbeat(self) -> bool:
        return self.command is None and self.probe is None


class Ready(Record):
    """How the process of a job reports that it is ready."""

    kind: ReadyKind
    text: str = ""  # log: a part of a line of its output
    fd: int = 0  # fd: the descriptor on which it writes a newline
    path: str = ""  # file: a file that is newer than the start of the run
    timeout: float | None = None  # seconds from the start of a run
    timeout_text: str = ""  # as it is written in the configuration
    on_timeout: OnFailure = "none"


class Service(Record):
    """The registration of a job in the catalogue."""

    name: str
    id: str
    address: str
    port: int
    ttl: int
    tags: tuple[str, ...] = ()
    initial_status: Status = ""  # register before the first check, with this status
    separate_check: bool = False  # Consul: the TTL check is an entry of its own, with the service's id
    enable_tag_override: bool = False
    deregister_critical_after: str = ""


class Job(Record):
    """A unit of work: a process, a health check, a registration, or any mix of them."""

    name: str  # unique in the plan
    when: When
    command: tuple[str, ...] | None = None
    label: str = ""  # in messages, such as "task[backup]"
    stdin: str = ""  # its input: INHERIT, a path, or "" for nothing
    source: str = ""  # the source of the job's events, which other jobs may share; "": its name
    main: bool = False  # when it completes, ContainerPilot stops everything and exits with its code
    fatal: bool = False  # when it fails, ContainerPilot stops everything and exits with its code
    restarts: int | None = 0  # None = unlimited
    restart_rules: Restarts | None = None
    success_codes: tuple[int, ...] = ()  # exit codes besides 0 that are a success; 128+N is a death by signal N
    timeout: float | None = None  # seconds of one run; then its process group is killed
    timeout_text: str = ""  # as it is written in the configuration
    stop_timeout: float | None = None  # seconds for which the jobs on its `stopping` may delay its stop; None: no limit
    stop_group: bool = True  # SIGTERM goes to the group, not to the process alone
    stops_last: bool = False  # runs until all others have exited
    killed_unasked: bool = False  # SIGKILL at once, without SIGTERM, in a stop that no user requested
    stopping_on_exit: bool = True  # publish `stopping` also when the process exited by itself
    announces_unstarted: bool = True  # publish `stopping` and `stopped` also if it never started
    sweeps_group: bool = False  # send SIGTERM to the processes of the group that are left after an exit
    output: str = LOG
    wait_for_output: bool = False  # an exit counts when all holders of the output have closed it
    log_fields: tuple[tuple[str, str], ...] = ()
    log_pid: bool = False  # its lines in the log have the field `pid`
    failure_level: Level = "debug"  # the level at which a failed run is logged
    failure_text: str = "exited ({code}): {reason}"  # the message of a failed run, after its label
    names_causes: bool = False  # this message names every known cause; otherwise only a limit of the kernel
    pid_variables: tuple[str, ...] = ()  # set to its pid in the environment of processes that start later
    keep_pid_variables: bool = False  # also after the process has exited
    pauses_in_maintenance: bool = False  # ignores triggers in maintenance
    health: tuple[Check, ...] = ()
    ready: Ready | None = None  # None: ready when it is healthy for the first time, or without a check, when it runs
    watchdog: float | None = None  # seconds within which the process must send WATCHDOG=1
    watchdog_text: str = ""  # as it is written in the configuration
    announces_ready: bool = False  # publish `ready` once in each run
    counted: bool = False  # ContainerPilot is ready only while this job is
    keeps_notify_socket: bool = False  # its process notifies our own supervisor: NOTIFY_SOCKET is passed on
    service: Service | None = None
    drain: Drain | None = None  # None: it ends as soon as it is deregistered
    always_healthy: bool = False  # it represents ContainerPilot itself, which is healthy while it answers
    metric: str = ""  # its standard output is a value of this metric; then `output` is only for standard error
    reload: str = WHEN_CHANGED


class Watch(Record):
    """A service whose instances are watched in the catalogue."""

    name: str
    source: str  # the source of its events
    interval: float  # seconds between two queries, if the catalogue cannot push
    delay: float = 0.0  # seconds from its start to the first query
    tag: str = ""
    datacenter: str = ""
    push: bool = True  # False: plain polling
    starts_on: tuple[EventCode, str] = ("startup", "global")  # code and source of an event
    pauses_in_maintenance: bool = False
    remembers: bool = False  # its last snapshot survives a reload even if the watch changed


class ConsulSettings(Record):
    address: str  # host:port, or unix:///path
    scheme: str = "http"
    token: str = ""
    token_file: str = ""
    http_auth: str = ""  # user:password, for a proxy that requires them
    namespace: str = ""
    partition: str = ""
    datacenter: str = ""
    tls: Tls = Tls()
    connect_timeout: float = 2.0
    read_timeout: float = 10.0


class EtcdSettings(Record):
    endpoints: tuple[str, ...]
    prefix: str = "/containerpilot"
    api: str = ""  # "v2", "v3", "": query the server
    preferred_api: str = "v3"  # for a server that has both, if `api` is empty
    username: str = ""
    password: str = ""
    tls: Tls = Tls()
    connect_timeout: float = 2.0
    read_timeout: float = 10.0


class DirectorySettings(Record):
    path: str


GLOBAL = "global"  # the source of events that belong to no job
REGISTRATION = "registration"  # the name of the registrar in reports about a catalogue; watches have names of their own
LAST_PORT = 65535
LONGEST_SOCKET_PATH = 107  # bytes: the path of a sockaddr_un (unix(7)) without the zero byte at its end
MASK = "********"  # replaces a secret
SHORTEST_MASKED = 8  # characters; `logging.mask` masks only values of at least this length


class LoggingSettings(Record):
    """The settings of the log."""

    level: Level = "info"
    format: str = "plain"  # plain (default of the services dialect), job (default of the jobs dialect), text, json
    output: str = "stdout"  # stdout, stderr or a path
    ends_in_termination_log: bool = False  # with the last lines of the main job's output
    mask: tuple[str, ...] = ()  # variables whose values are masked in the output of jobs


class ControlSettings(Record):
    """The socket at which a running ContainerPilot takes requests."""

    socket: str = ""  # a path that must be usable; "": the first usual path that is usable, or none
    announced: bool = True  # logged at level info instead of debug
    users: tuple[int, ...] | None = ()  # who may use it besides root and ContainerPilot's own user; None: everyone


class Metric(Record):
    """A metric of the configuration."""

    name: str  # the exposed name
    kind: MetricKind
    help: str
    lookups: tuple[str, ...] = ()  # other names under which values may arrive
    rounds_up: bool = True  # a summary rounds the rank of a quantile up, not down


class TelemetrySettings(Record):
    """The address at which ContainerPilot serves its metrics, status and health over HTTP."""

    address: str  # IPv4 or IPv6
    port: int
    job: str = ""  # the name of the job that represents it, which is always healthy
    path: str = "/metrics"
    metrics: tuple[Metric, ...] = ()
    keeps_unchanged: bool = True  # a metric that a reload does not change keeps its values
    announcement: str = "telemetry: serving at {address}"  # logged when it serves


class Plan(Record):
    """The whole meaning of a configuration."""

    dialect: Dialect  # for messages only
    jobs: tuple[Job, ...] = ()
    watches: tuple[Watch, ...] = ()
    catalog: ConsulSettings | EtcdSettings | DirectorySettings | None = None
    logging: LoggingSettings = LoggingSettings()
    control: ControlSettings = ControlSettings()
    telemetry: TelemetrySettings | None = None
    stop_timeout: float = 5.0  # the budget of a stop; negative: SIGKILL at once
    shutdown_timeout: float | None = None  # the limit of a whole stop, hooks included
    termination_log: str = ""  # the file that receives why the main job failed
    environ: tuple[tuple[str, str], ...] = ()  # added to the environment of all children
    withheld: tuple[str, ...] = ()  # variables of our own environment that children do not inherit
    signals: tuple[tuple[str, str], ...] = ()  # ("SIGHUP", RELOAD), …; all others go to the main job
    warnings: tuple[str, ...] = ()  # for the user, each with its place in the configuration

    @property
    def has_probes(self) -> bool:
        """Whether a check needs no process."""
        return any(check.probe is not None for job in self.jobs for check in job.health)
