"""From test examples to independent units: counts of examples that are not independent are added up first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinsynth.core import Example

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def unit_index(examples: Sequence[Example]) -> IntArray:
    """``[examples]``: the number of each example's unit, counted from 0 in order of first appearance.

    An example without a unit is a unit by itself, whatever the others are called.
    """
    seen: dict[object, int] = {}
    keys = (example.unit or (position,) for position, example in enumerate(examples))
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def sum_by_unit(counts: npt.NDArray[np.int64], index: IntArray) -> IntArray:
    """``[..., examples, columns]`` counts to ``[..., units, columns]``: sums over the examples of each unit.

    Raises ``ValueError`` if ``index`` has another length than there are examples.
    """
    if counts.shape[-2] != len(index):
        raise ValueError(f"{counts.shape[-2]} examples, {len(index)} unit numbers")
    out = np.zeros((*counts.shape[:-2], int(index.max(initial=-1)) + 1, counts.shape[-1]), dtype=np.int64)
    for place in np.ndindex(counts.shape[:-2]):
        np.add.at(out[place], index, counts[place])
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The runs of one submission on one task: sufficient statistics for every question of this package."""

    value: Callable[[IntArray], FloatArray]
    """``Metric.value``: ``[..., columns]`` summed counts to ``[...]`` scores."""
    seeds: tuple[int, ...]
    """Empty for answers that no seed changes: they stand beside every seed of the others."""
    counts: IntArray
    """``[seeds, units, columns]``; a single one where there is no seed."""

    def __post_init__(self) -> None:
        known = len(self.counts) == max(1, len(self.seeds)) and len(set(self.seeds)) == len(self.seeds)
        if self.counts.ndim != 3 or not known:
            raise ValueError(f"counts {self.counts.shape} do not fit seeds {self.seeds}")
        if self.counts.shape[1] < 2:
            raise ValueError("fewer than two independent units: nothing can be said of other test sets")

    @property
    def units(self) -> int:
        """Independent units of the test set."""
        return self.counts.shape[1]

    @property
    def scores(self) -> FloatArray:
        """``[seeds]``: the score of each run, in [0, 1]."""
        return self.value(self.counts.sum(axis=1))
