"""A report as one HTML file: the verdict, a forest plot with the references, quality in bands, and what leaks."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from clinsynth import __version__
from clinsynth.site import Links, blocks, site_css
from clinsynth.views import Block, Cell, Column, Facts, Figure, Point, Prose, Section, Series, Table

if TYPE_CHECKING:
    from clinsynth.evaluation.verdict import Report

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
    links = Links(submission=lambda name: "#" + name)
    return f"<h1>{escape(report.name)} on {escape(report.task.name)}</h1>\n<ul>{verdict}</ul>\n" + blocks(
        list(_blocks(report)), links
    )


def _blocks(report: Report) -> Iterator[Block]:
    yield _forest(report)
    yield _scores(report)
    yield _bands(report)
    if report.quality.suspects:
        rows = ", ".join(map(str, report.quality.suspects))
        yield Prose("Labels to look at", (f"By row of the data file, the most doubtful first: {rows}.",))
    yield _leaks(report)
    if report.notes:
        yield Prose("When the rows were read", report.notes)
    yield Prose(
        "Again, and further",
        (
            f"$ clinsynth validate {report.folder}",
            f"$ clinsynth score {report.folder} --tasks {report.task.name} --rows {report.rows}",
            f"$ clinsynth compare {report.folder} OTHER --rows {report.rows}",
        ),
    )


def _order(report: Report) -> list[str]:
    return sorted(report.scores, key=lambda name: -report.scores[name].mean)


def _forest(report: Report) -> Figure:
    own: list[Point] = []
    others: list[Point] = []
    references: list[Point] = []
    for place, name in enumerate(_order(report)):
        score = report.scores[name]
        interval = score.statistics.interval if score.statistics else None
        low, high = (100 * interval.low, 100 * interval.high) if interval else (None, None)
        point = Point(100 * score.mean, float(place), low, high, name)
        kind = own if name == report.name else references if report.kinds[name] == "reference" else others
        kind.append(point)
    series = (
        Series("your rows", tuple(own), emphasis=True),
        Series("known submissions", tuple(others)),
        Series("references", tuple(references)),
    )
    return Figure(
        "scores", "Scores with their 95 % intervals", "forest", tuple(each for each in series if each.points),
        x_title=f"{report.task.metric} x 100",
        description="One line for each set of rows, the best at the top; the same numbers are in the table below.",
    )  # fmt: skip


def _scores(report: Report) -> Table:
    against = {each.name: each.comparison for each in report.rivals}
    rows: list[tuple[Cell, ...]] = []
    for name in _order(report):
        score = report.scores[name]
        interval = score.statistics.interval if score.statistics else None
        row = against.get(name)
        small = f"{100 * interval.low:.1f} to {100 * interval.high:.1f}" if interval else ""
        lead = "" if row is None or row.difference is None else f"{100 * row.difference:+.1f}"
        span = "" if row is None or row.low is None or row.high is None else (
            f"{100 * row.low:+.1f} to {100 * row.high:+.1f}"
        )  # fmt: skip
        rows.append((
            Cell("your rows" if name == report.name else name),
            Cell(f"{100 * score.mean:.1f}", score.mean, small),
            Cell(str(len(score.by_seed) or "-")),
            Cell(f"{score.rows:,}"),
            Cell(lead, None if row is None else row.difference, span),
            Cell("" if row is None else row.judgement.verdict),
        ))  # fmt: skip
    columns = (
        Column("name", "rows"),
        Column("score", report.task.metric.replace("_", " "), number=True),
        Column("seeds", "seeds", number=True),
        Column("budget", "trained on", number=True),
        Column("lead", "yours minus it", number=True),
        Column("verdict", "yours are", help="better or worse: p < 0.05, paired by test unit and seed"),
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
