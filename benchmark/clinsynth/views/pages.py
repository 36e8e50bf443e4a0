"""The pages of a snapshot by view, before they are drawn: the site, the app and the exports draw the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from clinsynth.core import UnknownNameError
from clinsynth.snapshot import Snapshot
from clinsynth.views.common import stacked
from clinsynth.views.compare import compare
from clinsynth.views.curves import cost, curves
from clinsynth.views.data import quality
from clinsynth.views.direct import direct
from clinsynth.views.front import overall
from clinsynth.views.model import Column, Page, Query, Table
from clinsynth.views.other import elsewhere, method, submit
from clinsynth.views.scores import LABEL_MIX, LABEL_SHARES, by_task, by_type
from clinsynth.views.submission import submission

VIEWS: dict[str, Callable[[Snapshot, Query], Page]] = {
    "overall": overall,
    "types": by_type,
    "tasks": by_task,
    "compare": compare,
    "curves": curves,
    "cost": cost,
    "quality": quality,
    "submission": submission,
    "direct": direct,
    "elsewhere": elsewhere,
    "method": method,
    "submit": submit,
}
"""Every view, in the order in which they are offered."""

TITLES = {
    "overall": "Leaderboard", "types": "Types", "tasks": "Tasks", "compare": "Compare", "curves": "Learning curves",
    "cost": "Cost", "quality": "Data quality", "submission": "Submissions", "direct": "Direct LLM",
    "elsewhere": "Published elsewhere", "method": "Method", "submit": "Submit",
}  # fmt: skip
"""Titles of the views in menus."""


def shown(snapshot: Snapshot) -> tuple[str, ...]:
    """The views that have something to show in this snapshot, in order: menus leave out the others."""
    tables = snapshot.tables
    points = Counter((row.data, row.recipe, row.submission, row.task) for row in tables.curves)
    filled = {
        "types": bool(tables.types), "tasks": bool(tables.scores), "compare": bool(tables.differences),
        "curves": any(count > 1 for count in points.values()),
        "cost": any(row.dollars is not None or row.tokens is not None for row in tables.costs),
        "quality": bool(tables.quality or tables.audits), "submission": bool(tables.submissions),
        "direct": bool(tables.direct or tables.suites or tables.grades), "elsewhere": bool(tables.elsewhere),
    }  # fmt: skip
    return tuple(view for view in VIEWS if filled.get(view, True))


def page(snapshot: Snapshot, view: str, query: Query) -> Page:
    """A view under a query. Raises ``UnknownNameError`` for a view that does not exist."""
    if view not in VIEWS:
        raise UnknownNameError("view", view, VIEWS)
    return VIEWS[view](snapshot, query)


def over_tasks(snapshot: Snapshot, view: str) -> Table:
    """The first table of a view that has a filter of tasks, for all of them under one another."""
    first = page(snapshot, view, {})
    chosen = next(each for each in first.filters if each.key == "task")
    pages = {choice.value: page(snapshot, view, {"task": choice.value}) for choice in chosen.choices}
    if not pages:
        return first.tables[0]
    metrics = {row.task: row.metric.replace("_", " ") for row in snapshot.tables.tasks}
    columns = (Column("task", "Task"), Column("metric", "Metric"))
    tables = {(task, metrics.get(task, "")): made.tables[0] for task, made in pages.items()}
    mixes = (
        f"{task}: {note}"
        for (task, _), each in tables.items()
        for note in each.notes
        if note.startswith((LABEL_MIX, LABEL_SHARES))
    )
    made = stacked(columns, tables, f"{first.title}: scores x 100")
    return replace(made, notes=(*made.notes, *mixes))
