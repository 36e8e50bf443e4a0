"""A report as one HTML file: the verdict, a forest plot with the references, quality in bands, and what leaks."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from clinsynth import __version__
from clinsynth.evaluation.rows import METRIC_NAMES
from clinsynth.site import Links, blocks, site_css
from clinsynth.views import Block, Cell, Column, Facts, Figure, Point, Prose, Section, Series, Table, number

if TYPE_CHECKING:
    from clinsynth.evaluation.verdict import Report
    from clinsynth.standings import CostOfData, Curve, Interval

_LISTED = 50
"""Rows that are named at most."""
_LEVELS = {"like real": "● like real rows", "off": "◐ off", "far": "○ far off", "unknown": "– unknown"}


def report_page(report: Report) -> str:
    """A whole document that needs no other file."""
    title = f"{report.name} on {report.task.name}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)} · clinsynth</title>
<link rel="icon" href="data:,">
<style>{site_css()}</style>
</head>
<body class="cs site">
<div class="frame">
<main id="main">
{report_body(report)}
</main>
<footer><p>clinsynth {escape(__version__)}, student {escape(report.recipe)}. Scores of synthetic training data by
fine-tuning one frozen student and testing it on real text.</p></footer>
</div>
</body>
</html>
"""


def report_body(report: Report) -> str:
    """The same without the frame: for a notebook."""
    verdict = "".join(f"<li>{escape(line)}</li>" for line in report.lines())
    links = Links(to=lambda view, query: "#" + query.get("name", view))
    return f"<h1>{escape(report.name)} on {escape(report.task.name)}</h1>\n<ul>{verdict}</ul>\n" + blocks(
        list(_blocks(report)), links
    )


def _blocks(report: Report) -> Iterator[Block]:
    yield _forest(report)
    yield _scores(report)
    if report.curve is not None:
        yield _curve(report, report.curve)
    yield _bands(report)
    if report.quality.suspects:
        yield from _rows("Labels that look wrong", "the most doubtful first", report.quality.suspects, report)
    yield _leaks(report)
    if report.leaking:
        yield from _rows("Rows that repeat test items", "take them out", report.leaking, report)
    if report.cost is not None and (costs := _costs(report.cost)):
        yield Facts("What the rows cost", costs)
    if report.notes:
        yield Prose("When the rows were read", tuple(_sentence(note) for note in report.notes))
    folder = shlex.quote(str(report.place))
    options = f"--rows {report.budget}" + (" --sample" if report.sample else "")
    yield Prose(
        "Again, and further",
        (
            f"$ clinsynth validate {folder}",
            f"$ clinsynth score {folder} --tasks {report.task.name} {options}",
            f"$ clinsynth compare {folder} OTHER --tasks {report.task.name} {options}",
        ),
    )


def _curve(report: Report, curve: Curve) -> Figure:
    """Where the rows lie beside a growing number of real ones."""
    real = tuple(
        Point(float(point.rows), 100 * point.mean, *_ends(point.interval), f"{point.rows:,} real {report.items}")
        for point in curve.points
    )
    statistics = report.score.statistics
    own = Point(
        float(report.rows), 100 * report.score.mean, *_ends(statistics.interval if statistics else None), "your rows"
    )
    return Figure(
        "curve", "Beside real data", "lines",
        (Series("real data", real, line=True), Series("your rows", (own,), emphasis=True)),
        x_title="rows", y_title=f"{METRIC_NAMES[report.task.metric]} x 100", log_x=True,
        description="Scores of real data over the number of rows, and that of your rows.",
    )  # fmt: skip


def _ends(interval: Interval | None) -> tuple[float, float] | tuple[None, None]:
    return (None, None) if interval is None else (100 * interval.low, 100 * interval.high)


def _rows(title: str, order: str, numbers: Sequence[int], report: Report) -> Iterator[Block]:
    """Rows by number, and the first of them in full where that is allowed."""
    some = ", ".join(map(str, numbers[:_LISTED])) + (", …" if len(numbers) > _LISTED else "")
    yield Prose(title, (f"Rows of the folder's data file, counted from 1, {order}: {some}.",))
    shown = [(number, report.quoted[number]) for number in numbers if number in report.quoted]
    if shown:
        columns = (Column("row", "row", number=True), Column("answer", "answer"), Column("text", "text"))
        cells = tuple((Cell(str(k), k), Cell(row.answer), Cell(row.text)) for k, row in shown)
        yield Table(title.lower().replace(" ", "-"), f"{title}: the first", columns, (Section("", cells),))


