"""Three pages of text: results published elsewhere, the method, and how to submit."""

from __future__ import annotations

from clinsynth.snapshot import ElsewhereRow, Snapshot, TaskRow
from clinsynth.views.common import spoken
from clinsynth.views.model import (
    Block,
    Cell,
    Column,
    Facts,
    Page,
    Prose,
    Query,
    Section,
    Table,
    count,
    number,
    plain,
    text,
)


def elsewhere(snapshot: Snapshot, query: Query) -> Page:
    """The page of results published elsewhere, each with its source."""
    rows = snapshot.tables.elsewhere

    def draw(row: ElsewhereRow) -> tuple[Cell, ...]:
        figure = plain(row.low) if row.low == row.high else f"{plain(row.low)}–{plain(row.high)}"
        return (
            Cell(row.dataset, row.dataset), Cell(row.system, row.system), Cell(row.metric, row.metric),
            Cell(figure, row.low, low=row.low, high=row.high), Cell(row.sample, row.sample),
            text(row.source, link=row.url),
        )  # fmt: skip

    columns = (
        Column("dataset", "Data set"), Column("system", "System"), Column("metric", "Metric"),
        Column("figure", "Published x 100", number=True, interval=True), Column("sample", "On"),
        Column("source", "Source"),
    )  # fmt: skip
    table = Table(
        "elsewhere",
        "Published elsewhere",
        columns,
        (Section("", tuple(draw(row) for row in rows)),),
        ("Other splits, samples and metrics than here: never in one ranking with the tables of this benchmark.",),
    )
    return Page("elsewhere", "Published elsewhere", "What others reported on the same data sets, by other rules.",
                blocks=(table,))  # fmt: skip


_MEASURED = (
    (
        "A score",
        "Of the submission's rows for a task, the seed draws as many as the budget says; one frozen student is "
        "fine-tuned on them and reads the whole published test split; the task's metric is computed from its "
        "answers. The score is the mean over the seeds. The student, its settings, the rows and the steps are the "
        "same for everybody.",
    ),
    (
        "An interval",
        "Seeds and test units together: documents, claims or questions are resampled, not sentences, and the "
        "spread over few seeds is not taken for the truth. Differences are paired by test unit and seed.",
    ),
    (
        "A rank",
        "Of the mean over task types, among submissions with every task, five seeds and a clean audit. Rows that "
        "are not shown to be worse than the first of a group share its rank, adjusted for all pairs. References are "
        "shown and never ranked; "
        "all others stand below the line with the reason.",
    ),
    (
        "Gap recovered",
        "Where the score lies between the best constant answer and the same student trained on all real "
        "rows. There is none where these two are closer than twice the standard error of their difference.",
    ),
    (
        "Worth in real rows",
        "How many real training rows give the same score, read off the learning curve of real data.",
    ),
    (
        "Can tell apart",
        "The true difference that this test set would find four times in five. A smaller gap is noise until "
        "shown otherwise.",
    ),
    ("Cost", "What the card states. A missing price is unknown, never nothing."),
    (
        "Verification",
        "Answers are stored by position, without text: whoever has the test set recomputes every score "
        "with clinsynth verify.",
    ),
)


def method(snapshot: Snapshot, query: Query) -> Page:
    """The page that explains the method."""
    manifest = snapshot.manifest
    facts = Facts(
        "This snapshot",
        (
            ("Identity", text(manifest.id)),
            ("Made", text(manifest.created)),
            ("Harness", text(f"clinsynth {manifest.clinsynth}")),
            ("Commit", text(manifest.commit or "unknown", muted=not manifest.commit)),
            ("Conditions", text("; ".join(
                f"{c.recipe} on {c.rows:,} rows ({c.data})" for c in snapshot.tables.conditions) or "none")),
        ),
    )  # fmt: skip
    prose = tuple(Prose(title, (words,)) for title, words in _MEASURED)
    blocks: tuple[Block, ...] = (facts, *prose, *agreement(snapshot), _task_table(snapshot.tables.tasks))
    return Page("method", "How it is measured", "The protocol in brief; docs/protocol.md has it whole.", blocks=blocks)


def agreement(snapshot: Snapshot) -> tuple[Table, ...]:
    """Agreement of the ranking with orders by other means and other students, where there are any."""
    rows = snapshot.tables.agreements
    if not rows:
        return ()
    drawn = tuple(
        (text(f"{r.recipe}, {r.rows:,} rows ({r.data})"), text(r.first), text(r.second), count(r.names),
         number(r.tau, r.low, r.high, scale=1, digits=2, title="fewer than two rows, or all tied"),
         text("; ".join(r.turned)))
        for r in rows
    )  # fmt: skip
    columns = (Column("condition", "Condition"), Column("first", "Order"), Column("second", "Other order"),
               Column("names", "Rows", number=True),
               Column("tau", "Kendall's tau", number=True, interval=True, help="Interval over resampled tasks."),
               Column("turned", "Pairs that turn round",
                      help="a > b: the first order has a ahead, the other one b."))  # fmt: skip
    caption = "Do other ways to add up, and other students, give the same order?"
    return (Table("agreement", caption, columns, (Section("", drawn),)),)


def _task_table(rows: tuple[TaskRow, ...]) -> Table:
    drawn = tuple(
        (
            text(row.task, link=row.homepage),
            text(spoken(row.type)),
            text(row.metric.replace("_", " ").replace("f1", "F1")),
            count(row.labels),
            text(row.access),
            text(row.licence),
        )
        for row in sorted(rows, key=lambda row: (row.type, row.task))
    )
    columns = (
        Column("task", "Task"),
        Column("type", "Type"),
        Column("metric", "Metric"),
        Column("labels", "Labels", number=True),
        Column("access", "Access"),
        Column("licence", "Licence"),
    )
    return Table("task_list", "The tasks", columns, (Section("", drawn),))


def submit(snapshot: Snapshot, query: Query) -> Page:
    """The page that explains how to submit."""
    return Page(
        "submit",
        "Submit",
        "A submission is a folder of data: a card and JSON Lines. No code of it is ever run.",
        blocks=(
            Prose("Make it", ("$ clinsynth new my-method", "Fill in the card; put rows into data/<task>.jsonl.gz.")),
            Prose("Check it", ("$ clinsynth validate my-method", "All problems in one report, before any compute.")),
            Prose(
                "Score it",
                ("$ clinsynth audit my-method", "$ clinsynth score my-method", "$ clinsynth verify my-method"),
            ),
            Prose(
                "Hand it in",
                (
                    "Copy the folder to submissions/my-method in a fork of the repository: card, rows, runs, "
                    "predictions and audit as the harness wrote them. Rows made from restricted text stay with you; "
                    "records hold no text.",
                    "$ git checkout -b my-method",
                    "$ git add submissions/my-method",
                    "$ git commit -m 'Add my-method'",
                    "Push and open a pull request. Its checks validate the folder and verify every score from the "
                    "stored answers; whoever merges re-runs what a table relies on.",
                ),
            ),
        ),
    )
