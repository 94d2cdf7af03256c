"""Chooses the format of an answer by the client's Accept and Accept-Encoding headers (RFC 9110)."""

from __future__ import annotations

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

#: Type, subtype and version. If a client accepts both equally, the first is served.
_FORMATS = {TEXT: ("text", "plain", "0.0.4"), OPENMETRICS: ("application", "openmetrics-text", "1.0.0")}

_LONGEST = 4096  # characters of a header that are parsed


def content_type(accept: str) -> str:
    """TEXT or OPENMETRICS, whichever the client prefers; TEXT if it accepts neither, because all scrapers can read it.

    The higher `q` wins, then the clause that names the format more exactly, then the first clause.
    """
    best, served = (0.0, 0, 0), TEXT
    clauses = list(_clauses(accept))
    for format_, media_type in _FORMATS.items():
        fits = [
            (specificity, -place, quality)
            for place, (range_, parameters, quality) in enumerate(clauses)
            if (specificity := _specificity(range_, parameters, media_type)) > 0
        ]
        if not fits:
            continue
        specificity, place, quality = max(fits)
        if quality > 0 and (quality, specificity, place) > best:
            best, served = (quality, specificity, place), format_
    return served


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip is listed, by its name or by `*`, with a quality of at least that of `identity`."""
    qualities: dict[str, float] = {}
    for coding, _, quality in _clauses(accept_encoding):
        qualities.setdefault("gzip" if coding == "x-gzip" else coding, quality)
    gzip = qualities.get("gzip", qualities.get("*", 0.0))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _specificity(range_: str, parameters: dict[str, str], media_type: tuple[str, str, str]) -> int:
    """How exactly a clause names a format, 1 to 4; 0 if it does not."""
    kind, subtype, version = media_type
    if range_ == f"{kind}/{subtype}":
        if "version" not in parameters:
            return 3
        return 4 if parameters["version"] == version else 0
    if range_ == f"{kind}/*":
        return 2
    return 1 if range_ == "*/*" else 0


def _clauses(header: str) -> list[tuple[str, dict[str, str], float]]:
    """The parts between commas: name, parameters, and `q` (1 without a valid one)."""
    clauses: list[tuple[str, dict[str, str], float]] = []
    for clause in header[:_LONGEST].lower().split(","):
        name, *rest = (part.strip() for part in clause.split(";"))
        if not name:
            continue
        parameters: dict[str, str] = {}
        for parameter in rest:
            key, _, value = parameter.partition("=")
            parameters.setdefault(key.strip(), value.strip().strip('"'))
        clauses.append((name, parameters, _quality(parameters.pop("q", ""))))
    return clauses


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 1.0
