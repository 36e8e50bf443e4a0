"""The criteria by which an audit fails, with the reasons it gives. docs/audits.md explains the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from clinsynth.audit import leakage
from clinsynth.audit.record import (
    REAL_SHARE,
    AuditRecord,
    CanarySightings,
    Draw,
    Nearness,
    Privacy,
    Repeats,
    TestLeaks,
    Verbatim,
)
from clinsynth.core import TaskSpec

EXACT_SHARE = 0.001
"""Share of the rows that may repeat a test example exactly: in 1,000 rows chance may do it once."""
LEAK_SHARE = 0.01
"""Share of the rows that may match a test example by any method: above the measured false alarms of every task."""
UNDECLARED_SHARE = REAL_SHARE
"""Share of the rows that may repeat real training text which the card does not declare."""
NEARER_TEST = 0.2
"""By how much the share of rows nearer to test than to other real text may exceed that of real rows, but..."""
NEARER_TEST_ALWAYS = 0.7
"""...a share up to this one is never judged (docs/audits.md)."""
NEARER_SPREADS = 3
"""Standard deviations by which it may exceed one half: of what blocks of real text reach in the test split's place."""
NEARER_BLOCKS = 5
"""Blocks from which their spread counts: of two or three a file can be made that is near one, to widen the limit."""
CHANCE = 1e-4
"""A draw that holds more leaks than chance puts into one of so many draws is not an accident."""
PRIVACY_SHARE = 0.005
"""Share of the rows that may show what looks like PHI, where the task's own real text does not show more."""
RESTRICTED_WORDS = 13
"""Words in a row that may not be repeated from text under a data use agreement..."""
RESTRICTED_SHARE = 0.01
"""...in more than this share of the rows."""

THRESHOLDS = {
    "ngram_words": leakage.NGRAM,
    "whole_text_words": leakage.SHORTEST_WHOLE,
    "min_words": leakage.MIN_WORDS,
    "near_jaccard": leakage.NEAR,
    "same_words": leakage.SAME_WORDS,
    "distinct_words": leakage.DISTINCT_WORDS,
    "cosine": leakage.COSINE,
    "cosine_confirm_jaccard": leakage.CONFIRM,
    "cosine_alone": leakage.COSINE_ALONE,
    "exact_share": EXACT_SHARE,
    "leak_share": LEAK_SHARE,
    "undeclared_share": UNDECLARED_SHARE,
    "nearer_test": NEARER_TEST,
    "nearer_test_always": NEARER_TEST_ALWAYS,
    "nearer_spreads": NEARER_SPREADS,
    "nearer_blocks": NEARER_BLOCKS,
    "chance": CHANCE,
    "privacy_share": PRIVACY_SHARE,
    "restricted_words": RESTRICTED_WORDS,
    "restricted_share": RESTRICTED_SHARE,
}
"""All thresholds that a verdict depends on, as they are stored with it."""

FailureCode = Literal[
    "exact-leaks", "leaks", "drawn-leaks", "undeclared", "drawn-undeclared", "like-test", "private", "canaries",
    "restricted",
]  # fmt: skip
"""What a failure is about.

exact-leaks, leaks, drawn-leaks: rows that repeat test items, word for word, in any way, or more in one draw than
chance explains; undeclared, drawn-undeclared: rows that repeat real text which the card does not declare, in all or
in one draw; like-test: rows nearer to test text than to other real text; private: what looks like PHI; canaries:
planted strings; restricted: text under a data use agreement.
"""


class Failure(NamedTuple):
    """Why an audit fails. Records store the text alone; the code is for programs, which never read the text."""

    code: FailureCode
    text: str


def failures(record: AuditRecord, spec: TaskSpec, undeclared: int) -> tuple[Failure, ...]:
    """Every reason for which these numbers fail. The failures that the record itself holds are not looked at.

    Args:
        record: the numbers; they have to be possible ones.
        spec: of the record's task.
        undeclared: rows that repeat real text which the card does not declare; ``undeclared_rows`` bounds it.
    """
    rows = record.rows
    leaked = {match.row for match in record.test.matches if match.reason == "leak"}
    return (
        *leaks(rows, record.test),
        *_undeclared(rows, record.declared, record.train, record.few_shot),
        *draws(rows, len(leaked), undeclared, record.draws),
        *(() if record.reference else nearness(record.nearness, record.draws)),
        *_privacy(rows, record.privacy),
        *_canaries(record.canaries),
        *_restricted(rows, spec, record.verbatim, reference=record.reference),
    )


def undeclared_rows(record: AuditRecord) -> tuple[int, int]:
    """The fewest and the most rows that can repeat undeclared real text.

    They are the same but where few-shot examples are declared: a record does not hold how many rows repeat these *and*
    the training text.
    """
    if record.train is None or record.declared not in ("none", "few-shot"):
        return 0, 0
    repeated = sum(record.train.rows.values())
    if record.declared == "none" or record.few_shot is None:
        return repeated, repeated
    excused = sum(record.few_shot.rows.values())
    drawn = max((draw.real for draw in record.draws), default=0)
    return min(repeated, max(repeated - excused, drawn)), repeated


