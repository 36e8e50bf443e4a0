"""The first page: which generator is best and by how much, and every score by task."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from clinsynth.core import CEILING, CONSTANT, FEW_REAL, REAL, TaskTypeName
from clinsynth.snapshot import ConditionRow, OverallRow, ScoreRow, Snapshot, SubmissionRow, SummaryRow, TaskRow, TypeRow
from clinsynth.views.common import SECTIONS, cards, condition_filters, no_results, of, sections, spoken, tasks
from clinsynth.views.model import (
    DASH,
    Answer,
    Block,
    Cell,
    Column,
    Facet,
    Figure,
    Page,
    Point,
    Query,
    Rule,
    Series,
    Table,
    interval,
    number,
    plain,
)
from clinsynth.views.scores import caption_of, left_out, rank_cell, standing_table

WHAT_THEY_ARE = {
    CONSTANT: "the best answer that ignores the text",
    FEW_REAL: "a few real examples per label",
    REAL: "as many real rows",
    CEILING: "all real rows",
}
"""The references, in words."""
DRAWN = 40
"""Rows up to which the plot of the first page shows all: more would push the table out of sight."""
TYPE_ORDER: tuple[str, ...] = get_args(TaskTypeName)


def overall(snapshot: Snapshot, query: Query) -> Page:
    """The first page: every submission, over all tasks and on each of them."""
    warnings: list[str] = []
    condition, filters = condition_filters(snapshot, query, warnings)
    rows = of(snapshot.tables.overall, condition)
    if condition is None:
        title, said = no_results()
        return Page("overall", title, said, blocks=left_out(snapshot), warnings=tuple(warnings))
    board = _Board(snapshot, condition, rows)
    figure = board.forest()
    blocks: tuple[Block, ...] = (
        board.answer(),
        *((figure,) if figure.series else ()),
        board.table(),
        standing_table(snapshot, condition, rows),
        *left_out(snapshot),
    )
    return Page(
        "overall", "Which synthetic data trains the better clinical model?", _lead(condition), filters, blocks,
        tuple(warnings), tuple(row.submission for row in rows),
    )  # fmt: skip


def _lead(condition: ConditionRow) -> str:
    sample = "the bundled sample, whose scores mean nothing" if condition.data == "sample" else "real text"
    return (
        f"A small model with fixed settings is fine-tuned on {condition.rows:,} rows of each generator, and tested on "
        f"{sample}: whose student scores higher wrote the better data."
    )


@dataclass(frozen=True, slots=True)
class _Board:
    snapshot: Snapshot
    condition: ConditionRow
    rows: Sequence[OverallRow]

    @property
    def ranked(self) -> list[OverallRow]:
        return [row for row in self.rows if row.place == "ranked"]

    @property
    def references(self) -> list[OverallRow]:
        return [row for row in self.rows if row.place == "reference"]

    def answer(self) -> Answer:
        """The answer in words: the best submission, its lead, the references, and the data."""
        items = [("Which is best?", *self._best())]
        if against := self._against_real():
            items.append(("Is it as good as real data?", *against))
        items.append(("Tested on what?", *self._tested()))
        return Answer(tuple(items))

    def _best(self) -> tuple[str, str]:
        ranked = self.ranked
        if not ranked:
            return self._unranked()
        first = ranked[0]
        score = _with_interval(first.mean, first.low, first.high)
        others = sum(row.place == "unranked" for row in self.rows)
        below = f" {others} more {'are' if others > 1 else 'is'} below the line, with the reason." if others else ""
        if len(ranked) == 1:
            return f"{first.submission}, with {score}.", f"It is the only generator that can be ranked so far.{below}"
        lead = _with_interval(first.leader_difference, first.leader_low, first.leader_high, "points")
        ahead = f"{lead} ahead of {first.leader}" if first.leader else ""
        tied = [row.submission for row in ranked if row.group == first.group]
        if len(tied) > 1:
            who = f"{first.submission} has the highest mean, {score}" + (f": {ahead}" if ahead else "")
            return f"No difference is shown between the first {len(tied)}.", f"{who}. With it are {_listed(tied[1:])}."
        return f"{first.submission}, with {score}.", f"It is {ahead}." if ahead else ""

    def _unranked(self) -> tuple[str, str]:
        rest = self._below()
        best = next((row for row in rest if row.mean is not None), None)
        if best is None:
            return "Not known yet.", "No generator has a result on all of these tasks; the table shows what there is."
        score = _with_interval(best.mean, best.low, best.high)
        why = f"None can be ranked: {'; '.join(best.reasons)}." if len(rest) == 1 and best.reasons else (
            "None can be ranked, for the reasons in the second table.")  # fmt: skip
        return f"The highest mean so far is that of {best.submission}: {score}.", why

    def _against_real(self) -> tuple[str, str] | None:
        ranked = self.ranked
        real = next((row for row in self.references if row.submission == REAL), None)
        if not ranked or real is None or real.leader != ranked[0].submission or real.leader_difference is None:
            return None
        first, lead = ranked[0], real.leader_difference
        apart = _with_interval(abs(lead), *_turned(real.leader_low, real.leader_high, lead < 0), "points")
        side = f"{first.submission} is {apart} {'above' if lead < 0 else 'below'} as many real rows ({REAL})."
        if real.leader_verdict in ("tie", "undecided"):
            short, more = "No difference is shown.", side
        else:
            short, more = ("It is better." if lead < 0 else "No."), side
        if first.gap is not None:
            part = len(first.gap_tasks), len(self.condition.required)
            on = f" (on {part[0]} of {part[1]} tasks)" if part[0] < part[1] else ""
            more += (
                f" It recovers {plain(first.gap, digits=0)} % of the way from a constant answer to all real rows{on}."
            )
        return short, more

    def _tested(self) -> tuple[str, str]:
        known = tasks(self.snapshot)
        chosen = [known[name] for name in self.condition.tasks if name in known]
        kinds = {task.type for task in chosen}
        if self.condition.data == "sample":
            return f"A hand-written sample of {len(chosen)} tasks.", "It shows that everything works, and no more."
        items = [task.test for task in chosen]
        size = f", {sum(filter(None, items)):,} examples" if chosen and all(items) else ""
        return (
            f"The published test sets of {len(chosen)} tasks.",
            f"They are of {len(kinds)} type{'s' * (len(kinds) > 1)}{size}. The student is {self.condition.recipe}; "
            "rows, steps and settings are the same for everybody.",
        )

    def forest(self) -> Figure:
        """Rows with their intervals, as many as ``DRAWN``; references are lines across."""
        kinds = {"ranked": "ranked", "unranked": "not ranked"}
        every = [row for row in (*self.ranked, *self._below()) if row.mean is not None]
        drawn = every[:DRAWN]
        at = {row.submission: float(k) for k, row in enumerate(drawn)}
        series = [
            Series(name, tuple(_point(row, at[row.submission]) for row in drawn if row.place == place),
                   emphasis=place == "ranked")
            for place, name in kinds.items()
        ]  # fmt: skip
        rules = tuple(
            Rule(100 * row.mean, f"{row.submission} {plain(row.mean)}")
            for row in self.references
            if row.mean is not None
        )
        absent = [row.submission for row in self.rows if row.mean is None]
        notes = [
            "Mean of the task types with its 95 % interval, over test items and trainings of the student; "
            "another run of the same generator may fall outside.",
            f"The first {DRAWN} of {len(every)}; the table has all." if len(every) > DRAWN else "",
            "Filled: ranked; open: not ranked." if all(each.points for each in series) else "",
            "Lines: " + "; ".join(f"{row.submission}, {WHAT_THEY_ARE.get(row.submission, 'a reference')}"
                                  for row in self.references if row.mean is not None) + "." if rules else "",
            f"Not drawn, since a task is missing: {_listed(absent)}." if absent else "",
        ]  # fmt: skip
        return Figure(
            "overall-scores", "Scores over all tasks", "forest", tuple(each for each in series if each.points),
            "mean of the task types, score x 100", description=" ".join(filter(None, notes)), rules=rules,
        )  # fmt: skip

    def _below(self) -> list[OverallRow]:
        return sorted((row for row in self.rows if row.place == "unranked"), key=lambda row: -(row.mean or 0))

    def table(self) -> Table:
        """Submissions x tasks, coloured by the gap recovered."""
        condition, known = self.condition, cards(self.snapshot)
        specs = tasks(self.snapshot)
        cells = _Scores(self.snapshot, condition)
        columns = tuple(_columns(condition, specs))
        groups = Counter(row.group for row in self.rows)

        def draw(row: OverallRow) -> tuple[Cell, ...]:
            return (
                rank_cell(row.group, row.rank_low, row.rank_high, groups[row.group] > 1, "not ranked"),
                _name(known.get(row.submission), row),
                number(row.mean, row.low, row.high, title="a task is missing"),
                *(cells.of(row.submission, column) for column in columns[3:]),
            )

        parts = sections(self.rows, draw)
        ordered = [row for place in SECTIONS for row in self.rows if row.place == place]
        facets = tuple(_facets([known.get(row.submission) for row in ordered], ordered))
        notes = (
            "Scores are metrics x 100. Small below a score, and as its colour: the gap recovered, from the best "
            "constant answer (0 %) to all real rows (100 %).",
            *(("* and grey, where gold-full was not run: the way from the constant answer to as many real rows.",)
              if cells.starred else ()),
            *((f"{DASH}: not run.",) if cells.absent else ()),
            *condition.remarks,
        )  # fmt: skip
        return Table("board", caption_of("Scores by task", condition), columns, parts, notes, facets)


def _columns(condition: ConditionRow, specs: Mapping[str, TaskRow]) -> Iterator[Column]:
    yield Column("rank", "Rank", number=True, interval=True,
                 help="1= marks a tie: none of the rows with this rank is shown to be worse than the first of them "
                 "(5 %, all pairs). Below it the ranks that are not ruled out.")  # fmt: skip
    yield Column("submission", "Submission")
    yield Column("score", "Mean of types", number=True, interval=True,
                 help="Mean over the task types of the mean over their tasks; below it the 95 % interval.")  # fmt: skip
    for kind in TYPE_ORDER:
        own = [name for name in condition.tasks if name in specs and specs[name].type == kind]
        for name in own:
            metric = specs[name].metric.replace("_", " ").replace("f1", "F1")
            yield Column(name, name, number=True, group=spoken(kind), link=f"tasks?task={name}",
                         help=f"{specs[name].title}: {metric}.")  # fmt: skip
        if len(own) > 1:
            yield Column(f"mean_{kind}", "mean", number=True, group=spoken(kind))


class _Scores:
    """The cells of the matrix, and the remarks that explain them."""

    def __init__(self, snapshot: Snapshot, condition: ConditionRow) -> None:
        tables = snapshot.tables
        self._scores = {(row.submission, row.task): row for row in of(tables.scores, condition)}
        self._types: dict[tuple[str, str], TypeRow] = {
            (row.submission, f"mean_{row.type}"): row for row in of(tables.types, condition)
        }
        self._floors: dict[str, SummaryRow] = {row.task: row for row in of(tables.summaries, condition)}
        self.starred = self.absent = False

    def of(self, submission: str, column: Column) -> Cell:
        """A task's score, or the mean of a type."""
        if column.key.startswith("mean_"):
            of_type = self._types.get((submission, column.key))
            ends = interval(of_type.low, of_type.high) if of_type else ""
            return number(of_type.mean if of_type else None, title=f"95 %: {ends}" if ends else "a task is missing")
        row = self._scores.get((submission, column.key))
        if row is None:
            self.absent = True
            return Cell(DASH, muted=True, title="not run")
        share, mark = self._gap(row)
        said = [f"95 %: {interval(row.low, row.high)}"] if row.low is not None else []
        said += [row.gap_reason] if row.gap is None and row.gap_reason else []
        small = "" if share is None else f"{plain(share, digits=0)} %{mark}"
        shade = None if share is None else min(1.0, max(0.0, share))
        return Cell(plain(row.mean), row.mean, small, row.low, row.high, title="; ".join(said), shade=shade)

    def _gap(self, row: ScoreRow) -> tuple[float | None, str]:
        """Gap recovered; where nothing was trained on all real rows, the way to as many of them, with a mark."""
        if row.gap is not None or not row.gap_reason.startswith(f"no run of {CEILING}"):
            return row.gap, ""
        real, summary = self._scores.get((REAL, row.task)), self._floors.get(row.task)
        floor = summary.floor if summary else None
        if real is None or floor is None or real.low is None or real.low <= floor:
            return None, ""
        self.starred = True
        return (row.mean - floor) / (real.mean - floor), "*"


