"""Language models that answer by themselves, beside students that were trained on what the same models wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from clinsynth.direct import better_of
from clinsynth.snapshot import DirectPairRow, DirectRow, GradeRow, Snapshot, SuiteRow
from clinsynth.standings import SAMPLE_REMARK, overall_of
from clinsynth.views.common import MEAN, cards, crossed, forest, named, spoken
from clinsynth.views.model import (
    DASH,
    Block,
    Cell,
    Choice,
    Column,
    Figure,
    Page,
    Point,
    Query,
    Section,
    Series,
    Table,
    count,
    number,
    pick,
    text,
)

MOST_DRAWN = 40
"""Lines that a plot has at most; the table has all."""


def direct(snapshot: Snapshot, query: Query) -> Page:
    """The page of the direct track: language models that answer the tasks themselves."""
    warnings: list[str] = []
    rows = snapshot.tables.direct
    shots = sorted({row.shots for row in rows})
    names = {0: "zero-shot"}
    choices = [Choice("all", "all"), *(Choice(str(n), names.get(n, f"{n}-shot")) for n in shots)]
    chosen = pick(query, "shots", "Demonstrations", choices, warnings)
    shown = [row for row in _largest(rows) if chosen.value in ("all", str(row.shots))]
    shown.sort(key=lambda row: (row.task, -row.score))
    lead = "Language models that answer the test items themselves: another track, never ranked with training data."
    blocks = (*_by_model(shown), _direct_table(shown), *_pair_blocks(snapshot), *suite_tables(snapshot))
    return Page("direct", "Direct LLM", lead, (chosen,) if rows else (), blocks, tuple(warnings))


def _by_model(rows: list[DirectRow]) -> tuple[Block, ...]:
    """A line for each task, a column for each model and number of demonstrations; and the same as a plot."""
    if not rows:
        return ()
    named = [(row, f"{row.model}, {row.shots}-shot" if row.shots else f"{row.model}, zero-shot") for row in rows]
    named.sort(key=lambda pair: (pair[0].task, pair[0].model, pair[0].shots))
    names = list(dict.fromkeys(name for _, name in sorted(named, key=lambda pair: (pair[0].model, pair[0].shots))))
    tasks = list(dict.fromkeys(row.task for row, _ in named))
    known = {(row.task, name): row for row, name in named}
    cells = {(task, name): _answer(known.get((task, name))) for task in tasks for name in names}
    for name in names:
        whole = {task: row.score for (task, own), row in known.items() if own == name and not row.limited}
        cells[MEAN, name] = number(overall_of(whole, tasks), title="a task is missing, or preliminary")
    metrics = {row.task: text(spoken(row.metric).replace("f1", "F1")) for row, _ in named}
    limited = ("* a part of the test set: preliminary, and in no mean.",) if any(row.limited for row in rows) else ()
    notes = (*limited, *((SAMPLE_REMARK,) if rows[0].data == "sample" else ()))
    empty = Table("answers", "Direct answers by task: scores x 100", (Column("metric", "Metric"),), (), notes)
    series: dict[str, list[Point]] = {}
    for k, (row, name) in enumerate(named[:MOST_DRAWN]):
        low, high = (None if end is None else 100 * end for end in (row.low, row.high))
        series.setdefault("few-shot" if row.shots else "zero-shot", []).append(
            Point(100 * row.score, k, low, high, f"{row.task}: {name}")
        )
    more = f" The first {MOST_DRAWN} of {len(named)}." if len(named) > MOST_DRAWN else ""
    figure = Figure(
        "direct-scores", "Direct answers", "forest",
        tuple(Series(name, tuple(points), emphasis=name == "few-shot") for name, points in series.items()),
        "score x 100", description=f"Scores of the table above with their 95 % intervals; filled: few-shot.{more}",
    )  # fmt: skip
    return crossed(empty, Column("task", "Task"), cells, metrics), figure


def _answer(row: DirectRow | None) -> Cell:
    if row is None:
        return Cell(DASH, muted=True, title="not asked")
    cell = number(row.score, row.low, row.high)
    return replace(cell, text=f"{cell.text}*") if row.limited else cell


def _largest(rows: Iterable[DirectRow]) -> list[DirectRow]:
    """The record with most answers for each model, task and number of demonstrations."""
    largest: dict[tuple[str, str, int], DirectRow] = {}
    for row in rows:
        key = (row.submission, row.task, row.shots)
        if key not in largest or row.examples > largest[key].examples:
            largest[key] = row
    return list(largest.values())


def _direct_table(rows: list[DirectRow]) -> Table:
    def draw(row: DirectRow) -> tuple[Cell, ...]:
        unread = None if row.unparsed is None else row.unparsed / max(1, row.examples)
        dollars = Cell("unknown", muted=True) if row.dollars is None else Cell(f"{row.dollars:.4f}", row.dollars)
        limited = ("part of the test set: preliminary",) if row.limited else ()
        words = "; ".join((*limited, *row.reasons))
        return (
            Cell(row.task, row.task), Cell(row.model, row.model), Cell(str(row.shots), row.shots),
            number(row.score, row.low, row.high), Cell(row.metric.replace("_", " ").replace("f1", "F1"), row.metric),
            count(row.examples), number(unread), count(row.tokens_in), count(row.tokens_out), dollars,
            Cell(words, words, muted=True),
        )  # fmt: skip

    columns = (
        Column("task", "Task"), Column("model", "Model"), Column("shots", "Shots", number=True),
        Column("score", "Score", number=True, interval=True), Column("metric", "Metric"),
        Column("examples", "Items", number=True),
        Column("unparsed", "Unreadable, %", number=True, help="Answers that could not be read; they count as wrong."),
        Column("tokens_in", "Tokens in", number=True), Column("tokens_out", "Tokens out", number=True),
        Column("dollars", "Dollars", number=True), Column("remarks", "Remarks"),
    )  # fmt: skip
    caption = "Direct answers: scores x 100" if rows else "No direct answers in this snapshot"
    notes = () if rows else ("clinsynth direct makes them; their records are read from the same folders.",)
    return Table("direct", caption, columns, (Section("", tuple(draw(row) for row in rows)),), notes)


def _better(row: DirectPairRow) -> Cell:
    if row.verdict is None:
        return Cell(DASH, title="one seed, or no test set here: no interval", muted=True)
    return Cell(better_of(row.verdict), row.verdict)


def _pair_blocks(snapshot: Snapshot) -> tuple[Block, ...]:
    """Ask or train, where any model of the direct track also wrote a submission's rows."""
    rows, known = snapshot.tables.direct_pairs, cards(snapshot)
    if not snapshot.tables.direct:
        return ()
    written = {name for name, card in known.items() if card.llm}
    unpaired = sorted(written - {row.submission for row in rows})
    notes = (
        "The student minus the better of the model's own answers; both on the examples that the model was asked. "
        "On a part of a test set it is preliminary, and no claim.",
        *((f"Written by a language model, and without such a comparison here: {', '.join(unpaired)}.",)
          if unpaired else ()),
    )  # fmt: skip

    def draw(row: DirectPairRow) -> tuple[Cell, ...]:
        limited = "part of the test set: preliminary" if row.limited else ""
        shots = Cell(DASH, muted=True) if row.few_shot is None else count(row.shots)
        return (
            Cell(row.task, row.task), named(known, row.submission),
            number(row.zero_shot, title="not asked"), number(row.few_shot, title="not asked"),
            number(row.student), number(row.difference, row.low, row.high, sign="+"), _better(row),
            Cell(row.direct, row.direct), Cell(f"{row.recipe}, {row.rows:,} rows", f"{row.recipe} {row.rows}"), shots,
            count(row.examples), count(row.seeds), Cell(limited, limited, muted=True),
        )  # fmt: skip

    columns = (
        Column("task", "Task"), Column("submission", "Rows of"),
        Column("zero_shot", "Zero-shot", number=True, spare=True),
        Column("few_shot", "Few-shot", number=True, spare=True),
        Column("trained", "Student", number=True, help="Score of the one that was trained on these rows."),
        Column("difference", "Difference", number=True, interval=True),
        Column("better", "Better", help="tie: nothing is shown; undecided: so little data could not show it."),
        Column("model", "Model", spare=True), Column("student", "Recipe", spare=True),
        Column("shots", "Shots", number=True, spare=True, help="Demonstrations per label behind the few-shot score."),
        Column("examples", "Items", number=True, spare=True), Column("seeds", "Seeds", number=True, spare=True),
        Column("remarks", "Remarks"),
    )  # fmt: skip
    caption = "Ask the model, or train on what it writes? Scores x 100"
    if not rows:
        caption = "Ask the model, or train on what it writes? No student here was trained on rows of these models"
    return (Table("direct_pairs", caption, columns, (Section("", tuple(draw(row) for row in rows)),), notes),
            *_plot(rows))  # fmt: skip


