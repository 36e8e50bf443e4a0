"""Parts that several views share: filters of the condition, a submission's name as a cell, forms of tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from clinsynth.results import DataKind
from clinsynth.snapshot import ConditionRow, Place, Snapshot, SubmissionRow, TaskRow
from clinsynth.standings import MEAN_OF_TYPES
from clinsynth.views.model import (
    DASH,
    Cell,
    Choice,
    Column,
    Figure,
    Filter,
    Point,
    Query,
    Section,
    Series,
    Table,
    pick,
    text,
)

SECTIONS: dict[Place, str] = {
    "ranked": "Ranked",
    "reference": "References, shown beside and never ranked",
    "unranked": "Below the line: not ranked, with the reason",
}
MEAN = MEAN_OF_TYPES


class Conditioned(Protocol):
    """A row that belongs to one condition."""

    @property
    def data(self) -> DataKind:
        """Real test sets, or the sample."""
        ...

    @property
    def recipe(self) -> str:
        """The student."""
        ...

    @property
    def rows(self) -> int:
        """The budget."""
        ...


class Placed(Protocol):
    """A row that is above, beside or below the line."""

    @property
    def place(self) -> Place:
        """Where it stands."""
        ...


C = TypeVar("C", bound=Conditioned)
R = TypeVar("R")
P = TypeVar("P", bound=Placed)


_KEPT = 128
_indices: dict[tuple[int, tuple[str, ...]], tuple[object, dict[tuple[object, ...], list[Any]]]] = {}
"""Each table by some of its columns, by the table's identity. The table is kept too, so that no other one can get its
identity. An index depends on the snapshot alone, never on a reader."""


def where(rows: Sequence[R], /, **wanted: object) -> list[R]:
    """The rows of a snapshot's table with these values. The list is shared: callers copy it before they change it.

    The table is read once for each set of columns, not once for each question.
    """
    columns = tuple(wanted)
    kept = _indices.get((id(rows), columns))
    if kept is None:
        index: dict[tuple[object, ...], list[Any]] = {}
        for row in rows:
            index.setdefault(tuple(getattr(row, column) for column in columns), []).append(row)
        if len(_indices) >= _KEPT:
            _indices.clear()
        kept = _indices[id(rows), columns] = rows, index
    return kept[1].get(tuple(wanted.values()), [])


def of(rows: Sequence[C], condition: ConditionRow | None, /, **wanted: object) -> list[C]:
    """The rows of one condition, and with these values. The list is shared, as that of ``where``."""
    if condition is None:
        return []
    return where(rows, data=condition.data, recipe=condition.recipe, rows=condition.rows, **wanted)


def condition_filters(
    snapshot: Snapshot, query: Query, warnings: list[str]
) -> tuple[ConditionRow | None, tuple[Filter, ...]]:
    """The selected condition, and its filters: data, student and rows, each with the choices that the former leave."""
    conditions: Sequence[ConditionRow] = snapshot.tables.conditions
    if not conditions:
        return None, ()
    filters: list[Filter] = []
    kinds = list(dict.fromkeys(each.data for each in conditions))
    if len(kinds) > 1:
        names = {"real": "real test sets", "sample": "bundled sample (means nothing)"}
        filters.append(pick(query, "data", "Data", [Choice(kind, names[kind]) for kind in kinds], warnings))
        conditions = [each for each in conditions if each.data == filters[-1].value]
    students = list(dict.fromkeys(each.recipe for each in conditions))
    filters.append(pick(query, "student", "Student", [Choice(name, name) for name in students], warnings))
    conditions = [each for each in conditions if each.recipe == filters[-1].value]
    default = str(conditions[0].rows)
    budgets = sorted({each.rows for each in conditions})
    filters.append(pick(query, "rows", "Training rows", [Choice(str(n), f"{n:,}") for n in budgets], warnings, default))
    (chosen,) = (each for each in conditions if str(each.rows) == filters[-1].value)
    return chosen, tuple(filters)


def cards(snapshot: Snapshot) -> dict[str, SubmissionRow]:
    """The submissions' cards, by name."""
    return {row.submission: row for row in snapshot.tables.submissions}


def tasks(snapshot: Snapshot) -> dict[str, TaskRow]:
    """The tasks, by name."""
    return {row.task: row for row in snapshot.tables.tasks}


def named(cards: dict[str, SubmissionRow], name: str, small: str = "") -> Cell:
    """A submission's name, with a link to its page and the title to read."""
    card = cards.get(name)
    return text(name, link=name, small=small, title=card.title if card else "")