def _name(card: SubmissionRow | None, row: OverallRow) -> Cell:
    """The name; below it the model or the kind of reference, the day, and whether it was reproduced."""
    if row.place == "reference":
        what = WHAT_THEY_ARE.get(row.submission, "reference")
    else:
        what = (card.llm or "no language model") if card else ""
    marks = {"reproduced": "✓ reproduced", "in part": "◐ reproduced in part", "not reproduced": "✗ not reproduced"}
    words = [what, row.scored, marks.get(row.reproduced, "")]
    return Cell(row.submission, row.submission, " · ".join(filter(None, words)), link=row.submission,
                title=card.title if card else "")  # fmt: skip


_SIZES = ((1.0, "under 1B"), (8.0, "1 to 8B"), (80.0, "8 to 80B"), (float("inf"), "over 80B"))
_PRICES = ((0.0, "free"), (1.0, "under $1"), (10.0, "$1 to 10"), (float("inf"), "over $10"))


def _facets(own: Sequence[SubmissionRow | None], rows: Sequence[OverallRow]) -> Iterator[Facet]:
    """Filters by properties in which the submissions differ."""
    kinds = [
        Facet("real", "Real data seen", tuple(card.real_data if card else "" for card in own)),
        Facet("size", "Model size", tuple(_size(card) if card else "" for card in own)),
        Facet("weights", "Weights", tuple(_weights(card) if card else "" for card in own)),
        Facet("cost", "Cost", tuple(_price(card) if card else "" for card in own)),
        Facet("state", "Runs", tuple(row.reproduced for row in rows)),
    ]
    for each in kinds:
        values = tuple("" if row.place == "reference" else value for value, row in zip(each.values, rows, strict=True))
        if len(set(values) - {""}) > 1:
            yield Facet(each.key, each.label, values)


