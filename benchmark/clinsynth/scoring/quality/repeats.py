"""Rows that say the same thing twice, and rows that say the same thing and are answered differently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil

from clinsynth.schema import Example
from clinsynth.scoring.quality.words import normalised, words

NEAR = 0.8
"""Jaccard index of two rows' sets of distinct words at which they count as near duplicates."""


def inputs(rows: Sequence[Example]) -> list[tuple[str, ...]]:
    """The normalised texts of each row: what a student reads, without the answer."""
    return [tuple(normalised(text) for text in row.texts) for row in rows]


def answer(row: Example) -> tuple[object, ...]:
    """What a row teaches: its labels, or for span tasks its labelled mentions, whatever their offsets."""
    mentions = sorted((span.label, normalised(row.texts[0][span.start : span.end])) for span in row.spans)
    return (*sorted(row.labels), *mentions)


def exact_duplicates(rows: Sequence[Example]) -> float | None:
    """Share of rows whose texts, after normalisation, are those of an earlier row; the answers may differ."""
    return 1 - len(set(inputs(rows))) / len(rows) if rows else None


def conflicting(rows: Sequence[Example]) -> float | None:
    """Share of rows whose texts, after normalisation, occur with another answer too."""
    answers: dict[tuple[str, ...], set[tuple[object, ...]]] = {}
    texts = inputs(rows)
    for text, row in zip(texts, rows, strict=True):
        answers.setdefault(text, set()).add(answer(row))
    return sum(len(answers[text]) > 1 for text in texts) / len(rows) if rows else None


def near_duplicates(rows: Sequence[Example], threshold: float = NEAR) -> float | None:
    """Share of rows, not exact duplicates, with an earlier row at a Jaccard index of words of ``threshold`` or more.

    |A and B| / |A or B| over the sets of distinct words of all texts of a row. Exact, by prefix filtering: two sets
    that similar share one of their rarest words (Bayardo et al. 2007, All-Pairs). Rows without words are left out.
    """
    if not rows:
        return None
    distinct = list(dict.fromkeys(inputs(rows)))
    sets = [frozenset(word for text in texts for word in words(text)) for texts in distinct]
    return sum(1 for _ in _with_earlier(sets, threshold)) / len(rows)


def _with_earlier(sets: Sequence[frozenset[str]], threshold: float) -> Iterator[int]:
    rarity = Counter(word for members in sets for word in members)
    index: dict[str, list[int]] = {}
    for k, members in enumerate(sets):
        if not members:
            continue
        ordered = sorted(members, key=lambda word: (rarity[word], word))
        # Epsilon: 0.8 x 5 is 4.000000000000001 in floating point for some thresholds, which would cut too short.
        prefix = ordered[: len(ordered) - ceil(threshold * len(ordered) - 1e-9) + 1]
        candidates = {other for word in prefix for other in index.get(word, ())}
        if any(_similar(members, sets[other], threshold) for other in candidates):
            yield k
        for word in prefix:
            index.setdefault(word, []).append(k)


def _similar(a: frozenset[str], b: frozenset[str], threshold: float) -> bool:
    small, large = sorted((len(a), len(b)))
    if small < threshold * large - 1e-9:
        return False
    common = len(a & b)
    return common >= threshold * (len(a) + len(b) - common) - 1e-9
