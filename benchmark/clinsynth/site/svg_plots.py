"""Figures as SVG that needs nothing else: drawn in the page's own colours, readable in light and dark and in print.

Series differ in shape and dash as well as in colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clinsynth.site.markup import escape
from clinsynth.views import Figure, Point, Series, plain

WIDTH = 680
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 132, 12, 44
_LINE = 20
"""Height of a line of a forest plot."""
_BESIDE = 178
"""Room to the right of a forest plot for the value and its interval."""
_DASHES = ("", "6 3", "2 3", "8 3 2 3")


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def svg(figure: Figure, *, standalone: bool = False) -> str:
    """The figure in a ``<figure>``; ``standalone``: the bare SVG as a file, in black on white."""
    drawn, height = _forest(figure) if figure.kind == "forest" else _plane(figure)
    style = f"<style>{_STANDALONE}</style>" if standalone else ""
    extra = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    image = (
        f'<svg{extra} class="plot" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{escape(figure.key)}-t {escape(figure.key)}-d">'
        f'{style}<title id="{escape(figure.key)}-t">{escape(figure.title)}</title>'
        f'<desc id="{escape(figure.key)}-d">{escape(figure.description)}</desc>{drawn}</svg>'
    )
    if standalone:
        return image
    caption = f"<figcaption><b>{escape(figure.title)}.</b> {escape(figure.description)}</figcaption>"
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(figure.title)}">{image}</div>'
    return f'<figure id="plot-{escape(figure.key)}">{region}{caption}</figure>'


_STANDALONE = (
    "svg{font:12px system-ui,sans-serif;background:#fff}text{fill:#1d2125}.axis,.grid{stroke:#c9ced3;fill:none}"
    ".s{stroke:#59636c;fill:none}.dot{fill:#fff;stroke:#59636c}.e .s,.e .dot{stroke:#0b5d8a}.e .dot{fill:#0b5d8a}"
)


def _points(figure: Figure) -> list[Point]:
    return [point for series in figure.series for point in series.points]


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round values that span a range."""
    span = max(high - low, 1e-9)
    step = 10 ** math.floor(math.log10(span / wanted))
    step *= next(m for m in (1, 2, 5, 10) if span / (step * m) <= wanted)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(k * step, 10) for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, ... around a range above 0; powers of ten alone where it is wide."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    parts = (1,) if last - first > 3 else (1, 2, 5)
    every = [m * 10.0**k for k in range(first, last + 1) for m in parts]
    below = max([v for v in every if v <= low], default=every[0])
    above = min([v for v in every if v >= high], default=every[-1])
    return [v for v in every if below <= v <= above]