def _plot(rows: Sequence[DirectPairRow]) -> tuple[Figure, ...]:
    """The differences, a line for each task and student."""
    drawn = [row for row in rows if row.low is not None and row.high is not None]
    points = [
        (row.verdict in ("better", "worse"),
         Point(100 * row.difference, k, 100 * (row.low or 0), 100 * (row.high or 0), row.caption))
        for k, row in enumerate(drawn)
    ]  # fmt: skip
    said = "To the right training on the model's rows is better, to the left asking it; open circles are not decided."
    return (forest("direct-pairs", "Student minus model", points, said),) if points else ()


_MEASURES = {
    "accuracy": "Accuracy", "exact": "Exact", "word_f1": "F1 of words", "bleu": "BLEU", "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2", "rougeL": "ROUGE-L", "gleu": "GLEU",
}  # fmt: skip


def suite_tables(snapshot: Snapshot) -> tuple[Table, ...]:
    """The evaluations of ClinicalGPT and of Asclepius, where any model took them."""
    suites, grades = _clinicalgpt(snapshot.tables.suites), _asclepius(snapshot.tables.grades)
    return tuple(table for table in (suites, grades) if table.rows)


def _clinicalgpt(rows: Sequence[SuiteRow]) -> Table:
    measured: dict[tuple[str, str, str], dict[str, SuiteRow]] = {}
    for row in rows:
        measured.setdefault((row.area, row.set, row.submission), {})[row.measure] = row

    def draw(measures: dict[str, SuiteRow]) -> tuple[Cell, ...]:
        one = next(iter(measures.values()))
        words = "; ".join([
            *(["part of the set: preliminary"] if one.limited else []),
            *([f"{one.cut:,} of its answers were cut"] if one.cut else []),
        ])  # fmt: skip
        scores = (number(measures[name].value if name in measures else None) for name in _MEASURES)
        return (
            Cell(one.area, one.area), Cell(one.set, one.set), Cell(one.model, one.model), *scores,
            count(one.examples), number(one.unread / max(1, one.examples)), Cell(words, words, muted=True),
        )  # fmt: skip

    columns = (
        Column("area", "Area"), Column("set", "Set"), Column("model", "Model"),
        *(Column(name, title, number=True) for name, title in _MEASURES.items()),
        Column("examples", "Items", number=True), Column("unread", "Unreadable, %", number=True),
        Column("remarks", "Remarks"),
    )  # fmt: skip
    notes = ("Diagnosis stands in for MD-EHR, which is not public.",)
    lines = tuple(draw(measures) for measures in measured.values())
    return Table("suites", "ClinicalGPT's four evaluations, scores x 100", columns, (Section("", lines),), notes)


