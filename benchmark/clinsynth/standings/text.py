"""The table of means as text, and everything as JSON and CSV. Other views are in ``views``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from clinsynth.core import TASKS, Grid
from clinsynth.standings.model import Score, Standing, Standings


def _cell(score: Score | None) -> str:
    if score is None:
        return "-"
    spread = f" ({100 * score.spread:.1f})" if score.spread is not None else ""
    return f"{100 * score.mean:.1f}{spread}"


def grid(table: Standings) -> Grid:
    """The table of means as text: a row for each task, a column for each submission."""
    head = ["task", "metric", *(row.name for row in table.rows)]
    body = [
        [task, TASKS[task].spec.metric.replace("_", " "), *(_cell(row.scores.get(task)) for row in table.rows)]
        for task in table.tasks
    ]
    means = [row.type_means(table.required) for row in table.rows]
    for name in sorted({TASKS[task].spec.type for task in table.required}):
        of_type = [task for task in table.required if TASKS[task].spec.type == name]
        cells = [
            f"{100 * mean[name]:.1f}" if set(of_type) <= row.scores.keys() else "-"
            for row, mean in zip(table.rows, means, strict=True)
        ]
        body.append([f"mean: {name.replace('_', ' ')}", "", *cells])
    overall = [row.overall(table.required) for row in table.rows]
    body.append(["mean of the types", "", *("-" if value is None else f"{100 * value:.1f}" for value in overall)])
    return head, body


def markdown_grid(grid: Grid, left: int = 2) -> str:
    """A Markdown table whose first ``left`` columns are text."""
    head, body = grid
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * left + "---:|" * (len(head) - left)]
    return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in body])


def as_markdown(table: Standings) -> str:
    """The table of means in Markdown, with the remarks below."""
    return "\n".join([markdown_grid(grid(table)), "", *table.remarks()]) + "\n"


def as_json(table: Standings) -> str:
    """Everything, with the raw score of every seed."""
    value = {
        "recipe": table.recipe, "budget": table.budget, "data": table.kind, "tasks": table.tasks,
        "required_tasks": table.required, "missing_tasks": table.missing(), "remarks": table.remarks(),
        "statistics": {
            "computed": table.computed, "resamples": table.resamples, "unavailable": table.unavailable,
            "tasks": {task: asdict(summary) for task, summary in table.summaries.items()},
            "agreements": [asdict(each) for each in table.agreements],
        },
        "rows": [_as_value(row, table) for row in table.rows],
    }  # fmt: skip
    return json.dumps(value, indent=1) + "\n"


def _as_value(row: Standing, table: Standings) -> dict[str, Any]:
    return {
        "name": row.name, "title": row.title, "kind": row.kind, "seeds": row.seeds,
        "preliminary": row.preliminary, "ranked": row.ranked,
        "reasons": [asdict(reason) for reason in row.reasons],
        "type_means": row.type_means(table.required), "overall": row.overall(table.required),
        "type_intervals": {name: asdict(interval) for name, interval in row.types.items()},
        "statistics": asdict(row.statistics) if row.statistics else None,
        "tasks": {
            task: {
                "metric": s.metric, "rows": s.rows, "mean": s.mean, "spread": s.spread, "by_seed": s.by_seed,
                "fixed": s.fixed, "statistics": asdict(s.statistics) if s.statistics else None, "missing": s.missing,
            }
            for task, s in row.scores.items()
        },
        "curves": [asdict(curve) for curve in row.curves],
        "cost": asdict(row.cost) if row.cost else None,
    }  # fmt: skip


def csv_lines(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """CSV with a head; ``None`` is an empty field, and a fraction has six digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for line in lines:
        writer.writerow(["" if v is None else f"{v:.6f}" if isinstance(v, float) else v for v in line])
    return out.getvalue()


def as_csv(table: Standings) -> str:
    """One line for each submission and task."""
    head = [
        "submission", "kind", "data", "recipe", "task", "metric", "rows", "seeds", "mean", "spread", "low", "high",
        "group", "leader", "difference", "difference_low", "difference_high", "p", "p_adjusted", "verdict",
        "detectable", "gap", "gap_low", "gap_high", "worth_real", "missing",
    ]  # fmt: skip
    return csv_lines(head, (_line(row, score, table) for row in table.rows for score in row.scores.values()))


def _line(row: Standing, score: Score, table: Standings) -> list[Any]:
    first: list[Any] = [row.name, row.kind, table.kind, table.recipe, score.task, score.metric, score.rows,
                        len(score.by_seed), score.mean, score.spread]  # fmt: skip
    own = score.statistics
    if own is None:
        return [*first, *[None] * 15, score.missing if table.computed else None]
    d, gap = own.leader, own.gap
    return [
        *first, own.interval and own.interval.low, own.interval and own.interval.high, own.group,
        *((d.other, d.value, d.low, d.high, d.p, d.p_adjusted, d.judgement.verdict, d.detectable)
          if d else [None] * 8),
        gap.value, gap.low, gap.high, own.worth.words, gap.reason,
    ]  # fmt: skip