def parameters(card: SubmissionRow) -> float | None:
    """Billions of parameters: as the card says, or as the model's own name does."""
    if card.llm_parameters is not None:
        return card.llm_parameters
    named = re.search(r"(?<![\w.])(\d{1,4}(?:\.\d+)?)\s?([BbMm])(?![a-zA-Z])", card.llm)
    return None if named is None else float(named.group(1)) / (1000 if named.group(2) in "mM" else 1)


def _size(card: SubmissionRow) -> str:
    if not card.llm:
        return "no model"
    size = parameters(card)
    return "not stated" if size is None else next(words for most, words in _SIZES if size < most)


def _weights(card: SubmissionRow) -> str:
    if not card.llm:
        return "no model"
    return {True: "open", False: "closed", None: "not stated"}[card.llm_open]


def _price(card: SubmissionRow) -> str:
    if card.dollars is None:
        return "unknown" if card.llm else "free"
    return next(words for most, words in _PRICES if card.dollars <= most)


def _point(row: OverallRow, place: float) -> Point:
    ends = [None if end is None else 100 * end for end in (row.low, row.high)]
    return Point(100 * (row.mean or 0), place, ends[0], ends[1], row.submission)


def _with_interval(value: float | None, low: float | None, high: float | None, unit: str = "") -> str:
    """``56.3 (54.1–58.4)``, or with a unit ``2.3 points (0.4 to 4.2)``."""
    if value is None:
        return "an unknown amount"
    ends = interval(low, high).replace("–", " to ") if unit else interval(low, high)
    words = f"{plain(value)} {unit}".strip()
    return f"{words} ({ends})" if ends else words


def _turned(low: float | None, high: float | None, turn: bool) -> tuple[float | None, float | None]:
    if not turn:
        return low, high
    return (None if high is None else -high), (None if low is None else -low)


def _listed(names: Sequence[str]) -> str:
    most = 5
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
