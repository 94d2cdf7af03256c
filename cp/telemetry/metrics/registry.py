"""All metrics of the program: ContainerPilot's own, those of the configuration, and those of the process."""

from __future__ import annotations

from cp.encoding.go_numbers import parse_float
from cp.encoding.prometheus import COUNTER, GAUGE, HISTOGRAM
from cp.telemetry.metrics.definition import Definition, MetricError, check_definition, openmetrics_names, sample_names
from cp.telemetry.metrics.exposition import openmetrics_text, prometheus_text
from cp.telemetry.metrics.family import Family
from cp.telemetry.metrics.negotiate import OPENMETRICS, TEXT, accepts_gzip, content_type
from cp.telemetry.metrics.own import OWN
from cp.telemetry.metrics.process import PROCESS, process_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_NAMED_IN_ERRORS = 10  # metrics
_QUOTED = 80  # characters of a client's text in a message


class Metrics:
    """The values of all metrics. Own metrics live as long as this object; the user's are those of the last `swap`."""

    __slots__ = ("_clock", "_lookups", "_openmetrics", "_own", "_process_values", "_user")

    def __init__(
        self,
        clock: Callable[[], float],
        process: Callable[[], list[tuple[Definition, float]]] = process_values,
    ) -> None:
        """`clock` returns seconds of a monotonic clock."""
        self._clock = clock
        self._process_values = process
        self._own = {definition.name: Family(definition, clock) for definition in OWN}
        self._user: dict[str, Family] = {}
        self._lookups: dict[str, list[Family]] = {}
        self._openmetrics = True  # False: two metrics would have the same name there

    # Own metrics. The definitions are in cp.telemetry.metrics.own.

    def count(self, counter: Definition, *labels: str, by: float = 1.0) -> None:
        assert counter.kind == COUNTER
        self._own[counter.name].take(by, labels)

    def show(self, gauge: Definition, values: Iterable[tuple[str, float]]) -> None:
        """Replace all series of a gauge, by the value of its one label. Jobs or watches that are gone lose theirs."""
        assert gauge.kind == GAUGE
        self._own[gauge.name].show(values)

    def observe(self, histogram: Definition, value: float, *labels: str) -> None:
        assert histogram.kind == HISTOGRAM
        self._own[histogram.name].take(value, labels)

    # The user's metrics.

    @staticmethod
    def user(
        name: str, kind: str, help_text: str, lookups: Sequence[str] = (), *, rounds_up: bool = True
    ) -> Definition:
        """A metric of the configuration. `name` is the exposed name, which the `lookups` need not contain."""
        return Definition(name=name, kind=kind, help=help_text, lookups=tuple(lookups), rounds_up=rounds_up)

    def swap(self, definitions: Iterable[Definition], *, keep_unchanged: bool) -> list[str]:
        """Replace the user's metrics by these, from zero. `keep_unchanged`: an unchanged metric keeps its values.

        Return a warning for each definition that is refused, or replaced by a later one.
        """
        warnings: list[str] = []
        latest: dict[str, Definition] = {}
        for definition in definitions:
            if definition.name in latest:
                warnings.append(f"the metric {definition.name} is defined more than once: the last definition counts")
            latest[definition.name] = definition
        taken = {name: other.name for other in (*OWN, *PROCESS) for name in _text_names(other)}
        families: dict[str, Family] = {}
        for definition in latest.values():
            try:
                check_definition(definition.name, definition.kind, definition.help)
                _check_clash(definition, taken)
            except MetricError as error:
                warnings.append(f"cannot define the metric {definition.name}: {error}")
                continue
            taken.update((name, definition.name) for name in _text_names(definition))
            before = self._user.get(definition.name)
            unchanged = keep_unchanged and before is not None and before.definition == definition
            families[definition.name] = before if unchanged and before else Family(definition, self._clock)
        self._user = families
        self._lookups = _lookups(families)
        clash = _openmetrics_clash([*OWN, *PROCESS, *(family.definition for family in families.values())])
        if clash:
            warnings.append(clash)
        self._openmetrics = not clash
        return warnings

    def record(self, name: str, text: str) -> None:
        """Take one value for a metric of the user. Raises MetricError."""
        self.record_all(((name, text),))

    def record_all(self, values: Sequence[tuple[str, str]]) -> None:
        """Take pairs of name and value, all or none. Raises MetricError."""
        parsed: list[tuple[list[Family], float]] = []
        for name, text in values:
            families = self._lookups.get(name)
            if families is None:
                raise MetricError(f"there is no metric '{_short(name)}'{self._known()}")
            try:
                value = parse_float(text)
            except ValueError as error:
                why = f"metric produced non-numeric value: {_short(text)}: {error}"
                raise MetricError(f"cannot record a value of {name}: {why}") from None
            try:
                for family in families:
                    family.check(value)
            except MetricError as error:
                raise MetricError(f"cannot record {_short(text)} for {name}: {error}") from None
            parsed.append((families, value))
        for families, value in parsed:
            for family in families:
                family.take(value)

    def form(self, accept: str = "", accept_encoding: str = "") -> tuple[str, str]:
        """The content type and the content encoding ("" or "gzip") for a client with these headers.

        The answer depends on both headers, so it needs `Vary: Accept, Accept-Encoding`.
        """
        type_ = content_type(accept) if self._openmetrics else TEXT
        return type_, "gzip" if accepts_gzip(accept_encoding) else ""

    def page(self, type_: str, encoding: str) -> Iterator[bytes]:
        """Yield all metrics in this form, in small pieces that take little time each."""
        families = sorted((*self._own.values(), *self._user.values(), *self._process()), key=_name_of)
        texts = openmetrics_text(families) if type_ == OPENMETRICS else prometheus_text(families)
        # The help comes from a configuration, and may contain undecodable bytes.
        pieces = (text.encode("utf-8", "replace") for text in texts)
        return _gzip(pieces) if encoding else pieces

    def _process(self) -> list[Family]:
        families: list[Family] = []
        for definition, value in self._process_values():
            family = Family(definition, self._clock)
            family.take(value)
            families.append(family)
        return families

    def _known(self) -> str:
        if not self._user:
            return ": the configuration defines none"
        names = sorted(self._user)
        more = f" and {len(names) - _NAMED_IN_ERRORS} more" if len(names) > _NAMED_IN_ERRORS else ""
        return f": there are {', '.join(names[:_NAMED_IN_ERRORS])}{more}"


