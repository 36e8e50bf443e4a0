"""How far metrics and judges agree with people: MTS-Dialog's 400 machine-made summaries that were scored by hand.

The published scores (Ben Abacha et al. 2023) stand in a file of their own, row by row in the order of the summaries;
nothing in either file names the other's rows. That the order fits is therefore tested: the agreement must be far
larger than with the scores shifted by some rows.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from clinsynth.core import Source, UserError, text_table
from clinsynth.direct.runner import subset
from clinsynth.direct.suites.judge import Case, grade
from clinsynth.direct.suites.sets import SuiteFiles, read_table
from clinsynth.direct.suites.texts import text_scores
from clinsynth.llm import LLM

RESAMPLES = 1_000


def alpha(grades: Mapping[str, Sequence[int | None]]) -> float | None:
    """Krippendorff's alpha for ordinal grades, by judge; missing grades are missing.

    As in Krippendorff (2011), Computing Krippendorff's Alpha-Reliability: one minus the observed over the expected
    disagreement, both from the coincidences of grades within cases; two grades lie as far apart as there are grades
    from the middle of the one to the middle of the other, squared. ``None`` where it is not defined: fewer than two
    cases with two grades, or one grade throughout.
    """
    cases = [[grade for grade in case if grade is not None] for case in zip(*grades.values(), strict=True)]
    paired = [case for case in cases if len(case) >= 2]
    values = sorted({grade for case in paired for grade in case})
    if len(paired) < 2 or len(values) < 2:
        return None
    counts = np.array([[case.count(value) for value in values] for case in paired], dtype=float)
    # Each case gives every ordered pair of its grades, together as much weight as it has grades.
    pairs = np.einsum("uc,uk->uck", counts, counts) - counts[:, :, None] * np.eye(len(values))
    observed = (pairs / (counts.sum(axis=1) - 1)[:, None, None]).sum(axis=0)
    totals = observed.sum(axis=1)
    expected = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1)
    middle = np.cumsum(totals) - totals / 2
    apart = (middle[:, None] - middle[None, :]) ** 2
    return float(1 - (observed * apart).sum() / (expected * apart).sum())


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's rank correlation of two measures of the same cases."""

    rho: float | None
    """``None`` where one of them does not vary."""
    low: float | None
    high: float | None
    """95 % interval, percentile bootstrap over cases."""
    cases: int