def _asclepius(rows: Sequence[GradeRow]) -> Table:
    def draw(row: GradeRow) -> tuple[Cell, ...]:
        limited = "part of the rows: preliminary" if row.limited else ""
        grade = number(row.grade, scale=1, digits=2, title="no reply was a grade")
        return (
            Cell(row.kind, row.kind), replace(grade, small=f"{row.ungraded:,} without a grade" if row.ungraded else ""),
            count(row.examples), Cell(limited, limited, muted=True),
        )  # fmt: skip

    columns = (
        Column("kind", "Request"),
        Column("grade", "Mean grade", number=True, help="From 1, wrong or invented, to 4, all that matters and right."),
        Column("answers", "Answers", number=True), Column("remarks", "Remarks"),
    )  # fmt: skip
    titles = dict.fromkeys((row.submission, row.model, row.suite, row.judge) for row in rows)
    parts = tuple(
        Section(f"{model} on {_notes_of(suite)}, graded by {judge}",
                tuple(draw(row) for row in rows
                      if (row.submission, row.model, row.suite, row.judge) == (folder, model, suite, judge)))
        for folder, model, suite, judge in titles
    )  # fmt: skip
    return Table("grades", "Asclepius' requests about notes, as judges grade the answers", columns, parts, ())


def _notes_of(suite: str) -> str:
    own = suite.removeprefix("asclepius-")
    return "synthetic notes" if own == "notes" else f"real notes ({own})"
