"""Scores between a floor and a ceiling, and in real examples: the scales that people can use."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clinsynth.scoring.statistics.estimates import ALPHA, Measured
from clinsynth.scoring.statistics.profiles import Profile, contrast, difference
from clinsynth.scoring.statistics.units import FloatArray

_GRID = 129
"""Numbers of rows that are tried for an interval: 1.8 % apart from 100 to 1,000."""
_FAR = 1e3
"""A gap beyond this has no bound that anybody could use."""


@dataclass(frozen=True, slots=True)
class Gap:
    """(score - floor) / (full - floor): 0 at the floor, 1 at the ceiling; below and above are possible."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""
    """Why something is missing."""


def gap_recovered(score: Profile, floor: Profile, full: Profile, alpha: float = ALPHA) -> Gap:
    """Gap recovered, with the interval of all g for which score - floor = g (full - floor) is not rejected.

    That is Fieller's interval (1954): it knows that the ends of the scale are estimated on the same test set. It is
    left out where floor and ceiling cannot be told apart.
    """
    span = difference(full, floor)
    if span.value <= 0:
        return Gap(None, None, None, "real data does no better than the floor")
    value = difference(score, floor).value / span.value

    def p(g: float) -> float:
        return contrast([(1.0, score), (g - 1, floor), (-g, full)]).estimate().p_value()

    if span.estimate().p_value() >= alpha:
        return Gap(value, None, None, "the test set does not tell real data from the floor")
    low, high = (_edge(p, value, sign, alpha) for sign in (-1, 1))
    return Gap(value, low, high, "" if low is not None and high is not None else "no bound")


def _edge(p: Callable[[float], float], start: float, sign: int, alpha: float) -> float | None:
    """Where ``p`` falls to ``alpha``, going from ``start`` in the direction of ``sign``."""
    inside, step = 0.0, 0.05
    while p(start + sign * step) >= alpha:
        inside, step = step, 2 * step
        if step > _FAR:
            return None
    for _ in range(40):
        middle = (inside + step) / 2
        inside, step = (middle, step) if p(start + sign * middle) >= alpha else (inside, middle)
    return start + sign * step


