"""Records to tables: the only place where scores are averaged, for the command line, the README and every export."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinsynth.errors import UserError
from clinsynth.registry import TASKS
from clinsynth.results import DataKind, Results, RunRecord
from clinsynth.submissions import Card
from clinsynth.submissions.writing import existing_card

RANKED_SEEDS = 5
"""Seeds of a row that may be ranked (protocol); with fewer it is preliminary."""


@dataclass(frozen=True, slots=True)
class Score:
    """A submission's result on one task: the seeds' raw scores, and what follows from them."""

    task: str
    metric: str
    rows: int
    """Training rows that were used."""
    by_seed: dict[int, float]
    """Main metric for each seed, in [0, 1]."""

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(self.by_seed.values())

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over the seeds; ``None`` for one seed."""
        return statistics.stdev(self.by_seed.values()) if len(self.by_seed) > 1 else None


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of the table."""

    name: str
    title: str
    kind: str
    """submission or reference."""
    scores: dict[str, Score]
    """By task."""

    def type_means(self) -> dict[str, float]:
        """Mean over the tasks of each type that has any score."""
        by_type: dict[str, list[float]] = defaultdict(list)
        for task, score in self.scores.items():
            by_type[TASKS[task].spec.type].append(score.mean)
        return {name: statistics.mean(values) for name, values in sorted(by_type.items())}

    def overall(self, tasks: Sequence[str]) -> float | None:
        """Mean of the type means; ``None`` if one of ``tasks`` has no score: a gap never makes it smaller or larger."""
        return statistics.mean(self.type_means().values()) if set(tasks) <= self.scores.keys() else None

    @property
    def seeds(self) -> int:
        """The fewest seeds of any task."""
        return min(len(score.by_seed) for score in self.scores.values())


@dataclass(frozen=True, slots=True)
class Standings:
    """All that is comparable: one recipe, one budget, one kind of data."""

    recipe: str
    budget: int
    kind: DataKind
    tasks: tuple[str, ...]
    """Tasks with any score: the columns."""
    rows: tuple[Standing, ...]
    """Complete rows first, best first; then the others by name."""
    left_out: tuple[str, ...]
    """What is not in the table, with the reason."""

    def missing(self) -> list[str]:
        """Tasks of the benchmark that no row has."""
        return [name for name in TASKS if name not in self.tasks]

    def remarks(self) -> list[str]:
        """What a reader must know to read the table rightly."""
        out = [
            f"Students were fine-tuned by {self.recipe} on {self.budget:,} rows. Scores x 100: mean (SD over seeds)."
        ]
        if self.kind == "sample":
            out.append("SAMPLE: the test items are a few hand-written ones. These numbers try the machinery, no more.")
        few = [row.name for row in self.rows if row.seeds < RANKED_SEEDS]
        if few:
            out.append(f"Preliminary, fewer than {RANKED_SEEDS} seeds: {', '.join(few)}.")
        fewer = [
            f"{row.name} ({min(s.rows for s in row.scores.values())}-{max(s.rows for s in row.scores.values())} rows)"
            for row in self.rows
            if any(score.rows < self.budget for score in row.scores.values())
        ]
        if fewer:
            out.append(f"Had fewer rows and used all of them: {', '.join(fewer)}.")
        if self.missing():
            out.append(
                f"No overall score is that of the whole benchmark: no result yet on {', '.join(self.missing())}."
            )
        return [*out, *self.left_out]


def folders(places: Sequence[Path]) -> list[Path]:
    """Submission folders among ``places``: each is one, or holds some. Raises ``UserError`` where there is none."""
    found: list[Path] = []
    for place in places:
        inside = [path.parent for path in sorted(place.glob("*/submission.toml"))]
        found += [place] if (place / "submission.toml").is_file() else inside
    if not found:
        raise UserError(f"no submission under {', '.join(map(str, places))}", expected="a folder with submission.toml")
    return found


def standings(places: Sequence[Path], recipe: str, budget: int, kind: DataKind) -> Standings:
    """Collect what is stored under ``places``. Reads records only: no data, no student."""
    left_out: list[str] = []
    rows: list[Standing] = []
    found: list[tuple[Card, list[RunRecord]]] = []
    for folder in folders(places):
        card = existing_card(folder)
        if card is None:
            left_out.append(f"{folder.name} is not shown: submission.toml is faulty; see clinsynth validate {folder}")
            continue
        stored = (record for record in Results(folder, kind).records() if record.task in TASKS)
        found.append((card, [record for record in stored if record.recipe == recipe and _in_budget(record, budget)]))
    tests = _agreed(record for _, records in found for record in records)
    for card, records in found:
        scores, odd = _scores(records, tests)
        left_out += [f"{card.name} on {task} is not shown: {reason}." for task, reason in odd.items()]
        if scores:
            rows.append(Standing(card.name, card.title, card.kind, scores))
        elif not odd:
            left_out.append(f"{card.name} is not shown: no {kind} run of {recipe} on {budget:,} rows.")
    tasks = tuple(name for name in TASKS if any(name in row.scores for row in rows))
    overall = {row.name: row.overall(tasks) for row in rows}
    rows.sort(key=lambda row: ((mean := overall[row.name]) is None, -(mean or 0.0), row.name))
    return Standings(recipe, budget, kind, tasks, tuple(rows), tuple(left_out))


def _in_budget(record: RunRecord, budget: int) -> bool:
    """Whether a run used the budget; or all rows of a method that has fewer, which the remarks then say."""
    return record.rows == budget or (record.rows < budget and record.rows == record.training.available)


def _conditions(record: RunRecord) -> tuple[str, str, str]:
    """What two runs must share for their scores to be comparable, beside task, recipe and budget."""
    return record.test.fingerprint, record.recipe_fingerprint, record.student_fingerprint


def _agreed(records: Iterable[RunRecord]) -> dict[str, tuple[str, str, str]]:
    """For each task the conditions of most runs."""
    by_task: dict[str, Counter[tuple[str, str, str]]] = defaultdict(Counter)
    for record in records:
        by_task[record.task][_conditions(record)] += 1
    return {task: counts.most_common(1)[0][0] for task, counts in by_task.items()}


def _scores(
    records: Iterable[RunRecord], agreed: dict[str, tuple[str, str, str]]
) -> tuple[dict[str, Score], dict[str, str]]:
    """Scores by task, and the tasks that cannot stand in the table, with the reason."""
    by_task: dict[str, list[RunRecord]] = defaultdict(list)
    for record in records:
        by_task[record.task].append(record)
    odd: dict[str, str] = {}
    for task, runs in by_task.items():
        if any(_conditions(run) != agreed[task] for run in runs):
            odd[task] = "another test set, recipe version or student than the other rows; score it again"
        elif len({run.training.fingerprint for run in runs}) > 1:
            odd[task] = "its runs were made on different data; delete those of the older data, or score it again"
    scores = {
        task: Score(task, runs[0].metric, runs[0].rows, {run.seed: run.score for run in runs})
        for task, runs in by_task.items()
        if task not in odd
    }
    return scores, odd


def _cell(score: Score | None) -> str:
    if score is None:
        return "-"
    spread = f" ({100 * score.spread:.1f})" if score.spread is not None else ""
    return f"{100 * score.mean:.1f}{spread}"


def grid(table: Standings) -> tuple[list[str], list[list[str]]]:
    """Head and body of the table as text: a row for each task, a column for each submission."""
    head = ["task", "metric", *(row.name for row in table.rows)]
    body = [
        [task, TASKS[task].spec.metric.replace("_", " "), *(_cell(row.scores.get(task)) for row in table.rows)]
        for task in table.tasks
    ]
    means = [row.type_means() for row in table.rows]
    for name in sorted({TASKS[task].spec.type for task in table.tasks}):
        of_type = [task for task in table.tasks if TASKS[task].spec.type == name]
        cells = [
            f"{100 * mean[name]:.1f}" if set(of_type) <= row.scores.keys() else "-"
            for row, mean in zip(table.rows, means, strict=True)
        ]
        body.append([f"mean: {name.replace('_', ' ')}", "", *cells])
    overall = [row.overall(table.tasks) for row in table.rows]
    body.append(["mean of the types", "", *("-" if value is None else f"{100 * value:.1f}" for value in overall)])
    return head, body


def as_markdown(table: Standings) -> str:
    """A Markdown table with the remarks below."""
    head, body = grid(table)
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * (len(head) - 2)]
    lines += ["| " + " | ".join(cells) + " |" for cells in body]
    return "\n".join([*lines, "", *table.remarks()]) + "\n"


def as_json(table: Standings) -> str:
    """Everything, with the raw score of every seed."""
    rows = [
        {
            "name": row.name, "title": row.title, "kind": row.kind, "seeds": row.seeds,
            "preliminary": row.seeds < RANKED_SEEDS,
            "type_means": row.type_means(), "overall": row.overall(table.tasks),
            "tasks": {
                task: {"metric": s.metric, "rows": s.rows, "mean": s.mean, "spread": s.spread, "by_seed": s.by_seed}
                for task, s in row.scores.items()
            },
        }
        for row in table.rows
    ]  # fmt: skip
    value = {
        "recipe": table.recipe, "budget": table.budget, "data": table.kind, "tasks": table.tasks,
        "missing_tasks": table.missing(), "remarks": table.remarks(), "rows": rows,
    }  # fmt: skip
    return json.dumps(value, indent=1) + "\n"


def as_csv(table: Standings) -> str:
    """One line for each submission and task."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["submission", "kind", "data", "recipe", "task", "metric", "rows", "seeds", "mean", "spread"])
    for row in table.rows:
        for score in row.scores.values():
            spread = "" if score.spread is None else f"{score.spread:.6f}"
            numbers = [score.rows, len(score.by_seed), f"{score.mean:.6f}", spread]
            writer.writerow([row.name, row.kind, table.kind, table.recipe, score.task, score.metric, *numbers])
    return out.getvalue()
