"""When the gate is shut, and what is said then. The numbers are explained in docs/audits.md."""

from __future__ import annotations

from collections.abc import Iterator

from clinsynth.audit import leakage
from clinsynth.audit.record import CanarySightings, Privacy, Repeats, TestLeaks, Verbatim
from clinsynth.core import TaskSpec

EXACT_SHARE = 0.001
"""Share of the rows that may repeat a test example exactly: in 1,000 rows chance may do it once."""
LEAK_SHARE = 0.01
"""Share of the rows that may match a test example by any method: above the measured false alarms of every task."""
UNDECLARED_SHARE = 0.01
"""Share of the rows that may repeat real training text which the card does not own up to."""
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
    "cosine": leakage.COSINE,
    "cosine_confirm_jaccard": leakage.CONFIRM,
    "cosine_alone": leakage.COSINE_ALONE,
    "exact_share": EXACT_SHARE,
    "leak_share": LEAK_SHARE,
    "undeclared_share": UNDECLARED_SHARE,
    "privacy_share": PRIVACY_SHARE,
    "restricted_words": RESTRICTED_WORDS,
    "restricted_share": RESTRICTED_SHARE,
}
"""Everything a verdict depends on, as stored with it."""


def leaks(rows: int, test: TestLeaks) -> Iterator[str]:
    """Rows that repeat test examples."""
    leaked = {match.row: match.method for match in test.matches if match.reason == "leak"}
    exact = sum(method == "exact" for method in leaked.values())
    if exact > int(EXACT_SHARE * rows):
        yield f"{exact:,} of {rows:,} rows are a test example word for word; at most {int(EXACT_SHARE * rows)} may be"
    if len(leaked) > int(LEAK_SHARE * rows):
        yield f"{len(leaked):,} of {rows:,} rows repeat or paraphrase a test example; {int(LEAK_SHARE * rows)} may"


def undeclared(rows: int, declared: str, train: Repeats | None, few_shot: Repeats | None) -> Iterator[str]:
    """Real text that the card says was not used."""
    if train is None or declared not in ("none", "few-shot"):
        return
    shown = few_shot.rows if few_shot and declared == "few-shot" else {}
    excused = sum(count for method, count in shown.items() if method != "embedding")
    found = sum(train.rows.values()) - excused
    if found > int(UNDECLARED_SHARE * rows):
        yield (
            f"{found:,} of {rows:,} rows repeat real {train.split} text, but the card says real_data.used = {declared}"
        )


def privacy(rows: int, found: Privacy) -> Iterator[str]:
    """What looks like protected health information."""
    allowed = max(PRIVACY_SHARE, found.real_share or 0)
    if found.share * rows > int(allowed * rows):
        kinds = ", ".join(f"{kind} {len(where):,}" for kind, where in found.rows.items())
        yield f"{found.share:.1%} of the rows show what looks like PHI ({kinds}); {allowed:.1%} may"


def canaries(sightings: CanarySightings | None) -> Iterator[str]:
    """Planted strings."""
    if sightings and (sightings.exact or sightings.near):
        found = sightings.exact.keys() | sightings.near.keys()
        yield f"{len(found)} of {sightings.planted} planted canaries came out again"


def restricted(rows: int, spec: TaskSpec, verbatim: Verbatim | None, *, reference: bool) -> Iterator[str]:
    """Text under a data use agreement; a reference consists of it and is never published."""
    if spec.access == "open" or verbatim is None or reference:
        return
    found = verbatim.over[str(RESTRICTED_WORDS)]
    if found > int(RESTRICTED_SHARE * rows):
        yield f"{found:,} of {rows:,} rows repeat {RESTRICTED_WORDS} words or more of text under a data use agreement"