def _sentence(note: str) -> str:
    """A note as a sentence of its own; the name of a file in front stays as it is."""
    first = note.partition(" ")[0]
    return f"{note if '.' in first else note[:1].upper() + note[1:]}."


def _costs(cost: CostOfData) -> tuple[tuple[str, Cell], ...]:
    known = {
        "dollars": None if cost.dollars is None else f"{cost.dollars:,.2f}",
        "requests": None if cost.calls is None else f"{cost.calls:,}",
        "tokens": None if cost.tokens is None else f"{cost.tokens:,}",
        "seconds": None if cost.seconds is None else f"{cost.seconds:,.0f}",
    }
    return tuple((name, Cell(text)) for name, text in known.items() if text is not None)


def _order(report: Report) -> list[str]:
    return sorted(report.scores, key=lambda name: -report.scores[name].mean)


def _forest(report: Report) -> Figure:
    by_kind: dict[str, list[Point]] = {"your rows": [], "known submissions": [], "references": []}
    for place, name in enumerate(_order(report)):
        score = report.scores[name]
        ends = _ends(score.statistics.interval if score.statistics else None)
        series = "references" if report.kinds[name] == "reference" else "known submissions"
        own = name == report.name
        by_kind["your rows" if own else series].append(
            Point(100 * score.mean, float(place), *ends, "your rows" if own else name)
        )
    series = tuple(
        Series(name, tuple(points), emphasis=name == "your rows") for name, points in by_kind.items() if points
    )
    return Figure(
        "forest", "Scores with their 95 % intervals", "forest", series,
        x_title=f"{METRIC_NAMES[report.task.metric]} x 100",
        description="One line for each set of rows, the best at the top; the same numbers are in the table below.",
    )  # fmt: skip


def _scores(report: Report) -> Table:
    against = {each.name: each.comparison for each in report.rivals}
    rows: list[tuple[Cell, ...]] = []
    for name in _order(report):
        score = report.scores[name]
        interval = score.statistics.interval if score.statistics else None
        row = against.get(name)
        ends = (interval.low, interval.high) if interval else (None, None)
        seeds = len(score.by_seed)
        rows.append((
            Cell("your rows" if name == report.name else name),
            number(score.mean, *ends),
            Cell("" if row is None else row.judgement.verdict),
            Cell("") if row is None else number(row.difference, row.low, row.high, sign="+"),
            Cell(str(seeds), seeds) if seeds else Cell(""),
            Cell(f"{score.rows:,}", score.rows) if score.rows else Cell(""),
        ))  # fmt: skip
    columns = (
        Column("name", "rows"),
        Column("score", METRIC_NAMES[report.task.metric], number=True),
        Column("verdict", "yours are", help="better or worse: p < 0.05, paired by test unit and seed"),
        Column("lead", "yours minus it", number=True),
        Column("seeds", "seeds", number=True),
        Column("budget", "trained on", number=True, help="training rows"),
    )
    return Table("scores", f"{report.task.title}: scores x 100", columns, (Section("", tuple(rows)),))


def _bands(report: Report) -> Table:
    rows = tuple(
        (
            Cell(band.title),
            Cell(_LEVELS[band.level]),
            Cell(band.words),
            Cell(band.advice if band.level in ("off", "far") else ""),
        )
        for band in report.bands
    )
    columns = (
        Column("what", "what"),
        Column("level", "level"),
        Column("numbers", "measured"),
        Column("advice", "what to do"),
    )
    return Table("quality", "What the rows are like", columns, (Section("", rows),))


def _leaks(report: Report) -> Facts:
    record = report.audit
    pairs: list[tuple[str, Cell]] = [("audit", Cell("passed" if record.clean else "failed: not ranked until mended"))]
    pairs += [("because", Cell(reason)) for reason in record.failures]
    some = ", ".join(map(str, report.leaking[:_LISTED])) + (", …" if len(report.leaking) > _LISTED else "")
    pairs.append(("rows that repeat test items", Cell(some or "none")))
    pairs.append(("test items that are repeated", Cell(f"{record.test.touched:,} of {record.test.examples:,}")))
    private = sum(len(rows) for rows in record.privacy.rows.values())
    pairs.append(("rows that look like they name a person", Cell(f"{private:,}" if private else "none")))
    return Facts("Leaks", tuple(pairs))
