"""Figures as SVG that needs nothing else: drawn in the page's own colours, readable in light and dark and in print.

Series differ in shape and dash as well as in colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clinsynth.site.theme import escape
from clinsynth.views import Figure, Point, Series, interval, plain

WIDE, NARROW = 840, 350
"""Pixels of the two drawings of a figure: one for a screen, one for a phone. Neither is made smaller to fit: letters
have the size that is written here."""
_LETTER = 7.3
"""Pixels of a letter at 13 px, in the widest of the usual system fonts."""
_TOP, _BOTTOM = 12, 46
_LINE = 26
"""Height of a line of a forest plot."""
_SCORES = 156
"""Room to the right of a forest plot for the value and its interval."""
_LABEL = 36
"""Letters of a name on one line."""
_LED = 8
"""A name that stands further than this from the height of its point has a line to it."""
_APART = 15
"""Height of a line of names in a plane."""
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


@dataclass(frozen=True, slots=True)
class _Label:
    x: float
    y: float
    name: str
    point: tuple[float, float]
    """Its own, as high as the name would like to stand."""
    led: bool
    """Whether a line leads to the point."""


def svg(figure: Figure, *, standalone: bool = False) -> str:
    """The figure in a ``<figure>``; ``standalone``: the bare SVG as a file, in black on white."""
    if standalone:
        return _image(figure, WIDE, standalone=True)
    drawn = "".join(
        f'<div class="{kind}">{_image(figure, width)}</div>' for kind, width in (("wide", WIDE), ("narrow", NARROW))
    )
    caption = f"<figcaption><b>{escape(figure.title)}.</b> {escape(figure.description)}</figcaption>"
    return f'<figure id="plot-{escape(figure.key)}">{drawn}{caption}</figure>'


def _image(figure: Figure, width: int, *, standalone: bool = False) -> str:
    drawn, height = (_forest if figure.kind == "forest" else _plane)(figure, width)
    style = f"<style>{_STANDALONE}</style>" if standalone else ""
    extra = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    name = escape(f"{figure.key}-{width}")
    return (
        f'<svg{extra} class="plot" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="{name}-t {name}-d">{style}<title id="{name}-t">{escape(figure.title)}</title>'
        f'<desc id="{name}-d">{escape(figure.description)}</desc>{drawn}</svg>'
    )


_STANDALONE = (
    "svg{font:13px system-ui,sans-serif;background:#fff}"
    "text{fill:#1d2125;paint-order:stroke;stroke:#fff;stroke-width:4px}"
    ".minor{font-size:12px;fill:#59636c}"
    ".axis,.grid,.rule{stroke:#c9ced3;fill:none}.rule{stroke:#59636c;stroke-dasharray:3 3}.s{stroke:#59636c;fill:none}"
    ".dot{fill:#fff;stroke:#59636c}.e .s,.e .dot{stroke:#0b5d8a}.e .dot{fill:#0b5d8a}"
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of a forest plot: the point that is named, and others that are drawn on the same line."""

    point: Point
    series: Series
    others: tuple[tuple[Point, Series, int], ...]
    name: tuple[str, ...]
    """The name in as many lines as it needs."""


def _entries(figure: Figure, room: int) -> list[_Entry]:
    at: dict[float, list[tuple[Point, Series, int]]] = {}
    for k, series in enumerate(figure.series):
        for point in series.points:
            at.setdefault(point.y, []).append((point, series, k))
    return [
        _Entry(own[0][0], own[0][1], tuple(own[1:]), tuple(_wrapped(own[0][0].label, room)))
        for _, own in sorted(at.items())
    ]


def _wrapped(words: str, most: int) -> list[str]:
    """A name in lines of at most so many letters, broken behind a hyphen or a space where there is one."""
    lines: list[str] = []
    while len(words) > most:
        cut = max(words.rfind("-", 0, most), words.rfind(" ", 0, most)) + 1 or most
        lines.append(words[:cut].rstrip())
        words = words[cut:]
    return [*lines, words]


