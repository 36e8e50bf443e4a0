"""The verdict on two rows, decided here and nowhere else, and the reasons for which a row has no rank.

A verdict depends on the two rows alone, not on the other rows of a table. Both are types, put into words for a reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clinsynth.scoring.statistics import ALPHA, Estimate

RANKED_SEEDS = 5
"""Seeds of a row that may be ranked (protocol); with fewer it is preliminary."""

Verdict = Literal["better", "worse", "tie", "undecided", "not comparable"]
"""Of the one row against the other.

better, worse: p < 0.05 for this comparison alone; tie: not so, and the comparison could have shown a difference;
undecided: not so, and it could hardly have, for want of seeds or of test items; not comparable: there is no number.
"""


ReasonCode = Literal[
    "reference",
    "sample",
    "incomplete",
    "preliminary",
    "unaudited",
    "leaks",
    "failed-verify",
    "unchecked",
    "mixed",
    "seeds",
    "real-text",
    "not-reproduced",
    "as-handed-in",
]
"""Why a row has no rank.

reference: a floor or a ceiling; sample: made on the bundled sample; incomplete: a task is missing; preliminary: fewer
than ``RANKED_SEEDS`` seeds; unaudited: no audit of these rows, or one by older rules; leaks: the audit failed;
failed-verify: what is stored contradicts itself; unchecked: the test set or the predictions are not on this machine;
mixed: other conditions than the rest of the table, or runs that do not belong together; seeds: runs of other seeds
than the protocol's; real-text: the rows repeat real training text, which is a tier of its own; not-reproduced: training
again gave something else; as-handed-in: on a published board, not trained again yet.
"""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for which a row has no rank."""

    code: ReasonCode
    text: str
    """For a reader: what is the matter, with the tasks."""
    tasks: tuple[str, ...] = ()
    """Where it is the matter; empty: everywhere."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why it is none, and what would help."""

    verdict: Verdict
    reason: str = ""
    """Why nothing is decided, or nothing can be compared."""
    remedy: str = ""
    """What would help."""


def not_comparable(reason: str) -> Judgement:
    """The judgement where there is no number."""
    return Judgement("not comparable", reason.splitlines()[0])


def judge(estimate: Estimate, seeds: int, scale: float) -> Judgement:
    """The verdict on a difference.

    Args:
        estimate: of the difference.
        seeds: the fewest behind it; 0 where no seed changes either.
        scale: from the best constant answer to the ceiling, or to a perfect score: an interval that is wider than this
            leaves everything open.
    """
    more = f"score both with --seeds 0-{RANKED_SEEDS - 1}"
    if seeds == 1:
        return Judgement("undecided", "one seed does not show how far seeds lie apart", more)
    if estimate.value == 0 and estimate.standard_error == 0:
        return Judgement("tie")
    if estimate.p_value() < ALPHA:
        return Judgement("better" if estimate.value > 0 else "worse")
    if 0 < seeds < RANKED_SEEDS:
        return Judgement("undecided", f"{seeds} seeds are too few", more)
    low, high = estimate.interval()
    if high - low > scale:
        reason = f"the interval is wider than the {100 * scale:.1f} points from the constant answer to the ceiling"
        return Judgement("undecided", reason, "more seeds, or a larger test set")
    return Judgement("tie")


def words(
    judgement: Judgement, other: str, difference: float | None, detectable: float | None, *, tasks: int, seeds: int
) -> str:
    """The verdict on ``other``, in words.

    Args:
        judgement: the verdict.
        other: name of the row that the verdict is on.
        difference: its lead.
        detectable: what would be found 4 times in 5.
        tasks: that were compared.
        seeds: the fewest behind it.
    """
    if judgement.verdict in ("better", "worse"):
        few = f" (preliminary: {seeds} seeds)" if 0 < seeds < RANKED_SEEDS else ""
        return f"{other} is {judgement.verdict} by {100 * abs(difference or 0):.1f} points{few}"
    if judgement.verdict == "tie":
        if not detectable:
            return "tie: no difference at all"
        what = "this test set" if tasks == 1 else "these test sets"
        return f"tie: {what} can only resolve {100 * detectable:.1f} points"
    remedy = f"; {judgement.remedy}" if judgement.remedy else ""
    return f"{judgement.verdict}: {judgement.reason}{remedy}"


def turned(verdict: Verdict) -> Verdict:
    """The verdict with the two rows exchanged."""
    return "worse" if verdict == "better" else "better" if verdict == "worse" else verdict
