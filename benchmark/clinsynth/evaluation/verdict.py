"""The verdict on rows: five lines for a person, a dictionary for a program, the values that a page is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clinsynth.audit import AuditRecord, FailureCode, failures_of
from clinsynth.core import TaskSpec
from clinsynth.evaluation.rows import IN_WORDS, ITEMS, METRIC_NAMES
from clinsynth.quality import Band, QualityRecord, bands_of
from clinsynth.standings import Compared, Comparison, CostOfData, Curve, Score

_LEAKS: tuple[FailureCode, ...] = ("exact-leaks", "leaks", "drawn-leaks")
"""Failures that are over once the leaking rows are gone."""
_TOP = 3
"""Rows that a line names at most."""


@dataclass(frozen=True, slots=True)
class Rival:
    """These rows against others."""

    name: str
    comparison: Comparison
    """These rows minus the others, on the task."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """A row to look at."""

    answer: str
    text: str
    """Its beginning."""


def rival(name: str, compared: Compared) -> Rival:
    """The one comparison that was asked for."""
    return Rival(name, next(row for row in compared.comparisons if row.scope in row.tasks or not row.tasks))


@dataclass(frozen=True, kw_only=True, repr=False)
class Report:
    """The outcome of an evaluation on one task. Scores are in [0, 1]."""

    task: TaskSpec
    """The task that the rows are for."""
    name: str
    """Name of the submission that the rows became."""
    folder: Path
    """Where that lies, with all that was found."""
    recipe: str
    """The student."""
    budget: int
    """Rows that contenders are trained on; one with fewer rows uses all of them."""
    score: Score
    """The score of these rows: mean, seeds and statistics."""
    scores: Mapping[str, Score]
    """Scores by name: of these rows, the references and the known submissions at the same budget."""
    kinds: Mapping[str, str]
    """Kinds by name: submission or reference."""
    rivals: tuple[Rival, ...]
    """These rows against each of the others, the best of these first."""
    audit: AuditRecord
    """Findings of the audit: rows that repeat test or training items, and what looks private."""
    quality: QualityRecord
    """The quality of the rows beside that of real ones."""
    quoted: Mapping[int, Quoted]
    """Rows that are spoken of, by their place in the data file; none where the rows must not be quoted."""
    curve: Curve | None
    """Scores of real data (``gold-n``) over the number of rows, if there are several."""
    cost: CostOfData | None
    """Cost of the rows, as their card says."""
    notes: tuple[str, ...]
    """Decisions made when the rows were read."""
    sample: bool
    """Whether all of this is about the bundled sample, and so means nothing."""

    @property
    def rows(self) -> int:
        """Rows that the student was trained on."""
        return self.score.rows

    @property
    def place(self) -> Path:
        """The folder, as it is named from where one works."""
        here = Path.cwd()
        return self.folder.relative_to(here) if self.folder.is_relative_to(here) else self.folder

    @property
    def items(self) -> str:
        """The word for an example."""
        return ITEMS.get(self.task.type, "texts")

    @property
    def bands(self) -> tuple[Band, ...]:
        """The quality of the rows in words."""
        return bands_of(self.quality.data, self.quality.real)

    def lines(self) -> list[str]:
        """Five lines: the score, whom it beats, what it is worth, what leaks, and where to look next."""
        lines = [self._score(), self._against(), self._worth(), self._leaks(), self._look()]
        if self.sample:
            lines.insert(0, "SAMPLE: a few hand-written test items. These numbers try the machinery, no more.")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"<Report of {self.name} on {self.task.name}: {_x(self.score.mean)}>"

    @property
    def leaking(self) -> tuple[int, ...]:
        """Rows that repeat test items, by their place in the data file, from 1."""
        return tuple(sorted({match.row for match in self.audit.test.matches if match.reason == "leak"}))

    @property
    def too_many_leaks(self) -> bool:
        """Whether the audit failed by rows that repeat test items; a few are let through."""
        return any(failure.code in _LEAKS for failure in failures_of(self.audit))

    def _score(self) -> str:
        statistics = self.score.statistics
        interval = statistics.interval if statistics else None
        seeds = len(self.score.by_seed)
        within = f" ({_x(interval.low)} to {_x(interval.high)})" if interval else ""
        count = "from one seed, so without an interval" if seeds == 1 else f"over {seeds} seeds"
        few = f" Others are trained on {self.budget:,}." if self.rivals and self.rows < self.budget else ""
        return (
            f"On {self.task.name}, {self.rows:,} of your rows give {METRIC_NAMES[self.task.metric]} "
            f"{_x(self.score.mean)}{within}, {count}.{few}"
        )

    def _against(self) -> str:
        """The best known submissions first, then the references; of each at most three."""
        known = [each for each in self.rivals if self.kinds.get(each.name) == "submission"][:_TOP]
        references = [each for each in self.rivals if self.kinds.get(each.name) == "reference"][:_TOP]
        said = joined([*known, *references])
        return f"{said[0].upper()}{said[1:]}." if said else "No other rows are known on this task to compare with."

    def _worth(self) -> str:
        statistics = self.score.statistics
        if statistics is None:
            return f"What that is worth in real examples is not known: {self.score.missing}."
        worth, gap = statistics.worth, statistics.gap
        parts: list[str] = []
        if worth.words:
            parts.append(f"worth {worth_words(worth.words, self.items)}")
        if gap.value is not None:
            within = f" ({_share(gap.low)} to {_share(gap.high)} %)" if None not in (gap.low, gap.high) else ""
            parts.append(f"{100 * gap.value:.0f} %{within} of the way from a constant answer to all real data")
        if not parts:
            why = "; ".join(dict.fromkeys(filter(None, (worth.reason, gap.reason))))
            return f"What that is worth in real examples is not known: {why or 'no reference is here'}."
        line = "; ".join(parts)
        return f"{line[0].upper()}{line[1:]}."

    def _leaks(self) -> str:
        rows = self.leaking
        others = [failure.text for failure in failures_of(self.audit) if failure.code not in _LEAKS]
        more = f" The audit failed: {'; '.join(others)}." if others else ""
        if not rows:
            return f"No row repeats a test item.{more}"
        places = f"row{'s' * (len(rows) > 1)} {', '.join(map(str, rows[:_TOP]))}{', …' * (len(rows) > _TOP)}"
        count = "1 row repeats" if len(rows) == 1 else f"{len(rows):,} rows repeat"
        few = "few enough to be ranked" if self.audit.clean else "few enough by themselves"
        gone = "not ranked until they are gone" if self.too_many_leaks else few
        return f"{count} test items ({places}): {gone}.{more}"

    def _look(self) -> str:
        rows = self.quality.suspects[:_TOP]
        worst = [band for band in self.bands if band.level == "far"] or [b for b in self.bands if b.level == "off"]
        parts = [f"{band.title} ({band.words}): {band.advice}" for band in worst[:2]]
        if rows:
            parts.append(f"labels that look wrong: rows {', '.join(map(str, rows))}")
        return f"To look at: {'; '.join(parts)}." if parts else "Nothing else about the rows stands out."

    def as_dict(self) -> dict[str, Any]:
        """For programs: what the lines are made of, without any text of the rows."""
        return {
            "task": self.task.name,
            "submission": self.name,
            "recipe": self.recipe,
            "rows": self.rows,
            "budget": self.budget,
            "metric": self.task.metric,
            "score": self.score.mean,
            "by_seed": {str(seed): value for seed, value in self.score.by_seed.items()},
            "statistics": asdict(self.score.statistics) if self.score.statistics else None,
            "against": [{"name": each.name, **asdict(each.comparison)} for each in self.rivals],
            "audit": {"clean": self.audit.clean, "failures": self.audit.failures, "leaking_rows": self.leaking},
            "quality": self.quality.data.model_dump(mode="json"),
            "bands": [asdict(band) for band in self.bands],
            "suspects": self.quality.suspects,
            "notes": self.notes,
            "lines": self.lines(),
            "sample": self.sample,
        }

    def to_html(self) -> str:
        """A page that needs nothing else: no network, no script, no text of a restricted data set."""
        from clinsynth.evaluation.page import report_page

        return report_page(self)

    def _repr_html_(self) -> str:
        from clinsynth.evaluation.page import report_body

        return report_body(self)


def _x(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f}"


def worth_words(words: str, items: str) -> str:
    """``340 (210 to > 1,000)`` as part of a sentence."""
    value, _, within = words.partition(" (")
    signs = {"<": "fewer than ", ">": "more than "}
    amount = f"{signs[value[0]]}{value[2:]}" if value[:1] in signs else f"about {value}"
    return f"{amount} real {items}" + (f" ({within}" if within else "")


def joined(rivals: Sequence[Rival]) -> str:
    """Verdicts, with those that say the same put together: ``a tie with a and b; worse than c by 2.0``."""
    said: dict[str, list[str]] = {}
    for each in rivals:
        head, reason = _verdict_words(each.comparison)
        number = _number(each.comparison)
        name = IN_WORDS.get(each.name, each.name)
        said.setdefault(f"{head}\n{reason}", []).append(f"{name} {number}".rstrip())
    parts: list[str] = []
    for key, names in said.items():
        head, _, reason = key.partition("\n")
        parts.append(f"{head} {_and(names)}" + (f", as {reason}" if reason else ""))
    return "; ".join(parts)


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _verdict_words(row: Comparison) -> tuple[str, str]:
    verdict = row.judgement.verdict
    if verdict in ("better", "worse"):
        return f"{verdict} than", ""
    if verdict == "tie":
        return "a tie with", ""
    return f"{verdict} {'against' if verdict == 'undecided' else 'with'}", row.judgement.reason


def _number(row: Comparison) -> str:
    """By how much: without a sign where the verdict says it."""
    if row.difference is None:
        return ""
    if row.judgement.verdict in ("better", "worse"):
        turn = 1 if row.judgement.verdict == "better" else -1
        ends = sorted(turn * end for end in (row.low, row.high) if end is not None)
        within = f" ({_x(ends[0])} to {_x(ends[1])})" if ends else ""
        return f"by {_x(turn * row.difference)}{within}"
    within = f", {100 * row.low:+.1f} to {100 * row.high:+.1f}" if row.low is not None and row.high is not None else ""
    return f"({100 * row.difference:+.1f}{within})"
