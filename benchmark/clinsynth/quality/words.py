"""Words, n-grams, coverage and distributions: everything that is counted rather than embedded."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import NamedTuple, TypeVar

import numpy as np

from clinsynth.core import Example

K = TypeVar("K", bound=Hashable)

WORD = re.compile(r"[^\W_]+")
"""A run of letters and digits; punctuation is no word."""

LENGTH_BINS = 10
"""Lengths are compared in bins that hold a tenth of the real rows each."""


def normalised(text: str) -> str:
    """NFKC, case-folded, each run of white space one space: texts that are equal afterwards count as the same."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words(text: str) -> list[str]:
    """The words of a text after normalisation."""
    return WORD.findall(normalised(text))


def ngram_counts(texts: Iterable[Sequence[str]], n: int) -> tuple[int, int]:
    """n-grams, and distinct n-grams, of tokenised texts; none crosses from one text to the next."""
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        grams = list(zip(*(text[k:] for k in range(n)), strict=False))
        total += len(grams)
        seen.update(grams)
    return total, len(seen)


def distinct(texts: Iterable[Sequence[str]], n: int) -> float | None:
    """distinct-n: distinct n-grams / n-grams over all texts together (Li et al. 2016); ``None`` without n-grams."""
    total, different = ngram_counts(texts, n)
    return different / total if total else None


def inverse_ngram_frequency(texts: Iterable[Sequence[str]], n: int = 3) -> float | None:
    """INGF: n-grams / distinct n-grams, the mean count of a distinct n-gram, at least 1; ``None`` without n-grams.

    Exactly 1 / distinct-n. Other code sums squared shares under the same name: not comparable (FACTS 1.8).
    """
    total, different = ngram_counts(texts, n)
    return total / different if total else None


class Coverage(NamedTuple):
    """How much of the real items the data has, each in [0, 1]; ``None`` where the denominator is 0."""

    share: float | None
    """Distinct real items that occur in the data / distinct real items."""
    weighted: float | None
    """Real occurrences whose item occurs in the data / real occurrences."""
    novel: float | None
    """Distinct items of the data that the real data lacks / distinct items of the data."""


def coverage(found: Mapping[str, int], real: Mapping[str, int]) -> Coverage:
    """Coverage of real items by found items, both as counts of occurrences."""
    common = found.keys() & real.keys()
    occurrences = sum(real.values())
    return Coverage(
        len(common) / len(real) if real else None,
        sum(real[item] for item in common) / occurrences if occurrences else None,
        1 - len(common) / len(found) if found else None,
    )


def jensen_shannon(p: Mapping[K, float], q: Mapping[K, float]) -> float | None:
    """Jensen-Shannon divergence in bits, in [0, 1], of two counts over the same items; ``None`` where one is empty.

    1/2 KL(p || m) + 1/2 KL(q || m), m = (p + q) / 2 (Lin 1991). The divergence, not its square root.
    """
    keys = list({**p, **q})
    a, b = (np.array([counts.get(key, 0.0) for key in keys], dtype=np.float64) for counts in (p, q))
    if not a.sum() or not b.sum():
        return None
    a, b = a / a.sum(), b / b.sum()
    m = (a + b) / 2
    parts = [float((side[side > 0] * np.log2(side[side > 0] / m[side > 0])).sum()) for side in (a, b)]
    return min(1.0, max(0.0, sum(parts) / 2))


def length_divergence(lengths: Sequence[int], real: Sequence[int]) -> float | None:
    """Jensen-Shannon divergence of lengths, in bits, over bins between the deciles of the real lengths."""
    if not lengths or not real:
        return None
    edges = np.unique(np.quantile(np.asarray(real), np.linspace(0, 1, LENGTH_BINS + 1)[1:-1]))
    binned = (Counter(map(int, np.searchsorted(edges, np.asarray(side), side="left"))) for side in (lengths, real))
    return jensen_shannon(*binned)


NEAR = 0.8
"""Jaccard index of two rows' sets of distinct words at which they count as near duplicates."""


def inputs(rows: Sequence[Example]) -> list[tuple[str, ...]]:
    """The normalised texts of each row: what a student reads, without the answer."""
    return [tuple(normalised(text) for text in row.texts) for row in rows]


def answer(row: Example) -> tuple[object, ...]:
    """The answer of a row: its labels, or for span tasks its labelled mentions, whatever their offsets."""
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