def _text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def _label(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 1 else f"{value:g}".replace("-", "−")


def _forest(figure: Figure) -> tuple[str, int]:
    lines = sorted(((point, series) for series in figure.series for point in series.points), key=lambda pair: pair[0].y)
    ends = [v for p, _ in lines for v in (p.low, p.high, p.x) if v is not None] + (
        [figure.zero] if figure.zero is not None else []
    )
    marks = ticks(min(ends), max(ends))
    left = min(260, 20 + 7 * max(len(p.label) for p, _ in lines))
    right = WIDTH - _BESIDE
    across = _Scale(marks[0], marks[-1], left, right)
    bottom = _TOP + _LINE * len(lines) + 6
    out = [f'<line class="grid" x1="{across(v)}" x2="{across(v)}" y1="{_TOP}" y2="{bottom}"/>' for v in marks]
    out += [
        _text(across(v), bottom + 16, plain(v, 1, digits=0) if v == int(v) else f"{v:g}".replace("-", "−"), "middle")
        for v in marks
    ]
    if figure.zero is not None:
        out.append(
            f'<line class="axis zero" x1="{across(figure.zero)}" x2="{across(figure.zero)}" y1="{_TOP}" y2="{bottom}"/>'
        )
    for k, (point, series) in enumerate(lines):
        y = _TOP + _LINE * k + _LINE / 2
        span = ""
        if point.low is not None and point.high is not None:
            span = f'<line class="s" x1="{across(point.low)}" x2="{across(point.high)}" y1="{y}" y2="{y}"/>'
        said = plain(point.x, 1, "+" if figure.zero is not None else "")
        limits = (
            f" {plain(point.low, 1)} to {plain(point.high, 1)}"
            if point.low is not None and point.high is not None
            else ""
        )
        out.append(
            f'<g class="{"e" if series.emphasis else ""}">{span}{_mark(across(point.x), y, series, said + limits)}'
            f"{_text(left - 10, y + 4, _cut(point.label, 34), 'end')}{_text(right + 56, y + 4, said, 'end')}"
            f"{_text(right + 66, y + 4, limits.strip(), kind='minor')}</g>"
        )
    out.append(_text((left + right) / 2, bottom + 36, figure.x_title, "middle", "minor"))
    return "".join(out), bottom + _BOTTOM


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def _mark(x: float, y: float, series: Series, title: str) -> str:
    said = f"<title>{escape(title)}</title>"
    if series.emphasis:
        return f'<path class="dot" d="M{x} {y - 5}l5 5l-5 5l-5 -5z">{said}</path>'
    return f'<circle class="dot" cx="{x}" cy="{y}" r="4">{said}</circle>'


def _plane(figure: Figure) -> tuple[str, int]:
    every, height = _points(figure), 360
    ys = [v for p in every for v in (p.y, p.low, p.high) if v is not None]
    xs = [p.x for p in every]
    x_marks, y_marks = (
        (log_ticks(min(xs), max(xs)) if figure.log_x else ticks(min(xs), max(xs))),
        ticks(min(ys), max(ys)),
    )
    bottom = height - _BOTTOM
    edges = (min(xs) * 0.94, max(xs) * 1.02) if figure.log_x else (x_marks[0], x_marks[-1])
    across = _Scale(*edges, _LEFT, WIDTH - _RIGHT, figure.log_x)
    up = _Scale(y_marks[0], y_marks[-1], bottom, _TOP + 12)
    out: list[str] = []
    for v in y_marks:
        out.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{up(v)}" y2="{up(v)}"/>')
        out.append(_text(_LEFT - 8, up(v) + 4, _label(v), "end"))
    for v in (mark for mark in x_marks if edges[0] <= mark <= edges[1]):
        out.append(f'<line class="axis" x1="{across(v)}" x2="{across(v)}" y1="{bottom}" y2="{bottom + 4}"/>')
        out.append(_text(across(v), bottom + 18, _label(v), "middle"))
    out.append(f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    ends: list[tuple[float, float, str, bool]] = []
    for k, series in enumerate(figure.series):
        out.append(_series(series, k, across, up))
        if series.line:
            last = series.points[-1]
            ends.append((across(last.x), up(last.y), series.name, series.emphasis))
        elif series.emphasis or len(series.points) <= 12:
            ends += [(across(p.x), up(p.y), p.label, series.emphasis) for p in series.points]
    out += _labels(ends)
    out.append(_text((_LEFT + WIDTH - _RIGHT) / 2, height - 6, figure.x_title, "middle", "minor"))
    out.append(_text(4, 10, figure.y_title, "start", "minor"))
    return "".join(out), height


def _series(series: Series, place: int, across: _Scale, up: _Scale) -> str:
    dash = f' stroke-dasharray="{_DASHES[place % len(_DASHES)]}"' if series.line and place % len(_DASHES) else ""
    path = "M" + "L".join(f"{across(p.x)} {up(p.y)}" for p in series.points)
    out = [f'<path class="s" d="{path}"{dash}/>'] if series.line else []
    for p in series.points:
        if p.low is not None and p.high is not None:
            x = across(p.x)
            out.append(f'<line class="s thin" x1="{x}" x2="{x}" y1="{up(p.low)}" y2="{up(p.high)}"/>')
        out.append(_mark(across(p.x), up(p.y), series, f"{p.label}: {plain(p.y, 1)} at {_label(p.x)}"))
    return f'<g class="{"e" if series.emphasis else ""}">{"".join(out)}</g>'


def _labels(ends: Sequence[tuple[float, float, str, bool]]) -> list[str]:
    """Names beside the points, moved apart as little as keeps them from lying on one another."""
    out: list[str] = []
    columns: dict[int, list[tuple[float, float, str]]] = {}
    for x, y, name, _ in sorted(ends, key=lambda end: end[1]):
        columns.setdefault(int(x // 110), []).append((x, y + 4, name))
    for column in columns.values():
        places = spread([y for _, y, _ in column], 13)
        out += [_text(x + 9, round(y, 1), _cut(name, 18)) for (x, _, name), y in zip(column, places, strict=True)]
    return out


def spread(wanted: Sequence[float], room: float) -> list[float]:
    """Ascending places at least ``room`` apart and, in squares, nearest to those wanted.

    Neighbours that are too close move as one block around their common middle.
    """
    blocks: list[tuple[float, int]] = []  # mean of (wanted - room * place), number of places
    for k, value in enumerate(wanted):
        blocks.append((value - room * k, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return [mean + room * k for k, mean in enumerate(value for value, count in blocks for _ in range(count))]