def _mean(values: Sequence[float], places: Sequence[int]) -> float:
    return sum(values[k] for k in places) / len(places)


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Scores at several numbers of rows, on one test set."""

    rows: tuple[int, ...]
    """Ascending."""
    profiles: tuple[Profile, ...]

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.profiles) or list(self.rows) != sorted(set(self.rows)) or not self.rows:
            raise ValueError(f"rows {self.rows} are not ascending, or not as many as profiles")

    def smoothing(self) -> FloatArray:
        """``[points, points]``: averages falling neighbours until the curve never falls (isotonic regression, PAVA)."""
        blocks: list[list[int]] = []
        values = [profile.mean for profile in self.profiles]
        for k in range(len(values)):
            blocks.append([k])
            while len(blocks) > 1 and _mean(values, blocks[-2]) > _mean(values, blocks[-1]):
                blocks[-2:] = [blocks[-2] + blocks[-1]]
        out = np.zeros((len(values), len(values)))
        for block in blocks:
            out[np.ix_(block, block)] = 1 / len(block)
        return out

    def fitted(self) -> FloatArray:
        """``[points]``: the scores, made monotone."""
        return self.smoothing() @ np.array([profile.mean for profile in self.profiles])

    def weights_at(self, rows: float) -> FloatArray:
        """``[points]``: the weight of each point in the curve at ``rows``, linear in log rows between the points."""
        points: FloatArray = np.arange(len(self.rows), dtype=np.float64)
        place = float(np.interp(math.log(rows), np.log(self.rows), points))
        left = min(int(place), max(0, len(self.rows) - 2))
        weights: FloatArray = np.zeros(len(self.rows))
        weights[left] = 1.0 if len(self.rows) == 1 else 1 - (place - left)
        if len(self.rows) > 1:
            weights[left + 1] = place - left
        return weights @ self.smoothing()

    def inverse(self, score: float) -> float | None:
        """The fewest rows at which the curve reaches ``score``; ``None`` outside it."""
        fitted = self.fitted()
        if not fitted[0] <= score <= fitted[-1]:
            return None
        k = int(np.searchsorted(fitted, score, side="left"))
        if k == 0:
            return float(self.rows[0])
        share = (score - fitted[k - 1]) / (fitted[k] - fitted[k - 1])
        return float(np.exp(np.log(self.rows[k - 1]) + share * np.log(self.rows[k] / self.rows[k - 1])))

    def area(self) -> Measured:
        """Mean score over log rows from the first point to the last (trapezoids): a score again, in [0, 1].

        ``contrast`` of two areas: pass ``area_terms`` of both. Raises ``ValueError`` for a single point.
        """
        return contrast(self.area_terms())

    def area_terms(self, sign: float = 1.0) -> list[tuple[float, Profile]]:
        """The terms of ``area``, times ``sign``. Raises ``ValueError`` for a single point."""
        if len(self.rows) < 2:
            raise ValueError("a single point has no area")
        steps = np.diff(np.log(self.rows))
        weights: FloatArray = (np.append(steps, 0) + np.insert(steps, 0, 0)) / 2 / steps.sum()
        return [(sign * w, profile) for w, profile in zip(weights.tolist(), self.profiles, strict=True)]


@dataclass(frozen=True, slots=True)
class Worth:
    """How many real examples a score is worth. ``None`` is outside the curve: ``words`` says on which side."""

    rows: float | None
    low: float | None
    """``None``: not even the fewest real examples are ruled out; or, if so is ``high``, all of the curve lies below."""
    high: float | None
    words: str
    """Such as ``340 (210 to > 1,000)``."""


def worth(score: Profile, real: LearningCurve, alpha: float = ALPHA) -> Worth:
    """Where a score falls on the learning curve of real data.

    The interval holds the numbers of rows at which real data is not significantly better or worse, by the paired test:
    the error of the curve is in it.
    """
    first, last = real.rows[0], real.rows[-1]
    fitted = real.fitted()
    rows = real.inverse(score.mean)
    outside = "" if rows is not None else f"> {last:,}" if score.mean > fitted[-1] else f"< {first:,}"
    grid = np.unique(np.append(np.geomspace(first, last, _GRID), rows or first))

    def p(k: float) -> float:
        terms = [(-float(w), profile) for w, profile in zip(real.weights_at(k), real.profiles, strict=True) if w]
        return contrast([(1.0, score), *terms]).estimate().p_value()

    # Rounding makes the first and the last of geomspace miss the ends by a hair.
    held = [k for k in np.clip(grid, first, last).tolist() if p(k) >= alpha]
    if not held:
        return Worth(rows, rows, rows, outside or f"{rows:,.0f}")
    low = None if held[0] == first else held[0]
    high = None if held[-1] == last else held[-1]
    low_words = f"< {first:,}" if low is None else f"{low:,.0f}"
    high_words = f"> {last:,}" if high is None else f"{high:,.0f}"
    # Outside the curve the interval is open on that side though the end of the curve may be ruled out.
    if outside.startswith(">"):
        high, high_words = None, outside
    elif outside:
        low, low_words = None, outside
    return Worth(rows, low, high, f"{outside or f'{rows:,.0f}'} ({low_words} to {high_words})")


def share_of_cost(score: float, cost: float | None) -> float | None:
    """Score per dollar or per token; ``None`` where the cost is unknown, or nothing was paid."""
    return score / cost if cost else None


def pareto(points: Sequence[tuple[str, float, float | None]]) -> dict[str, bool | None]:
    """Which of (name, score, cost) nobody beats in both: more score for no more cost, or less cost for no less score.

    A point of unknown cost (``None``) is on no front and beats nobody: ``None``.
    """
    known = [(name, score, cost) for name, score, cost in points if cost is not None]
    front = {
        name: not any(s >= score and c <= cost and (s > score or c < cost) for _, s, c in known)
        for name, score, cost in known
    }
    return {name: front.get(name) for name, _, _ in points}
