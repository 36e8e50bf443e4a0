"""The parts of an audit: each compares, searches or scores one thing and returns the part of the record for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from clinsynth.audit import leakage
from clinsynth.audit.canary import CanaryHashes, look
from clinsynth.audit.leakage import TextSet
from clinsynth.audit.record import (
    CanarySightings,
    Privacy,
    Repeats,
    Rescored,
    RowMatch,
    TestLeaks,
    Verbatim,
)
from clinsynth.core import Example, Task, UserError
from clinsynth.data import ExampleStore
from clinsynth.results import Results
from clinsynth.scoring import METRICS
from clinsynth.text import Codes, Sequences, find_phi, longest_shared, tight

FIRST_WORDS = 2
FIRST_CHARACTERS = 16
"""Shorter stretches are counted as 0: every sentence has them."""


class Longest(NamedTuple):
    """For each row, the longest stretch of one of its texts that is in one real text too."""

    words: npt.NDArray[np.int64]
    characters: npt.NDArray[np.int64]
    """Of the form without case, accents and spaces beside punctuation."""


def longest(rows: TextSet, real: TextSet) -> Longest:
    """Compare the rows with real training text."""
    codes = Codes()
    in_words = longest_shared(Sequences.of(rows.words, codes), Sequences.of(real.words, codes), FIRST_WORDS)
    in_characters = longest_shared(
        Sequences.of_characters([tight(text) for text in rows.texts]),
        Sequences.of_characters([tight(text) for text in real.texts]),
        FIRST_CHARACTERS,
    )
    return Longest(_by_row(rows.places, in_words), _by_row(rows.places, in_characters))


def _by_row(places: Sequence[tuple[int, ...]], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.array([max(lengths[number] for number in numbers) for numbers in places], np.int64)


OVER = (13, 25, 50)
"""Lengths, in words, at which shared stretches are counted."""
_QUANTILES = (0.5, 0.9, 0.99, 1.0)


def _quantiles(values: npt.NDArray[Any]) -> dict[str, float]:
    return {f"{q:g}": round(float(np.quantile(values, q)), 4) for q in _QUANTILES}


def test_leaks(rows: TextSet, items: TextSet, public: TextSet, examples: int, embed: leakage.Embed) -> TestLeaks:
    """Rows that repeat test examples; ``public``: train and dev."""
    overlap = leakage.overlap(rows, items, public=public, embed=embed)
    printed = leakage.repeated(rows, public)
    by_row: dict[int, list[leakage.Match]] = defaultdict(list)
    for match in overlap.matches:
        by_row[match.row].append(match)
    matches: list[RowMatch] = []
    for row, own in by_row.items():
        method = leakage.METHODS[min(leakage.METHODS.index(match.method) for match in own)]
        reason: Literal["leak", "short", "public"]
        reason = "public" if row in printed else "short" if leakage.is_short(rows, row) else "leak"
        tests = tuple(match.item for match in own)
        matches.append(RowMatch(row=row + 1, tests=tests, method=method, reason=reason))
    nearest = np.zeros(1) if overlap.nearest is None else overlap.nearest
    return TestLeaks(
        examples=examples, matches=tuple(matches), one_side=tuple(row + 1 for row in overlap.one_side),
        nearest=_quantiles(nearest), touched=len({match.item for match in overlap.matches}),
    )  # fmt: skip


def repeats(
    rows: TextSet,
    items: TextSet,
    split: str,
    examples: int,
    embed: leakage.Embed | None = None,
) -> tuple[Repeats, set[int]]:
    """Rows that repeat the examples of another split: counts, and the rows (from 0) that are counted."""
    surest: dict[int, int] = {}
    for match in leakage.overlap(rows, items, embed=embed).matches:
        rank = leakage.METHODS.index(match.method)
        surest[match.row] = min(rank, surest.get(match.row, rank))
    few_words = {row for row in surest if leakage.is_short(rows, row)}
    counts = Counter(leakage.METHODS[rank] for row, rank in surest.items() if row not in few_words)
    repeated = Repeats(
        split=split, examples=examples, rows={m: counts[m] for m in leakage.METHODS if counts[m]},
        few_words=len(few_words),
    )  # fmt: skip
    return repeated, surest.keys() - few_words


def verbatim_text(rows: TextSet, real: TextSet, split: str) -> Verbatim:
    """The longest stretches of real text."""
    stretches = longest(rows, real)
    return Verbatim(
        split=split,
        quantiles={"words": _quantiles(stretches.words), "characters": _quantiles(stretches.characters)},
        longest_row=int(stretches.words.argmax()) + 1,
        over={str(n): int((stretches.words >= n).sum()) for n in OVER},
    )


def privacy(examples: Sequence[Example], real: Sequence[Example]) -> Privacy:
    """PHI patterns in the rows, and for comparison in some real examples of the task."""
    strong: dict[str, set[int]] = defaultdict(set)
    weak: dict[str, set[int]] = defaultdict(set)
    for row, example in enumerate(examples, 1):
        for hit in (hit for text in example.texts for hit in find_phi(text)):
            (strong if hit.strength == "strong" else weak)[hit.kind].add(row)
    flagged = {row for where in strong.values() for row in where}
    real_flagged = sum(any(hit.strength == "strong" for text in e.texts for hit in find_phi(text)) for e in real)
    return Privacy(
        rows={kind: tuple(sorted(where)) for kind, where in sorted(strong.items())},
        weak={kind: len(where) for kind, where in sorted(weak.items())},
        share=len(flagged) / len(examples), real_share=real_flagged / len(real) if real else None,
    )  # fmt: skip


def canaries(examples: Sequence[Example], hashes: CanaryHashes) -> CanarySightings:
    """Planted strings in the rows; a row is counted once for each canary."""
    exact: dict[int, list[int]] = defaultdict(list)
    near: dict[int, list[int]] = defaultdict(list)
    for row, example in enumerate(examples, 1):
        for sighting in look(example.texts, hashes):
            (exact if sighting.exact else near)[sighting.canary].append(row)
    return CanarySightings(
        hashes=hashes.fingerprint, planted=len(hashes.canaries),
        exact={n: tuple(rows) for n, rows in exact.items()}, near={n: tuple(rows) for n, rows in near.items()},
    )  # fmt: skip


def rescored(
    folder: Path, task: Task, store: ExampleStore, test: Sequence[Example], touched: set[int]
) -> tuple[Rescored, ...]:
    """Runs whose predictions are stored and whose test set is the one here."""
    results = Results(folder, store.kind)
    fingerprint = store.fingerprint(task, "test")
    metric = METRICS[task.spec.metric]
    untouched = np.array([k not in touched for k in range(len(test))])
    out: list[Rescored] = []
    for record in results.records():
        path = results.predictions_path(record.cell)
        if record.task != task.spec.name or record.test.fingerprint != fingerprint or not path.exists():
            continue
        try:
            predictions, _ = results.read_predictions(record)
        except UserError:
            continue  # clinsynth verify says what is wrong with it
        if len(predictions) != len(test):
            continue
        counts = metric.counts(task.spec, test, predictions)
        left = float(metric.value(counts[untouched].sum(axis=0))) if untouched.any() else None
        out.append(
            Rescored(
                recipe=record.recipe, rows=record.rows, seed=record.seed, metric=metric.name,
                score=float(metric.value(counts.sum(axis=0))), without=left, untouched=int(untouched.sum()),
            )
        )  # fmt: skip
    return tuple(out)
