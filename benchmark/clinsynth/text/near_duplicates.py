"""Near duplicates: MinHash finds candidates, the exact Jaccard index of character 5-grams decides."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from clinsynth.text.sequences import Sequences

SHINGLE = 5
"""Characters, of the words joined by single spaces: as good as words and better than word n-grams at finding light
paraphrases (docs/audits.md), and forgiving of inflection and of spelling."""
PERMUTATIONS = 96
BANDS = (24, 4)
"""Bands and rows of the index: a pair at Jaccard 0.6 becomes a candidate with 1 - (1 - 0.6^4)^24 = 96 %, one at 0.7
with 99.9 %."""


Shingles = frozenset[int]


class NearDuplicates:
    """An index over texts, given as their shingles."""

    def __init__(self, sets: Sequence[Shingles]) -> None:
        """Texts without a shingle are never found."""
        self._sets = sets
        self._index: Any = importlib.import_module("datasketch").MinHashLSH(num_perm=PERMUTATIONS, params=BANDS)
        for k, sketch in _sketches(sets):
            self._index.insert(k, sketch, check_duplication=False)  # numbers are never inserted twice

    def query(self, sets: Sequence[Shingles], threshold: float) -> Iterator[tuple[int, int]]:
        """``(index of the query, index of the text)`` of the pairs with a Jaccard index of ``threshold`` or more."""
        for k, sketch in _sketches(sets):
            candidates: list[int] = self._index.query(sketch)
            for found in sorted(candidates):
                if jaccard(sets[k], self._sets[found]) >= threshold:
                    yield k, found


def jaccard(a: Shingles, b: Shingles) -> float:
    """Size of the intersection over size of the union; 0 for two empty sets."""
    shared = len(a & b)
    return shared / max(len(a) + len(b) - shared, 1)


def shingles(texts: Sequence[Sequence[str]]) -> list[Shingles]:
    """The shingles of each text, as 32-bit hashes; a text shorter than a shingle is its own, an empty one has none."""
    joined = [" ".join(words) for words in texts]
    sequences = Sequences.of_characters([text.ljust(SHINGLE) if text else "" for text in joined])
    places = sequences.places(SHINGLE)
    hashes = (sequences.hashes(places, SHINGLE) >> np.uint64(32)).tolist()
    cuts = np.searchsorted(places, sequences.starts).tolist()
    return [frozenset(hashes[start:end]) for start, end in pairwise(cuts)]


def _sketches(sets: Sequence[Shingles]) -> Iterator[tuple[int, Any]]:
    minhash: Any = importlib.import_module("datasketch").MinHash
    filled = [k for k, own in enumerate(sets) if own]
    sketches = minhash.generator((sets[k] for k in filled), num_perm=PERMUTATIONS, hashfunc=int, seed=1)
    yield from zip(filled, sketches, strict=True)
