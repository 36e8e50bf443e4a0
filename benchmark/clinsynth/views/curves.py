"""The pages of learning curves and of costs."""

from __future__ import annotations

from clinsynth.snapshot import ConditionRow, CostRow, CurveRow, Snapshot
from clinsynth.views.common import MEAN, cards, condition_filters, named, of, sections, where
from clinsynth.views.model import (
    Cell,
    Choice,
    Column,
    Figure,
    Filter,
    Page,
    Point,
    Query,
    Section,
    Series,
    Table,
    count,
    number,
    pick,
    plain,
)

LINES = 12
"""Curves that are drawn at most; the table has all."""


def curves(snapshot: Snapshot, query: Query) -> Page:
    """The page of learning curves: scores over the number of training rows."""
    warnings: list[str] = []
    condition, filters = condition_filters(snapshot, query, warnings)
    filters = tuple(each for each in filters if each.key != "rows")
    key = {"data": condition.data, "recipe": condition.recipe} if condition else {}
    own = where(snapshot.tables.curves, **key) if key else []
    scopes = sorted({row.task for row in own}, key=lambda name: (name != MEAN, name))
    task = pick(query, "task", "Task", [Choice(name, name) for name in scopes], warnings)
    rows = where(snapshot.tables.curves, **key, task=task.value) if key else []
    table, figure = _curve_table(snapshot, task, rows), _curve_figure(task, rows)
    return Page("curves", "Learning curves", "How far do more rows of the same kind get the student?",
                (*filters, task), (*((figure,) if figure.series else ()), table), tuple(warnings),
                tuple(dict.fromkeys(row.submission for row in rows)))  # fmt: skip


def _ordered(rows: list[CurveRow]) -> list[tuple[str, list[CurveRow]]]:
    by_name: dict[str, list[CurveRow]] = {}
    for row in rows:
        by_name.setdefault(row.submission, []).append(row)
    lines = [(name, sorted(points, key=lambda row: row.rows)) for name, points in by_name.items()]
    # References first, then by area, longest curves first: what has a single point is no curve yet.
    return sorted(
        lines, key=lambda pair: (pair[1][0].kind != "reference", -len(pair[1]), -(pair[1][0].area or 0), pair[0])
    )


def _curve_table(snapshot: Snapshot, task: Filter, rows: list[CurveRow]) -> Table:
    known = cards(snapshot)
    budgets = sorted({row.rows for row in rows})
    drawn: list[tuple[Cell, ...]] = []
    for name, points in _ordered(rows):
        at = {row.rows: number(row.mean, row.low, row.high) for row in points}
        area = number(points[0].area, points[0].area_low, points[0].area_high, title="a single point has no area")
        drawn.append((named(known, name), *(at.get(n, Cell("–", muted=True)) for n in budgets), area))
    columns = (
        Column("submission", "Submission"),
        *(Column(f"rows_{n}", f"{n:,} rows", number=True, interval=True) for n in budgets),
        Column("area", "Area", number=True, interval=True,
               help="Mean score over log rows from a curve's first point to its last: compare equal ranges only."),
    )  # fmt: skip
    caption = f"Scores x 100 by training rows: {task.value}" if rows else "No learning curves yet"
    return Table("curves", caption, columns, (Section("", tuple(drawn)),))


def _curve_figure(task: Filter, rows: list[CurveRow]) -> Figure:
    several = [(name, points) for name, points in _ordered(rows) if len(points) > 1]
    series = tuple(
        Series(name, tuple(_point(row) for row in points), line=True, emphasis=points[0].kind == "reference")
        for name, points in several[:LINES]
    )
    left = f" {len(several) - LINES} more are in the table." if len(several) > LINES else ""
    return Figure(
        "curves",
        f"Learning curves: {task.value}",
        "lines",
        series,
        "training rows",
        "score x 100",
        log_x=True,
        description=f"Score over the number of training rows, with 95 % intervals.{left}",
    )


