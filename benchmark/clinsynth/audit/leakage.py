"""Rows that repeat examples: exactly, by a run of words, as near duplicates, or as paraphrases.

The item is the whole example. A row of a pair task matches an example only if both of its texts match, in either order:
published splits themselves share one side (94 % of HealthVer's development rows have an evidence text that is in the
test set too, none of them with a test claim). Rows that match on one side are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from clinsynth.core import Example
from clinsynth.text import (
    Codes,
    Hashes,
    NearDuplicates,
    Sequences,
    Shingles,
    Sketches,
    jaccard,
    key,
    seen,
    shingles,
    sketches_of,
    words,
)


class TextSet:
    """Distinct texts by their normalised form, and the examples that have them."""

    def __init__(self, examples: Sequence[Example], markers: Iterable[str] = ()) -> None:
        """``markers``: placeholders of the task, which every text holds and which so say nothing."""
        self._markers = tuple(markers)
        self.index: dict[str, int] = {}
        """Number of the text with a key."""
        self.texts: list[str] = []
        """The first text of each key, as it is written."""
        self.places: list[tuple[int, ...]] = [
            tuple(self._number(text) for text in example.texts) for example in examples
        ]
        """For each example the numbers of its texts."""
        self.owners: list[list[tuple[int, int]]] = [[] for _ in self.texts]
        """For each text who has it: ``(example, side)``."""
        for example, numbers in enumerate(self.places):
            for side, number in enumerate(numbers):
                self.owners[number].append((example, side))

    def _number(self, text: str) -> int:
        number = self.index.setdefault(key(text), len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def words(self) -> list[list[str]]:
        """Words of each text, without markers."""
        return [words(self._plain(text)) for text in self.texts]

    @cached_property
    def shingles(self) -> list[Shingles]:
        """Character n-grams of each text, without markers."""
        return shingles(self.words)

    @cached_property
    def sketches(self) -> Sketches:
        """MinHash sketches of the shingles."""
        return sketches_of(self.shingles)

    @cached_property
    def word_sets(self) -> list[Shingles]:
        """The set of each text's words; empty for one with too few distinct ones to say anything."""
        # 32 bits: what the sketches take. That two of a text's words share a number changes nothing that is compared.
        codes = Codes()
        sets = (frozenset(codes[word] & 0xFFFFFFFF for word in own) for own in self.words)
        return [own if len(own) >= DISTINCT_WORDS else frozenset() for own in sets]

    @cached_property
    def word_sketches(self) -> Sketches:
        """MinHash sketches of the sets of words."""
        return sketches_of(self.word_sets)

    def _plain(self, text: str) -> str:
        for marker in self._markers:
            text = text.replace(marker, " ")
        return text


Method = Literal["exact", "13-gram", "near-duplicate", "same-words", "embedding"]
METHODS: tuple[Method, ...] = ("exact", "13-gram", "near-duplicate", "same-words", "embedding")
"""Methods, the surest first."""

NGRAM = 13
"""Words in a row: the run of Brown et al. 2020 (GPT-3, appendix C)."""
SHORTEST_WHOLE = 8
"""A text of this many words or more, but fewer than ``NGRAM``, matches where a row holds all of it."""
MIN_WORDS = 5
"""Texts with fewer words, markers not counted, are compared exactly alone, and count as chance ("Results :")."""
NEAR = 0.6
"""Jaccard index of character 5-grams from which two texts are near duplicates (docs/audits.md)."""
SAME_WORDS = 0.75
"""Jaccard index of the sets of words from which two texts have the same words, in whatever order (docs/audits.md)."""
DISTINCT_WORDS = 8
"""Distinct words that a text must have for that."""
COSINE = 0.85
CONFIRM = 0.4
"""A text at this cosine matches if its Jaccard index is ``CONFIRM`` too..."""
COSINE_ALONE = 0.97
"""...and from this cosine on in any case (docs/audits.md)."""
_BLOCK = 512

Vectors = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
Hits = list[dict[int, int]]
"""For each text of the rows: the texts of the items that it matches, with the rank of the surest method."""


class Match(NamedTuple):
    """A row and an example that it repeats."""

    row: int
    item: int
    method: Method
    """The surest method that finds it; for a pair, that of the less sure side."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What rows and items have in common."""

    matches: tuple[Match, ...]
    """By row, then item."""
    one_side: tuple[int, ...]
    """Rows of a pair task of which one text alone is in an item, by a method other than the embedding."""
    nearest: Vectors | None
    """``[distinct texts of the rows]`` cosine to the nearest text of the items; ``None`` without embedding."""


def overlap(rows: TextSet, items: TextSet, *, public: TextSet | None = None, embed: Embed | None = None) -> Overlap:
    """Compare every row with every item.

    Args:
        rows: the submission's.
        items: the split that is looked for.
        public: examples that the publisher prints in other splits. A run of words that is there too is no evidence;
            and where one text of a pair is there, the other must be found by a surer method than the embedding.
        embed: unit vectors of texts; without it there is no nearest neighbour.
    """
    hits: Hits = [{} for _ in rows.texts]
    _exact(hits, rows, items)
    _runs(hits, rows, items, public)
    _near(hits, rows, items)
    _same_words(hits, rows, items)
    nearest = _neighbours(hits, rows, items, embed) if embed and len(items) else None
    printed = [key in public.index if public else False for key in items.index]
    matches = tuple(sorted(_matches(hits, rows, items, printed)))
    matched = {match.row for match in matches}
    sure = METHODS.index("embedding")
    one_side = tuple(
        row
        for row, numbers in enumerate(rows.places)
        if len(numbers) > 1 and row not in matched and any(rank < sure for n in numbers for rank in hits[n].values())
    )
    return Overlap(matches, one_side, nearest)