def _forest(figure: Figure, width: int) -> tuple[str, int]:
    narrow = width < WIDE
    entries = _entries(figure, _LABEL)
    every = [point for each in entries for point in (each.point, *(point for point, _, _ in each.others))]
    ends = [v for p in every for v in (p.low, p.high, p.x) if v is not None] + [rule.x for rule in figure.rules]
    ends += [figure.zero] if figure.zero is not None else []
    pad = 0.03 * (max(ends) - min(ends) or 1)
    low, high = min(ends) - pad, max(ends) + pad
    marks = [v for v in ticks(low, high, 4 if narrow else 6) if low <= v <= high]
    longest = max(len(line) for each in entries for line in each.name)
    left = 8 if narrow else round(16 + _LETTER * longest)
    right = width - (8 if narrow else _SCORES)
    across = _Scale(low, high, left, right)
    keys, top = _keys(figure, entries, left, width)
    said, top = _rules(figure, across, top, width)
    height = 42 if narrow else _LINE
    tops: list[float] = []
    bottom: float = top
    for each in entries:
        tops.append(bottom)
        bottom += height + 15 * (len(each.name) - 1)
    bottom += 6
    out = [f'<line class="grid" x1="{across(v)}" x2="{across(v)}" y1="{top}" y2="{bottom}"/>' for v in marks]
    out += [
        _text(across(v), bottom + 17, plain(v, 1, digits=0) if v == int(v) else f"{v:g}".replace("-", "−"), "middle",
              "minor")
        for v in marks
    ]  # fmt: skip
    for rule in figure.rules:
        out.append(f'<line class="rule" x1="{across(rule.x)}" x2="{across(rule.x)}" y1="{top - 4}" y2="{bottom}"/>')
    if figure.zero is not None:
        x = across(figure.zero)
        out.append(f'<line class="axis zero" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>')
    for each, start in zip(entries, tops, strict=True):
        out.append(_entry(each, start, across, figure, width))
    out.append(_text((left + right) / 2, bottom + 38, figure.x_title, "middle", "minor"))
    return "".join((*keys, *said, *out)), round(bottom + _BOTTOM)


def _entry(each: _Entry, start: float, across: _Scale, figure: Figure, width: int) -> str:
    narrow, point = width < WIDE, each.point
    deep = 15 * (len(each.name) - 1)
    y = start + (30 + deep if narrow else (_LINE + deep) / 2)
    value = plain(point.x, 1, "+" if figure.zero is not None else "")
    limits = interval(point.low, point.high, scale=1, sign="+" if figure.zero is not None else "")
    parts = [
        f"<g{_kind(series)}>{_mark(across(p.x), y, series, f'{series.name}: {plain(p.x, 1)}', k)}</g>"
        for p, series, k in each.others
    ]
    own: list[str] = []
    if point.low is not None and point.high is not None:
        x, end = across(point.low), across(point.high)
        own.append(f'<line class="s" x1="{x}" x2="{end}" y1="{y}" y2="{y}"/>')
    own.append(_mark(across(point.x), y, each.series, f"{value} {limits}".strip()))
    parts.append(f"<g{_kind(each.series)}>{''.join(own)}</g>")
    if narrow:
        names = [_text(0, start + 16 + 15 * k, line) for k, line in enumerate(each.name)]
        said = f"{value} ({limits})" if limits else value
        parts += [*names, _text(width, start + 16, said, "end", "minor")]
    else:
        first = y + 4.5 - deep / 2
        right = width - _SCORES
        parts += [_text(across.start - 10, first + 15 * k, line, "end") for k, line in enumerate(each.name)]
        parts += [_text(right + 46, y + 4.5, value, "end"), _text(right + 54, y + 4.5, limits, kind="minor")]
    return "".join(parts)


def _kind(series: Series) -> str:
    return ' class="e"' if series.emphasis else ""


