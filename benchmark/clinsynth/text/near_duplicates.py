"""Near duplicates: MinHash finds candidates, the exact Jaccard index of character 5-grams decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from clinsynth.text.sequences import Sequences

SHINGLE = 5
"""Characters, of the words joined by single spaces: as good as words and better than word n-grams at finding light
paraphrases (docs/audits.md), and forgiving of inflection and of spelling."""
PERMUTATIONS = 96
BANDS = (24, 4)
"""Bands and rows of the index: a pair at Jaccard 0.6 becomes a candidate with 1 - (1 - 0.6^4)^24 = 96 %, one at 0.7
with 99.9 %."""


Shingles = frozenset[int]
"""32-bit hashes."""
Sketches = npt.NDArray[np.uint32]
"""``[n, PERMUTATIONS]``."""
Numbers = npt.NDArray[np.int64]


class NearDuplicates:
    """An index over texts, given as their shingles."""

    def __init__(self, sets: Sequence[Shingles], sketches: Sketches | None = None) -> None:
        """Texts without a shingle are never found; ``sketches``: of these sets, where they are known already."""
        self._sets = sets
        self._numbers, self._bands = _bands(sets, sketches)

    def query(
        self, sets: Sequence[Shingles], threshold: float, sketches: Sketches | None = None
    ) -> Iterator[tuple[int, int]]:
        """``(index of the query, index of the text)`` of the pairs with a Jaccard index of ``threshold`` or more."""
        numbers, bands = _bands(sets, sketches)
        pairs: set[tuple[int, int]] = set()
        for ours, theirs in zip(bands, self._bands, strict=True):
            order = np.argsort(theirs, kind="stable")
            known = theirs[order]
            first = known.searchsorted(ours, "left")
            last = known.searchsorted(ours, "right")
            for place in np.flatnonzero(last > first).tolist():
                found = self._numbers[order[first[place] : last[place]]].tolist()
                pairs.update((int(numbers[place]), other) for other in found)
        for k, other in sorted(pairs):
            if jaccard(sets[k], self._sets[other]) >= threshold:
                yield k, other


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


def sketches_of(sets: Sequence[Shingles]) -> Sketches:
    """``[n, PERMUTATIONS]`` MinHash values of each set: those of datasketch's scheme ``affine32`` with seed 1.

    Each permutation is h -> a h + b modulo 2^32 with an odd a, after a mixing of the hashes that all share. An empty
    set has the largest value throughout.
    """
    sizes = np.array([len(own) for own in sets], np.int64)
    filled = np.flatnonzero(sizes)
    starts = np.zeros(len(filled), np.int64)
    np.cumsum(sizes[filled][:-1], out=starts[1:])
    values = np.fromiter((item for own in sets for item in own), np.uint32, int(sizes.sum()))
    hashes = _mixed(values)
    out = np.full((len(sets), PERMUTATIONS), np.iinfo(np.uint32).max, np.uint32)
    if len(filled):
        for number, (factor, shift) in enumerate(_permutations()):
            out[filled, number] = np.minimum.reduceat(hashes * factor + shift, starts)
    return out


@cache
def _permutations() -> list[tuple[np.uint32, np.uint32]]:
    # The old generator, whose numbers are fixed: other permutations would find other candidates.
    rng = np.random.RandomState(1)
    factors = rng.randint(0, 1 << 31, PERMUTATIONS, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return list(zip(factors, rng.randint(0, 1 << 32, PERMUTATIONS, dtype=np.uint32), strict=True))


def _mixed(values: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """MurmurHash3's finaliser."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        values = (values ^ (values >> np.uint32(shift))) * np.uint32(factor)
    return values ^ (values >> np.uint32(16))


def _bands(sets: Sequence[Shingles], sketches: Sketches | None) -> tuple[Numbers, npt.NDArray[np.uint64]]:
    """Numbers of the sets that are not empty, and ``[bands, n]`` one hash of each band of their sketches."""
    numbers = np.flatnonzero([bool(own) for own in sets])
    sketches = (sketches_of(sets) if sketches is None else sketches)[numbers]
    bands, rows = BANDS
    parts = sketches.reshape(len(numbers), bands, rows).astype(np.uint64)
    # Two bands that differ and have one hash make a candidate too many, which the exact comparison refuses.
    out = np.zeros((len(numbers), bands), np.uint64)
    for row in range(rows):
        out = (out ^ parts[:, :, row]) * np.uint64(0x9E3779B97F4A7C15)
        out ^= out >> np.uint64(29)
    return numbers, np.ascontiguousarray(out.T)
