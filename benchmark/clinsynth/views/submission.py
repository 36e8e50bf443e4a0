"""One submission in full: card, disclosures, cost, every run, audits, how to reproduce it, how to cite it."""

from __future__ import annotations

from dataclasses import replace

from clinsynth.core import CEILING, CONSTANT, FEW_REAL, REAL
from clinsynth.snapshot import ConditionRow, ScoreRow, Snapshot, SubmissionRow
from clinsynth.views.common import MEAN, condition_filters, of, where
from clinsynth.views.compare import turned, verdict
from clinsynth.views.data import audit_table, generation_tables, quality_cell, row_table
from clinsynth.views.front import parameters
from clinsynth.views.model import (
    Block,
    Cell,
    Choice,
    Column,
    Facts,
    Figure,
    Page,
    Point,
    Prose,
    Query,
    Section,
    Series,
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
        *_cost(card),
        _card(card),
        *_figure(snapshot, condition, card.submission, scores),
        _scores(scores, place),
        *_differences(snapshot, query, card.submission),
        *row_table(snapshot, card.submission),
        *_bands(snapshot, card.submission),
        *((audit_table(snapshot, card.submission, audits, by_task=True),)
          if audits or card.kind == "submission" else ()),
        *((_reproduce(card, scores),) if card.authors and scores else ()),
        *((_citation(card),) if card.authors else ()),
        *(replace(table, folded=True) for table in (
            *_seeds(snapshot, query, card.submission),
            *_quality(snapshot, card.submission),
            *generation_tables(snapshot, card.submission),
        )),
    ]  # fmt: skip
    lead = f"{card.title}: {card.generator}"
    return Page(
        "submission", card.submission, lead, (name, *filters), tuple(blocks), tuple(warnings), (card.submission,)
    )


def _place(snapshot: Snapshot, query: Query, name: str) -> tuple[Facts, ...]:
    condition, _ = condition_filters(snapshot, query, [])
    overall = of(snapshot.tables.overall, condition, submission=name)
    left = tuple(("Left out", text(row.reason)) for row in where(snapshot.tables.left_out, submission=name))
    if not overall:
        return (Facts("Place", (("Place", text("not in this table")), *left)),) if left else ()
    (row,) = overall
    ties = len(of(snapshot.tables.overall, condition, group=row.group)) > 1
    pairs = (
        ("Rank", rank_cell(row.group, row.rank_low, row.rank_high, ties, "not ranked")),
        ("Mean of the types", number(row.mean, row.low, row.high)),
        ("Gap recovered, %", gap_cell(row)),
        ("Seeds", seeds_cell(row.seeds)),
        *((("Scored", text(row.scored)), ("Runs", text(row.reproduced))) if row.scored else ()),
        *(("Not ranked", text(reason)) for reason in row.reasons),
        *left,
    )
    return (Facts("Place", pairs),)


def _card(card: SubmissionRow) -> Facts:
    real = {"none": "none"}.get(card.real_data, f"{card.real_data}: {card.real_details}")
    model = f"{card.llm} {card.llm_snapshot}".strip() if card.llm else "none"
    size = parameters(card)
    weights = {True: "open weights", False: "closed weights", None: ""}[card.llm_open]
    about = ", ".join(filter(None, (f"{size:g}B parameters" if size and card.llm else "", weights)))
    pairs = [
        ("Kind", text(card.kind if card.kind == "submission" else "reference, never ranked")),
        ("Authors", text(", ".join(card.authors))),
        ("Generator", text(card.generator)),
        ("Language model", text(model, small=about)),
        ("Real text seen", text(real)),
        ("Licence of the rows", text(card.licence)),
        ("Paper", text(card.paper or "none", link=card.paper)),
        *(("Disclosed", text(line)) for line in card.disclosures),
    ]
    return Facts("Card", tuple(pairs))


