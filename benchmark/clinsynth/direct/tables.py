"""The direct track as text: for the command line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict

from clinsynth.core import Grid, text_table
from clinsynth.direct.numbers import DirectScore, DirectTable, Pair


def track(table: DirectTable) -> Grid:
    """A line for each task, a column for each row of the track."""
    head = ["task", "metric", *(row.label for row in table.direct)]
    body: list[list[str]] = []
    for task in table.tasks:
        found = [row.scores.get(task) for row in table.direct]
        metric = next(score.metric for score in found if score)
        body.append([task, metric.replace("_", " "), *map(_cell, found)])
    means = [row.overall(table.tasks) for row in table.direct]
    body.append(["mean of the types", "", *("-" if mean is None else f"{100 * mean:.1f}" for mean in means)])
    return head, body


def _cell(score: DirectScore | None) -> str:
    if score is None:
        return "-"
    bad = f", {100 * score.unparsable / score.asked:.0f} % unparsable" if score.unparsable else ""
    between = _between(score.low, score.high)
    return f"{100 * score.score:.1f}{'*' if score.preliminary else ''}{between}{bad}"


def _between(low: float | None, high: float | None, sign: str = "") -> str:
    return "" if low is None or high is None else f" ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"


def ask_or_train(table: DirectTable) -> Grid:
    """A line for each task and submission."""
    head = [
        "task",
        "model",
        "trained on",
        "examples",
        "zero-shot",
        "few-shot",
        "student",
        "student - best direct",
        "better",
    ]
    return head, [_pair(pair) for pair in table.pairs]


def _pair(pair: Pair) -> list[str]:
    asked = f"{pair.asked:,}{'*' if pair.preliminary else ''}"
    numbers = [_points(pair.zero_shot), _points(pair.few_shot), _points(pair.student)]
    difference = _points(pair.difference, "+") + _between(pair.low, pair.high, "+")
    return [pair.task, pair.model, pair.submission, asked, *numbers, difference, pair.better or "-"]


def _points(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{100 * value:{sign}.1f}"


def _cost(table: DirectTable) -> Grid:
    head = ["row", "tokens in", "tokens out", "dollars"]
    body: list[list[str]] = []
    for row in table.direct:
        scores = list(row.scores.values())
        sums = [_total([s.tokens_in for s in scores]), _total([s.tokens_out for s in scores])]
        dollars = _total([s.dollars for s in scores])
        known = ["unknown" if n is None else f"{n:,.0f}" for n in sums]
        body.append([row.label, *known, "unknown" if dollars is None else f"{dollars:.4f}"])
    return head, body


def _total(values: list[int | None] | list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def as_text(table: DirectTable) -> str:
    """Aligned columns."""
    parts = [text_table(*track(table), right=len(table.direct))]
    if table.pairs:
        parts += ["", "Ask the model, or train on what it writes?", text_table(*ask_or_train(table), right=6)]
    parts += ["", text_table(*_cost(table), right=3)]
    return "\n".join([*parts, "", *table.remarks])


def as_markdown(table: DirectTable) -> str:
    """Markdown tables with the remarks below."""
    grids = [track(table), *([ask_or_train(table)] if table.pairs else []), _cost(table)]
    blocks = [
        "\n".join("| " + " | ".join(cells) + " |" for cells in (head, [":--", *["--:"] * (len(head) - 1)], *body))
        for head, body in grids
    ]
    return "\n\n".join([*blocks, "\n".join(table.remarks)])


def as_json(table: DirectTable) -> str:
    """Everything."""
    return json.dumps(asdict(table), indent=1)


def as_csv(table: DirectTable) -> str:
    """One line for each row of the track and task."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fields = [*DirectScore.__dataclass_fields__]
    writer.writerow(["name", "model", "snapshot", "row", "shots", "data", "task", *fields])
    for row in table.direct:
        for task, score in row.scores.items():
            values = ["" if (value := getattr(score, name)) is None else value for name in fields]
            writer.writerow([row.name, row.model, row.snapshot, row.row, row.shots, table.kind, task, *values])
    return out.getvalue()


FORMATS: dict[str, Callable[[DirectTable], str]] = {
    "table": as_text,
    "markdown": as_markdown,
    "json": as_json,
    "csv": as_csv,
}
