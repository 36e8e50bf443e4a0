"""Many short sequences as one array: hashes of all runs of n items, and the longest run that two sets share.

The hash of a run is a polynomial in random 64-bit codes of its items, modulo 2^64: by prefix sums every run of one
length costs one multiplication. With 10^8 comparisons the chance of any false match is below 10^-3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_BASE = 0x9E3779B97F4A7C15
"""Odd, so that its powers never vanish modulo 2^64."""
_FILTER_BITS = 24


def _code(item: str) -> int:
    return int.from_bytes(hashlib.blake2b(item.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class Codes(dict[str, int]):
    """64-bit code of an item, the same in every process."""

    def __missing__(self, item: str) -> int:
        code = self[item] = _code(item)
        return code


@dataclass(frozen=True)
class Sequences:
    """Sequences one behind the other."""

    items: Hashes
    """``[total]`` codes."""
    starts: Places
    """``[n + 1]``: sequence k is ``items[starts[k]:starts[k + 1]]``."""

    @classmethod
    def of(cls, sequences: Iterable[Sequence[str]], codes: Codes) -> Sequences:
        """From words or characters; ``codes`` is shared between sets that are compared."""
        parts = [[codes[item] for item in sequence] for sequence in sequences]
        starts = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=starts[1:])
        return cls(np.array([code for part in parts for code in part], np.uint64), starts)

    @classmethod
    def of_characters(cls, texts: Sequence[str]) -> Sequences:
        """The characters of texts; comparable with every other set made so."""
        starts = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=starts[1:])
        points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        return cls(_mixed(_mixed(points.astype(np.uint64) + np.uint64(_BASE))), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def owners(self) -> Places:
        """``[total]`` the sequence of each item."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @cached_property
    def _prefix(self) -> tuple[Hashes, Hashes]:
        powers = np.ones(len(self.items) + 1, np.uint64)
        powers[1:] = _BASE
        np.multiply.accumulate(powers, out=powers)
        # sum_k item[k] * base^k; a run is made independent of its place when it is read.
        sums = np.zeros(len(self.items) + 1, np.uint64)
        np.cumsum(self.items * powers[:-1], out=sums[1:])
        return sums, powers

    @cached_property
    def _inverse(self) -> Hashes:
        inverse = np.ones(len(self.items) + 1, np.uint64)
        inverse[1:] = pow(_BASE, -1, 2**64)
        return np.multiply.accumulate(inverse)

    def places(self, n: int) -> Places:
        """Every place where a run of ``n`` items begins that stays inside its sequence."""
        at = np.arange(max(len(self.items) - n + 1, 0))
        return at[at + n <= self.starts[1:][self.owners[at]]]

    def hashes(self, at: Places, n: int) -> Hashes:
        """Hash of the run of ``n`` items that begins at each place."""
        sums, _ = self._prefix
        return (sums[at + n] - sums[at]) * self._inverse[at]


def seen(queries: Hashes, known: Hashes) -> npt.NDArray[np.bool_]:
    """Which of ``queries`` are among ``known``; a bitmap of the smaller set spares most of the sorting."""
    if len(known) > len(queries):
        known = known[_perhaps(known, queries)]
        return np.isin(queries, known)
    found = _perhaps(queries, known)
    found[found] = np.isin(queries[found], known)
    return found


def _perhaps(many: Hashes, few: Hashes) -> npt.NDArray[np.bool_]:
    """True for all of ``many`` that are among ``few``, and for a small part of the others."""
    shift = np.uint64(64 - _FILTER_BITS)
    mark = np.zeros(1 << _FILTER_BITS, np.bool_)
    mark[_mixed(few) >> shift] = True
    return mark[_mixed(many) >> shift]


def _mixed(hashes: Hashes) -> Hashes:
    return (hashes ^ (hashes >> np.uint64(31))) * np.uint64(0xD6E8FEB86659FD93)


def longest_shared(rows: Sequences, text: Sequences, first: int = 4) -> Places:
    """For each sequence of ``rows`` the length of the longest run that ``text`` has too; below ``first`` it is 0.

    Lengths double until no row has a run; then each row's length is found by halving steps. A place that shares no
    run of n items shares no longer one, so that only the places that are left are looked at.
    """
    best = np.zeros(len(rows), np.int64)
    row_at, text_at, n = rows.places(first), text.places(first), first
    while len(row_at) and len(text_at):
        row_at, text_at = _shared(rows, row_at, text, text_at, n)
        best[rows.owners[row_at]] = n
        _refine(rows, row_at, text, text_at, best, n)
        n *= 2
        row_at, text_at = _inside(rows, row_at, n), _inside(text, text_at, n)
    return best


def _refine(rows: Sequences, row_at: Places, text: Sequences, text_at: Places, best: Places, n: int) -> None:
    step = n // 2
    while step:
        for length in np.unique(best[best >= n]):
            # Rows that already have this length; those that have a longer one by `step` move up.
            mine = row_at[best[rows.owners[row_at]] == length]
            longer = int(length) + step
            mine, theirs = _inside(rows, mine, longer), _inside(text, text_at, longer)
            found = mine[seen(rows.hashes(mine, longer), text.hashes(theirs, longer))]
            best[rows.owners[found]] = longer
        step //= 2


def _inside(sequences: Sequences, at: Places, n: int) -> Places:
    at = at[at + n <= len(sequences.items)]
    return at[at + n <= sequences.starts[1:][sequences.owners[at]]]


def _shared(rows: Sequences, row_at: Places, text: Sequences, text_at: Places, n: int) -> tuple[Places, Places]:
    ours, theirs = rows.hashes(row_at, n), text.hashes(text_at, n)
    row_at = row_at[seen(ours, theirs)]
    return row_at, text_at[seen(theirs, rows.hashes(row_at, n))]
