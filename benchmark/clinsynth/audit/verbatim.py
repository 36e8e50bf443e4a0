"""The longest stretch of real text that a row repeats word for word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clinsynth.audit.leakage import TextSet
from clinsynth.text import Codes, Sequences, longest_shared, tight

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
