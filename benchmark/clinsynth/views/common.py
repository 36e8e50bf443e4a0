"""What several views need: the filters of the condition, and a submission's name as a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from clinsynth.results import DataKind
from clinsynth.snapshot import ConditionRow, Place, Snapshot, SubmissionRow, TaskRow
from clinsynth.views.model import Cell, Choice, Figure, Filter, Point, Query, Section, Series, pick, text

SECTIONS: dict[Place, str] = {
    "ranked": "Ranked",
    "reference": "References, shown beside and never ranked",
    "unranked": "Below the line: not ranked, with the reason",
}
MEAN = "mean of the types"


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
    """Data, student and rows as filters, each offering only what the ones before it leave; and what they select."""
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
    """The cards by name."""
    return {row.submission: row for row in snapshot.tables.submissions}


def tasks(snapshot: Snapshot) -> dict[str, TaskRow]:
    """The tasks by name."""
    return {row.task: row for row in snapshot.tables.tasks}


def named(cards: dict[str, SubmissionRow], name: str, small: str = "") -> Cell:
    """A submission's name, with a link to its page and the title to read."""
    card = cards.get(name)
    return text(name, link=name, small=small, title=card.title if card else "")


def sections(rows: Sequence[P], draw: Callable[[P], tuple[Cell, ...]]) -> tuple[Section, ...]:
    """Rows in the order given, by their place; places without rows are left out."""
    found = [(SECTIONS[place], [row for row in rows if row.place == place]) for place in SECTIONS]
    return tuple(Section(title, tuple(draw(row) for row in own)) for title, own in found if own)


def spoken(name: str) -> str:
    """``natural language inference`` from ``natural_language_inference``."""
    return name.replace("_", " ")


def forest(key: str, title: str, points: Sequence[tuple[bool, Point]], description: str) -> Figure:
    """Differences with their intervals: each point with whether it is decided."""
    kinds = (("decided", True), ("not decided", False))
    series = [
        Series(name, tuple(point for decided, point in points if decided is kind), emphasis=kind)
        for name, kind in kinds
    ]
    return Figure(key, title, "forest", tuple(each for each in series if each.points), "difference in points", zero=0,
                  description=description)  # fmt: skip


def no_results() -> tuple[str, str]:
    """What a page without a condition says."""
    return "No results", "No submission in this snapshot has a result yet."
