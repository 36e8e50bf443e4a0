"""What a task is, and rows to look at: labels, a hand-written example, known faults, what a constant answer gets."""

from __future__ import annotations

from clinsynth.snapshot import ConditionRow, Snapshot, TaskRow
from clinsynth.views.common import of, spoken, where
from clinsynth.views.model import Block, Cell, Column, Facts, Prose, Section, Table, count, plain, text


def task_blocks(snapshot: Snapshot, condition: ConditionRow | None, spec: TaskRow) -> tuple[Block, ...]:
    """Everything of a task but its scores."""
    return (
        _facts(snapshot, condition, spec),
        *_labels(spec),
        *_examples(snapshot, spec),
        *((Prose("Known faults, and what else to know of the data", spec.notes),) if spec.notes else ()),
    )


def _facts(snapshot: Snapshot, condition: ConditionRow | None, spec: TaskRow) -> Facts:
    summary = next(iter(of(snapshot.tables.summaries, condition, task=spec.task)), None)
    pairs = [
        ("Type", text(spoken(spec.type))),
        ("Metric", text(spec.metric.replace("_", " ").replace("f1", "F1"))),
        ("Labels", count(spec.labels)),
        ("Test examples", count(spec.test, reason="not counted yet")),
        ("Independent unit", text(spec.unit)),
    ]
    if summary and summary.units:
        pairs.append(("Units in the test set", count(summary.units)))
    if summary and summary.floor is not None:
        pairs.append(("A constant answer gets", text(plain(summary.floor), small=summary.constant)))
    if summary and summary.detectable is not None:
        pairs.append(("Can tell apart", text(f"{plain(summary.detectable)} points",
                                             small="a true difference that is found 4 times in 5")))  # fmt: skip
    pairs += [
        ("Access", text(spec.access)),
        ("Licence", text(spec.licence)),
        ("Home", text(spec.homepage, link=spec.homepage)),
    ]
    return Facts(f"The task {spec.task}", tuple(pairs))


def _labels(spec: TaskRow) -> tuple[Table, ...]:
    rows = tuple((text(name), text(words)) for name, words in zip(spec.label_names, spec.label_texts, strict=True))
    columns = (Column("label", "Label"), Column("meaning", "What it means"))
    return (Table("labels", "Labels", columns, (Section("", rows),)),) if rows else ()


def _examples(snapshot: Snapshot, spec: TaskRow) -> tuple[Table, ...]:
    rows = where(snapshot.tables.examples, submission="", task=spec.task)
    drawn = tuple((text(row.answer), text(row.text)) for row in rows)
    columns = (Column("answer", "Answer"), Column("text", "Text"))
    notes = ("Written by hand to show the form; none is from the data set.",)
    return (Table("examples", "What an example looks like", columns, (Section("", drawn),), notes),) if drawn else ()


def row_table(snapshot: Snapshot, submission: str) -> tuple[Table, ...]:
    """Rows of a submission that may be shown."""
    rows = where(snapshot.tables.examples, submission=submission)
    drawn = tuple(
        (Cell(row.task, row.task, link=f"tasks?task={row.task}"), text(row.answer), text(row.text)) for row in rows
    )
    columns = (Column("task", "Task"), Column("answer", "Answer"), Column("text", "Text"))
    notes = (
        "Spread over the tasks and their files. Rows are shown where the task and the licence are open, the generator "
        "saw at most a few real examples, and the audit names no real text in them.",
    )
    caption = f"{len(drawn)} rows of {submission}"
    return (Table("examples", caption, columns, (Section("", drawn),), notes),) if drawn else ()
