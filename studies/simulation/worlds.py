"""Made-up test sets on which the truth is known: two methods, several seeds, items that are hard for both.

Every decision of a student is right when a normal variable is above a threshold. The variable is the sum of what the
item is for everybody, what it is for this method, what it is in this one run, and a shift of the whole run, its seed
effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri  # pyright: ignore[reportMissingTypeStubs] - scipy has none

from clinsynth.core.nouns import MetricName
from clinsynth.scoring.metrics import METRICS
from clinsynth.scoring.statistics import Runs, sum_by_unit
from clinsynth.scoring.statistics.profiles import FloatArray, IntArray

ITEM, OWN, NOISE = 0.5, 0.25, 0.25
"""Shares of the variance: of the item, of item and method, of item and run. Two runs of a method then agree on 84 % of
the items, of different methods on 78 %."""
_SLOTS = {"accuracy": 1, "micro_f1": 4, "macro_f1": 1, "entity_f1": 6}
"""Decisions an item: one answer, four labels, three entities to find and three places for false alarms."""
_CLASSES = np.array([0.8, 0.15, 0.05])
"""Of macro F1: the last is rare, as in PubHealth."""


@dataclass(frozen=True, slots=True)
class World:
    """What is simulated."""

    metric: MetricName
    items: int
    """Test items; with ``cluster`` > 1 they belong to fewer units."""
    seeds: int
    spread: float = 0.01
    """Standard deviation of the seeds, as a share of right decisions: 0.01 is one point."""
    together: float = 0.0
    """Correlation of A's and B's seed effects at the same seed."""
    lead: float = 0.0
    """A's true lead, as a share of right decisions; 0 is the null."""
    cluster: int = 1
    """Mean number of items of a unit, which share what they are for everybody and for a method."""
    level: float = 0.8
    """Share of right decisions, in the middle of the two."""


def simulate(world: World, rng: np.random.Generator, *, by_unit: bool = True) -> tuple[Runs, Runs]:
    """Runs of A and B on one new test set; without ``by_unit`` each item passes for a unit, wrongly in clusters."""
    slots = _SLOTS[world.metric]
    index = _index(world, rng)
    units = int(index.max()) + 1
    gold = _GOLD[world.metric](world.items, rng)
    item = _part(ITEM, units, index, slots, world, rng)
    shift_of = world.spread / _density(world.level)
    common = rng.standard_normal(world.seeds) * np.sqrt(abs(world.together))
    out: list[Runs] = []
    for sign in (1, -1):
        own = _part(OWN, units, index, slots, world, rng)
        apart = rng.standard_normal(world.seeds) * np.sqrt(1 - abs(world.together))
        shift = shift_of * (common * (sign if world.together < 0 else 1) + apart)
        threshold = float(ndtri(world.level + sign * world.lead / 2))
        noise = rng.standard_normal((world.seeds, world.items, slots), dtype=np.float32) * np.float32(NOISE**0.5)
        right = noise + (item + own + threshold)[None] + shift[:, None, None] > 0
        counts = _COUNT[world.metric](right, gold, rng)
        if world.cluster > 1 and by_unit:
            counts = sum_by_unit(counts, index)
        out.append(Runs(METRICS[world.metric].value, tuple(range(world.seeds)), counts))
    return out[0], out[1]


def _index(world: World, rng: np.random.Generator) -> IntArray:
    if world.cluster == 1:
        return np.arange(world.items)
    sizes = 1 + rng.poisson(world.cluster - 1, world.items)
    return np.repeat(np.arange(world.items), sizes)[: world.items]


def _part(share: float, units: int, index: IntArray, slots: int, world: World, rng: np.random.Generator) -> FloatArray:
    """``[items, slots]``; in a cluster four fifths of the variance are shared by the unit."""
    alone = rng.standard_normal((world.items, slots))
    if world.cluster > 1:
        alone = np.sqrt(0.2) * alone + np.sqrt(0.8) * rng.standard_normal((units, slots))[index]
    return np.sqrt(share) * alone


def _density(level: float) -> float:
    return float(np.exp(-0.5 * ndtri(level) ** 2) / np.sqrt(2 * np.pi))


_Right = npt.NDArray[np.bool_]
"""``[seeds, items, slots]``."""


def _count_accuracy(right: _Right, gold: IntArray, rng: np.random.Generator) -> IntArray:
    return np.concatenate([right, np.ones_like(right)], axis=-1).astype(np.int64)


def _count_micro(right: _Right, gold: IntArray, rng: np.random.Generator) -> IntArray:
    true = np.broadcast_to(gold.astype(bool), right.shape)
    said = true == right
    return np.stack([said & true, said, true], axis=-1).astype(np.int64).reshape(*right.shape[:2], -1)


def _count_macro(right: _Right, gold: IntArray, rng: np.random.Generator) -> IntArray:
    other = (gold[:, 0] + rng.integers(1, 3, right.shape[:2])) % 3
    said = np.where(right[..., 0], gold[:, 0], other)[..., None] == np.arange(3)
    true = np.broadcast_to(gold == np.arange(3), said.shape)
    return np.stack([said & true, said, true], axis=-1).astype(np.int64).reshape(*right.shape[:2], -1)


def _count_entities(right: _Right, gold: IntArray, rng: np.random.Generator) -> IntArray:
    there = np.arange(3) < gold
    hit = (right[..., :3] & there).sum(-1)
    false = (~right[..., 3:]).sum(-1)
    return np.stack([hit, hit + false, np.broadcast_to(gold[:, 0], hit.shape)], axis=-1).astype(np.int64)


_GOLD: dict[str, Callable[[int, np.random.Generator], IntArray]] = {
    "accuracy": lambda n, _: np.zeros((n, 1), dtype=np.int64),
    "micro_f1": lambda n, rng: (rng.random((n, 4)) < 0.25).astype(np.int64),
    "macro_f1": lambda n, rng: rng.choice(3, (n, 1), p=_CLASSES),
    "entity_f1": lambda n, rng: rng.binomial(3, 0.4, (n, 1)),
}
_COUNT: dict[str, Callable[[_Right, IntArray, np.random.Generator], IntArray]] = {
    "accuracy": _count_accuracy,
    "micro_f1": _count_micro,
    "macro_f1": _count_macro,
    "entity_f1": _count_entities,
}