def sections(rows: Sequence[P], draw: Callable[[P], tuple[Cell, ...]]) -> tuple[Section, ...]:
    """Rows in the order given, by their place; places without rows are left out."""
    by_place = [(SECTIONS[place], [row for row in rows if row.place == place]) for place in SECTIONS]
    return tuple(Section(title, tuple(draw(row) for row in own)) for title, own in by_place if own)


def spoken(name: str) -> str:
    """``natural language inference`` from ``natural_language_inference``."""
    return name.replace("_", " ")


def forest(key: str, title: str, points: Sequence[tuple[bool, Point]], description: str) -> Figure:
    """A forest plot of differences with intervals; each point comes with whether the difference is decided."""
    kinds = (("decided", True), ("not decided", False))
    series = [
        Series(name, tuple(point for decided, point in points if decided is kind), emphasis=kind)
        for name, kind in kinds
    ]
    return Figure(key, title, "forest", tuple(each for each in series if each.points), "difference in points", zero=0,
                  description=description)  # fmt: skip


def crossed(
    table: Table, first: Column, cells: Mapping[tuple[str, str], Cell], beside: Mapping[str, Cell] | None = None
) -> Table:
    """A table with a line and a column for each name, and a dash where there is no cell.

    Args:
        table: key, caption and notes; its columns say what stands between the names and the cells.
        first: what the lines are.
        cells: by the name of the line and that of the column, in the order in which they are first met.
        beside: for each line the one cell that belongs to the columns of ``table``, if it has any.
    """
    lines, names = (tuple(dict.fromkeys(key[k] for key in cells)) for k in (0, 1))
    columns = (first, *table.columns, *(Column(name, name, number=True, interval=True) for name in names))
    nothing = Cell(DASH, muted=True)
    drawn = tuple(
        (text(line), *((beside.get(line, Cell("")),) if beside is not None else ()),
         *(cells.get((line, name), nothing) for name in names))
        for line in lines
    )  # fmt: skip
    return replace(table, columns=columns, sections=(Section("", drawn),))


def with_short_titles(table: Table) -> Table:
    """Columns of numbers without the ending that many names share (the writer's, mostly), and a note that says it.

    Exports go on naming the columns in full.
    """
    names = [column.title for column in table.columns if column.number]
    ending = shared_ending(names)
    if not ending:
        return table
    columns = tuple(
        replace(column, title=shortened(column.title, ending)) if column.number else column for column in table.columns
    )
    return replace(table, columns=columns, notes=(*table.notes, f"… stands for {ending}."))


def shortened(name: str, ending: str) -> str:
    """A name with an ellipsis in place of the ending, if it has that."""
    return f"{name.removesuffix(ending)}…" if ending and name.endswith(ending) else name


def shared_ending(names: Sequence[str]) -> str:
    """The ending, from a hyphen on, that saves most if it is said once; empty if fewer than three share a long one."""
    found = Counter(name[at.start() :] for name in names for at in re.finditer("-", name) if at.start())
    worth = {ending: count * len(ending) for ending, count in found.items() if count > 2 and len(ending) > 6}
    return max(worth, key=lambda ending: worth[ending], default="")


def stacked(first: Sequence[Column], tables: Mapping[tuple[str, ...], Table], caption: str) -> Table:
    """Tables of the same kind under one another, with columns that say which one a row is of.

    Args:
        first: those columns.
        tables: by the cells of these columns; a column that one of the tables lacks holds a dash there.
        caption: of the whole.
    """
    columns: dict[str, Column] = {}
    for column in (column for table in tables.values() for column in table.columns):
        known = columns.setdefault(column.key, column)
        if known.title != column.title:
            columns[column.key] = replace(known, title=column.key.replace("_", " ").capitalize())
    nothing = Cell(DASH, muted=True)
    drawn: list[tuple[Cell, ...]] = []
    for own, table in tables.items():
        for title, row in table.rows:
            cells = {column.key: cell for column, cell in zip(table.columns, row, strict=True)}
            # A section's title says more than a column has room for.
            place = text(re.split("[,:]", title)[0])
            drawn.append((*map(text, own), place, *(cells.get(key, nothing) for key in columns)))
    # What is said of one table alone is not true of the whole.
    every_notes = [table.notes for table in tables.values()]
    notes = tuple(note for note in dict.fromkeys(sum(every_notes, ())) if all(note in own for own in every_notes))
    key = next((table.key for table in tables.values()), "")
    every = (*first, Column("place", "Place"), *columns.values())
    made = Table(key, caption, every, (Section("", tuple(drawn)),), notes)
    placed = any(title for table in tables.values() for title, _ in table.rows)
    return made if placed else made.with_columns([k for k, column in enumerate(every) if column.key != "place"])


def no_results() -> tuple[str, str]:
    """The line on a page that has no condition."""
    return "No results", "No submission in this snapshot has a result yet."