def _point(row: CurveRow) -> Point:
    scaled = [None if end is None else 100 * end for end in (row.low, row.high)]
    return Point(row.rows, 100 * row.mean, scaled[0], scaled[1], row.submission)


def cost(snapshot: Snapshot, query: Query) -> Page:
    """The page of costs: scores against dollars or tokens."""
    warnings: list[str] = []
    condition, filters = condition_filters(snapshot, query, warnings)
    unit = pick(query, "by", "Cost in", [Choice("dollars", "dollars"), Choice("tokens", "tokens")], warnings)
    rows = of(snapshot.tables.costs, condition)
    table = _cost_table(snapshot, condition, rows)
    figure = _cost_figure(rows, unit.value)
    return Page("cost", "Cost", "What does a score cost to generate? What is not known stays unknown.",
                (*filters, unit), (*((figure,) if figure.series else ()), table), tuple(warnings),
                tuple(row.submission for row in rows))  # fmt: skip


def _front(value: bool | None) -> Cell:
    return Cell("unknown" if value is None else "on it" if value else "no", value, muted=not value)


def _money(value: float | None) -> Cell:
    if value is None:
        return Cell("unknown", muted=True)
    return Cell(plain(value, 1, digits=2 if value >= 0.1 or value == 0 else 4), value)


def _cost_table(snapshot: Snapshot, condition: ConditionRow | None, rows: list[CostRow]) -> Table:
    known = cards(snapshot)

    def draw(row: CostRow) -> tuple[Cell, ...]:
        card = known.get(row.submission)
        source = f"{card.price_source} {card.price_date}".strip() if card else ""
        return (
            named(known, row.submission),
            number(row.mean, title="no overall score"),
            _money(row.dollars),
            count(row.tokens),
            Cell("–", muted=True) if row.score_per_dollar is None else number(row.score_per_dollar),
            Cell("–", muted=True) if row.score_per_million_tokens is None else number(row.score_per_million_tokens),
            _front(row.front_dollars),
            _front(row.front_tokens),
            count(card.seconds / 60 if card and card.seconds is not None else None),
            Cell(source or "not stated", source, muted=True),
        )  # fmt: skip

    columns = (
        Column("submission", "Submission"),
        Column("score", "Mean of the types", number=True),
        Column("dollars", "Dollars", number=True, help="As the card states them, for the rows of all tasks together."),
        Column("tokens", "Tokens", number=True, help="Prompt and answer together."),
        Column("per_dollar", "Points per dollar", number=True),
        Column("per_million_tokens", "Points per million tokens", number=True),
        Column("front_dollars", "Front, dollars",
               help="On the Pareto front nobody has a higher score for no more cost."),
        Column("front_tokens", "Front, tokens"),
        Column("minutes", "Minutes", number=True),
        Column("price", "Price from"),
    )  # fmt: skip
    place = f": {condition.recipe}, {condition.rows:,} rows" if condition else ""
    return Table("cost", f"Cost and score{place}", columns, sections(rows, draw))


def _cost_figure(rows: list[CostRow], unit: str) -> Figure:
    drawn = [
        (row, cost, front)
        for row in rows
        for cost, front in [(row.dollars, row.front_dollars) if unit == "dollars" else (row.tokens, row.front_tokens)]
        if cost and row.mean is not None
    ]
    series = [
        Series(
            name,
            tuple(
                Point(float(c), 100 * (r.mean or 0), label=r.submission) for r, c, front in drawn if bool(front) is kind
            ),
            emphasis=kind,
        )
        for name, kind in (("on the front", True), ("others", False))
    ]
    unknown = len(rows) - len(drawn)
    return Figure(
        "cost",
        f"Score against {unit}",
        "points",
        tuple(each for each in series if each.points),
        unit,
        "mean of the types x 100",
        log_x=True,
        description=f"{len(drawn)} with a known cost above 0; {unknown} unknown or free, see the table.",
    )