def repeated(rows: TextSet, others: TextSet) -> set[int]:
    """Rows that are the same as an example of ``others`` after normalisation."""
    keys = list(rows.index)
    known = {tuple(sorted(numbers)) for numbers in others.places}
    repeats: set[int] = set()
    for row, numbers in enumerate(rows.places):
        theirs = [others.index.get(keys[number], -1) for number in numbers]
        if tuple(sorted(theirs)) in known:
            repeats.add(row)
    return repeats


def is_short(rows: TextSet, row: int) -> bool:
    """Whether a row has so few words that chance may repeat it."""
    return sum(len(rows.words[number]) for number in rows.places[row]) < MIN_WORDS


def _add(hits: Hits, text: int, other: int, method: Method) -> None:
    rank = METHODS.index(method)
    hits[text][other] = min(rank, hits[text].get(other, rank))


def _exact(hits: Hits, rows: TextSet, items: TextSet) -> None:
    for text, form in enumerate(rows.index):
        if (other := items.index.get(form)) is not None:
            _add(hits, text, other, "exact")


def _runs(hits: Hits, rows: TextSet, items: TextSet, public: TextSet | None) -> None:
    codes = Codes()
    ours, theirs = Sequences.of(rows.words, codes), Sequences.of(items.words, codes)
    known = Sequences.of(public.words, codes) if public else None
    lengths = np.diff(theirs.starts)
    for n in range(SHORTEST_WHOLE, NGRAM + 1):
        # A text of n < 13 words has one run of n words: all of it.
        at = theirs.places(n)
        at = at[lengths[theirs.owners[at]] == n] if n < NGRAM else at
        runs = theirs.hashes(at, n)
        if known is not None and len(runs):
            fresh = ~seen(runs, known.hashes(known.places(n), n))
            at, runs = at[fresh], runs[fresh]
        for text, other in _shared(ours, n, runs, theirs.owners[at]):
            _add(hits, text, other, "13-gram")


def _shared(ours: Sequences, n: int, runs: Hashes, owners: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """``(our sequence, owner)`` for every run of ours that is among ``runs``."""
    if not len(runs):
        return
    at = ours.places(n)
    hashes = ours.hashes(at, n)
    common = seen(hashes, runs)
    at, hashes = at[common], hashes[common]
    order = np.argsort(runs, kind="stable")
    first, last = (np.searchsorted(runs[order], hashes, side) for side in ("left", "right"))
    matches = {
        (int(text), int(owner))
        for text, start, end in zip(ours.owners[at], first, last, strict=True)
        for owner in owners[order[start:end]]
    }
    yield from sorted(matches)


def _long(texts: TextSet) -> list[bool]:
    return [len(words) >= MIN_WORDS for words in texts.words]


def _near(hits: Hits, rows: TextSet, items: TextSet) -> None:
    ours, theirs = _long(rows), _long(items)
    sets = [own if fits else frozenset[int]() for own, fits in zip(items.shingles, theirs, strict=True)]
    index = NearDuplicates(sets, items.sketches)
    sets = [own if fits else frozenset[int]() for own, fits in zip(rows.shingles, ours, strict=True)]
    for text, other in index.query(sets, NEAR, rows.sketches):
        _add(hits, text, other, "near-duplicate")


def _same_words(hits: Hits, rows: TextSet, items: TextSet) -> None:
    """Texts whose words were put into another order: what the other comparisons see as another text."""
    index = NearDuplicates(items.word_sets, items.word_sketches)
    for text, other in index.query(rows.word_sets, SAME_WORDS, rows.word_sketches):
        _add(hits, text, other, "same-words")


def _neighbours(hits: Hits, rows: TextSet, items: TextSet, embed: Embed) -> Vectors:
    theirs, ours = embed(items.texts), embed(rows.texts)
    long_rows, long_items = _long(rows), _long(items)
    nearest = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK):
        cosine = ours[start : start + _BLOCK] @ theirs.T
        nearest[start : start + _BLOCK] = cosine.max(axis=1)
        for k, other in np.argwhere(cosine >= COSINE).tolist():
            text = start + k
            if long_rows[text] and long_items[other] and other not in hits[text]:
                alike = cosine[k, other] >= COSINE_ALONE
                if alike or jaccard(rows.shingles[text], items.shingles[other]) >= CONFIRM:
                    _add(hits, text, other, "embedding")
    return nearest


def _matches(hits: Hits, rows: TextSet, items: TextSet, printed: Sequence[bool]) -> Iterator[Match]:
    for row, numbers in enumerate(rows.places):
        sides = [
            {owner: rank for other, rank in hits[number].items() for owner in items.owners[other]} for number in numbers
        ]
        by_item: dict[int, int] = {}
        for (item, side), rank in sides[0].items():
            if len(sides) > 1:
                opposite = sides[1].get((item, 1 - side))
                if opposite is None or _vague(items.places[item], side, (rank, opposite), printed):
                    continue
                rank = max(rank, opposite)  # noqa: PLW2901 - the less sure side decides
            by_item[item] = min(rank, by_item.get(item, rank))
        yield from (Match(row, item, METHODS[rank]) for item, rank in by_item.items())


def _vague(texts: tuple[int, ...], side: int, ranks: tuple[int, int], printed: Sequence[bool]) -> bool:
    """Whether one text of a pair is public, so that it says nothing, and the other is found by its embedding alone.

    ``ranks`` are those of the text on ``side`` and of the other one.
    """
    vague = METHODS.index("embedding")
    return (printed[texts[1 - side]] and ranks[0] == vague) or (printed[texts[side]] and ranks[1] == vague)
