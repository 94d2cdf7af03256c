"""Horizontal bars as SVG, written by hand: readable on a light and on a dark page, without scripts or fonts.

A bar is a median; the thin line on it reaches from the 10th to the 90th percentile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.samples import quantile, short

WIDTH, LEFT, RIGHT = 790, 230, 110  # of the picture, and of its margins for names and numbers
TOP, ROW, BAR, BOTTOM = 62, 26, 14, 46
OURS, PEER, FLOOR, INK, FAINT, GRID = "#0b5fa5", "#8a949e", "#c9cfd6", "#1c2128", "#57606a", "#d8dee4"
WHISKER = "#1c2128"
STEPS = (1, 2, 5)
MANY_DECADES = 2.2  # from here on only powers of ten are labelled
LOWER, UPPER = 0.1, 0.9


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: a candidate and its figures. Without figures, the row shows `reason`."""

    label: str
    values: tuple[float, ...] = ()
    reason: str = ""
    kind: str = PEER

    @property
    def median(self) -> float:
        return quantile(list(self.values), 0.5)

    @property
    def low(self) -> float:
        return quantile(list(self.values), LOWER)

    @property
    def high(self) -> float:
        return quantile(list(self.values), UPPER)


@dataclass(frozen=True, slots=True)
class Axis:
    """The position of a value. A logarithmic axis starts at `start`, and any other at 0."""

    start: float
    end: float
    logarithmic: bool

    def place(self, value: float) -> float:
        room = WIDTH - LEFT - RIGHT
        if not self.logarithmic:
            return LEFT + room * value / self.end
        share = math.log10(max(value, self.start) / self.start) / math.log10(self.end / self.start)
        return LEFT + room * share

    def ticks(self) -> list[float]:
        if self.logarithmic:
            many = math.log10(self.end / self.start) > MANY_DECADES
            first, last = math.floor(math.log10(self.start)), math.ceil(math.log10(self.end))
            steps = (1,) if many else STEPS
            marks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        else:
            step = _round_up(self.end / 6)
            marks = [step * number for number in range(int(self.end / step + 1e-9) + 1)]
        return [mark for mark in marks if self.start * 0.999 <= mark <= self.end * 1.001]


def _round_up(value: float) -> float:
    """The next one of 1, 2, 5, 10, 20 …, to either side of 1."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (*STEPS, 10) if step * power >= value * 0.999)


def _round_down(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in reversed(STEPS) if step * power <= value * 1.001)


def axis_for(bars: Sequence[Bar], *, logarithmic: bool) -> Axis:
    shown = [bar for bar in bars if bar.values]
    highest = max((bar.high for bar in shown), default=1.0) or 1.0
    if not logarithmic:
        return Axis(0.0, highest * 1.02, logarithmic=False)
    lowest = min((bar.low for bar in shown if bar.low > 0), default=highest / 10)
    # A bar of the smallest value has a length too.
    return Axis(_round_down(lowest / 1.5), _round_up(highest), logarithmic=True)


def bars(title: str, unit: str, rows: Sequence[Bar], *, logarithmic: bool, note: str = "") -> str:
    """The picture. `unit` is below the axis and after each number; `note` is below the title."""
    axis = axis_for(rows, logarithmic=logarithmic)
    height = TOP + ROW * len(rows) + BOTTOM
    bottom = TOP + ROW * len(rows)
    scale = "logarithmic axis" if logarithmic else "linear axis"
    told = "; ".join(f"{bar.label}: {_number(bar, unit)}" for bar in rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-labelledby="title description" font-family="system-ui, sans-serif" font-size="13">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="description">{escape(told)}</desc>',
        "<!-- Made by benchmarks/run.sh; do not edit. -->",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="16" font-weight="600" fill="{INK}">{escape(title)}</text>',
        f'<text x="16" y="46" fill="{FAINT}">{escape(note)}</text>',
    ]
    for mark in axis.ticks():
        x = _coordinate(axis.place(mark))
        lines.append(f'<line x1="{x}" y1="{TOP - 4}" x2="{x}" y2="{bottom}" stroke="{GRID}"/>')
        lines.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle" fill="{FAINT}">{mark:g}</text>')
    middle = _coordinate(LEFT + (WIDTH - LEFT - RIGHT) / 2)
    under = f"{unit}, {scale}; bar: median, line: 10th to 90th percentile"
    lines.append(f'<text x="{middle}" y="{bottom + 37}" text-anchor="middle" fill="{FAINT}">{escape(under)}</text>')
    for number, bar in enumerate(rows):
        lines += _row(bar, axis, TOP + ROW * number, unit)
    return "\n".join([*lines, "</svg>", ""])


def _row(bar: Bar, axis: Axis, top: float, unit: str) -> list[str]:
    base = _coordinate(top + ROW / 2 + 4.5)
    weight = ' font-weight="600"' if bar.kind == OURS else ""
    name = f'<text x="{LEFT - 10}" y="{base}" text-anchor="end" fill="{INK}"{weight}>{escape(bar.label)}</text>'
    if not bar.values:
        return [name, f'<text x="{LEFT + 6}" y="{base}" fill="{FAINT}">{escape(bar.reason)}</text>']
    end, low, high = (axis.place(value) for value in (bar.median, bar.low, bar.high))
    width = _coordinate(max(end - LEFT, 1.0))
    middle = _coordinate(top + ROW / 2)
    found = [
        name,
        f'<rect x="{LEFT}" y="{_coordinate(top + (ROW - BAR) / 2)}" width="{width}" height="{BAR}" rx="2" '
        f'fill="{bar.kind}"/>',
    ]
    if len(bar.values) > 1:
        x1, x2 = _coordinate(low), _coordinate(high)
        found.append(f'<line x1="{x1}" y1="{middle}" x2="{x2}" y2="{middle}" stroke="{WHISKER}" stroke-width="1.5"/>')
    beside = _coordinate(max(end, high) + 8)
    found.append(f'<text x="{beside}" y="{base}" fill="{INK}"{weight}>{escape(_number(bar, unit))}</text>')
    return found


def _number(bar: Bar, unit: str) -> str:
    return f"{short(bar.median)} {unit}" if bar.values else bar.reason


def _coordinate(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