def _short(text: str) -> str:
    text = text.strip()
    text = text if text.isprintable() else repr(text)[1:-1]  # a message is one line
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"


def _name_of(family: Family) -> str:
    return family.definition.name


def _lookups(families: dict[str, Family]) -> dict[str, list[Family]]:
    """The families that take a value, by name. An exposed name is that of one metric; other names may be shared."""
    found = {name: [family] for name, family in families.items()}
    for family in families.values():
        for name in family.definition.lookups:
            if name not in families:
                found.setdefault(name, []).append(family)
    return found


def _text_names(definition: Definition) -> set[str]:
    return {definition.name, *sample_names(definition)}


def _check_clash(definition: Definition, taken: dict[str, str]) -> None:
    for name in sorted(_text_names(definition)):
        if name in taken:
            other = taken[name]
            raise MetricError(f"its sample {name} would be one of {other}" if other != name else f"{name} is taken")


def _openmetrics_clash(definitions: list[Definition]) -> str:
    taken: dict[str, str] = {}
    for definition in definitions:
        for name in openmetrics_names(definition):
            if name in taken:
                return (
                    f"the metrics {taken[name]} and {definition.name} both have the name {name} in OpenMetrics: "
                    "only Prometheus's text format is offered"
                )
        taken.update((name, definition.name) for name in openmetrics_names(definition))
    return ""


def _gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    import zlib

    # With gzip's header. A window of 4 KiB needs 32 KiB of memory instead of 256, and packs these lines equally well.
    packer = zlib.compressobj(wbits=16 + 12, memLevel=5)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()
