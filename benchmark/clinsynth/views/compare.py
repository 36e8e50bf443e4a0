"""Compare two or more submissions: paired differences, a forest plot and a verdict in words."""

from __future__ import annotations

from dataclasses import replace

from clinsynth.snapshot import ConditionRow, DifferenceRow, Snapshot
from clinsynth.standings import Compared, Comparison, Judgement, words
from clinsynth.standings import turned as opposite
from clinsynth.views.common import MEAN, cards, condition_filters, forest, named, of
from clinsynth.views.model import (
    Cell,
    Choice,
    Column,
    Figure,
    Filter,
    Page,
    Point,
    Prose,
    Query,
    Section,
    Table,
    number,
    pick,
    text,
)

MOST = 8
"""Submissions that one page compares with the first."""


def compare(snapshot: Snapshot, query: Query) -> Page:
    """The page: differences of each other submission to the base, over all tasks, by type and by task."""
    warnings: list[str] = []
    condition, filters = condition_filters(snapshot, query, warnings)
    names = [row.submission for row in of(snapshot.tables.overall, condition)]
    stored = _stored(snapshot, condition)
    firsts = [name for name in names if name in stored] or names
    base = pick(query, "base", "Compare", [Choice(name, name) for name in firsts], warnings)
    others = _others(query, names, base.value, stored.get(base.value, set()), warnings)
    chosen = [name for name in others.value.split(",") if name]
    rows = _between(snapshot, condition, base.value, chosen)
    missing = [name for name in chosen if name not in {row.other for row in rows}]
    warnings += [_not_stored(base.value, name) for name in missing]
    table = _table(snapshot, condition, base.value, rows)
    figures = tuple(
        _forest(scope, [row for row in rows if row.scope == scope]) for scope in (MEAN,) if len(chosen) > 1 and rows
    ) + tuple(_of_other(name, [row for row in rows if row.other == name]) for name in chosen if len(chosen) <= 3)
    shown = tuple(figure for figure in figures if figure.series)
    return Page(
        "compare",
        f"{chosen[0]} against {base.value}" if len(chosen) == 1 else "Compare",
        "What is the difference between two training sets worth? Paired by test unit and seed.",
        (*filters, base, others),
        (*_verdicts(rows), *shown, table),
        tuple(warnings),
        (base.value, *chosen),
    )


def _stored(snapshot: Snapshot, condition: ConditionRow | None) -> dict[str, set[str]]:
    """By submission, the others that it is compared with in this snapshot."""
    partners: dict[str, set[str]] = {}
    for row in of(snapshot.tables.differences, condition):
        partners.setdefault(row.base, set()).add(row.other)
        partners.setdefault(row.other, set()).add(row.base)
    return partners


def _others(query: Query, every: list[str], base: str, stored: set[str], warnings: list[str]) -> Filter:
    asked = [name for name in query.get("others", "").split(",") if name]
    names = [name for name in every if name != base]
    offered = [name for name in names if name in stored] or names
    unknown = [name for name in asked if name not in names]
    warnings += [f"The link asks for “{name[:80]}”, which cannot be compared here." for name in unknown]
    value = [name for name in asked if name in names][:MOST] or offered[:1]
    if len(asked) - len(unknown) > MOST:
        warnings.append(f"Only the first {MOST} submissions of the link are compared.")
    return Filter("others", "With", tuple(Choice(name, name) for name in offered), ",".join(value), many=True)


def _not_stored(base: str, other: str) -> str:
    return (
        f"{other} with {base} is not among the comparisons of this snapshot; "
        f"clinsynth compare submissions/{base} submissions/{other} makes it."
    )


def _between(
    snapshot: Snapshot, condition: ConditionRow | None, base: str, others: list[str]
) -> list[DifferenceRow]:  # fmt: skip
    rows: dict[tuple[str, str], DifferenceRow] = {}
    for row in of(snapshot.tables.differences, condition, base=base):
        if row.other in others:
            rows[row.scope, row.other] = row
    for row in of(snapshot.tables.differences, condition, other=base):
        if row.base in others:
            rows.setdefault((row.scope, row.base), turned(row))
    return sorted(rows.values(), key=lambda row: (_order(row.scope), others.index(row.other)))


def _order(scope: str) -> tuple[int, str]:
    return (0 if scope == MEAN else 1 if scope.startswith("mean") else 2, scope)


def turned(row: DifferenceRow) -> DifferenceRow:
    """The same comparison seen from the other side."""

    def minus(value: float | None) -> float | None:
        return None if value is None else -value

    return row.model_copy(
        update={
            "base": row.other, "other": row.base, "base_score": row.other_score, "other_score": row.base_score,
            "difference": minus(row.difference), "low": minus(row.high), "high": minus(row.low),
            "outcome": opposite(row.outcome), "confidence": None if row.confidence is None else 1 - row.confidence,
        }
    )  # fmt: skip


