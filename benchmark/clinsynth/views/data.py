"""The data behind the scores: what a task is, rows to look at, their quality, audits and generation."""

from __future__ import annotations

from typing import get_args

from clinsynth.results import DataKind
from clinsynth.snapshot import AuditRow, ConditionRow, GenerationRow, QualityRow, Snapshot, TaskRow
from clinsynth.views.common import cards, named, of, spoken, where
from clinsynth.views.model import (
    Block,
    Cell,
    Choice,
    Column,
    Facts,
    Page,
    Prose,
    Query,
    Section,
    Table,
    count,
    number,
    pick,
    plain,
    text,
)

_SCALES = {"share": (100.0, 1), "value": (1.0, 3), "count": (1.0, 0)}
"""Scale and decimals of a number, by how it is shown."""
_SHORT = ("aps", "ingf", "cmd", "word_coverage", "duplicates", "near_duplicates", "conflicting", "label_noise")
"""Numbers of the summary, in this order; the page of a submission shows all numbers."""
_HELP = {
    "aps": "APS, average pairwise similarity: the mean cosine of all pairs of rows; lower is more varied.",
    "aps_intra": "APS of pairs with the same answer.",
    "aps_inter": "APS of pairs with different answers.",
    "ingf": "INGF, inter-sample n-gram frequency: runs of three words for each distinct one; lower is more varied.",
    "cmd": "CMD, central moment discrepancy: how far the rows' embeddings are distributed from real ones; 0 is alike.",
    "frechet": "Between the embeddings of the rows and of real text, as two normal distributions; 0 is alike.",
    "distinct_1": "Distinct words for each word.",
    "distinct_2": "Distinct pairs of words for each pair.",
    "distinct_3": "Distinct runs of three words for each run.",
    "label_divergence": "Jensen-Shannon divergence of the shares of the labels from real ones; 0 is alike, 1 is most.",
    "length_divergence": "Jensen-Shannon divergence of the lengths from real ones; 0 is alike, 1 is most.",
    "label_noise": "Share of labels that look wrong to a classifier of the rows themselves (confident learning).",
}
"""Explanations of the short names."""
_GROUPS = ("summary", "diversity", "alignment", "faults")


def quality(snapshot: Snapshot, query: Query) -> Page:
    """Quality and audit of every submission on one task."""
    warnings: list[str] = []
    tables = snapshot.tables
    kinds = sorted(k for k in get_args(DataKind) if where(tables.quality, data=k) or where(tables.audits, data=k))
    data = pick(query, "data", "Data", [Choice(kind, kind) for kind in kinds], warnings, "real")
    names = [
        row.task
        for row in tables.tasks
        if where(tables.quality, task=row.task, data=data.value) or where(tables.audits, task=row.task, data=data.value)
    ]
    task = pick(query, "task", "Task", [Choice(name, name) for name in names], warnings)
    group = pick(query, "group", "Numbers", [Choice(name, name) for name in _GROUPS], warnings)
    measured = where(tables.quality, task=task.value, data=data.value)
    audits = where(tables.audits, task=task.value, data=data.value)
    filters = (*((data,) if len(kinds) > 1 else ()), task, group)
    shown = tuple(dict.fromkeys([row.submission for row in measured] + [row.submission for row in audits]))
    blocks = (_quality_table(snapshot, task.value, group.value, measured), audit_table(snapshot, task.value, audits))
    lead = "How diverse, how close to real text and how faulty the rows are: reported, never part of a score."
    return Page("quality", "Data quality", lead, filters, blocks, tuple(warnings), shown)


def quality_cell(row: QualityRow | None, *, real: bool = False) -> Cell:
    """A cell with one number in its own unit, or with the reason why there is none."""
    if row is None:
        return Cell("–", muted=True, title="not measured")
    scale, digits = _SCALES[row.show]
    value = row.real if real else row.value
    if value is None:
        return Cell("–", muted=True, title=row.reason)
    spread = f"±{plain(row.spread, scale, digits=digits)}" if row.spread and not real else ""
    text = f"{value:,.0f}" if row.show == "count" else plain(value, scale, digits=digits)
    return Cell(text, value, spread)


