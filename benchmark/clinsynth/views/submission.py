"""One submission in full: card, disclosures, cost, every run, audits, how to reproduce it, how to cite it."""

from __future__ import annotations

from clinsynth.snapshot import ScoreRow, Snapshot, SubmissionRow
from clinsynth.views.common import MEAN, condition_filters, of, where
from clinsynth.views.compare import turned, verdict
from clinsynth.views.data import audit_table, generation_tables, quality_cell
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
    text,
)
from clinsynth.views.scores import gap_cell, rank_cell, seeds_cell


def submission(snapshot: Snapshot, query: Query) -> Page:
    """The page of one submission."""
    warnings: list[str] = []
    known = {row.submission: row for row in snapshot.tables.submissions}
    name = pick(query, "name", "Submission", [Choice(n, n) for n in known], warnings)
    condition, filters = condition_filters(snapshot, query, warnings)
    card = known.get(name.value)
    if card is None:
        return Page("submission", "Submission", "No submission in this snapshot.", warnings=tuple(warnings))
    scores = of(snapshot.tables.scores, condition, submission=card.submission)
    place = f"{condition.recipe}, {condition.rows:,} rows" if condition else ""
    audits = where(snapshot.tables.audits, submission=card.submission)
    blocks: list[Block] = [
        *_place(snapshot, query, card.submission),
        _card(card),
        _cost(card),
        _scores(scores, place),
        *_seeds(snapshot, query, card.submission),
        *_differences(snapshot, query, card.submission),
        audit_table(snapshot, card.submission, audits, by_task=True),
        *_quality(snapshot, card.submission),
        *generation_tables(snapshot, card.submission),
        _reproduce(card, scores),
        _citation(card),
    ]
    lead = f"{card.title}: {card.generator}"
    return Page(
        "submission", card.submission, lead, (name, *filters), tuple(blocks), tuple(warnings), (card.submission,)
    )


def _place(snapshot: Snapshot, query: Query, name: str) -> tuple[Facts, ...]:
    condition, _ = condition_filters(snapshot, query, [])
    found = of(snapshot.tables.overall, condition, submission=name)
    left = tuple(("Left out", text(row.reason)) for row in where(snapshot.tables.left_out, submission=name))
    if not found:
        return (Facts("Place", (("Place", text("not in this table")), *left)),) if left else ()
    (row,) = found
    ties = len(of(snapshot.tables.overall, condition, group=row.group)) > 1
    pairs = (
        ("Rank", rank_cell(row.group, row.rank_low, row.rank_high, ties, "not ranked")),
        ("Mean of the types", number(row.mean, row.low, row.high)),
        ("Gap recovered, %", gap_cell(row)),
        ("Seeds", seeds_cell(row.seeds)),
        *(("Not ranked", text(reason)) for reason in row.reasons),
        *left,
    )
    return (Facts("Place", pairs),)


def _card(card: SubmissionRow) -> Facts:
    real = {"none": "none"}.get(card.real_data, f"{card.real_data}: {card.real_details}")
    model = f"{card.llm} {card.llm_snapshot}".strip() if card.llm else "none"
    pairs = [
        ("Kind", text(card.kind if card.kind == "submission" else "reference, never ranked")),
        ("Authors", text(", ".join(card.authors))),
        ("Generator", text(card.generator)),
        ("Language model", text(model)),
        ("Real text seen", text(real)),
        ("Licence of the rows", text(card.licence)),
        ("Paper", text(card.paper or "none", link=card.paper)),
        *(("Disclosed", text(line)) for line in card.disclosures),
    ]
    return Facts("Card", tuple(pairs))


def _cost(card: SubmissionRow) -> Facts:
    dollars = Cell("unknown", muted=True) if card.dollars is None else Cell(f"{card.dollars:,.2f}", card.dollars)
    minutes = None if card.seconds is None else card.seconds / 60
    price = " ".join(filter(None, (card.price_source, card.price_date)))
    return Facts(
        "Cost of the rows, all tasks together",
        (
            ("Dollars", dollars),
            ("Price from", text(price or "not stated", muted=not price)),
            ("Calls", count(card.calls)),
            ("Tokens in", count(card.tokens_in)),
            ("Tokens out", count(card.tokens_out)),
            ("Minutes", count(minutes)),
        ),
    )