def _keys(figure: Figure, entries: Sequence[_Entry], left: float, width: int) -> tuple[list[str], int]:
    """What the marks mean, where several series share the lines."""
    if not any(each.others for each in entries):
        return [], _TOP
    out: list[str] = []
    x, y = (8.0, 12) if width < WIDE else (float(left), 12)
    for k, series in enumerate(figure.series):
        room = 24 + _LETTER * len(series.name)
        if x + room > width and x > left:
            x, y = (8.0 if width < WIDE else float(left)), y + 20
        out.append(f"<g{_kind(series)}>{_mark(x, y, series, series.name, k)}</g>{_text(x + 11, y + 4.5, series.name)}")
        x += room
    return out, y + 18


def _rules(figure: Figure, across: _Scale, top: int, width: int) -> tuple[list[str], int]:
    """The names of the lines across, above the plot; those that would touch stand on lines of their own."""
    ends: list[float] = []
    placed: list[tuple[int, float, str]] = []
    for rule in sorted(figure.rules, key=lambda rule: rule.x):
        half = _LETTER * len(rule.label) / 2
        x = min(max(across(rule.x), half), width - half)
        level = next((k for k, end in enumerate(ends) if x - half > end + 8), len(ends))
        if level == len(ends):
            ends.append(0.0)
        ends[level] = x + half
        placed.append((level, round(x, 1), rule.label))
    height = 16 * len(ends)
    drawn = [_text(x, top + 10 + 16 * level, label, "middle", "minor") for level, x, label in placed]
    return drawn, top + height + (6 if ends else 0)


def _mark(x: float, y: float, series: Series, title: str, place: int = 0) -> str:
    """Emphasised points are filled diamonds; others open, of a shape by the series' place."""
    said = f"<title>{escape(title)}</title>"
    if series.emphasis:
        return f'<path class="dot" d="M{x} {y - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5z">{said}</path>'
    shapes = ("", f"M{x - 4} {y - 4}h8v8h-8z", f"M{x} {y - 5}l5 8.5h-10z", f"M{x - 1} {y - 7}h2v14h-2z")
    if shape := shapes[place % len(shapes)]:
        return f'<path class="dot" d="{shape}">{said}</path>'
    return f'<circle class="dot" cx="{x}" cy="{y}" r="4">{said}</circle>'


def _plane(figure: Figure, width: int) -> tuple[str, int]:
    narrow, every, height = width < WIDE, _points(figure), 400
    ys = [v for p in every for v in (p.y, p.low, p.high) if v is not None]
    xs = [p.x for p in every]
    x_marks = log_ticks(min(xs), max(xs)) if figure.log_x else ticks(min(xs), max(xs), 3 if narrow else 6)
    y_marks = ticks(min(ys), max(ys))
    names = [name for series in figure.series for name in _named(figure, series)]
    left = round(14 + _LETTER * max(len(_label(v)) for v in y_marks))
    right = width - (26 if narrow else round(26 + _LETTER * max(map(len, names), default=0)))
    bottom, top = height - _BOTTOM, _TOP + 18
    edges = (min(xs) * 0.94, max(xs) * 1.02) if figure.log_x else (x_marks[0], x_marks[-1])
    across = _Scale(*edges, left, right, figure.log_x)
    up = _Scale(y_marks[0], y_marks[-1], bottom, top)
    out: list[str] = []
    for v in y_marks:
        out.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{up(v)}" y2="{up(v)}"/>')
        out.append(_text(left - 8, up(v) + 4.5, _label(v), "end", "minor"))
    last = -1e9
    for v in (mark for mark in x_marks if edges[0] <= mark <= edges[1]):
        x, room = across(v), _LETTER * len(_label(v))
        out.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/>')
        if x - room > last:
            out.append(_text(x, bottom + 18, _label(v), "middle", "minor"))
            last = x
    out.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    ends: list[tuple[float, float, str]] = []
    for k, series in enumerate(figure.series):
        numbered = narrow and not series.line and bool(_named(figure, series))
        out.append(_series(series, k, across, up))
        if series.line and not narrow:
            ends.append((across(series.points[-1].x), up(series.points[-1].y), series.name))
        elif not narrow and _named(figure, series):
            ends += [(across(p.x), up(p.y), p.label) for p in series.points]
        elif numbered:
            ends += [(across(p.x), up(p.y), str(names.index(p.label) + 1)) for p in series.points]
    out += _labels(ends, narrow)
    out.append(_text((left + right) / 2, height - 8, figure.x_title, "middle", "minor"))
    out.append(_text(0, 12, figure.y_title, "start", "minor"))
    if narrow:
        below, height = _below(figure, names, height)
        out += below
    return "".join(out), height