def correlate(a: Sequence[float | None], b: Sequence[float | None], seed: int = 0) -> Correlation:
    """Correlate what both have."""
    pairs = np.array([(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None], dtype=float)
    if len(pairs) < 3 or (rho := _rho(pairs)) is None:
        return Correlation(None, None, None, len(pairs))
    rng = np.random.default_rng(seed)
    drawn = [_rho(pairs[rng.integers(len(pairs), size=len(pairs))]) for _ in range(RESAMPLES)]
    kept = [value for value in drawn if value is not None]
    low, high = np.percentile(kept, [2.5, 97.5])
    return Correlation(rho, float(low), float(high), len(pairs))


def _rho(pairs: Any) -> float | None:
    stats: Any = importlib.import_module("scipy.stats")
    ranks = stats.rankdata(pairs, axis=0)
    if not ranks.std(axis=0).all():
        return None
    return float(np.corrcoef(ranks[:, 0], ranks[:, 1])[0, 1])


_AT = "https://raw.githubusercontent.com/abachaa/MTS-Dialog/3ff0801933608d6f570468c13125125fb5cabdea/Correlation-Study/"
SUMMARIES = "MTS-Dialog-Automatic-Summaries-ValidationSet.csv"
SCORES = "MTS-Dialog-Manual-Scores4CorrelationStudy.csv"
SOURCES = (
    Source(SUMMARIES, ("test",), _AT + SUMMARIES,
           sha256="0ee4261f33f7001643cfb88779bf2af49a6e1829e70460bb9b67917d48276f2d"),
    Source(SCORES, ("test",), _AT + SCORES, sha256="48344ac1ea8a8c8dc6286cebc59b734bbe29d821e32bd3cfefb4c72f0b70088d"),
)  # fmt: skip
PEOPLE = {"FactualF1": "factual F1", "HallucinationRate": "hallucination", "OmissionRate": "omission"}
QUESTION = "Summarise what this conversation between doctor and patient tells about the patient, as a note would."


@dataclass(frozen=True, slots=True)
class HumanAgreement:
    """Rank correlations with people's scores."""

    metrics: Mapping[str, Mapping[str, Correlation]]
    """By metric, then by what people scored."""
    judges: Mapping[str, Mapping[str, Correlation]]
    failures: Mapping[str, Counter[str]]
    """Replies of each judge without a grade, by reason."""
    between: float | None
    """Krippendorff's alpha between the judges."""
    shifted: float
    """Mean of the absolute correlation of ROUGE-L with factual F1 where the scores are shifted by 1 to 20 rows."""
    cases: int
    judged: int


def agreement_with_humans(
    source_dir: Path | None, raw_dir: Path, judges: AbstractContextManager[Mapping[str, LLM]], limit: int | None
) -> HumanAgreement:
    """Correlate metrics on all cases, and judges on ``limit`` of them, with people.

    Raises:
        NotPreparedError: the files are not here and cannot be had.
        UserError: they are not the published ones.
    """
    files = SuiteFiles("mts-dialog", SOURCES, source_dir, raw_dir)
    rows = list(read_table(files, SUMMARIES))
    scored = list(read_table(files, SCORES))
    if len(rows) != len(scored):
        raise UserError("MTS-Dialog's summaries and scores do not fit", found=f"{len(rows)} and {len(scored)} rows")
    people = {name: [float(row[name]) for row in scored] for name in PEOPLE}
    texts = [(row["Automatic Summary"].strip(), [row["Reference Summary"].strip()]) for row in rows]
    each = [text_scores([answer], [references], "en") for answer, references in texts]
    metrics = {
        metric: {name: correlate([one[metric] for one in each], values) for name, values in people.items()}
        for metric in each[0]
    }
    rouge = [one["rougeL"] for one in each]
    shifts = [people["FactualF1"][k:] + people["FactualF1"][:k] for k in range(1, 21)]
    correlations = [correlate(rouge, values).rho for values in shifts]
    shifted = mean(abs(rho) for rho in correlations if rho is not None)
    positions = subset(len(rows), limit)
    cases = [Case(rows[k]["Dialogue"].strip(), QUESTION, texts[k][0]) for k in positions]
    by_judge: dict[str, dict[str, Correlation]] = {}
    failures: dict[str, Counter[str]] = {}
    grades: dict[str, tuple[int | None, ...]] = {}
    with judges as opened:
        for name, judge in opened.items():
            given = grade(judge, cases)
            grades[name], failures[name] = given.grades, given.failures
            by_judge[name] = {who: correlate(list(given.grades), [values[k] for k in positions])
                              for who, values in people.items()}  # fmt: skip
    return HumanAgreement(metrics, by_judge, failures, alpha(grades), shifted, len(rows), len(cases))


def agreement_text(found: HumanAgreement) -> str:
    """A line for each metric and judge."""
    body = [[name, *(_cell(by[who]) for who in PEOPLE)] for name, by in [*found.metrics.items(), *found.judges.items()]]
    lines = [text_table(["measure", *PEOPLE.values()], body), ""]
    lines.append(
        f"Spearman's rank correlation with people's scores of {found.cases} summaries, with its 95 % interval; "
        f"ROUGE-L against scores shifted by some rows: {found.shifted:.2f} on average."
    )
    for name, reasons in found.failures.items():
        lost = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or "none"
        lines.append(f"{name}: {found.judged} summaries; replies without a grade: {lost}.")
    if len(found.judges) > 1:
        between = "not defined" if found.between is None else f"{found.between:.2f}"
        lines.append(f"Krippendorff's alpha between the judges: {between}.")
    return "\n".join(lines)


def _cell(found: Correlation) -> str:
    if found.rho is None or found.low is None or found.high is None:
        return "-"
    return f"{found.rho:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