def _scores(rows: list[ScoreRow], place: str) -> Table:
    def draw(row: ScoreRow) -> tuple[Cell, ...]:
        return (
            Cell(row.task, row.task),
            Cell(row.metric.replace("_", " ").replace("f1", "F1"), row.metric),
            number(row.mean, row.low, row.high, title=row.interval_reason),
            number(row.spread),
            gap_cell(row),
            Cell(row.worth_words or "–", row.worth, muted=not row.worth_words),
            Cell(f"{row.rows_used:,}", row.rows_used),
            Cell("; ".join(row.reasons), "; ".join(row.reasons), muted=True),
        )

    columns = (
        Column("task", "Task"), Column("metric", "Metric"), Column("score", "Score", number=True, interval=True),
        Column("spread", "SD", number=True), Column("gap_recovered", "Gap recovered, %", number=True, interval=True),
        Column("worth", "Worth, real rows", number=True), Column("rows_used", "Rows", number=True),
        Column("remarks", "Remarks"),
    )  # fmt: skip
    caption = f"Scores x 100: {place}" if rows else f"No score under {place or 'any condition'}"
    return Table("scores", caption, columns, (Section("", tuple(draw(row) for row in rows)),))


def _seeds(snapshot: Snapshot, query: Query, name: str) -> tuple[Table, ...]:
    condition, _ = condition_filters(snapshot, query, [])
    rows = of(snapshot.tables.seeds, condition, submission=name)
    if not rows:
        return ()
    seeds = sorted({row.seed for row in rows})
    at = {(row.task, row.seed): row for row in rows}
    first = {row.task: row for row in reversed(rows)}
    drawn = tuple(
        (
            Cell(task, task),
            *(number(at[task, seed].score) if (task, seed) in at else Cell("–", muted=True) for seed in seeds),
            Cell(row.fit, row.fit, muted=True),
            Cell(row.training_fingerprint[:12], row.training_fingerprint, muted=True),
        )
        for task, row in first.items()
    )
    columns = (
        Column("task", "Task"),
        *(Column(f"seed_{seed}", f"Seed {seed}", number=True) for seed in seeds),
        Column("fit", "Fit"),
        Column("training_data", "Rows (sha256)"),
    )
    return (Table("seeds", "Every run: score x 100 by seed", columns, (Section("", drawn),)),)


def _differences(snapshot: Snapshot, query: Query, name: str, most: int = 30) -> tuple[Table, ...]:
    condition, _ = condition_filters(snapshot, query, [])
    rows = [
        turned(row) if row.base == name else row
        for row in (
            *of(snapshot.tables.differences, condition, scope=MEAN, base=name),
            *of(snapshot.tables.differences, condition, scope=MEAN, other=name),
        )
    ]
    rows.sort(key=lambda row: (row.difference is None, abs(row.difference or 0), row.base))
    if not rows:
        return ()
    drawn = tuple(
        (
            text(row.base, link=row.base),
            number(row.difference, row.low, row.high, sign="+", title=row.reason),
            text(verdict(row)),
        )
        for row in rows[:most]
    )
    columns = (
        Column("with", "Against"), Column("difference", "Difference", number=True, interval=True),
        Column("verdict", "Verdict"),
    )  # fmt: skip
    more = (f"The {most} nearest of {len(rows)}; the view Compare has the others.",) if len(rows) > most else ()
    return (Table("differences", f"{name} against others, over all tasks", columns, (Section("", drawn),), more),)


def _quality(snapshot: Snapshot, name: str) -> tuple[Table, ...]:
    rows = where(snapshot.tables.quality, submission=name)
    if not rows:
        return ()
    tasks = sorted({(row.task, row.data) for row in rows})
    at = {(row.number, row.task, row.data): row for row in rows}
    titles = {row.number: row for row in reversed(rows)}
    drawn = tuple(
        (
            Cell(row.title.strip() + (", %" if row.show == "share" else ""), row.number),
            *(quality_cell(at.get((number, *task))) for task in tasks),
        )
        for number, row in titles.items()
    )
    columns = (
        Column("number", "Number"),
        *(
            Column(f"{task}_{data}", task + (" (sample)" if data == "sample" else ""), number=True)
            for task, data in tasks
        ),
    )
    return (Table("quality", f"Quality of the rows of {name}", columns, (Section("", drawn),)),)


def _reproduce(card: SubmissionRow, scores: list[ScoreRow]) -> Prose:
    folder = f"submissions/{card.submission}"
    tasks = ",".join(row.task for row in scores)
    lines = [
        "$ git clone the repository, then make install; source .venv/bin/activate",
        *([f"$ clinsynth prepare {' '.join(row.task for row in scores)}"] if tasks else []),
        f"$ clinsynth validate {folder}",
        f"$ clinsynth verify {folder}",
        *(
            [f"$ clinsynth score {folder} --tasks {tasks} --recipe {scores[0].recipe} --rows {scores[0].rows}"]
            if tasks
            else []
        ),
    ]
    return Prose(
        "How to reproduce",
        (
            "Verify recomputes each score from the stored answers and the test set on your machine. "
            "Score makes the runs anew where their records are deleted; it repeats none that is there.",
            *lines,
        ),
    )


def _citation(card: SubmissionRow) -> Prose:
    if card.bibtex.strip():
        return Prose("Cite the method", (), card.bibtex.strip())
    return Prose("Cite the method", ("The card gives no BibTeX entry.",))