def _named(figure: Figure, series: Series) -> list[str]:
    """The names that stand beside a series: its own at the end of a line, those of its points if they are few."""
    if series.line:
        return [series.name]
    return [p.label for p in series.points] if series.emphasis or len(series.points) <= 12 else []


def _below(figure: Figure, names: Sequence[str], height: int) -> tuple[list[str], int]:
    """On a phone names stand below the plot: beside a piece of their line, or after their number."""
    out: list[str] = []
    at = height + 16
    for k, series in enumerate(figure.series):
        for name in _named(figure, series):
            if series.line:
                dash = f' stroke-dasharray="{_DASHES[k % len(_DASHES)]}"' if k % len(_DASHES) else ""
                mark = f'<path class="s" d="M0 {at - 4}h26"{dash}/>{_mark(13, at - 4, series, name)}'
            else:
                mark = _text(0, at, str(names.index(name) + 1))
            for i, line in enumerate(_wrapped(name, 40)):
                out.append(f"<g{_kind(series)}>{mark if not i else ''}{_text(34, at, line)}</g>")
                at += 19
    return out, at


def _series(series: Series, place: int, across: _Scale, up: _Scale) -> str:
    dash = f' stroke-dasharray="{_DASHES[place % len(_DASHES)]}"' if series.line and place % len(_DASHES) else ""
    path = "M" + "L".join(f"{across(p.x)} {up(p.y)}" for p in series.points)
    out = [f'<path class="s" d="{path}"{dash}/>'] if series.line else []
    for p in series.points:
        if p.low is not None and p.high is not None:
            x = across(p.x)
            out.append(f'<line class="s thin" x1="{x}" x2="{x}" y1="{up(p.low)}" y2="{up(p.high)}"/>')
        out.append(_mark(across(p.x), up(p.y), series, f"{p.label}: {plain(p.y, 1)} at {_label(p.x)}"))
    return f"<g{_kind(series)}>{''.join(out)}</g>"


def _labels(ends: Sequence[tuple[float, float, str]], narrow: bool) -> list[str]:
    """Names beside the points, moved apart as little as keeps them from lying on one another."""
    columns: dict[int, list[tuple[float, float, str]]] = {}
    for x, y, name in sorted(ends, key=lambda end: end[1]):
        columns.setdefault(int(x // (24 if narrow else 150)), []).append((x, y + 4.5, name))
    placed: list[_Label] = []
    for column in columns.values():
        places = spread([y for _, y, _ in column], _APART)
        # Where names have to move they stand in one column, each with a line to its point.
        moved = any(abs(y - wanted) > _LED for (_, wanted, _), y in zip(column, places, strict=True))
        edge = max(x for x, _, _ in column) + 24
        placed += [
            _Label(edge if moved else x + 9, y, name, (x, wanted), moved)
            for (x, wanted, name), y in zip(column, places, strict=True)
        ]
    out: list[str] = []
    for label in _below_others(placed):
        if label.led:
            x, wanted = label.point
            out.append(f'<path class="s thin" d="M{x + 6} {wanted - 4.5}L{label.x - 3} {label.y - 4.5:.1f}"/>')
        out.append(_text(label.x, round(label.y, 1), label.name))
    return out


def _below_others(labels: Sequence[_Label]) -> list[_Label]:
    """From the top down, each moved below those that it would lie on: names reach into the next column."""
    done: list[_Label] = []
    for label in sorted(labels, key=lambda one: one.y):
        over = [
            one.y + _APART
            for one in done
            if one.x < label.x + _LETTER * len(label.name) and label.x < one.x + _LETTER * len(one.name)
        ]
        y = max([label.y, *over])
        done.append(replace(label, y=y, led=label.led or y - label.point[1] > _LED))
    return done


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
