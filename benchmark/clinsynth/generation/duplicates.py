"""Rows that say what an earlier row said: the same words, or nearly all of them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Literal

from clinsynth.scoring.audit.near import PERMUTATIONS, Shingles, jaccard, shingles
from clinsynth.scoring.audit.normalise import key, words

NEAR = 0.9
"""Jaccard index of character 5-grams from which two texts count as one: a word of a text of thirty is another.

The audit calls rows near the test set from 0.6 on (docs/audits.md). There a false alarm costs a look; here it would
cost a row, and rows that share their pattern, or the same sentence about another drug, are not the same row."""
BANDS = (12, 8)
"""Bands and rows of the index: a pair at Jaccard 0.9 becomes a candidate with 1 - (1 - 0.9^8)^12 = 99.9 %."""


class Duplicates:
    """The texts of the rows so far."""

    def __init__(self) -> None:
        self._exact: set[tuple[str, ...]] = set()
        self._sets: list[list[Shingles]] = []
        datasketch: Any = importlib.import_module("datasketch")
        self._index: Any = datasketch.MinHashLSH(num_perm=PERMUTATIONS, params=BANDS)
        self._sketch: Any = datasketch.MinHash

    def find(self, texts: Sequence[str]) -> Literal["duplicate", "near-duplicate"] | None:
        """Whether an earlier row has these texts, whatever its label; if not, they are remembered.

        A pair repeats another if both of its texts do: many rows may share a premise.
        """
        exact = tuple(map(key, texts))
        if exact in self._exact:
            return "duplicate"
        sets = shingles([words(text) for text in texts])
        # Texts of a pair are told apart, so that an exchanged pair is not the same.
        sketch = self._sketch(num_perm=PERMUTATIONS, hashfunc=int, seed=1)
        sketch.update_batch([(shingle + side) & 0xFFFFFFFF for side, own in enumerate(sets) for shingle in own])
        candidates: list[int] = self._index.query(sketch)
        for found in candidates:
            if all(jaccard(own, other) >= NEAR for own, other in zip(sets, self._sets[found], strict=True)):
                return "near-duplicate"
        self._exact.add(exact)
        self._index.insert(len(self._sets), sketch, check_duplication=False)
        self._sets.append(sets)
        return None