def verdict(row: DifferenceRow) -> str:
    """The outcome in words."""
    judgement = Judgement(row.outcome, row.reason, row.remedy)
    return words(judgement, row.other, row.difference, row.detectable, tasks=len(row.tasks), seeds=row.seeds)


def _verdicts(rows: list[DifferenceRow]) -> tuple[Prose, ...]:
    said = tuple(f"Over all tasks, {row.base} and {row.other}: {verdict(row)}." for row in rows if row.scope == MEAN)
    return (Prose("Verdict", said),) if said else ()


def _p(value: float | None) -> Cell:
    if value is None:
        return Cell("–", muted=True)
    return Cell("<0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.1 else f"{value:.2f}", value)


_NOTE = "The claim to make is the one over all tasks; single tasks show where it comes from."


def _table(snapshot: Snapshot, condition: ConditionRow | None, base: str, rows: list[DifferenceRow]) -> Table:
    known, others = cards(snapshot), dict.fromkeys(row.other for row in rows)
    many = len(others) > 1
    where = f" ({condition.recipe}, {condition.rows:,} rows)" if condition else ""

    def draw(row: DifferenceRow) -> tuple[Cell, ...]:
        link = f"tasks?task={row.scope}" if row.scope in row.tasks else ""
        names = (Cell(row.scope, row.scope, link=link), *((named(known, row.other),) if many else ()))
        return (*names, *_numbers(row), Cell(said := verdict(row), said, small=row.note))

    columns = (Column("scope", "Task"), *((Column("other", "With"),) if many else ()),
               *_columns(base, "Other" if many else next(iter(others), "Other")))  # fmt: skip
    return Table("compare", f"Differences to {base}{where}" if base else "Nothing to compare", columns,
                 (Section("", tuple(draw(row) for row in rows)),), (_NOTE,))  # fmt: skip


def comparisons(found: Compared) -> Table:
    """The table of ``clinsynth compare``, with the adjusted p-value and the verdict in one word."""
    budget = "all their rows" if found.rows is None else f"{found.rows:,} rows"
    first, p, *rest = _columns(found.base, "Other")
    columns = (
        Column("scope", "Task"), Column("other", "With"), first, p,
        Column("p_holm", "p (Holm)", number=True, spare=True,
               help="Adjusted for the comparisons of the same line of tasks."),
        Column("outcome", "Outcome"), *rest,
    )  # fmt: skip

    def draw(row: Comparison) -> tuple[Cell, ...]:
        difference, chance, *others = _numbers(row)
        return (text(row.scope), text(row.other), difference, chance, _p(row.p_holm), text(row.judgement.verdict),
                *others, Cell(row.words, row.words, small=row.note))  # fmt: skip

    return Table("compare", f"Differences to {found.base} ({found.recipe}, {budget})", columns,
                 (Section("", tuple(draw(row) for row in found.comparisons)),), found.remarks)  # fmt: skip


def _columns(base: str, other: str) -> tuple[Column, ...]:
    return (
        Column("difference", "Difference", number=True, interval=True,
               help="The other minus the first, in points, paired by test unit and by seed; behind it 95 %."),
        Column("p", "p", number=True, spare=True,
               help="Two-sided, of this comparison alone: the more are read, the more are chance."),
        Column("detectable", "Can tell apart", number=True, spare=True,
               help="In points: the true difference that is found 4 times in 5."),
        Column("base_score", base or "First", number=True),
        Column("other_score", other, number=True),
        Column("seeds", "Seeds", number=True, spare=True),
        Column("verdict", "Verdict"),
    )  # fmt: skip


def _numbers(row: DifferenceRow | Comparison) -> tuple[Cell, ...]:
    return (
        number(row.difference, row.low, row.high, sign="+", title=row.note), _p(row.p), number(row.detectable),
        number(row.base_score), number(row.other_score), Cell(str(row.seeds), row.seeds),
    )  # fmt: skip


def _points(rows: list[DifferenceRow], label: str) -> list[tuple[bool, Point]]:
    drawn = [row for row in rows if row.difference is not None]
    return [
        (
            row.outcome in ("better", "worse"),
            Point(100 * (row.difference or 0), k, None if row.low is None else 100 * row.low,
                  None if row.high is None else 100 * row.high, row.scope if label == "scope" else row.other),
        )
        for k, row in enumerate(drawn)
    ]  # fmt: skip


def _forest(scope: str, rows: list[DifferenceRow]) -> Figure:
    base = rows[0].base if rows else ""
    return forest(
        "compare-all",
        f"Differences to {base}, {scope}",
        _points(rows, "other"),
        "Each difference with its 95 % interval; filled diamonds are decided, open circles are not.",
    )


def _of_other(name: str, rows: list[DifferenceRow]) -> Figure:
    base = rows[0].base if rows else ""
    figure = forest(
        f"compare-{name}",
        f"{name} minus {base}",
        _points(rows, "scope"),
        "The difference on each task with its 95 % interval; filled diamonds are decided, open circles are not.",
    )
    return replace(figure, y_title="task")
