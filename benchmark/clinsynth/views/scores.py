"""Scores by task type and by task, and the parts of tables of scores."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from clinsynth.snapshot import ConditionRow, OverallRow, ScoreRow, Snapshot, TypeRow
from clinsynth.views.common import (
    MEAN,
    cards,
    condition_filters,
    crossed,
    named,
    of,
    sections,
    spoken,
    tasks,
    with_short_titles,
)
from clinsynth.views.data import task_blocks
from clinsynth.views.model import (
    DASH,
    Cell,
    Choice,
    Column,
    Figure,
    Page,
    Point,
    Query,
    Rule,
    Section,
    Series,
    Table,
    interval,
    number,
    pick,
    plain,
    text,
)

SCORE_NOTE = "Scores are metrics x 100. Behind a score stands its 95 % interval over seeds and test units."
TIE_NOTE = (
    "Rows with the same rank are tied: none is shown to be worse than the first of them (5 %, all pairs). "
    "The mark = says so."
)
LONG = 60
"""Rows from which on the second table stays closed until it is asked for: browsers lay long tables out slowly."""
GAP = Column("gap_recovered", "Gap recovered, %", number=True, interval=True,
             help="0 is the best constant answer, 100 is a student trained on all real rows (gold-full).")  # fmt: skip


LABEL_MIX = "Drawn with equal shares of the labels"
LABEL_SHARES = "Shares of the labels from real ones, in bits (0: alike, 1: most)"


def rank_cell(group: int | None, low: int | None, high: int | None, tied: bool, reason: str = "") -> Cell:
    """``1=`` for a tie group of several, with the interval of the rank."""
    if group is None:
        return Cell(DASH, muted=True, title=reason)
    span = interval(low, high, scale=1, digits=0) if low is not None else ""
    return Cell(f"{group}{'=' if tied else ''}", group, span, low, high)


def gap_cell(row: OverallRow | ScoreRow) -> Cell:
    """The gap recovered, in per cent; ``n/a`` with the reason where there is none."""
    low, high = (row.gap_low, row.gap_high) if isinstance(row, ScoreRow) else (None, None)
    cell = number(row.gap, low, high, digits=0, title=row.gap_reason)
    if row.gap is None:
        return Cell(DASH, muted=True, title=row.gap_reason)
    return cell if isinstance(row, ScoreRow) else replace(cell, title=f"mean over {', '.join(row.gap_tasks)}")


def seeds_cell(seeds: int) -> Cell:
    """The number of seeds; a dash for an answer that does not depend on seeds."""
    return Cell(str(seeds), seeds) if seeds else Cell(DASH, 0, muted=True, title="no seed changes the answer")


def _largest(row: OverallRow) -> Cell:
    """The task with the largest share in the variance of the overall score."""
    if row.variance_share is None:
        return Cell(DASH, muted=True)
    return Cell(f"{100 * row.variance_share:.0f}", row.variance_share, row.variance_task)


def reasons_cell(reasons: tuple[str, ...]) -> Cell:
    """The reasons for which a row has no rank."""
    return Cell("; ".join(reasons), "; ".join(reasons), muted=True)


def standing_table(snapshot: Snapshot, condition: ConditionRow, rows: list[OverallRow]) -> Table:
    """The table behind the ranks: gaps, ties, seeds, and the reasons why rows are not ranked."""
    known, groups = cards(snapshot), Counter(row.group for row in rows)
    of_tasks = len(condition.tasks)

    def draw(row: OverallRow) -> tuple[Cell, ...]:
        return (
            rank_cell(row.group, row.rank_low, row.rank_high, groups[row.group] > 1, "not ranked"),
            named(known, row.submission),
            number(row.mean, row.low, row.high, title="a task is missing"),
            gap_cell(row),
            number(row.leader_difference, row.leader_low, row.leader_high, sign="+"),
            number(row.win_rate, digits=0),
            _largest(row),
            Cell(f"{row.tasks}/{of_tasks}", row.tasks),
            seeds_cell(row.seeds),
            text(row.scored or DASH, muted=True),
            text({"in part": "reproduced in part"}.get(row.reproduced, row.reproduced) if row.seeds else DASH,
                 muted=row.reproduced != "reproduced"),
            reasons_cell(row.reasons),
        )  # fmt: skip

    columns = (
        Column("rank", "Rank", number=True, interval=True, help=f"{TIE_NOTE} Behind it: ranks not ruled out."),
        Column("submission", "Submission"),
        Column("score", "Mean of types", number=True, interval=True,
               help="Mean over the task types of the mean over their tasks."),
        GAP,
        Column("to_leader", "To the leader", number=True, interval=True,
               help="Difference in points to the first of the ranking (of the first: to the second), paired."),
        Column("win_rate", "Win rate, %", number=True, spare=True,
               help="Mean share of the other ranked rows beaten on a task."),
        Column("variance", "Variance from, %", number=True, spare=True,
               help="Of the overall score's variance: the share of the task that most of the interval comes from."),
        Column("tasks", "Tasks", number=True, help="Tasks with a score. A missing task leaves no overall score."),
        Column("seeds", "Seeds", number=True, help="Fewest of any task; five are needed for a rank."),
        Column("scored", "Scored", spare=True, help="The day of the newest run."),
        Column("reproduced", "Runs", spare=True,
               help="Reproduced: the student was trained again from the rows, with the same outcome."),
        Column("remarks", "Remarks"),
    )  # fmt: skip
    caption = caption_of("Ranks, and what they rest on", condition)
    return Table("overall", caption, columns, sections(rows, draw), (SCORE_NOTE,), folded=len(rows) > LONG)


def means(snapshot: Snapshot, query: Query) -> Page:
    """Every score in one table: a line for each task and a column for each submission."""
    warnings: list[str] = []
    condition, filters = condition_filters(snapshot, query, warnings)
    own, specs = of(snapshot.tables.overall, condition), tasks(snapshot)
    scores = {(row.task, row.submission): row for row in of(snapshot.tables.scores, condition)}
    cells: dict[tuple[str, str], Cell] = {}
    for task in condition.tasks if condition else ():
        for row in own:
            score = scores.get((task, row.submission))
            spread = "" if score is None or score.spread is None else plain(score.spread)
            cells[task, row.submission] = replace(number(score.mean if score else None), small=spread)
    for each in of(snapshot.tables.types, condition):
        cells.setdefault((f"mean: {spoken(each.type)}", each.submission), number(each.mean))
    cells |= {(MEAN, row.submission): number(row.mean) for row in own}
    metrics = {name: text(spoken(specs[name].metric)) for name in (condition.tasks if condition else ())}
    head = f"Students were fine-tuned by {condition.recipe} on {condition.rows:,} rows. " if condition else ""
    lacking = dict.fromkeys(row.reason for row in snapshot.tables.left_out)
    notes = (f"{head}Scores x 100: mean (SD over seeds).", *(condition.remarks if condition else ()), *lacking)
    empty = Table("means", caption_of("All scores", condition), (Column("metric", "metric"),), (), notes)
    table = with_short_titles(crossed(empty, Column("task", "task"), cells, metrics))
    return Page("means", "All scores", "Every score in one table.", filters, (table,), tuple(warnings),
                tuple(row.submission for row in own))  # fmt: skip


def caption_of(what: str, condition: ConditionRow | None) -> str:
    """Caption of a table: student, number of rows, and a warning for the sample."""
    if condition is None:
        return f"{what}: no results yet"
    sample = " — SAMPLE: these numbers try the machinery and mean nothing" if condition.data == "sample" else ""
    return f"{what}: {condition.recipe} on {condition.rows:,} training rows{sample}"


def notes_of(condition: ConditionRow | None) -> tuple[str, ...]:
    """Notes that a reader needs to interpret a table."""
    return (SCORE_NOTE, *(condition.remarks if condition else ()))


def left_out(snapshot: Snapshot) -> tuple[Table, ...]:
    """The table of results that are left out, with the reasons."""
    rows = tuple((text(row.submission), text(row.reason)) for row in snapshot.tables.left_out)
    columns = (Column("submission", "Submission"), Column("reason", "What is left out, and why"))
    caption = "Left out, with the reason"
    return (Table("left_out", caption, columns, (Section("", rows),)),) if rows else ()


def by_type(snapshot: Snapshot, query: Query) -> Page:
    """The page of scores by task type."""
    warnings: list[str] = []
    condition, filters = condition_filters(snapshot, query, warnings)
    known = cards(snapshot)
    rows = of(snapshot.tables.overall, condition)
    cells: dict[str, dict[str, TypeRow]] = {}
    for each in of(snapshot.tables.types, condition):
        cells.setdefault(each.submission, {})[each.type] = each
    types = sorted({name for own in cells.values() for name in own})

    def of_type(row: OverallRow, name: str) -> Cell:
        cell = cells.get(row.submission, {}).get(name)
        if cell is None:
            return Cell(DASH, muted=True, title="no score")
        reason = f"{cell.tasks} of {cell.of_tasks} tasks" if cell.mean is None else ""
        return number(cell.mean, cell.low, cell.high, title=reason)

    def draw(row: OverallRow) -> tuple[Cell, ...]:
        own = tuple(of_type(row, name) for name in types)
        return (named(known, row.submission), number(row.mean, row.low, row.high), *own)

    columns = (
        Column("submission", "Submission"),
        Column("score", "Mean of the types", number=True, interval=True),
        *(Column(name, spoken(name), number=True, interval=True) for name in types),
    )
    table = Table("types", caption_of("By task type", condition), columns, sections(rows, draw), notes_of(condition))
    return Page("types", "By task type", "The mean over the tasks of each type; a missing task leaves a gap.", filters,
                (table,), tuple(warnings), tuple(row.submission for row in rows))  # fmt: skip


def by_task(snapshot: Snapshot, query: Query) -> Page:
    """The page of one task."""
    warnings: list[str] = []
    condition, filters = condition_filters(snapshot, query, warnings)
    specs = tasks(snapshot)
    choices = [Choice(name, name) for name in (condition.tasks if condition else ())]
    chosen = pick(query, "task", "Task", choices, warnings)
    # Ranked rows by rank, so that a table read from above never contradicts its ranks.
    rows = sorted(of(snapshot.tables.scores, condition, task=chosen.value),
                  key=lambda row: (row.group is None, row.group or 0, -row.mean, row.submission))  # fmt: skip
    known, groups = cards(snapshot), Counter(row.group for row in rows)

    def draw(row: ScoreRow) -> tuple[Cell, ...]:
        worth = Cell(row.worth_words or DASH, row.worth, low=row.worth_low, high=row.worth_high,
                     muted=not row.worth_words)  # fmt: skip
        return (
            rank_cell(row.group, None, None, groups[row.group] > 1, "not ranked"),
            named(known, row.submission),
            number(row.mean, row.low, row.high, title=row.interval_reason),
            gap_cell(row),
            worth,
            number(row.spread),
            number(row.detectable, title=row.interval_reason),
            number(row.variance_share, digits=0),
            Cell(f"{row.rows_used:,}", row.rows_used),
            seeds_cell(row.seeds),
            reasons_cell(row.reasons),
        )

    spec = specs.get(chosen.value)
    metric = (spec.metric.replace("_", " ") if spec else "score").replace("f1", "F1")
    columns = (
        Column("rank", "Rank", number=True, help=TIE_NOTE),
        Column("submission", "Submission"),
        Column("score", metric, number=True, interval=True),
        GAP,
        Column("worth", "Worth, real rows", number=True, interval=True,
               help="How many real rows give the same score, from the learning curve of gold-n."),
        Column("spread", "SD", number=True, help="Standard deviation over the seeds: no interval, test items stay."),
        Column("detectable", "Can tell apart", number=True,
               help="In points: the true difference to the leader that this test set would find 4 times in 5."),
        Column("variance_share", "Share of the variance, %", number=True,
               help="Of that of the row's overall score, over seeds and test units."),
        Column("rows_used", "Rows", number=True),
        Column("seeds", "Seeds", number=True),
        Column("remarks", "Remarks"),
    )  # fmt: skip
    notes = (SCORE_NOTE, *_no_intervals(rows), *_label_mix(rows))
    title = f"{spec.title} ({chosen.value})" if spec else "By task"
    table = Table("tasks", caption_of(f"Scores on {chosen.value}", condition), columns, sections(rows, draw), notes)
    facts, *about = task_blocks(snapshot, condition, spec) if spec else (None,)
    figures = (_forest(rows, metric),) if len(rows) > 1 else ()
    return Page("tasks", title, spec.description if spec else "Scores on one task.", (*filters, chosen),
                (*((facts,) if facts else ()), *figures, table, *about), tuple(warnings),
                tuple(row.submission for row in rows))  # fmt: skip


def _no_intervals(rows: list[ScoreRow]) -> tuple[str, ...]:
    reasons = sorted({row.interval_reason for row in rows if row.low is None and row.interval_reason})
    return tuple(f"No interval: {reason}." for reason in reasons)


def _forest(rows: list[ScoreRow], metric: str, most: int = 40) -> Figure:
    ordered = [row for row in rows if row.place != "reference"]
    shown = ordered[:most]
    kinds = (("ranked", True), ("not ranked", False))
    series = [
        Series(name, tuple(_point(row, k) for k, row in enumerate(shown) if (row.place == "ranked") is ranked),
               emphasis=ranked)
        for name, ranked in kinds
    ]  # fmt: skip
    references = [row for row in rows if row.place == "reference"]
    rules = tuple(Rule(100 * row.mean, f"{row.submission} {plain(row.mean)}") for row in references)
    if not shown:
        # References alone are no lines across anything: they are what is shown.
        series, rules = [Series("references", tuple(_point(row, k) for k, row in enumerate(references)))], ()
    more = f" The first {most} of {len(ordered)}." if len(ordered) > most else ""
    lines = " Lines across are the references." if rules else ""
    return Figure("task-scores", "Scores with intervals", "forest", tuple(each for each in series if each.points),
                  f"{metric} x 100", description=f"Scores of the table with their 95 % intervals.{lines}{more}",
                  rules=rules)  # fmt: skip


def _point(row: ScoreRow, place: int) -> Point:
    ends = [None if end is None else 100 * end for end in (row.low, row.high)]
    return Point(100 * row.mean, place, ends[0], ends[1], row.submission)


def _label_mix(rows: list[ScoreRow]) -> tuple[str, ...]:
    """Scores of the rows drawn with equal shares of the labels, and how far their own shares are from real ones."""
    drawn = [f"{row.submission} {100 * row.balanced:.1f}" for row in rows if row.balanced is not None]
    apart = [f"{row.submission} {row.label_divergence:.2f}" for row in rows if row.label_divergence is not None]
    said = ((LABEL_MIX, drawn), (LABEL_SHARES, apart))
    return tuple(f"{what}: {', '.join(found)}." for what, found in said if found)