def _figure(
    snapshot: Snapshot, condition: ConditionRow | None, name: str, scores: list[ScoreRow]
) -> tuple[Figure, ...]:
    """A plot of its score on each task, with those of the references on the same line."""
    if len(scores) < 2:
        return ()
    at = {row.task: float(k) for k, row in enumerate(scores)}
    own = Series(name, tuple(_point(row, at[row.task]) for row in scores), emphasis=True)
    others: list[Series] = []
    for reference in (REAL, CEILING, FEW_REAL, CONSTANT):
        rows = [row for row in of(snapshot.tables.scores, condition, submission=reference) if row.task in at]
        if rows and reference != name:
            others.append(Series(reference, tuple(Point(100 * row.mean, at[row.task]) for row in rows)))
    return (Figure(
        "submission-tasks", "Task by task", "forest", (own, *others), "score x 100",
        description="Each score with its 95 % interval, beside the references on the same task.",
    ),)  # fmt: skip


def _point(row: ScoreRow, place: float) -> Point:
    ends = [None if end is None else 100 * end for end in (row.low, row.high)]
    return Point(100 * row.mean, place, ends[0], ends[1], row.task)


_LEVELS = {"like real": "● like real", "off": "◐ off", "far": "○ far off", "unknown": "– not known"}


def _bands(snapshot: Snapshot, name: str) -> tuple[Table, ...]:
    """The table of quality in words: a line for each question, a column for each task."""
    rows = [row for row in where(snapshot.tables.bands, submission=name) if row.data == "real"] or list(
        where(snapshot.tables.bands, submission=name)
    )
    tasks = sorted({row.task for row in rows})
    at = {(row.title, row.task): row for row in rows}
    drawn: list[tuple[Cell, ...]] = []
    for title in dict.fromkeys(row.title for row in rows):
        cells: list[Cell] = []
        for task in tasks:
            row = at.get((title, task))
            if row is None:
                cells.append(Cell("–", muted=True))
            else:
                quiet = row.level in ("like real", "unknown")
                cells.append(Cell(_LEVELS[row.level], row.level, muted=quiet, title=row.words))
        advice = next((row.advice for row in rows if row.title == title and row.advice), "")
        drawn.append((text(title), *cells, text(advice)))
    columns = (Column("what", "What"), *(Column(task, task) for task in tasks), Column("advice", "What would help"))
    notes = (
        "Beside the same number of real rows: like real up to 1.25 times, off up to 2, far off beyond. A reading aid: "
        "no part of any score.",
    )
    return (Table("bands", "What the rows are like", columns, (Section("", tuple(drawn)),), notes),) if drawn else ()


def _cost(card: SubmissionRow) -> tuple[Facts, ...]:
    if card.kind == "reference":
        return ()
    dollars = Cell("unknown", muted=True) if card.dollars is None else Cell(f"{card.dollars:,.2f}", card.dollars)
    minutes = None if card.seconds is None else card.seconds / 60
    price = " ".join(filter(None, (card.price_source, card.price_date)))
    if not card.llm and all(value is None for value in (card.dollars, card.calls, card.tokens_in, card.seconds)):
        return (Facts("Cost of the rows", (("Dollars", text("none: no language model was asked")),)),)
    return (Facts(
        "Cost of the rows, all tasks together",
        (
            ("Dollars", dollars),
            ("Price from", text(price or "not stated", muted=not price)),
            ("Calls", count(card.calls)),
            ("Tokens in", count(card.tokens_in)),
            ("Tokens out", count(card.tokens_out)),
            ("Minutes", count(minutes)),
        ),
    ),)  # fmt: skip


def _scores(rows: list[ScoreRow], place: str) -> Table:
    def draw(row: ScoreRow) -> tuple[Cell, ...]:
        return (
            Cell(row.task, row.task, link=f"tasks?task={row.task}"),
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
            Cell(verdict(row), verdict(row), link=f"compare?base={row.base}&others={row.other}"),
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
        f"$ clinsynth prepare {' '.join(row.task for row in scores)} && clinsynth verify {folder}",
    ]
    again = [f"$ clinsynth reproduce {folder} --tasks {tasks} --recipe {scores[0].recipe} --rows {scores[0].rows}"]
    return Prose(
        "Check it yourself",
        (
            "In a clone of the repository: every score again, from the stored answers and the test sets.",
            *lines,
            "The same by training the students again from the rows; it says whether the outcome agrees.",
            *again,
        ) if tasks else ("There is nothing to check yet.",),
    )  # fmt: skip


def _citation(card: SubmissionRow) -> Prose:
    if card.bibtex.strip():
        return Prose("Cite the method", (), card.bibtex.strip())
    return Prose("Cite the method", ("The card gives no BibTeX entry.",))