def _quality_table(snapshot: Snapshot, task: str, group: str, rows: list[QualityRow]) -> Table:
    wanted: dict[str, QualityRow] = {}
    for row in rows:
        if group == row.group or (group == "summary" and row.number in _SHORT):
            wanted.setdefault(row.number, row)
    order = sorted(wanted, key=lambda name: _SHORT.index(name) if group == "summary" else 0)
    known = cards(snapshot)
    at = {(row.submission, row.number): row for row in rows}
    names = sorted({row.submission for row in rows})
    drawn = tuple((named(known, n), *(quality_cell(at.get((n, number))) for number in order)) for n in names)
    real = _real(order, rows)
    parts = (
        Section("", drawn),
        *((Section("As many real rows, against the other real rows", (real,)),) if real else ()),
    )
    columns = (
        Column("submission", "Submission"),
        *(
            Column(
                n,
                wanted[n].title.strip() + (", %" if wanted[n].show == "share" else ""),
                number=True,
                help=_HELP.get(n, ""),
            )
            for n in order
        ),
    )
    caption = (
        f"Quality of the rows for {task}: {group}"
        if rows
        else "Quality: no submission of this snapshot has been measured"
    )
    missing = sorted(
        {f"{row.title.strip()}: {row.reason}" for row in rows if row.number in order and row.value is None}
    )
    notes = (
        "Numbers are means over equal draws of rows; ± is the standard deviation over the draws.",
        *(f"A dash, {reason}." for reason in missing),
    )
    return Table("quality", caption, columns, parts, notes if rows else ("clinsynth quality DIR measures one.",))


def _real(order: list[str], rows: list[QualityRow]) -> tuple[Cell, ...]:
    first = {row.number: row for row in reversed(rows) if row.real is not None}
    if not first:
        return ()
    return (Cell("real rows", "real rows"), *(quality_cell(first.get(name), real=True) for name in order))


def audit_table(snapshot: Snapshot, what: str, rows: list[AuditRow], *, by_task: bool = False) -> Table:
    """Findings of the audits."""
    known = cards(snapshot)

    def draw(row: AuditRow) -> tuple[Cell, ...]:
        return (
            Cell(row.task, row.task) if by_task else named(known, row.submission),
            Cell(row.state, row.state, small="; ".join(row.reasons)),
            count(row.rows), count(row.leaks), count(row.excused), count(row.touched), count(row.train_repeats),
            count(row.longest_words), number(row.private_share, title="not looked for"),
            number(row.private_real, title="no real text here"),
            count(row.canaries, reason="not planted"), number(row.score_shift, sign="+", title="nothing touched"),
        )  # fmt: skip

    columns = (
        Column("task", "Task") if by_task else Column("submission", "Submission"),
        Column("audit", "Audit", help="Only rows with a clean audit can be ranked."),
        Column("rows", "Rows", number=True),
        Column("leaks", "Test repeats", number=True, help="Rows that repeat or paraphrase a test example."),
        Column("excused", "Excused", number=True, help="By chance, or published outside the test split too."),
        Column("touched", "Test touched", number=True),
        Column("train_repeats", "Train repeats", number=True, help="Rows that repeat real training text."),
        Column("longest", "Longest copy, words", number=True),
        Column("private", "PHI-like, %", number=True),
        Column("private_real", "of real, %", number=True),
        Column("canaries", "Canaries", number=True),
        Column("shift", "Score without touched", number=True,
               help="Change of the score if the touched test examples are left out."),
    )  # fmt: skip
    caption = f"Leakage and privacy: {what}" if rows else "Leakage and privacy: nothing was audited"
    notes = () if rows else ("clinsynth audit DIR does it; a submission that was not audited is never ranked.",)
    return Table("audits", caption, columns, (Section("", tuple(draw(row) for row in rows)),), notes)


def generation_tables(snapshot: Snapshot, name: str) -> tuple[Table, ...]:
    """Yield, dropped rows and cost of one submission, where its generation left a record."""
    rows = where(snapshot.tables.generation, submission=name)
    drops = where(snapshot.tables.drops, submission=name)
    if not rows:
        return ()

    def draw(row: GenerationRow) -> tuple[Cell, ...]:
        share = row.kept / row.candidates if row.kept is not None and row.candidates else None
        lost = ", ".join(f"{d.reason} {d.count:,}" for d in drops if d.task == row.task)
        dollars = Cell("unknown", muted=True) if row.dollars is None else Cell(f"{row.dollars:.4f}", row.dollars)
        return (
            Cell(row.task, row.task), Cell(row.model or "none", row.model), count(row.candidates), count(row.kept),
            number(share), Cell(lost or "nothing", lost), count(row.calls), count(row.tokens_in),
            count(row.tokens_out), dollars, Cell(row.stopped or "complete", row.stopped),
        )  # fmt: skip

    columns = (
        Column("task", "Task"), Column("model", "Model"), Column("candidates", "Candidates", number=True),
        Column("kept", "Kept", number=True), Column("yield", "Yield, %", number=True),
        Column("dropped", "Dropped, by reason"), Column("calls", "Calls", number=True),
        Column("tokens_in", "Tokens in", number=True), Column("tokens_out", "Tokens out", number=True),
        Column("dollars", "Dollars", number=True), Column("stopped", "Ended"),
    )  # fmt: skip
    section = Section("", tuple(draw(row) for row in rows))
    return (Table("generation", f"How the rows of {name} were generated", columns, (section,)),)


def task_blocks(snapshot: Snapshot, condition: ConditionRow | None, spec: TaskRow) -> tuple[Block, ...]:
    """Everything that describes a task: facts, labels, examples and known faults."""
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