def leaks(rows: int, test: TestLeaks) -> Iterator[Failure]:
    """Rows that repeat test examples."""
    leaked = {match.row: match.method for match in test.matches if match.reason == "leak"}
    exact = sum(method == "exact" for method in leaked.values())
    if exact > int(EXACT_SHARE * rows):
        text = f"{exact:,} of {rows:,} rows are a test example word for word; at most {int(EXACT_SHARE * rows)} may be"
        yield Failure("exact-leaks", text)
    if len(leaked) > int(LEAK_SHARE * rows):
        text = f"{len(leaked):,} of {rows:,} rows repeat or paraphrase a test example; {int(LEAK_SHARE * rows)} may"
        yield Failure("leaks", text)


def _undeclared(rows: int, declared: str, train: Repeats | None, few_shot: Repeats | None) -> Iterator[Failure]:
    """Rows that repeat real text which the card says was not used."""
    if train is None or declared not in ("none", "few-shot"):
        return
    shown = few_shot.rows if few_shot and declared == "few-shot" else {}
    excused = sum(count for method, count in shown.items() if method != "embedding")
    repeated = sum(train.rows.values()) - excused
    if repeated > int(UNDECLARED_SHARE * rows):
        yield Failure(
            "undeclared",
            f"{repeated:,} of {rows:,} rows repeat real {train.split} text,"
            f" but the card says real_data.used = {declared}",
        )


def draws(rows: int, leaked: int, undeclared: int, found: Sequence[Draw]) -> Iterator[Failure]:
    """Draws with more leaks than chance explains: leaking rows placed where the seeds draw.

    Args:
        rows: of the file.
        leaked: rows of the file that repeat a test example.
        undeclared: rows of the file that repeat real text which the card does not declare.
        found: of each draw the same; ``real`` counts for nothing where ``undeclared`` is 0.
    """
    kinds: tuple[tuple[FailureCode, str], ...] = (
        ("drawn-leaks", "repeat or paraphrase a test example"),
        ("drawn-undeclared", "repeat real text that the card does not declare"),
    )
    for each in found:
        numbers = ((each.leaks, leaked), (each.real if undeclared else 0, undeclared))
        for (code, text), (count, whole) in zip(kinds, numbers, strict=True):
            if count > int(LEAK_SHARE * each.budget) and count > most_by_chance(each.budget, whole / rows):
                yield Failure(
                    code,
                    f"{count:,} of the {each.budget:,} rows that seed {each.seed} draws {text}; with {whole:,} such"
                    f" rows of {rows:,}, chance puts at most {most_by_chance(each.budget, whole / rows):,} into a draw",
                )


def nearness(found: Nearness | None, drawn: Sequence[Draw]) -> Iterator[Failure]:
    """Rows that are like the test split, one by one or as a whole, though none of them repeats it."""
    if found is None:
        return
    luck = 0.5 + NEARER_SPREADS * found.spread if found.blocks >= NEARER_BLOCKS else 0.0
    limit = max(NEARER_TEST_ALWAYS, found.usual + NEARER_TEST, luck)
    if found.test > limit:
        yield Failure(
            "like-test",
            f"{found.test:.0%} of the rows are nearer to test text than to as much other real text; of real rows"
            f" {found.usual:.0%} are, and {min(limit, 1):.0%} may be",
        )
        return
    for each in drawn:
        # Two standard errors: a draw of few rows may be above the limit by chance.
        if each.nearer_test is not None and each.nearer_test > limit + each.budget**-0.5:
            drawn_rows = f"the {each.budget:,} rows that seed {each.seed} draws"
            yield Failure("like-test", f"{each.nearer_test:.0%} of {drawn_rows} are nearer to test text")
            return


def most_by_chance(drawn: int, share: float, chance: float = CHANCE) -> int:
    """Least k for which a binomial count of ``drawn`` with this share exceeds k at most with probability ``chance``."""
    share = min(share, 1 - 1e-9)
    mass = (1 - share) ** drawn
    total, k = mass, 0
    while total < 1 - chance and k < drawn:
        if not mass:
            return drawn  # too small for a float, now and at every later step
        mass *= (drawn - k) / (k + 1) * share / (1 - share)
        k += 1
        total += mass
    return k


def _privacy(rows: int, found: Privacy) -> Iterator[Failure]:
    """Rows that show what looks like protected health information."""
    allowed = max(PRIVACY_SHARE, found.real_share or 0)
    if found.share * rows > int(allowed * rows):
        kinds = ", ".join(f"{kind} {len(where):,}" for kind, where in found.rows.items())
        text = f"{found.share:.1%} of the rows show what looks like PHI ({kinds}); {allowed:.1%} may"
        yield Failure("private", text)


def _canaries(sightings: CanarySightings | None) -> Iterator[Failure]:
    """Canaries that appear in the rows."""
    if sightings and (sightings.exact or sightings.near):
        seen = sightings.exact.keys() | sightings.near.keys()
        yield Failure("canaries", f"{len(seen)} of {sightings.planted} planted canaries came out again")


def _restricted(rows: int, spec: TaskSpec, verbatim: Verbatim | None, *, reference: bool) -> Iterator[Failure]:
    """Text under a data use agreement; a reference consists of it and is never published."""
    if spec.access == "open" or verbatim is None or reference:
        return
    long = verbatim.over[str(RESTRICTED_WORDS)]
    if long > int(RESTRICTED_SHARE * rows):
        text = f"{long:,} of {rows:,} rows repeat {RESTRICTED_WORDS} words or more of text under a data use agreement"
        yield Failure("restricted", text)
