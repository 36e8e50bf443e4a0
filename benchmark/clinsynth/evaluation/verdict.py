"""What is to be said of the rows: five lines for a person, a dictionary for a program, and what a page is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clinsynth.audit import AuditRecord
from clinsynth.core import TaskSpec
from clinsynth.evaluation.bands import Band, bands
from clinsynth.quality import QualityRecord
from clinsynth.standings import CONSTANT, Compared, Comparison, Score

_ITEMS = {
    "sentence_similarity": "pairs",
    "natural_language_inference": "pairs",
    "fact_verification": "pairs of claim and evidence",
}
"""What an example of a type is called; of the others it is a text."""
_METRICS = {
    "accuracy": "accuracy", "macro_f1": "macro F1", "micro_f1": "micro F1", "f1": "F1", "entity_f1": "entity F1",
}  # fmt: skip
_TOP = 3
"""Rows that a line names at most."""


@dataclass(frozen=True, slots=True)
class Rival:
    """These rows against others."""

    name: str
    comparison: Comparison
    """These rows minus the others, on the task."""


def rival(name: str, compared: Compared) -> Rival:
    """The one comparison that was asked for."""
    return Rival(name, next(row for row in compared.comparisons if row.scope in row.tasks or not row.tasks))


@dataclass(frozen=True, kw_only=True)
class Report:
    """The outcome of an evaluation on one task. Scores are in [0, 1]."""

    task: TaskSpec
    name: str
    """Of the submission that the rows became."""
    folder: Path
    recipe: str
    rows: int
    """Rows that the student was trained on."""
    score: Score
    scores: Mapping[str, Score]
    """By name: these rows, the references and the known submissions at the same budget."""
    kinds: Mapping[str, str]
    """By name: submission or reference."""
    rivals: tuple[Rival, ...]
    """Best first."""
    audit: AuditRecord
    quality: QualityRecord
    notes: tuple[str, ...]
    """What was decided when the rows were read."""
    sample: bool
    """Whether all of this is about the bundled sample, and so means nothing."""

    @property
    def items(self) -> str:
        """What an example is called."""
        return _ITEMS.get(self.task.type, "texts")

    @property
    def bands(self) -> tuple[Band, ...]:
        """The quality of the rows in words."""
        return bands(self.quality)

    def lines(self) -> list[str]:
        """Five lines: the score, whom it beats, what it is worth, what leaks, and where to look next."""
        lines = [self._score(), self._against(), self._worth(), self._leaks(), self._look()]
        if self.sample:
            lines.insert(0, "SAMPLE: a few hand-written test items. These numbers try the machinery, no more.")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _score(self) -> str:
        statistics = self.score.statistics
        interval = statistics.interval if statistics else None
        seeds = len(self.score.by_seed)
        within = f" ({_x(interval.low)} to {_x(interval.high)})" if interval else ""
        count = "1 seed, so no interval yet" if seeds == 1 else f"{seeds} seeds"
        return (
            f"On {self.task.name}, {self.rows:,} of your rows give {_x(self.score.mean)}{within} "
            f"{_METRICS[self.task.metric]}, {count}."
        )

    def _against(self) -> str:
        said = [_words(each) for each in self.rivals if each.name != CONSTANT][: 2 * _TOP]
        return f"Against the others: {'; '.join(said)}." if said else "There is nothing on this task to compare with."

    def _worth(self) -> str:
        statistics = self.score.statistics
        if statistics is None:
            return f"What that is worth in real examples is not known: {self.score.missing}."
        worth, gap = statistics.worth, statistics.gap
        parts: list[str] = []
        if worth.words:
            parts.append(f"worth {worth.words} real {self.items}")
        if gap.value is not None:
            within = f" ({_x(gap.low)} to {_x(gap.high)} %)" if gap.low is not None and gap.high is not None else ""
            parts.append(
                f"{100 * gap.value:.0f} %{within} of the way from the best constant answer to all real data"
            )
        why = [reason for reason in (worth.reason, gap.reason) if reason]
        if not parts:
            return f"What that is worth in real examples is not known: {'; '.join(why) or 'no reference is here'}."
        line = "; ".join(parts)
        return f"{line[0].upper()}{line[1:]}."

    def _leaks(self) -> str:
        verdict = self.audit.verdict
        test = self.audit.test
        if test is None:
            return "Whether rows repeat test items was not looked at: the test set is not here."
        leaking = sorted({match.row for match in test.matches if match.reason == "leak"})
        if not leaking:
            rest = "" if verdict.passed else f" The audit failed: {'; '.join(verdict.reasons)}."
            return f"No row repeats a test item.{rest}"
        some = ", ".join(map(str, leaking[:_TOP])) + (", …" if len(leaking) > _TOP else "")
        count = "1 row repeats" if len(leaking) == 1 else f"{len(leaking):,} rows repeat"
        gone = "not ranked until they are gone" if not verdict.passed else "few enough to be ranked"
        return f"{count} test items (rows {some}): {gone}."

    def _look(self) -> str:
        worst = [band for band in self.bands if band.level == "far"]
        rows = self.quality.suspects[:_TOP]
        parts = [f"{band.title}: {band.words}; {band.advice}" for band in worst[:2]]
        if rows:
            parts.append(f"labels to look at first: rows {', '.join(map(str, rows))}")
        return f"To look at: {'; '.join(parts)}." if parts else "Nothing about the rows stands out."

    def as_dict(self) -> dict[str, Any]:
        """For programs: what the lines are made of, without any text of the rows."""
        return {
            "task": self.task.name,
            "submission": self.name,
            "recipe": self.recipe,
            "rows": self.rows,
            "metric": self.task.metric,
            "score": self.score.mean,
            "by_seed": {str(seed): value for seed, value in self.score.by_seed.items()},
            "statistics": asdict(self.score.statistics) if self.score.statistics else None,
            "against": [{"name": each.name, **asdict(each.comparison)} for each in self.rivals],
            "audit": self.audit.verdict.model_dump(mode="json"),
            "quality": self.quality.data.model_dump(mode="json"),
            "bands": [asdict(band) for band in self.bands],
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


def _words(rival: Rival) -> str:
    row = rival.comparison
    if row.difference is None:
        return f"not comparable with {rival.name}"
    within = f" ({_x(row.low)} to {_x(row.high)})" if row.low is not None else ""
    if row.judgement.verdict in ("better", "worse"):
        return f"{row.judgement.verdict} than {rival.name} by {_x(abs(row.difference))}{_apart(row)}"
    if row.judgement.verdict == "tie":
        return f"a tie with {rival.name} ({_x(row.difference)}{within})"
    return f"undecided against {rival.name} ({row.judgement.reason})"


def _apart(row: Comparison) -> str:
    if row.low is None or row.high is None:
        return ""
    low, high = sorted((abs(row.low), abs(row.high)))
    return f" ({_x(low)} to {_x(high)})"


def names_of(rivals: Sequence[Rival]) -> tuple[str, ...]:
    """Whom the rows were compared with."""
    return tuple(each.name for each in rivals)
